package journey

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/config"
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

func TestRateLimit(t *testing.T) {
	keys := newKeyring(t)
	one, other := keys.mint("one"), keys.mint("other")
	a := serve(t, manifest("  rateLimit: {requestsPerMinute: 2}", echo), keys)
	for i := range 2 {
		got := a.execute("echo", `{}`, one)
		a.wantOK(got, `{}`)
		if want := fmt.Sprintf(`"app";r=%d;t=%d`, 1-i, 30*(i+1)); got.header.Get("RateLimit") != want || got.header.Get("RateLimit-Policy") != `"app";q=2;w=60` {
			t.Errorf("headers %v, want RateLimit %s", got.header, want)
		}
	}
	// What is refused later consumes nothing now, and neither does listing.
	got := a.execute("echo", `{"__import__":1}`, one)
	p := a.wantProblem(got, http.StatusTooManyRequests, "rate_limited")
	after, err := strconv.Atoi(got.header.Get("Retry-After"))
	if err != nil || after < 1 || after > 30 || len(p.Policies) != 1 || p.Policies[0] != "app" || !strings.HasPrefix(got.header.Get("RateLimit"), `"app";r=0;t=`) ||
		p.Type != "https://iana.org/assignments/http-problem-types#quota-exceeded" {
		t.Errorf("the refusal: %v %s", got.header, got.body)
	}
	if got := a.send(http.MethodGet, "/workflows", "", "X-API-Key", one); got.status != http.StatusOK {
		t.Errorf("listing is not limited: %d", got.status)
	}
	a.wantOK(a.execute("echo", `{}`, other), `{}`)
	a.wantMetric(`nexus_rate_limit_hits_total{policy="app"}`, "1")
	a.log.await(t, "Rate limit exceeded")
}

func TestWorkflowRateLimit(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	workflows := strings.Replace(secretWorkflow, "authorization: {anyRole: [buyer]}", "rateLimit: {requestsPerMinute: 1}", 1)
	a := serve(t, manifest("  rateLimit: {requestsPerMinute: 3}", workflows), keys)
	a.wantOK(a.execute("secret", `{}`, key), `{"ok":true}`)
	for range 5 {
		p := a.wantProblem(a.execute("secret", `{}`, key), http.StatusTooManyRequests, "rate_limited")
		if len(p.Policies) != 1 || p.Policies[0] != "workflow/secret" {
			t.Errorf("violated: %v", p.Policies)
		}
	}
	// The refusals took nothing from the app's bucket: two of three are left.
	for range 2 {
		a.wantOK(a.execute("echo", `{}`, key), `{}`)
	}
	a.wantProblem(a.execute("echo", `{}`, key), http.StatusTooManyRequests, "rate_limited")
}

