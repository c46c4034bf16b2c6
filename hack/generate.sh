#!/usr/bin/env bash
# Regenerates everything that is derived from something else.
set -euo pipefail
cd "$(dirname "$0")/.."

controller_gen=$(hack/tools/build.sh controller-gen)
helm=$(hack/tools/build.sh helm)
crd_ref_docs=$(hack/tools/build.sh crd-ref-docs)
chart=charts/nexus-operator

"$controller_gen" object paths=./api/...
"$controller_gen" crd paths=./api/... output:crd:dir=config/crd/bases
"$controller_gen" rbac:roleName=nexus-operator paths=./controllers/... output:rbac:dir=config/rbac

mkdir -p docs
if ! log=$("$crd_ref_docs" --source-path=api/v1alpha1 --config=hack/tools/crd-ref-docs.yaml --renderer=markdown \
	--output-path=docs/api.md 2>&1); then
	echo "$log" >&2
	exit 1
fi

go run ./hack/clidocs >docs/cli-reference.md

# The chart reads the CRD and the rules of both roles from its own folder: a chart cannot reach outside it.
mkdir -p "$chart/files"
cp config/crd/bases/nexus.dev_nexusapps.yaml "$chart/files/"
rules() { # kind: the rules of that kind's document in role.yaml
	awk -v kind="kind: $1" '
		/^---$/ { wanted = inside = 0 }
		$0 == kind { wanted = 1 }
		wanted && inside { print }
		wanted && /^rules:$/ { inside = 1 }' config/rbac/role.yaml
}
rules ClusterRole >"$chart/files/cluster-rules.yaml"
rules Role >"$chart/files/namespace-rules.yaml"

# config/manager is the chart with its default values, for those who do not use Helm.
mkdir -p config/manager
{
	echo "# Generated from charts/nexus-operator by 'make generate'. Do not edit."
	"$helm" template nexus-operator "$chart" --namespace nexus-system --set crds.install=false |
		grep -vE '^ +(helm.sh/chart|app.kubernetes.io/managed-by): |^# Source: '
} >config/manager/manager.yaml
