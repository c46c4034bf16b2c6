package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/test/story"
)

// owned lists what the operator made for the sample app, with a version of each that
// changes when its desired state is written to: the generation where the API counts
// one, and else the resource version.
func owned(t *testing.T, env *story.Env) string {
	t.Helper()
	list := func(kinds, version string) string {
		return kubectl(t, env, "get", kinds, "-n", story.Namespace, "-l", "app.kubernetes.io/managed-by=nexus-operator,app.kubernetes.io/instance="+story.App,
			"-o", `jsonpath={range .items[*]}{.kind}/{.metadata.name} `+version+`{"\n"}{end}`)
	}
	pods, err := env.Pods(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var uids []string
	for _, pod := range pods {
		uids = append(uids, string(pod.UID))
	}
	slices.Sort(uids)
	return list("serviceaccount,configmap,service,controllerrevision", "{.metadata.resourceVersion}") +
		list("deployment,networkpolicy,poddisruptionbudget", "{.metadata.generation}") + strings.Join(uids, " ")
}

func TestOperatorUpgradeAndReinstallWriteNothing(t *testing.T) {
	env := shop(t)
	before := owned(t, env)
	if before == "" || !strings.Contains(before, "Service/"+story.App) {
		t.Fatalf("nothing of the app was found: %q", before)
	}
	if err := env.InstallOperator(t.Context(), "--set", "resources.requests.cpu=60m"); err != nil {
		t.Fatal(err)
	}
	if after := owned(t, env); after != before {
		t.Errorf("an upgrade of the operator wrote to an app that did not change:\nbefore %s\nafter  %s", before, after)
	}
	if err := env.UninstallOperator(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := owned(t, env); after != before {
		t.Errorf("uninstalling the operator changed an app:\nbefore %s\nafter  %s", before, after)
	}
	kubectl(t, env, "get", "crd", "nexusapps.nexus.dev")
	if _, err := env.Expect(t.Context(), http.StatusOK, http.MethodPost, "/workflows/echo/execute", "demo", echo); err != nil {
		t.Errorf("the pods do not serve without the operator: %v", err)
	}
	if err := env.InstallOperator(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := env.AwaitReady(t.Context(), 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	if after := owned(t, env); after != before {
		t.Errorf("a reinstalled operator wrote to an app that did not change:\nbefore %s\nafter  %s", before, after)
	}
}
