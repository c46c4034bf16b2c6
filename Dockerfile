# Two images, each a static binary on nothing:
#
#   docker build --target manager --build-arg VERSION=0.1.0 -t ghcr.io/nexus-operator/manager:0.1.0 .
#   docker build --target runtime --build-arg VERSION=0.1.0 -t ghcr.io/nexus-operator/runtime:0.1.0 .
#
# hack/images.sh makes the same images without Docker: keep paths, users and entrypoints alike.

FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
WORKDIR /src
# What is baked into the image, and not the network, decides which compiler builds it.
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-trimpath -buildvcs=false"
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY main.go ./
COPY api api
COPY config/crd config/crd
COPY controllers controllers
COPY runtime runtime
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=0.1.0-dev
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    export GOOS="$TARGETOS" GOARCH="$TARGETARCH" && \
    go build -ldflags "-s -w -X main.version=$VERSION" -o /out/manager . && \
    go build -ldflags "-s -w -X main.version=$VERSION" -o /out/nexus ./runtime/cmd/nexus

FROM scratch AS manager
LABEL org.opencontainers.image.title="Nexus operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/nexus-operator/nexus-operator"
COPY --from=build /out/manager /manager
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/manager"]

# What the sample workflow of the demo calls. Nothing else needs it.
FROM build AS build-services
COPY test/services test/services
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS="$TARGETOS" GOARCH="$TARGETARCH" go build -ldflags "-s -w" -o /out/services ./test/services

FROM scratch AS services
COPY --from=build-services /out/services /services
USER 1000:1000
EXPOSE 8080 8443
ENTRYPOINT ["/services"]

# The public CA roots are compiled into the binary. It is its own health check: /nexus health.
FROM scratch AS runtime
LABEL org.opencontainers.image.title="Nexus runtime" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/nexus-operator/nexus-operator"
COPY --from=build /out/nexus /nexus
USER 1000:1000
EXPOSE 8000 3001 9090
ENTRYPOINT ["/nexus"]
