#!/usr/bin/env bash
# Installs what the tests need and runs all of them. A table of the stages with their times closes it; the exit status is
# not zero when any stage failed. Later stages run all the same, so that one run shows everything that is broken.
set -euo pipefail
cd "$(dirname "$0")/.."

green='' red='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

names=() seconds=() results=() failed=0

report() {
	echo
	printf '%-34s %8s  %s\n' STAGE SECONDS RESULT
	local i total=0
	for i in "${!names[@]}"; do
		local colour=$green
		[ "${results[i]}" = ok ] || colour=$red
		printf '%-34s %8d  %s%s%s\n' "${names[i]}" "${seconds[i]}" "$colour" "${results[i]}" "$plain"
		total=$((total + seconds[i]))
	done
	printf '%-34s %8d\n' total "$total"
}
trap report EXIT

stage() { # name command...
	local name=$1 started=$SECONDS result=ok
	shift
	echo
	echo "== $name"
	# A child shell, so that set -e holds in it: a function called as a condition ignores it.
	"$BASH" -c "set -euo pipefail; $(declare -f "$1"); $*" || result=FAILED
	[ $result = ok ] || failed=1
	names+=("$name") seconds+=($((SECONDS - started))) results+=("$result")
}

# Tests run a real Redis and the commands of the documentation, and the race detector needs a C compiler. What the local
# cluster needs, it installs itself.
setup() {
	command -v go >/dev/null || { echo "test: go is not on PATH: install Go 1.26 or later" >&2; exit 1; }
	hack/redis.sh
	local missing=() command
	for command in gcc curl jq openssl; do
		command -v $command >/dev/null || missing+=("$command")
	done
	[ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
	if [ ${#missing[@]} = 0 ]; then
		return
	fi
	if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
		echo "test: missing are ${missing[*]}: install them, or run this as root on Debian" >&2
		exit 1
	fi
	echo "installing Debian packages: ${missing[*]}"
	install() { apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null; }
	install || { apt-get update -qq; install; }
}

assets() { hack/cluster/cluster assets; }
tools() { hack/tools/build.sh helm; }
build() { make --no-print-directory build; }
unit() { make --no-print-directory unit; }
conformance() { make --no-print-directory conformance; }
processes() { make --no-print-directory processes; }
chart() { make --no-print-directory chart; }
e2e() { make --no-print-directory e2e; }

stage "set-up" setup
stage "control plane from source" assets
stage "Helm from source" tools
stage "build" build
stage "unit and API-server tests" unit
stage "conformance of workflows and MCP" conformance
stage "processes, channels, documentation" processes
stage "chart tests" chart
stage "end-to-end tests" e2e
exit $failed
