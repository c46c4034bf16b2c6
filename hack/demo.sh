#!/usr/bin/env bash
# Runs the demo on the cluster that hack/with-cluster.sh has prepared, or removes what it left behind.
#
#   hack/demo.sh [--down]
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" != --down ]; then
	go run ./hack/demo --kubeconfig "$KUBECONFIG" --kubectl "$KUBECTL" --helm "$HELM" --nexus "$NEXUS" \
		--manager-image "$MANAGER_IMAGE" --runtime-image "$RUNTIME_IMAGE" --redis-image "$REDIS_IMAGE" \
		--services-image "$SERVICES_IMAGE"
	echo
	echo "The cluster stays up. Look around with:"
	echo "  export KUBECONFIG=$KUBECONFIG PATH=$(dirname "$KUBECTL"):\$PATH"
	echo "  kubectl get nexusapps -A"
	echo "Remove it with: make demo-down"
	exit 0
fi

# A shell in which somebody looked around in the local cluster has its kubeconfig.
if [ -z "${KUBECONFIG:-}" ] || [ "$KUBECONFIG" = "$(hack/cluster/cluster kubeconfig 2>/dev/null)" ]; then
	hack/cluster/cluster down
	exit 0
fi
kubectl=${KUBECTL:-$(command -v kubectl || echo "$(hack/cluster/cluster assets)/kubectl")}
go run ./hack/demo --down --kubeconfig "$KUBECONFIG" --kubectl "$kubectl" --helm "${HELM:-$(hack/tools/build.sh helm)}"
