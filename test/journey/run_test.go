package journey

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/server"
)

// slowWorkflows are two that take a minute: one that waits, and one that computes in many
// short steps, each of which is well within what one expression may take.
func slowWorkflows(more string) string {
	return echo + `
  - name: slow
    ` + more + `
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: slow, version: 1.0.0}
      do: [{rest: {wait: {minutes: 1}}}]
  - name: busy
    ` + more + `
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: busy, version: 1.0.0}
      do: [{loop: {for: {in: "${ [range(9000)] }"}, do: [{step: {set: "${ [range(6e3)] | length }"}}]}}]
`
}

func TestTimeout(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("", slowWorkflows("timeoutSeconds: 1")), keys)
	for _, workflow := range []string{"slow", "busy"} {
		got := a.execute(workflow, `{}`, key)
		// One expression may take 50 ms: on a machine that stalls, that can end the run first.
		for strings.Contains(got.body, "50 ms") && t.Context().Err() == nil {
			got = a.execute(workflow, `{}`, key)
		}
		a.wantProblem(got, http.StatusGatewayTimeout, "timeout")
	}
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
	a := serve(t, manifest("", slowWorkflows("timeoutSeconds: 60")), keys)
	a.giveUp(key)
	a.wantMetric(`nexus_requests_total{channel="REST",code="canceled",workflow="slow"}`, "1")
}

// giveUp calls the slow workflow, hangs up while it runs, and returns once the server
// is done with it.
func (a *app) giveUp(key string) {
	a.t.Helper()
	ctx, hangUp := context.WithCancel(a.t.Context())
	defer hangUp()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.api+"/workflows/slow/execute", strings.NewReader(`{}`))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
		}
	}()
	for running := false; !running; {
		select {
		case <-done:
			running = true
		default:
			running = a.metric("nexus_requests_in_flight") == "1"
		}
	}
	hangUp()
	<-done
	for a.metric("nexus_requests_in_flight") != "0" {
		if a.t.Context().Err() != nil {
			a.t.Fatal("the server never ended the run")
		}
	}
}
