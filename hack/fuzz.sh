#!/usr/bin/env bash
# Runs each fuzz target of the module for a while.
#
#   hack/fuzz.sh [DURATION]
set -euo pipefail
cd "$(dirname "$0")/.."
duration=${1:-20s}

targets=$(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' api runtime controllers | sort)
[ -n "$targets" ] || { echo "fuzz: no target found" >&2; exit 1; }
while IFS=: read -r file target; do
	package=./$(dirname "$file")
	target=${target#func }
	echo "fuzz: $package $target for $duration"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$duration" "$package"
done <<<"$targets"
