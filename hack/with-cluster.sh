#!/usr/bin/env bash
# Runs a command with a cluster that has this checkout's images, and with the variables that say where everything is:
# KUBECONFIG, KUBECTL, HELM, NEXUS, MANAGER_IMAGE, RUNTIME_IMAGE, SERVICES_IMAGE (what the sample workflow calls)
# and REDIS_IMAGE.
#
#   hack/with-cluster.sh [--keep] COMMAND [ARGUMENT...]
#
# Without KUBECONFIG it is the local cluster of hack/cluster. It is taken down again afterwards, in every case, unless
# --keep is given or it ran before. With KUBECONFIG it is yours: images are loaded when the current context is a kind
# cluster; for any other, push them and set MANAGER_IMAGE, RUNTIME_IMAGE and SERVICES_IMAGE. Its nodes pull Redis; REDIS_IMAGE says which.
set -euo pipefail
cd "$(dirname "$0")/.."

keep=no
if [ "${1:-}" = --keep ]; then
	keep=yes
	shift
fi
[ $# -gt 0 ] || { echo "usage: hack/with-cluster.sh [--keep] COMMAND [ARGUMENT...]" >&2; exit 2; }

say() { echo "with-cluster: $*" >&2; }

pack_images() {
	hack/images.sh >&2
	# shellcheck source=/dev/null
	. dist/images.env
}

use_own_cluster() {
	REDIS_IMAGE=${REDIS_IMAGE:-docker.io/library/redis:7.4-alpine}
	if [ -z "${KUBECTL:-}" ]; then
		KUBECTL=$(command -v kubectl || echo "$(hack/cluster/cluster assets)/kubectl")
	fi
	"$KUBECTL" version >/dev/null || { say "the cluster of KUBECONFIG=$KUBECONFIG does not answer"; exit 1; }
	if [ -n "${MANAGER_IMAGE:-}" ] && [ -n "${RUNTIME_IMAGE:-}" ] && [ -n "${SERVICES_IMAGE:-}" ]; then
		return
	fi
	local context
	context=$("$KUBECTL" config current-context)
	if [[ $context != kind-* ]] || ! command -v kind >/dev/null; then
		say "KUBECONFIG is set and $context is not a kind cluster that this machine can load images into: build and push" \
			"the images (docker build --target manager|runtime|services), then set MANAGER_IMAGE, RUNTIME_IMAGE and SERVICES_IMAGE to their names"
		exit 1
	fi
	pack_images
	local archive
	for archive in manager runtime services; do
		kind load image-archive --name "${context#kind-}" dist/$archive.tar
	done
}

use_local_cluster() {
	if hack/cluster/cluster status >/dev/null 2>&1; then
		keep=yes
	fi
	if [ $keep = no ]; then
		trap 'hack/cluster/cluster down' EXIT
	fi
	KUBECONFIG=$(hack/cluster/cluster up)
	KUBECTL=$(hack/cluster/cluster assets)/kubectl
	pack_images
	say "loading the images into the cluster"
	local archive
	for archive in manager runtime services; do
		hack/cluster/cluster load-image --archive dist/$archive.tar
	done
	REDIS_IMAGE=$(hack/redis.sh --image)
	hack/cluster/cluster load-image --archive dist/redis.tar
}

# A shell in which somebody looked around in the local cluster has its kubeconfig.
if [ "${KUBECONFIG:-}" = "$(hack/cluster/cluster kubeconfig 2>/dev/null)" ]; then
	unset KUBECONFIG
fi

HELM=${HELM:-$(hack/tools/build.sh helm)}
NEXUS=${NEXUS:-$PWD/bin/nexus}
if [ -n "${KUBECONFIG:-}" ]; then
	use_own_cluster
else
	use_local_cluster
fi
export KUBECONFIG KUBECTL HELM NEXUS MANAGER_IMAGE RUNTIME_IMAGE SERVICES_IMAGE REDIS_IMAGE

# What a reader of a log wants to know once the cluster is gone.
diagnose() {
	say "the command failed; the cluster's state:"
	local query
	for query in "get nexusapps -A" "get pods -A -o wide" "get events -A --sort-by=.lastTimestamp" \
		"logs -n nexus-system deployment/nexus-operator --tail=60"; do
		echo "\$ kubectl $query"
		# shellcheck disable=SC2086 # words of a command
		"$KUBECTL" $query 2>&1 | tail -n 60 || true
	done >&2
}

# Not exec: the trap above has to run after the command.
status=0
"$@" || status=$?
[ $status = 0 ] || diagnose
exit $status
