package journey

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/server"
)

// secretWorkflow may be run by buyers only.
const secretWorkflow = echo + `
  - name: secret
    authorization: {anyRole: [buyer]}
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: secret, version: 1.0.0}
      do: [{reply: {set: {ok: true}}}]
`

func TestAuthentication(t *testing.T) {
	keys := newKeyring(t)
	buyer, guest := keys.mint("web.1", "buyer"), keys.mint("guest")
	a := serve(t, manifest("", secretWorkflow), keys)

	a.wantOK(a.execute("secret", `{}`, buyer), `{"ok":true}`)
	a.wantOK(a.execute("echo", `{"a":1}`, "", "Authorization", "Bearer "+guest), `{"a":1}`)
	a.wantProblem(a.execute("secret", `{}`, guest), http.StatusForbidden, "forbidden")

	none := a.execute("echo", `{}`, "")
	a.wantProblem(none, http.StatusUnauthorized, "unauthenticated")
	if got := none.header.Get("WWW-Authenticate"); got != `Bearer realm="shop"` {
		t.Errorf("WWW-Authenticate is %q", got)
	}
	wrong := a.execute("echo", `{}`, buyer[:len(buyer)-1]+"#")
	a.wantProblem(wrong, http.StatusUnauthorized, "unauthenticated")
	if got := wrong.header.Get("WWW-Authenticate"); got != `Bearer realm="shop", error="invalid_token"` {
		t.Errorf("WWW-Authenticate is %q", got)
	}
	a.wantProblem(a.execute("echo", `{}`, buyer, "Authorization", "Bearer "+guest), http.StatusUnauthorized, "unauthenticated")
	a.wantProblem(a.execute("echo", `{}`, buyer, "X-API-Key", buyer), http.StatusUnauthorized, "unauthenticated")
	a.wantProblem(a.execute("echo", `{}`, buyer, "Authorization", "Basic YTpi"), http.StatusUnauthorized, "unauthenticated")
	a.wantProblem(a.send(http.MethodGet, "/workflows?key="+buyer, ""), http.StatusBadRequest, "invalid_input")
	for _, path := range []string{"/", "/workflows", "/workflows/echo"} {
		a.wantProblem(a.send(http.MethodGet, path, ""), http.StatusUnauthorized, "unauthenticated")
	}

	a.wantMetric(`nexus_auth_failures_total{reason="missing"}`, "4")
	a.wantMetric(`nexus_auth_failures_total{reason="ambiguous"}`, "2")
	a.wantMetric(`nexus_access_denied_total{workflow="secret"}`, "1")
	a.wantMetric("nexus_api_keys", "2")
	for _, key := range []string{buyer, guest} {
		if strings.Contains(a.log.String(), key[13:]) {
			t.Error("the log holds a key")
		}
	}
}

// TestListing: a caller sees what it may run, and nothing of the rest.
func TestListing(t *testing.T) {
	keys := newKeyring(t)
	buyer, guest := keys.mint("web.1", "buyer"), keys.mint("guest")
	a := serve(t, manifest("", secretWorkflow), keys)
	for _, path := range []string{"/", "/workflows"} {
		all, some := a.send(http.MethodGet, path, "", "X-API-Key", buyer), a.send(http.MethodGet, path, "", "X-API-Key", guest)
		if all.status != http.StatusOK || !strings.Contains(all.body, `"secret"`) || !strings.Contains(all.body, `"echo"`) {
			t.Errorf("GET %s as a buyer: %d %s", path, all.status, all.body)
		}
		if some.status != http.StatusOK || strings.Contains(some.body, "secret") || !strings.Contains(some.body, `"echo"`) {
			t.Errorf("GET %s as a guest: %d %s", path, some.status, some.body)
		}
	}
	if got := a.send(http.MethodGet, "/workflows/secret", "", "X-API-Key", buyer); got.status != http.StatusOK || !strings.Contains(got.body, `"execute":"/workflows/secret/execute"`) {
		t.Errorf("describing: %d %s", got.status, got.body)
	}
	hidden := a.send(http.MethodGet, "/workflows/secret", "", "X-API-Key", guest)
	absent := a.send(http.MethodGet, "/workflows/absent", "", "X-API-Key", guest)
	if a.wantProblem(hidden, http.StatusNotFound, "workflow_not_found").Detail != a.wantProblem(absent, http.StatusNotFound, "workflow_not_found").Detail {
		t.Error("a hidden workflow reads differently from one that does not exist")
	}
}