// TestRateLimitPer: who shares a bucket.
func TestRateLimitPer(t *testing.T) {
	for per, shared := range map[string][2]bool{ // by two clients of one address; by one client of two addresses
		"Subject": {false, true}, "ClientIP": {true, false}, "App": {true, true},
	} {
		t.Run(per, func(t *testing.T) {
			keys := newKeyring(t)
			one, other := keys.mint("one"), keys.mint("other")
			a := serve(t, manifest("  rateLimit: {requestsPerMinute: 1, per: "+per+", trustedProxies: [127.0.0.0/8]}", echo), keys)
			send := func(key, ip string) bool {
				return a.execute("echo", `{}`, key, "X-Forwarded-For", ip).status == http.StatusTooManyRequests
			}
			send(one, "192.0.2.1")
			if got := send(other, "192.0.2.1"); got != shared[0] {
				t.Errorf("another client at the same address: shares a bucket: %v", got)
			}
			if got := send(one, "192.0.2.2"); got != shared[1] {
				t.Errorf("the same client at another address: shares a bucket: %v", got)
			}
		})
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

func TestBodyCap(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("  input: {maxBytes: 200Ki}", echo), keys)
	body := func(size int) string {
		const frame = `{"inputs":{"s":""}}`
		return `{"inputs":{"s":"` + strings.Repeat("x", size-len(frame)) + `"}}`
	}
	send := func(size int, chunked bool) answer {
		var reader interface{ Read([]byte) (int, error) } = strings.NewReader(body(size))
		if chunked {
			reader = struct{ *bytes.Buffer }{bytes.NewBufferString(body(size))}
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.api+"/workflows/echo/execute", reader)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-API-Key", key)
		req.Header.Set("Content-Type", "application/json")
		return a.do(req)
	}
	const limit = 200 << 10
	for _, chunked := range []bool{false, true} {
		if got := send(limit, chunked); got.status != http.StatusOK {
			t.Errorf("exactly the cap, chunked %v: %d", chunked, got.status)
		}
		a.wantProblem(send(limit+1, chunked), http.StatusRequestEntityTooLarge, "body_too_large")
	}
	a.wantMetric(`nexus_input_blocked_total{rule="body_too_large"}`, "2")
	if got := a.send(http.MethodPost, "/workflows/echo/execute", `a=b`, "X-API-Key", key, "Content-Type", "application/x-www-form-urlencoded"); true {
		a.wantProblem(got, http.StatusUnsupportedMediaType, "unsupported_media_type")
	}
}

func TestInputRules(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("  input: {allowedKeys: [compile]}", echo), keys)
	for inputs, want := range map[string]struct{ rule, pointer string }{
		`{"a":{"__import__":1}}`:    {"blocked_key", "/inputs/a/__import__"},
		`{"a":[{"ｅval":1}]}`:        {"blocked_key", "/inputs/a/0/ｅval"},
		`{"f":"../../etc/passwd"}`:  {"path_traversal", "/inputs/f"},
		`{"a":1,"a":2}`:             {"duplicate_key", "/inputs/a"},
		`{"a":"` + "\\u0000" + `"}`: {"nul_byte", "/inputs/a"},
		`{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`: {"too_deep", ""},
	} {
		got := a.execute("echo", inputs, key)
		p := a.wantProblem(got, http.StatusBadRequest, "invalid_input")
		if len(p.Violations) != 1 || p.Violations[0].Rule != want.rule || want.pointer != "" && p.Violations[0].Pointer != want.pointer {
			t.Errorf("%.40s: violations %+v, want %+v", inputs, p.Violations, want)
		}
	}
	if strings.Contains(a.log.String(), "passwd") {
		t.Error("the log holds a value")
	}
	a.wantMetric(`nexus_input_blocked_total{rule="blocked_key"}`, "2")
	a.wantOK(a.execute("echo", `{"compile":"https://a.example/../b","note":"either/or .. etc"}`, key), `{"compile":"https://a.example/../b","note":"either/or .. etc"}`)
	a.wantOK(a.send(http.MethodPost, "/workflows/echo/execute", `{"parameters":{"a":1},"mode":"sync"}`, "X-API-Key", key), `{"a":1}`)
	for _, body := range []string{`{"inputs":{},"parameters":{}}`, `{"inputs":{},"x":1}`, `{"inputs":[]}`, `{"mode":"async"}`, `[]`, `{`, `{"inputs":{}} x`} {
		a.wantProblem(a.send(http.MethodPost, "/workflows/echo/execute", body, "X-API-Key", key), http.StatusBadRequest, "invalid_input")
	}
}

// typedWorkflow has a schema and routes.
const typedWorkflow = echo + `
  - name: quote
    routes: [{method: GET, path: "/api/quote/{id}"}, {method: POST, path: /api/quote}]
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: quote, version: 1.2.0}
      input:
        schema:
          document:
            type: object
            additionalProperties: false
            required: [id]
            properties:
              id: {type: string, maxLength: 8}
              count: {type: integer}
              price: {type: number}
              fast: {type: boolean}
              tags: {type: array, items: {type: string}}
      do: [{reply: {set: "${ . }"}}]
`

func TestSchema(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("  input: {policy: Strict}", typedWorkflow), keys)
	a.wantOK(a.execute("quote", `{"id":"a","count":2}`, key), `{"count":2,"id":"a"}`)
	p := a.wantProblem(a.execute("quote", `{"id":7,"count":1.5}`, key), http.StatusUnprocessableEntity, "schema_violation")
	pointers := map[string]bool{}
	for _, v := range p.Violations {
		pointers[v.Pointer] = true
	}
	if len(pointers) != 2 || !pointers["/id"] || !pointers["/count"] {
		t.Errorf("violations %+v", p.Violations)
	}
	// Strict: a workflow without a schema takes no inputs.
	a.wantOK(a.execute("echo", `{}`, key), `{}`)
	a.wantProblem(a.execute("echo", `{"a":1}`, key), http.StatusBadRequest, "invalid_input")
	a.wantMetric(`nexus_input_blocked_total{rule="undeclared_input"}`, "1")
}

