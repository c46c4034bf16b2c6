#!/usr/bin/env bash
# Lints the chart and tests what it renders.
set -euo pipefail
cd "$(dirname "$0")/.."

HELM=${HELM:-$(hack/tools/build.sh helm)}
export HELM
"$HELM" lint --strict charts/nexus-operator
go test -count=1 ./test/chart
