#!/usr/bin/env bash
# Compiles a pinned tool once per machine and links it into bin/. Prints the path of the binary.
#
#   hack/tools/build.sh helm | golangci-lint | golangci-lint-kube-api-linter | controller-gen | crd-ref-docs
#
# Each family of tools has a modfile of its own beside this script, so that one tool's dependencies never move another's.
# The binaries are kept in the cache directory that the local cluster uses too, named by version and a digest of modfile
# and flags: clones share them, and a changed pin never finds an old binary.
set -euo pipefail

cd "$(dirname "$0")/../.."
tool=${1:?usage: hack/tools/build.sh TOOL}

ldflags='-s -w'
case $tool in
helm)
	modfile=hack/tools/helm.mod package=helm.sh/helm/v3/cmd/helm module=helm.sh/helm/v3 ;;
golangci-lint)
	modfile=hack/tools/golangci.mod package=github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	module=github.com/golangci/golangci-lint/v2 ;;
golangci-lint-kube-api-linter)
	modfile=hack/tools/kube-api-linter.mod package=sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter
	module=sigs.k8s.io/kube-api-linter ;;
controller-gen)
	modfile=hack/tools/go.mod package=sigs.k8s.io/controller-tools/cmd/controller-gen module=sigs.k8s.io/controller-tools ;;
crd-ref-docs)
	modfile=hack/tools/go.mod package=github.com/elastic/crd-ref-docs module=github.com/elastic/crd-ref-docs ;;
*)
	echo "hack/tools/build.sh: unknown tool \"$tool\"" >&2
	exit 2 ;;
esac

version=$(awk -v module="$module" '{for (i = 1; i < NF; i++) if ($i == module && $(i+1) ~ /^v/) {print $(i+1); exit}}' "$modfile")
if [ -z "$version" ]; then
	echo "hack/tools/build.sh: $modfile does not require $module" >&2
	exit 1
fi
if [ "$tool" = helm ]; then
	# Helm reports its version, and chooses the Kubernetes version that it renders for, by these.
	kube=$(awk '$1 == "k8s.io/client-go" {split(substr($2, 2), v, "."); print v[2]; exit}' "$modfile")
	ldflags+=" -X helm.sh/helm/v3/internal/version.version=$version"
	for package_path in pkg/lint/rules pkg/chartutil; do
		ldflags+=" -X helm.sh/helm/v3/$package_path.k8sVersionMajor=1 -X helm.sh/helm/v3/$package_path.k8sVersionMinor=$kube"
	done
fi

cache=${NEXUS_CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nexus-operator}
digest=$( { echo "$ldflags"; cat "$modfile" "${modfile%.mod}.sum"; } | sha256sum | cut -c1-12)
binary=$cache/tools/$tool-$version-$digest

build() {
	local log started
	log=$(mktemp)
	started=$SECONDS
	echo "tools: building $tool $version from source (once per machine)" >&2
	CGO_ENABLED=0 GOWORK=off go build -v -trimpath -buildvcs=false -modfile="$modfile" -ldflags "$ldflags" \
		-o "$binary.partial" "$package" >"$log" 2>&1 &
	local job=$!
	# A build of minutes says every 20 seconds that it lives.
	local beat=0
	while kill -0 "$job" 2>/dev/null; do
		sleep 1
		beat=$((beat + 1))
		if [ $((beat % 20)) = 0 ]; then
			echo "tools: building $tool: $(wc -l <"$log") packages compiled or fetched, $((SECONDS - started)) s" >&2
		fi
	done
	if ! wait "$job"; then
		tail -n 30 "$log" >&2
		rm -f "$log" "$binary.partial"
		echo "tools: building $tool failed" >&2
		return 1
	fi
	rm -f "$log"
	mv "$binary.partial" "$binary"
	echo "tools: built $tool $version in $((SECONDS - started)) s" >&2
}

mkdir -p "$cache/tools" bin
if [ ! -x "$binary" ]; then
	# Two clones must not write the same file at the same time.
	exec 9>"$binary.lock"
	flock 9
	[ -x "$binary" ] || build
fi
ln -sfn "$binary" "bin/$tool"
echo "$PWD/bin/$tool"
