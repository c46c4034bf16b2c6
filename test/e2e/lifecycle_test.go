package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/test/story"
)

// owned lists what the operator made for the sample app, with the version of each:
// an object that was written to shows.
func owned(t *testing.T, env *story.Env) string {
	t.Helper()
	return kubectl(t, env, "get", "serviceaccount,configmap,service,networkpolicy,poddisruptionbudget,controllerrevision", "-n", story.Namespace,
		"-l", "app.kubernetes.io/managed-by=nexus-operator", "-o", `jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`) +
		kubectl(t, env, "get", "deployment", "-n", story.Namespace, story.App, "-o", "jsonpath={.metadata.generation} {.metadata.annotations}") +
		kubectl(t, env, "get", "pods", "-n", story.Namespace, "-l", "app.kubernetes.io/instance="+story.App, "-o", "jsonpath={.items[*].metadata.uid}")
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
