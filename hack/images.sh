#!/usr/bin/env bash
# Packs bin/manager, bin/nexus and bin/services into the images that the Dockerfile describes, without Docker: one static binary each,
# the same path, user and entrypoint. Writes dist/*.tar and dist/images.env, which holds the images' names.
#
# The tag is a digest of the binary, so that a cluster which already runs an older build rolls to the new one.
set -euo pipefail
cd "$(dirname "$0")/.."

pack() { # image binary user:group title port...
	local image=$1 binary=$2 user=$3 title=$4
	shift 4
	local tag args=()
	tag=dev-$(sha256sum "bin/$binary" | cut -c1-12)
	for port in "$@"; do args+=(--expose "$port"); done
	hack/cluster/cluster pack-image --name "ghcr.io/nexus-operator/$image:$tag" --binary "bin/$binary" \
		--out "dist/$image.tar" --user "$user" "${args[@]}" \
		--label "org.opencontainers.image.title=$title" \
		--label "org.opencontainers.image.licenses=Apache-2.0" \
		--label "org.opencontainers.image.source=https://github.com/nexus-operator/nexus-operator"
	echo "${image^^}_IMAGE=ghcr.io/nexus-operator/$image:$tag" >>dist/images.env.partial
}

mkdir -p dist
rm -f dist/images.env.partial
pack manager manager 65532:65532 "Nexus operator" 8080 8081
pack runtime nexus 1000:1000 "Nexus runtime" 8000 3001 9090
pack services services 1000:1000 "Services of the Nexus demo" 8080 8443
mv dist/images.env.partial dist/images.env
