# Everything that builds, tests and tries Nexus. 'make' alone lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0-dev)
FUZZTIME ?= 20s
BENCHFLAGS ?=
# The data files of the Open Workflow Specification: its conformance kit, examples and schema.
OWS ?= ../shared/ows
override OWS := $(abspath $(OWS))

# The version comes from VERSION, so that a checkout that Git refuses to describe still builds.
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)
LDFLAGS := -s -w -X main.version=$(VERSION)
GO_BUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'

# Packages whose tests need Helm, data files, a whole cluster, or the machine to themselves; 'make test' runs them with what they need.
NEED_MORE := /test/(browser|channels|chart|conformance|docs|e2e|fleet|mcp)$$

.DEFAULT_GOAL := help

##@ Try it

.PHONY: demo
demo: build ## Start a local cluster, install everything, and check it with real calls (root; or set KUBECONFIG).
	hack/with-cluster.sh --keep hack/demo.sh

.PHONY: demo-down
demo-down: ## Remove every trace of the demo: the local cluster, or the demo's objects where KUBECONFIG is set.
	hack/demo.sh --down

##@ Test

.PHONY: test
test: ## Install what is needed and run every test; prints how long each stage took (root; or set KUBECONFIG).
	hack/test.sh

.PHONY: unit
unit: bin/redis-server ## Run the tests that need neither Helm nor a cluster nor several processes, with the race detector.
	assets=$$(hack/cluster/cluster assets); \
	PATH=$(CURDIR)/bin:$$PATH KUBEBUILDER_ASSETS=$$assets go test -race $$(go list ./... | grep -Ev '$(NEED_MORE)')
	go -C hack/cluster test ./...

# In the package's own directory 'go test' shows what tests print: the counts of scenarios.
.PHONY: conformance
conformance: ## Hold the workflow engine against its specification's kit and jq, and MCP against the public suite and clients.
	@[ -d '$(OWS)/ctk/features' ] || echo "conformance: $(OWS) has no data files of the Open Workflow Specification: only our own features run; see OWS in the Makefile"
	OWS='$(OWS)' go -C test/conformance test -race -count=1
	NODE=$$(hack/node.sh) && export NODE && go -C test/mcp test -race -count=1

# One after the other: they run the programs as they are shipped, and count what passes.
.PHONY: processes
processes: bin/redis-server ## Test several runtimes with Redis, one table of calls over every channel, the page in a browser, the documentation.
	assets=$$(hack/cluster/cluster assets); \
	PATH=$(CURDIR)/bin:$$PATH KUBEBUILDER_ASSETS=$$assets go test -p 1 -count=1 ./test/fleet ./test/channels ./test/browser ./test/docs

.PHONY: chart
chart: bin/helm ## Lint the chart and test what it renders.
	hack/chart.sh

.PHONY: e2e
e2e: build ## Tell the user's story on a local cluster and take it down again (root; or set KUBECONFIG).
	hack/with-cluster.sh go test -count=1 -timeout=40m -v ./test/e2e

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (20s).
	hack/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: images bin/redis-server ## Measure the policy path, MCP, the runtime's start and size, and the operator's cost per NexusApp.
	$(GO_BUILD) -o bin/baseline ./hack/bench/baseline
	hack/node.sh >/dev/null
	assets=$$(hack/cluster/cluster assets); PATH=$(CURDIR)/bin:$$PATH KUBEBUILDER_ASSETS=$$assets go run ./hack/bench $(BENCHFLAGS)

##@ Write code

.PHONY: build
build: ## Compile bin/manager and bin/nexus, and bin/services for the demo, static.
	$(GO_BUILD) -o bin/manager .
	$(GO_BUILD) -o bin/nexus ./runtime/cmd/nexus
	$(GO_BUILD) -o bin/services ./test/services

.PHONY: images
images: build ## Pack the binaries into image archives dist/manager.tar and dist/runtime.tar, without Docker.
	hack/images.sh

.PHONY: generate
generate: ## Regenerate deep copies, CRD, RBAC, API reference, the chart's files and config/manager.
	hack/generate.sh

.PHONY: verify
verify: generate ## Regenerate everything and fail when that changed, or added, a file.
	@changed=$$(git status --porcelain); \
	if [ -n "$$changed" ]; then \
		git --no-pager diff --stat; \
		echo "verify: the tree is not what 'make generate' makes of it; commit these:"; echo "$$changed"; exit 1; \
	fi; \
	echo "verify: generated files are current"

.PHONY: lint
lint: ## Check formatting, imports between packages, common mistakes, API conventions and shell scripts.
	hack/lint.sh

.PHONY: tools
tools: bin/helm bin/golangci-lint ## Compile the pinned Helm and linter into bin/ (cached between clones).

# A link in bin/ may point at a version that is no longer pinned: the script decides whether there is anything to do.
.PHONY: bin/helm bin/golangci-lint
bin/helm bin/golangci-lint:
	@hack/tools/build.sh $(@F) >/dev/null

# Tests run it from PATH. It is Debian's, and installed where it is missing (root).
.PHONY: bin/redis-server
bin/redis-server:
	@hack/redis.sh >/dev/null

.PHONY: clean
clean: ## Remove bin/, dist/ and coverage; the local cluster and the caches stay.
	rm -rf bin dist cover.out

##@ Local cluster

.PHONY: cluster-up
cluster-up: ## Start a Kubernetes cluster of plain processes on this machine (root).
	hack/cluster/cluster up

.PHONY: cluster-down
cluster-down: ## Take the local cluster down without a trace (root).
	hack/cluster/cluster down

.PHONY: assets
assets: ## Compile the control plane that API-server tests use, and print its directory.
	@hack/cluster/cluster assets

##@ Help

.PHONY: help
help: ## Show this list.
	@colour=; plain=; if [ -t 1 ] && [ -z "$${NO_COLOR:-}" ]; then colour=$$'\e[36m'; plain=$$'\e[0m'; fi; \
	awk -v colour="$$colour" -v plain="$$plain" -F ':.*## ' \
		'/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		 /^[a-z0-9-]+:.*## / { printf "  %s%-14s%s %s\n", colour, $$1, plain, $$2 }' $(MAKEFILE_LIST)