func TestRoutes(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("", typedWorkflow), keys)
	for path, want := range map[string]string{
		"/api/quote/a%2Fb": `{"id":"a/b"}`,
		"/api/quote/x?count=3&price=1e2&fast=true&tags=a&tags=b%20c": `{"count":3,"fast":true,"id":"x","price":100,"tags":["a","b c"]}`,
	} {
		if got := a.send(http.MethodGet, path, "", "X-API-Key", key); got.status != http.StatusOK || got.body != want+"\n" {
			t.Errorf("GET %s: %d %s, want %s", path, got.status, got.body, want)
		}
	}
	if got := a.send(http.MethodPost, "/api/quote?count=1", `{"id":"z"}`, "X-API-Key", key); got.body != `{"count":1,"id":"z"}`+"\n" {
		t.Errorf("POST: %d %s", got.status, got.body)
	}
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"/api/quote/x?count=three":          {http.StatusUnprocessableEntity, "schema_violation"},
		"/api/quote/x?unknown=1":            {http.StatusUnprocessableEntity, "schema_violation"},
		"/api/quote/x?count=1&count=2":      {http.StatusBadRequest, "invalid_input"},
		"/api/quote/x?id=y":                 {http.StatusBadRequest, "invalid_input"},
		"/api/quote/..%2F..%2Fetc%2Fpasswd": {http.StatusBadRequest, "invalid_input"},
		"/api/quote/x?__class__=1":          {http.StatusBadRequest, "invalid_input"},
		"/api/quote/x?count=%zz":            {http.StatusBadRequest, "invalid_input"},
		"/api/quote/x/y":                    {http.StatusNotFound, "not_found"},
		"/api/quote/":                       {http.StatusNotFound, "not_found"},
		"/openapi.json":                     {http.StatusNotFound, "not_found"},
		"/workflows/quote/execute":          {http.StatusMethodNotAllowed, "method_not_allowed"},
	} {
		got := a.send(http.MethodGet, path, "", "X-API-Key", key)
		a.wantProblem(got, want.status, want.code)
		if allow := got.header.Get("Allow"); (want.status == http.StatusMethodNotAllowed) != (allow == "POST") {
			t.Errorf("GET %s: Allow is %q", path, allow)
		}
	}
	a.wantProblem(a.send(http.MethodGet, "/api/quote/x", ""), http.StatusUnauthorized, "unauthenticated")
	head := a.send(http.MethodHead, "/api/quote/x", "", "X-API-Key", key)
	if head.status != http.StatusOK || head.body != "" || head.header.Get("Content-Length") != strconv.Itoa(len(`{"id":"x"}`)+1) {
		t.Errorf("HEAD: %d %v", head.status, head.header)
	}
}

// slowWorkflow takes long in many short steps: each is well within what one expression
// may take, all of them are not within a second.
func slowWorkflow(steps int, more string) string {
	var b strings.Builder
	b.WriteString(echo + "\n  - name: slow\n    " + more + "\n    definition:\n      document: {dsl: \"1.0.3\", namespace: team-a, name: slow, version: 1.0.0}\n      do:\n")
	for i := range steps {
		fmt.Fprintf(&b, "      - \"%d\": {set: '${[range(4e3)]|length}'}\n", i)
	}
	return b.String()
}

func TestTimeout(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("", slowWorkflow(1400, "timeoutSeconds: 1")), keys)
	a.wantProblem(a.execute("slow", `{}`, key), http.StatusGatewayTimeout, "timeout")
	a.wantMetric(`nexus_workflow_duration_seconds_count{outcome="failed",workflow="slow"}`, "1")
}

