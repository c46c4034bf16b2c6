package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/test/story"
)

const echo = `{"inputs": {"message": "hello"}}`

// shop is the story's sample app, set up once more where it is not; every test of
// this file starts from it and leaves it Ready.
func shop(t *testing.T) *story.Env {
	t.Helper()
	env := story.New(options(t))
	if err := env.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	return env
}

func kubectl(t *testing.T, env *story.Env, args ...string) string {
	t.Helper()
	out, err := env.RunKubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// condition returns a condition of the sample app as "Status Reason: message".
func condition(t *testing.T, env *story.Env, app, name string) string {
	t.Helper()
	return kubectl(t, env, "get", "nexusapp", "-n", story.Namespace, app, "-o",
		fmt.Sprintf(`jsonpath={range .status.conditions[?(@.type=="%s")]}{.status} {.reason}: {.message}{end}`, name))
}

func awaitCondition(t *testing.T, env *story.Env, app, name string, want ...string) string {
	t.Helper()
	var got string
	err := story.Until(t.Context(), 2*time.Minute, func(context.Context) error {
		got = condition(t, env, app, name) //nolint:contextcheck // it is the test's own
		for _, w := range want {
			if !strings.Contains(got, w) {
				return fmt.Errorf("condition %s is %q, want %q in it", name, got, w)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func noRequestFails(t *testing.T, load *story.Load) {
	t.Helper()
	sent, err := load.Stop()
	if err != nil {
		t.Error(err)
	}
	if sent == 0 {
		t.Error("no request was sent meanwhile")
	}
	t.Logf("%d requests meanwhile", sent)
}

func patch(t *testing.T, env *story.Env, kind, name, body string) {
	t.Helper()
	kubectl(t, env, "patch", kind, "-n", story.Namespace, name, "--type=merge", "-p", body)
}

func TestRefusedChangeKeepsServing(t *testing.T) {
	env := shop(t)
	load := env.StartLoad(t.Context())
	deployment := kubectl(t, env, "get", "deployment", "-n", story.Namespace, story.App, "-o", "jsonpath={.metadata.generation}")
	kubectl(t, env, "patch", "nexusapp", "-n", story.Namespace, story.App, "--type=json", "-p",
		`[{"op":"add","path":"/spec/workflows/-","value":{"name":"broken","definition":{"document":{"dsl":"1.0.3","namespace":"team-a","name":"broken","version":"1.0.0"},"do":[{"oops":{"set":{"a":"${ .a | }"}}}]}}}]`)
	t.Log(awaitCondition(t, env, story.App, "Accepted", "False", "spec.workflows[2].definition/do/0/oops"))
	if now := kubectl(t, env, "get", "deployment", "-n", story.Namespace, story.App, "-o", "jsonpath={.metadata.generation}"); now != deployment {
		t.Errorf("a refused generation changed the Deployment (generation %s, now %s)", deployment, now)
	}
	n := len(strings.Fields(kubectl(t, env, "get", "nexusapp", "-n", story.Namespace, story.App, "-o", "jsonpath={.spec.workflows[*].name}")))
	kubectl(t, env, "patch", "nexusapp", "-n", story.Namespace, story.App, "--type=json", "-p", fmt.Sprintf(`[{"op":"remove","path":"/spec/workflows/%d"}]`, n-1))
	if err := env.AwaitReady(t.Context(), 2*time.Minute); err != nil {
		t.Error(err)
	}
	noRequestFails(t, load)
}

func TestBrokenImageKeepsServing(t *testing.T) {
	env := shop(t)
	load := env.StartLoad(t.Context())
	patch(t, env, "nexusapp", story.App, `{"spec":{"image":"ghcr.io/nexus-operator/runtime:does-not-exist"}}`)
	t.Log(awaitCondition(t, env, story.App, "Ready", "False"))
	t.Log(awaitCondition(t, env, story.App, "Reconciling", "True", "does-not-exist"))
	t.Log(awaitCondition(t, env, story.App, "Available", "True"))
	patch(t, env, "nexusapp", story.App, `{"spec":{"image":null}}`)
	if err := env.AwaitReady(t.Context(), 2*time.Minute); err != nil {
		t.Error(err)
	}
	noRequestFails(t, load)
}

func TestRolloutRestartIsNotFoughtAndLosesNothing(t *testing.T) {
	env := shop(t)
	load := env.StartLoad(t.Context())
	kubectl(t, env, "rollout", "restart", "deployment", "-n", story.Namespace, story.App)
	kubectl(t, env, "rollout", "status", "deployment", "-n", story.Namespace, story.App, "--timeout=180s")
	at := kubectl(t, env, "get", "deployment", "-n", story.Namespace, story.App, "-o", `jsonpath={.spec.template.metadata.annotations.kubectl\.kubernetes\.io/restartedAt}`)
	if at == "" {
		t.Error("the annotation of kubectl rollout restart was taken away")
	}
	if err := env.AwaitReady(t.Context(), 2*time.Minute); err != nil {
		t.Error(err)
	}
	noRequestFails(t, load)
}

func TestPodKilled(t *testing.T) {
	env := shop(t)
	pods := strings.Fields(kubectl(t, env, "get", "pods", "-n", story.Namespace, "-l", "app.kubernetes.io/instance="+story.App, "-o", "jsonpath={.items[*].metadata.name}"))
	kubectl(t, env, "delete", "pod", "-n", story.Namespace, pods[0])
	if err := env.AwaitReady(t.Context(), 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := env.Expect(t.Context(), http.StatusOK, http.MethodPost, "/workflows/echo/execute", "demo", echo); err != nil {
		t.Error(err)
	}
}

// TestRedisKilled: limits are shared or, for the moment, each pod's own; no request pays
// for it.
func TestRedisKilled(t *testing.T) {
	env := shop(t)
	load := env.StartLoad(t.Context())
	for range 3 {
		kubectl(t, env, "delete", "pod", "-n", story.Namespace, "-l", "app=redis", "--now")
		kubectl(t, env, "rollout", "status", "deployment", "-n", story.Namespace, "redis", "--timeout=180s")
		if err := env.AwaitRedis(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	if got := condition(t, env, story.App, "Ready"); !strings.HasPrefix(got, "True") {
		t.Errorf("Ready is %s", got)
	}
	noRequestFails(t, load)
}

func TestLateSecretIsPickedUp(t *testing.T) {
	env := shop(t)
	raw, err := os.ReadFile("../../config/samples/nexus_v1alpha1_nexusapp.yaml")
	if err != nil {
		t.Fatal(err)
	}
	manifest := strings.ReplaceAll(strings.ReplaceAll(string(raw), "name: shop-api-keys", "name: late-api-keys"), "name: shop\n", "name: late\n")
	if !strings.Contains(manifest, "name: late\n") {
		t.Fatal("the sample's name is written otherwise than this test expects")
	}
	t.Cleanup(func() {
		_, _ = env.RunKubectl(context.WithoutCancel(t.Context()), "delete", "nexusapp,secret", "-n", story.Namespace, "late", "late-api-keys", "--ignore-not-found")
	})
	if _, err := env.RunKubectlIn(t.Context(), manifest, "apply", "-n", story.Namespace, "-f", "-"); err != nil {
		t.Fatal(err)
	}
	t.Log(awaitCondition(t, env, "late", "ReferencesResolved", "False", "SecretNotFound", "spec.auth.apiKeys.secretRef", "late-api-keys"))
	if out := kubectl(t, env, "get", "deployment", "-n", story.Namespace, "--ignore-not-found", "late"); out != "" {
		t.Errorf("pods were started without a credential: %s", out)
	}
	secret := kubectl(t, env, "get", "secret", "-n", story.Namespace, story.KeySecret, "-o", "jsonpath={.data}")
	var data map[string]string
	if err := json.Unmarshal([]byte(secret), &data); err != nil {
		t.Fatal(err)
	}
	late, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]string{"name": "late-api-keys"}, "data": data})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := env.RunKubectlIn(t.Context(), string(late), "create", "-n", story.Namespace, "-f", "-"); err != nil {
		t.Fatal(err)
	}
	kubectl(t, env, "wait", "-n", story.Namespace, "nexusapp/late", "--for=condition=Ready", "--timeout=120s")
}
