package journey

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/test/redistest"
)

// execution is the part of an execution that tests look at.
type execution struct {
	ID       string          `json:"run_id"`
	Workflow string          `json:"workflow_id"`
	Status   string          `json:"status"`
	Mode     string          `json:"mode"`
	Outputs  json.RawMessage `json:"outputs"`
	Problem  *problem        `json:"problem"`
}

// start starts a workflow and returns where its execution is.
func (a *app) start(workflow, inputs, key string, header ...string) string {
	a.t.Helper()
	got := a.send(http.MethodPost, "/workflows/"+workflow+"/execute", `{"inputs":`+inputs+`,"mode":"async"}`, append(header, "X-API-Key", key)...)
	if got.status != http.StatusAccepted || got.header.Get("Location") == "" {
		a.t.Fatalf("starting %s: %d %s", workflow, got.status, got.body)
	}
	return got.header.Get("Location")
}

// look returns an execution as it stands.
func (a *app) look(at, key string) execution {
	a.t.Helper()
	var x execution
	if got := a.send(http.MethodGet, at, "", "X-API-Key", key); got.status != http.StatusOK || json.Unmarshal([]byte(got.body), &x) != nil {
		a.t.Fatalf("%s: %d %s", at, got.status, got.body)
	}
	return x
}

// finished waits for the end of an execution by following it.
func (a *app) finished(at, key string) execution {
	a.t.Helper()
	a.send(http.MethodGet, at, "", "X-API-Key", key, "Accept", "text/event-stream")
	return a.look(at, key)
}