// TestKeyRotation swaps the directory as the kubelet does: two keys of a client live
// side by side, and the old one dies when its entry goes.
func TestKeyRotation(t *testing.T) {
	keys := newKeyring(t)
	old := keys.mint("web.old")
	a := serve(t, manifest("", echo), keys)
	a.wantOK(a.execute("echo", `{}`, old), `{}`)

	fresh := keys.mint("web.new")
	keys.publish()
	a.log.await(t, `"entries":2`)
	a.wantOK(a.execute("echo", `{}`, old), `{}`)
	a.wantOK(a.execute("echo", `{}`, fresh), `{}`)

	delete(keys.entries, "web.old")
	keys.publish()
	a.log.await(t, `"entries":1`)
	a.wantProblem(a.execute("echo", `{}`, old), http.StatusUnauthorized, "unauthenticated")
	a.wantOK(a.execute("echo", `{}`, fresh), `{}`)

	keys.entries["web.new"] = "broken"
	keys.publish()
	a.log.await(t, "its last good value stays in force")
	a.wantOK(a.execute("echo", `{}`, fresh), `{}`)
	a.wantMetric("nexus_credentials_reload_errors_total", "1")
	if a.ready() != http.StatusOK {
		t.Error("a broken entry took readiness away")
	}
}

func TestAuthFailures(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("  rateLimit: {authFailuresPerMinute: 2}", echo), keys)
	for range 5 { // no credential spends nothing
		a.wantProblem(a.execute("echo", `{}`, ""), http.StatusUnauthorized, "unauthenticated")
	}
	for range 2 {
		a.wantProblem(a.execute("echo", `{}`, "wrong"), http.StatusUnauthorized, "unauthenticated")
	}
	got := a.execute("echo", `{}`, "wrong")
	p := a.wantProblem(got, http.StatusTooManyRequests, "rate_limited")
	if after, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || after < 1 || after > 30 || p.Policies[0] != "auth-failures" {
		t.Errorf("the refusal: %v %s", got.header, got.body)
	}
	a.wantOK(a.execute("echo", `{}`, key), `{}`)
	a.wantProblem(a.execute("echo", `{}`, ""), http.StatusUnauthorized, "unauthenticated")
	// Writing another address into a header buys nothing.
	a.wantProblem(a.execute("echo", `{}`, "wrong", "X-Forwarded-For", "192.0.2.99"), http.StatusTooManyRequests, "rate_limited")
	a.wantMetric("nexus_forwarded_ignored_total", "1")
	a.log.await(t, "X-Forwarded-For of a peer outside spec.rateLimit.trustedProxies")
}

func TestAuthDisabled(t *testing.T) {
	text := strings.NewReplacer("auth: {apiKeys: {secretRef: {name: keys}}}", "auth: {mode: Disabled}",
		"[{name: PerPodLimits", "[{name: AuthDisabled, reason: behind a gateway}, {name: PerPodLimits").Replace(manifest("  rateLimit: {requestsPerMinute: 1}", echo))
	a := serve(t, text, nil)
	a.wantOK(a.execute("echo", `{}`, ""), `{}`)
	a.wantProblem(a.execute("echo", `{}`, ""), http.StatusTooManyRequests, "rate_limited")
	for _, want := range []string{`"level":"CRITICAL"`, "Authentication is DISABLED in the production environment", "behind a gateway"} {
		if !strings.Contains(a.log.String(), want) {
			t.Errorf("the log does not say %s", want)
		}
	}
	a.wantMetric(`nexus_security_posture{check="Authentication"}`, "0")
	a.wantMetric(`nexus_security_posture{check="RateLimit"}`, "1")
}

func TestStartNeedsCredentials(t *testing.T) {
	doc, hash := render(t, manifest("", echo))
	_, err := server.New(t.Context(), server.Options{Document: doc, Hash: hash, SecretsDir: t.TempDir(), Output: &logs{wrote: make(chan struct{})}})
	if err == nil || !strings.Contains(err.Error(), `Secret "keys"`) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line that names the Secret", err)
	}
}
