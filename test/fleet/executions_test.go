package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// answer is a reply, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends a request of a client; header is pairs of name and value.
func (r *replica) send(ctx context.Context, key, method, path, body string, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.api+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("X-API-Key", key)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(raw)}, err
}

// must is send where nothing goes wrong with the connection.
func (r *replica) must(key, method, path, body string, header ...string) answer {
	r.t.Helper()
	a, err := r.send(r.t.Context(), key, method, path, body, header...)
	if err != nil {
		r.t.Error(err)
	}
	return a
}

// begin starts a workflow and returns where its execution is.
func (r *replica) begin(key, workflow string) string {
	r.t.Helper()
	a := r.must(key, http.MethodPost, "/workflows/"+workflow+"/execute", `{"mode":"async"}`)
	if a.status != http.StatusAccepted {
		r.t.Fatalf("starting %s: %d %s", workflow, a.status, a.body)
	}
	return a.header.Get("Location")
}

// execution is what tests look at of an execution.
type execution struct {
	Status  string
	Outputs json.RawMessage
	Problem struct{ Code, Detail string }
}

func (r *replica) look(key, at string) execution {
	r.t.Helper()
	a := r.must(key, http.MethodGet, at, "")
	var x execution
	if a.status != http.StatusOK || json.Unmarshal([]byte(a.body), &x) != nil {
		r.t.Errorf("%s: %d %s", at, a.status, a.body)
	}
	return x
}

// finished follows an execution to its end, and returns its events.
func (r *replica) finished(key, at string) string {
	r.t.Helper()
	return r.must(key, http.MethodGet, at, "", "Accept", "text/event-stream").body
}

// service counts what it is asked, and answers once it is open.
type service struct {
	*httptest.Server
	asked atomic.Int64
	// came has a value for each request.
	came chan struct{}
	open func()
}