// gate is a service that answers when it is opened, and tells of each request.
func gate(t *testing.T) (host string, arrived <-chan struct{}, open func()) {
	t.Helper()
	came, opened := make(chan struct{}, 100), make(chan struct{})
	open = sync.OnceFunc(func() { close(opened) })
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		select {
		case <-opened:
		case <-r.Context().Done():
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"opened":true}`)
	})
	t.Cleanup(open)
	return u.host, came, open
}

func waiting(host string) string {
	return define("wait", `
      - ask: {call: http, with: {method: post, endpoint: "http://`+host+`/"}}
`)
}

func TestAsync(t *testing.T) {
	host, arrived, open := gate(t)
	keys := newKeyring(t)
	one, other := keys.mint("one"), keys.mint("other")
	a := serve(t, manifest("  limits: {maxConcurrentWorkflows: 1}\n  egress: {allow: ['"+host+"']}", echo+waiting(host)), keys)
	at := a.start("wait", `{}`, one)
	<-arrived
	if x := a.look(at, one); x.Status != "running" || x.Mode != "async" || x.Workflow != "wait" || "/executions/"+x.ID != at {
		t.Errorf("while it runs: %+v", x)
	}
	// It takes one of the places, though nobody waits for it.
	a.wantProblem(a.execute("echo", `{}`, other), http.StatusServiceUnavailable, "overloaded")
	a.wantMetric("nexus_workflows_running", "1")
	a.wantMetric("nexus_executions_running", "1")
	a.wantProblem(a.send(http.MethodGet, at, "", "X-API-Key", other), http.StatusNotFound, "not_found")
	a.wantProblem(a.send(http.MethodDelete, at, "", "X-API-Key", other), http.StatusNotFound, "not_found")
	a.wantProblem(a.send(http.MethodGet, at, ""), http.StatusUnauthorized, "unauthenticated")
	open()
	if x := a.finished(at, one); x.Status != "completed" || string(x.Outputs) != `{"opened":true}` {
		t.Errorf("at the end: %+v", x)
	}
	a.wantOK(a.execute("echo", `{}`, other), `{}`)
	a.wantMetric("nexus_workflows_running", "0")
	a.wantMetric("nexus_executions_running", "0")
	var list struct{ Executions []execution }
	if got := a.send(http.MethodGet, "/executions", "", "X-API-Key", one); json.Unmarshal([]byte(got.body), &list) != nil || len(list.Executions) != 1 || "/executions/"+list.Executions[0].ID != at {
		t.Errorf("the list: %d %s", got.status, got.body)
	}
}

// TestCancel: the run ends, and so does its call.
func TestCancel(t *testing.T) {
	host, arrived, _ := gate(t)
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("  egress: {allow: ['"+host+"']}", waiting(host)), keys)
	at := a.start("wait", `{}`, key)
	<-arrived
	if got := a.send(http.MethodDelete, at, "", "X-API-Key", key); got.status != http.StatusAccepted || !strings.Contains(got.body, `"cancel_requested":true`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if x := a.finished(at, key); x.Status != "canceled" || x.Problem == nil || x.Problem.Code != "canceled" {
		t.Errorf("at the end: %+v", x)
	}
}

// TestAsyncTimeout: spec.workflows.timeoutSeconds holds for runs that nobody waits for.
func TestAsyncTimeout(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("", slowWorkflows("timeoutSeconds: 1")), keys)
	if x := a.finished(a.start("slow", `{}`, key), key); x.Status != "failed" || x.Problem == nil || x.Problem.Code != "timeout" || x.Problem.Status != http.StatusGatewayTimeout {
		t.Errorf("at the end: %+v", x)
	}
}

func TestStream(t *testing.T) {
	host, arrived, open := gate(t)
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("  egress: {allow: ['"+host+"']}", define("steps", `
      - first: {set: {step: 1}}
      - ask: {call: http, with: {method: get, endpoint: "http://`+host+`/"}}
      - last: {set: {step: 2}}
`)), keys)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.api+"/workflows/steps/execute", strings.NewReader(`{"mode":"stream"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	// What happened before the call is told before it returns.
	text := ""
	for buffer := make([]byte, 4096); !strings.Contains(text, `"task":"first"`); {
		n, err := res.Body.Read(buffer)
		if text += string(buffer[:n]); err != nil {
			t.Fatalf("%v after %s", err, text)
		}
	}
	<-arrived
	if strings.Contains(text, `"task":"ask"`) || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%v %s", res.Header, text)
	}
	open()
	rest, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	text += string(rest)
	for i, event := range []string{"start", "task", "task", "task", "complete"} {
		if !strings.Contains(text, "event: "+event+"\nid: "+strconv.Itoa(i+1)+"\ndata: {") {
			t.Errorf("there is no event %d, %s: %s", i+1, event, text)
		}
	}
	at := res.Header.Get("Location")
	if got := a.send(http.MethodGet, at, "", "X-API-Key", key, "Accept", "text/event-stream", "Last-Event-ID", "4"); !strings.HasPrefix(got.body, "event: complete\nid: 5\n") ||
		!strings.Contains(got.body, `"outputs":{"step":2}`) {
		t.Errorf("resumed: %s", got.body)
	}
}

// TestIdempotencyKey: the side effect of a call comes to pass once.
func TestIdempotencyKey(t *testing.T) {
	orders := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
	keys := newKeyring(t)
	key, other := keys.mint("one"), keys.mint("other")
	a := serve(t, manifest("  egress: {allow: ['"+orders.host+"']}", define("order", `
      - place: {call: http, with: {method: post, endpoint: "http://`+orders.host+`/", body: "${ . }"}}
      - answer: {set: {sku: "${ $workflow.input.sku }"}}
`)), keys)
	first := a.execute("order", `{"sku":"<a>","n":1}`, key, "Idempotency-Key", "o-1")
	again := a.execute("order", `{"n":1,"sku":"<a>"}`, key, "Idempotency-Key", `"o-1"`)
	a.wantOK(first, `{"sku":"<a>"}`)
	if again.status != first.status || again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("first %d %s\nagain %d %s", first.status, first.body, again.status, again.body)
	}
	orders.wantSeen(t, "POST /")
	a.wantProblem(a.execute("order", `{"sku":"b"}`, key, "Idempotency-Key", "o-1"), http.StatusUnprocessableEntity, "idempotency_mismatch")
	a.wantProblem(a.execute("order", `{"sku":"b"}`, key, "Idempotency-Key", "o 1"), http.StatusBadRequest, "invalid_input")
	orders.wantSeen(t, "POST /")
	a.wantOK(a.execute("order", `{"sku":"<a>","n":1}`, other, "Idempotency-Key", "o-1"), `{"sku":"<a>"}`) // another client's key is another key
	orders.wantSeen(t, "POST /", "POST /")
}

