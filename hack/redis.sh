#!/usr/bin/env bash
# Provides the Redis that tests and the local cluster use: Debian's program, compiled by nobody and pulled from nowhere.
#
#   hack/redis.sh           links redis-server into bin/, installing it where it is missing; prints the link's path
#   hack/redis.sh --image   also packs dist/redis.tar and prints the image's name
set -euo pipefail
cd "$(dirname "$0")/.."

# Package redis-tools holds the program itself, under a name by which it only checks dumps; package redis-server would
# add the name, and a daemon that starts by itself.
packaged=/usr/bin/redis-check-rdb

find_server() {
	command -v redis-server || { [ -x $packaged ] && echo $packaged; }
}

install_server() {
	if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
		echo "redis: redis-server is not on PATH: install Redis 7 or later, or run this as root on Debian" >&2
		exit 1
	fi
	echo "redis: installing the Debian package redis-tools" >&2
	install() { apt-get install -qq -y --no-install-recommends redis-tools >/dev/null; }
	install || { apt-get update -qq && install; }
}

server=$(find_server) || { install_server && server=$(find_server); }
server=$(readlink -f "$server")
mkdir -p bin dist
ln -sfn "$server" bin/redis-server
version=$(bin/redis-server --version | sed -nE 's/^Redis server v=([0-9.]+) .*/\1/p')
[ -n "$version" ] || { echo "redis: $server is not a Redis server" >&2; exit 1; }

if [ "${1:-}" != --image ]; then
	echo "$PWD/bin/redis-server"
	exit 0
fi

# The libraries that the programs are linked with, the loader included, stay where the loader looks for them. redis-cli is
# for people, and for the demo: 'kubectl exec'.
cli=$(command -v redis-cli) || { echo "redis: redis-cli is not on PATH" >&2; exit 1; }
cli=$(readlink -f "$cli")
mapfile -t libraries < <(ldd "$server" "$cli" | grep -oE '/[^ :]+\.so[^ ]*' | sort -u)
files=(--file "$cli:/usr/bin/redis-cli")
for library in "${libraries[@]}"; do files+=(--file "$library:$library"); done
name=debian.local/redis:$version-$(sha256sum "$server" "$cli" "${libraries[@]}" | sha256sum | cut -c1-12)
hack/cluster/cluster pack-image --name "$name" --binary "$server" --entrypoint /usr/bin/redis-server \
	--out dist/redis.tar --user 999:999 --expose 6379 "${files[@]}" >&2
echo "$name"
