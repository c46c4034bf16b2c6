package journey

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

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

// TestExecutionsLimit: asking for executions has a limit of its own, which takes nothing
// from that of calls.
func TestExecutionsLimit(t *testing.T) {
	keys := newKeyring(t)
	one, other := keys.mint("one"), keys.mint("other")
	a := serve(t, manifest("", echo), keys)
	got := answer{status: http.StatusNotFound}
	for n := 0; got.status == http.StatusNotFound && n < 10_000; n++ {
		got = a.send(http.MethodGet, "/executions/"+strings.Repeat("0", 32), "", "X-API-Key", one)
	}
	p := a.wantProblem(got, http.StatusTooManyRequests, "rate_limited")
	if len(p.Policies) != 1 || p.Policies[0] != "executions" || got.header.Get("Retry-After") != "1" {
		t.Errorf("the refusal: %v %s", got.header, got.body)
	}
	if got := a.send(http.MethodDelete, "/executions/"+strings.Repeat("0", 32), "", "X-API-Key", other); got.status != http.StatusNotFound {
		t.Errorf("another client: %d %s", got.status, got.body)
	}
	a.wantOK(a.execute("echo", `{}`, one), `{}`)
	a.wantMetric(`nexus_rate_limit_hits_total{policy="executions"}`, "1")
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

// TestRequestID: only a trusted proxy may name a request.
func TestRequestID(t *testing.T) {
	for proxies, believed := range map[string]bool{"[127.0.0.0/8]": true, "[192.0.2.0/24]": false} {
		keys := newKeyring(t)
		keys.mint("one")
		a := serve(t, manifest("  rateLimit: {trustedProxies: "+proxies+"}", echo), keys)
		got := a.send(http.MethodGet, "/health", "", "X-Request-ID", "from-the-proxy").header.Get("X-Request-Id")
		if (got == "from-the-proxy") != believed || got == "" {
			t.Errorf("trusting %s: the request id is %q", proxies, got)
		}
		if got := a.send(http.MethodGet, "/health", "", "X-Request-ID", "two words").header.Get("X-Request-Id"); len(got) != 32 {
			t.Errorf("trusting %s: the request id is %q", proxies, got)
		}
	}
}

// TestShadow: a limit that is tried out decides, counts and logs, and refuses nobody.
func TestShadow(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	text := strings.Replace(manifest("  rateLimit: {mode: Shadow, requestsPerMinute: 2}", echo),
		"[{name: PerPodLimits", "[{name: RateLimitDisabled, reason: trying it out}, {name: PerPodLimits", 1)
	a := serve(t, text, keys)
	for range 5 {
		a.wantOK(a.execute("echo", `{}`, key), `{}`)
	}
	got := a.execute("echo", `{}`, key)
	a.wantOK(got, `{}`)
	if !strings.HasPrefix(got.header.Get("RateLimit"), `"app";r=0;t=`) || got.header.Get("Retry-After") != "" {
		t.Errorf("headers %v, want a spent bucket and no Retry-After", got.header)
	}
	a.wantMetric(`nexus_rate_limit_shadowed_total{policy="app"}`, "4")
	a.wantMetric(`nexus_rate_limit_hits_total{policy="app"}`, "0")
	a.wantMetric(`nexus_security_posture{check="RateLimit"}`, "0")
	a.log.await(t, "Rate limit would have been exceeded")
	a.log.await(t, `"level":"CRITICAL"`)
}