// TestRunWorkflow: a workflow runs another one of the app, and starts one that it does not
// wait for.
func TestRunWorkflow(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("", define("double", `[{reply: {set: {twice: "${ .count * 2 }"}}}]`)+define("parent", `
      - apart: {run: {await: false, workflow: {namespace: team-a, name: double, version: 1.0.0, input: {count: 100}}}}
      - inside: {run: {workflow: {namespace: team-a, name: double, version: 1.0.0, input: {count: "${ .count }"}}}}
`)), keys)
	a.wantOK(a.execute("parent", `{"count":4}`, key), `{"twice":8}`)
	var list struct{ Executions []execution }
	if got := a.send(http.MethodGet, "/executions", "", "X-API-Key", key); json.Unmarshal([]byte(got.body), &list) != nil || len(list.Executions) != 1 {
		t.Fatalf("the list: %d %s", got.status, got.body)
	}
	if x := a.finished("/executions/"+list.Executions[0].ID, key); x.Status != "completed" || x.Workflow != "double" || string(x.Outputs) != `{"twice":200}` {
		t.Errorf("what runs by itself: %+v", x)
	}
}

// TestRaise takes the status of an error to the status of a reply.
func TestRaise(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("", define("order", `
      - look: {raise: {error: {type: "https://shop.example.com/errors/sold-out", status: 409, title: Sold out, detail: '${ "only \(.stock) are left" }'}}}
`)+define("hurry", `
      - rest: {wait: {minutes: 1}, timeout: {after: {milliseconds: 10}}}
`)), keys)
	p := a.wantProblem(a.execute("order", `{"stock":3}`, key), http.StatusConflict, "workflow_failed")
	want := fault.Problem{Type: "https://shop.example.com/errors/sold-out", Status: 409, Title: "Sold out", Detail: "only 3 are left", Instance: "/do/0/look"}
	if p.Error == nil || *p.Error != want || p.Detail != "Sold out: only 3 are left" {
		t.Errorf("got %+v, %+v", p, p.Error)
	}
	p = a.wantProblem(a.execute("hurry", `{}`, key), http.StatusGatewayTimeout, "timeout")
	if p.Error == nil || p.Error.Status != http.StatusRequestTimeout || p.Error.Instance != "/do/0/rest" {
		t.Errorf("of a task without time: %+v", p.Error)
	}
}

// TestExecutionRetention takes spec.limits.executionRetentionSeconds to what Redis keeps.
func TestExecutionRetention(t *testing.T) {
	redis := redistest.Start(t, redistest.Options{})
	keys := newKeyring(t)
	key := keys.mint("one")
	keys.write("redis", "url", redis.URL(""))
	a := serve(t, manifest("  limits: {executionRetentionSeconds: 3600}\n  redis: {urlSecretRef: {name: redis, key: url}}", echo), keys)
	for a.metric("nexus_redis_up") != "1" {
		if t.Context().Err() != nil {
			t.Fatal("Redis was never found")
		}
	}
	at := a.start("echo", `{"a":1}`, key, "Idempotency-Key", "k")
	if x := a.finished(at, key); x.Status != "completed" {
		t.Fatalf("at the end: %+v", x)
	}
	kept := 0
	for name := range strings.SplitSeq(redis.Command("KEYS", "nexus:*"), "\n") {
		left, err := strconv.Atoi(redis.Command("PTTL", name))
		if err != nil || left <= 0 {
			t.Errorf("%s is kept for ever: %d ms, %v", name, left, err)
		}
		if left := time.Duration(left) * time.Millisecond; left > 55*time.Minute && left <= time.Hour {
			kept++
		}
		if value := redis.Command("GET", name); strings.Contains(name+value, key) || strings.Contains(name+value, "key|one") {
			t.Errorf("Redis is told who calls: %s: %s", name, value)
		}
	}
	// The record, its output, its events, the list of the caller's, and the key.
	if kept < 5 {
		t.Errorf("%d keys are kept for the hour:\n%s", kept, redis.Command("KEYS", "nexus:*"))
	}
}
