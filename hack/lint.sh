#!/usr/bin/env bash
# Runs every linter over every module and script.
set -euo pipefail
cd "$(dirname "$0")/.."

linter=$(hack/tools/build.sh golangci-lint)
api_linter=$(hack/tools/build.sh golangci-lint-kube-api-linter)
failed=0
check() { # name command...
	echo "lint: $1"
	shift
	"$@" || failed=1
}

check "the module" "$linter" run ./...
check "hack/cluster" env -C hack/cluster "$linter" run --config "$PWD/.golangci.yml" ./...
check "Kubernetes API conventions of api/" "$api_linter" run --config .golangci-kal.yml ./api/...

mapfile -t scripts < <(git ls-files '*.sh' .ci/run hack/cluster/cluster)
for script in "${scripts[@]}"; do
	check "$script" bash -n "$script"
done
if command -v shellcheck >/dev/null; then
	check "shell scripts" shellcheck --severity=warning --external-sources "${scripts[@]}"
else
	echo "lint: shellcheck is not installed: only the syntax of shell scripts was checked"
fi
exit $failed