func newService(t *testing.T) *service {
	t.Helper()
	opened := make(chan struct{})
	s := &service{came: make(chan struct{}, 1000), open: sync.OnceFunc(func() { close(opened) })}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := s.asked.Add(1)
		s.came <- struct{}{}
		select {
		case <-opened:
		case <-r.Context().Done():
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"order":%d,"note":"<&>"}`, n)
	}))
	t.Cleanup(func() {
		s.open()
		s.Close()
	})
	return s
}

// app are the spec and the workflow of an app that calls the service.
func (s *service) app(name string) (spec, workflow string) {
	return "  egress: {allow: ['" + strings.TrimPrefix(s.URL, "http://") + "']}\n",
		define(name, `[{ask: {call: http, with: {method: post, endpoint: "`+s.URL+`/"}}}]`)
}

// TestExecutionsOverReplicas: whichever replica is asked, it tells the same of an
// execution, and cancels it.
func TestExecutionsOverReplicas(t *testing.T) {
	t.Parallel()
	orders := newService(t)
	spec, order := orders.app("order")
	s := startShared(t, spec, order, define("minute", `[{rest: {wait: {minutes: 1}}}]`))
	key, other := s.client(), s.client()
	owner, second, third := s.replicas[0], s.replicas[1], s.replicas[2]
	at := owner.begin(key, "order")
	<-orders.came
	if x := second.look(key, at); x.Status != "running" {
		t.Errorf("while it runs: %+v", x)
	}
	if a := second.must(other, http.MethodGet, at, ""); a.status != http.StatusNotFound {
		t.Errorf("of another client: %d %s", a.status, a.body)
	}
	followed := make(chan string)
	go func() { followed <- third.finished(key, at) }()
	orders.open()
	events := <-followed
	for _, want := range []string{"event: start\nid: 1\n", "event: task\nid: 2\ndata: {\"task\":\"ask\"", "event: complete\nid: 3\n", `"outputs":{"note":"<&>","order":1}`} {
		if !strings.Contains(events, want) {
			t.Errorf("the third replica does not tell of %q: %s", want, events)
		}
	}
	a, b := owner.must(key, http.MethodGet, at, ""), second.must(key, http.MethodGet, at, "")
	if a.body != b.body || !strings.Contains(a.body, `"status":"completed"`) {
		t.Errorf("the owner says %s, another one %s", a.body, b.body)
	}
	a, b = owner.must(key, http.MethodGet, "/executions", ""), third.must(key, http.MethodGet, "/executions", "")
	if a.body != b.body || strings.Count(a.body, "run_id") != 1 {
		t.Errorf("the owner lists %s, another one %s", a.body, b.body)
	}

	at = owner.begin(key, "minute")
	if a := second.must(key, http.MethodDelete, at, ""); a.status != http.StatusAccepted {
		t.Errorf("canceling: %d %s", a.status, a.body)
	}
	if events := third.finished(key, at); !strings.Contains(events, "event: error\n") || !strings.Contains(events, `"status":"canceled"`) {
		t.Errorf("canceled by another replica: %s", events)
	}
}

// TestIdempotencyOverReplicas: many calls with one key, at once and over all replicas, have
// one effect and one answer.
func TestIdempotencyOverReplicas(t *testing.T) {
	t.Parallel()
	orders := newService(t)
	spec, order := orders.app("order")
	s := startShared(t, "  rateLimit: {requestsPerMinute: 100000}\n"+spec, order)
	key := s.client()
	call := func(i int, idempotency string) (answer, error) {
		return s.replicas[i%len(s.replicas)].send(t.Context(), key, http.MethodPost, "/workflows/order/execute", `{"inputs":{"sku":"a"}}`, "Idempotency-Key", idempotency)
	}
	// settled asks until the call is not under way any more, as Retry-After asks for.
	settled := func(i int, idempotency string) answer {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			a, err := call(i, idempotency)
			if err != nil || a.status != http.StatusConflict || a.header.Get("Retry-After") == "" {
				if err != nil {
					t.Error(err)
				}
				return a
			}
			select {
			case <-tick.C:
			case <-t.Context().Done():
				return a
			}
		}
	}
	var wg sync.WaitGroup
	answers := make([]answer, 50)
	for i := range answers {
		wg.Go(func() { answers[i] = settled(i, "order-1") })
	}
	<-orders.came
	orders.open()
	wg.Wait()
	fresh := 0
	for i, a := range answers {
		if a.status != http.StatusOK || a.body != answers[0].body || !strings.Contains(a.body, `"outputs":{"note":"<&>","order":1}`) {
			t.Errorf("%d: %d %s, want %s", i, a.status, a.body, answers[0].body)
		}
		if a.header.Get("Idempotency-Replayed") == "" {
			fresh++
		}
	}
	if n := orders.asked.Load(); n != 1 || fresh != 1 {
		t.Errorf("%d orders were placed, and %d answers are not replayed", n, fresh)
	}
}

// TestCallerGoesAway: a call with a key is made to its end, and whoever asks again, on
// another replica, is told how it ended.
func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	orders := newService(t)
	spec, order := orders.app("order")
	s := startShared(t, spec, order)
	key := s.client()
	ctx, hangUp := context.WithCancel(t.Context())
	gone := make(chan error)
	ask := func(ctx context.Context, r *replica) (answer, error) {
		return r.send(ctx, key, http.MethodPost, "/workflows/order/execute", `{}`, "Idempotency-Key", "order-1")
	}
	go func() {
		_, err := ask(ctx, s.replicas[0])
		gone <- err
	}()
	<-orders.came
	hangUp()
	if err := <-gone; err == nil {
		t.Fatal("the call was answered")
	}
	a, err := ask(t.Context(), s.replicas[1])
	if err != nil || a.status != http.StatusConflict {
		t.Errorf("while it is made: %d %s, %v", a.status, a.body, err)
	}
	orders.open()
	await(t, s.replicas[:1], `nexus_requests_in_flight`, "0")
	a, err = ask(t.Context(), s.replicas[2])
	if err != nil || a.status != http.StatusOK || a.header.Get("Idempotency-Replayed") != "true" || !strings.Contains(a.body, `"order":1`) {
		t.Errorf("asked again: %d %s, %v", a.status, a.body, err)
	}
	if n := orders.asked.Load(); n != 1 {
		t.Errorf("%d orders were placed", n)
	}
}
