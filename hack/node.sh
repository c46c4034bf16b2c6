#!/usr/bin/env bash
# Provides Node and the packages that the tests of MCP run: the conformance suite, the official clients and servers. Prints
# the path of node.
#
# What is installed is test/mcp/ts/package-lock.json, every file by its digest. Node itself is one of the packages: the one
# that comes with npm may be too old for the suite. Lifecycle scripts do not run. The packages are kept in the cache directory
# that the local cluster uses too, named by a digest of the lock file, and linked into test/mcp/ts, where scripts look for them.
set -euo pipefail
cd "$(dirname "$0")/.."

source=test/mcp/ts
cache=${NEXUS_CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nexus-operator}
digest=$(cat $source/package.json $source/package-lock.json | sha256sum | cut -c1-12)
installed=$cache/node/$digest

find_npm() {
	command -v npm >/dev/null && return
	if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
		echo "node: npm is not on PATH: install it, or run this as root on Debian" >&2
		exit 1
	fi
	echo "node: installing the Debian package npm" >&2
	install() { apt-get install -qq -y --no-install-recommends npm >/dev/null; }
	install || { apt-get update -qq && install; }
}

install_packages() {
	find_npm
	echo "node: installing the packages of $source (once per machine)" >&2
	rm -rf "$installed.partial"
	mkdir -p "$installed.partial"
	cp $source/package.json $source/package-lock.json "$installed.partial"
	npm ci --prefix "$installed.partial" --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >&2
	rm -rf "$installed"
	mv "$installed.partial" "$installed"
}

node=node_modules/.bin/node
mkdir -p "$cache/node"
if [ ! -x "$installed/$node" ]; then
	# Two clones must not write the same directory at the same time.
	exec 9>"$installed.lock"
	flock 9
	[ -x "$installed/$node" ] || install_packages
fi
ln -sfn "$installed/node_modules" $source/node_modules
[ -x "$source/$node" ] || { echo "node: there is no package of node for this machine ($(uname -m)): see optionalDependencies in $source/package.json" >&2; exit 1; }
echo "$PWD/$source/$node"