func TestConcurrency(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("  limits: {maxConcurrentWorkflows: 1}", echo), keys)
	// The first call holds its place while its body is on the way.
	first, finish := a.hold(key, `{"inputs":`)
	got := a.execute("echo", `{}`, key)
	a.wantProblem(got, http.StatusServiceUnavailable, "overloaded")
	if got.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
	}
	finish(`{"a":1}}`)
	a.wantOK(<-first, `{"a":1}`)
	a.wantOK(a.execute("echo", `{}`, key), `{}`)
}

// TestByteBudget: bodies in flight fill a quarter of the memory, and then no more are
// read; but one body of the largest size always fits.
func TestByteBudget(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serveWith(t, manifest("  input: {maxBytes: 1Ki}", echo), keys, server.Options{MemoryLimit: 4 << 10})
	large := `{"s":"` + strings.Repeat("x", 900) + `"}`
	a.wantOK(a.execute("echo", large, key), large)
	first, finish := a.hold(key, `{"inputs":{"s":"`+strings.Repeat("y", 500))
	var got answer
	for got.status != http.StatusServiceUnavailable { // the first part of the other body may not be read yet
		got = a.execute("echo", large, key)
	}
	a.wantProblem(got, http.StatusServiceUnavailable, "overloaded")
	finish(`"}}`)
	if got := <-first; got.status != http.StatusOK {
		t.Errorf("the first: %d %s", got.status, got.body)
	}
	a.wantOK(a.execute("echo", large, key), large)
}

func TestHashMismatchRefusesToStart(t *testing.T) {
	doc, hash := render(t, manifest("", echo))
	raw, err := doc.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(raw, []byte(`"requestsPerMinute": 100`), []byte(`"requestsPerMinute": 999`), 1)
	if bytes.Equal(raw, changed) {
		t.Fatal("the document has no limit to change")
	}
	if _, err := config.Load(changed, hash); err == nil || !strings.Contains(err.Error(), hash) {
		t.Errorf("a changed document: %v", err)
	}
}

func TestStartNeedsCredentials(t *testing.T) {
	doc, hash := render(t, manifest("", echo))
	_, err := server.New(server.Options{Document: doc, Hash: hash, SecretsDir: t.TempDir(), Output: &logs{wrote: make(chan struct{})}})
	if err == nil || !strings.Contains(err.Error(), `Secret "keys"`) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line that names the Secret", err)
	}
}

// TestDrain ends a server under load: readiness goes first, and no request is lost.
func TestDrain(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serveWith(t, manifest("  rateLimit: {requestsPerMinute: 1000000}", echo), keys, server.Options{DrainDelay: 300 * time.Millisecond})
	if a.ready() != http.StatusOK || a.send(http.MethodGet, "/health", "").status != http.StatusOK {
		t.Fatal("not ready")
	}
	inFlight, finish := a.hold(key, `{"inputs":`)
	var wg sync.WaitGroup
	loaded := make(chan struct{}, 8)
	for range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				got := a.execute("echo", `{}`, key)
				if got.status != http.StatusOK {
					t.Errorf("lost a request: %d %s", got.status, got.body)
					return
				}
				if n == 10 {
					loaded <- struct{}{}
				}
				// A client learns that the pod is going, as a load balancer does, and goes
				// elsewhere.
				if got.closed {
					return
				}
			}
		})
	}
	for range 4 {
		<-loaded
	}
	a.stop()
	a.log.await(t, `"Draining"`)
	if a.ready() != http.StatusServiceUnavailable || a.send(http.MethodGet, "/health", "").status != http.StatusServiceUnavailable {
		t.Error("still ready while draining")
	}
	a.wantOK(a.execute("echo", `{}`, key), `{}`)
	wg.Wait()
	finish(`{"a":1}}`)
	a.wantOK(<-inFlight, `{"a":1}`)
	<-a.ended
	a.log.await(t, `"Drained"`)
}

// TestClientGoesAway: a run ends with its caller.
func TestClientGoesAway(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("", slowWorkflow(1400, "timeoutSeconds: 60")), keys)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.api+"/workflows/slow/execute", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			t.Error("got a reply to a request that was given up")
		}
	}()
	for a.metric("nexus_requests_in_flight") != "1" {
	}
	cancel()
	<-done
	for a.metric(`nexus_requests_total{channel="REST",code="canceled",workflow="slow"}`) != "1" {
	}
}
