#!/usr/bin/env bash
# Provides the Chromium that tests of the API's page run: Debian's, installed where it is missing. Prints its path.
set -euo pipefail

find_browser() {
	local name
	for name in chromium chromium-browser google-chrome; do
		command -v $name && return
	done
	return 1
}

install_browser() {
	if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
		echo "browser: chromium is not on PATH: install it, or run this as root on Debian" >&2
		exit 1
	fi
	echo "browser: installing the Debian package chromium" >&2
	install() { apt-get install -qq -y --no-install-recommends chromium >/dev/null; }
	install || { apt-get update -qq && install; }
}

find_browser || { install_browser >&2 && find_browser; }
