package rest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/execution"
)

func (a *api) serve(r *http.Request) *httptest.ResponseRecorder {
	a.t.Helper()
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w
}

// line is a connection: it takes what is flushed, and nothing once it is broken.
type line struct {
	mu     sync.Mutex
	header http.Header
	status int
	text   bytes.Buffer
	broken bool
}

func (w *line) Header() http.Header    { return w.header }
func (w *line) WriteHeader(status int) { w.status = status }
func (w *line) Flush()                 {}

func (w *line) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		return 0, errors.New("broken pipe")
	}
	return w.text.Write(p)
}

func (w *line) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// variable is what differs from one run to the next.
var variable = regexp.MustCompile(`[0-9a-f]{32}|"(created_at|finished_at)":"[^"]*"|"execution_time":[0-9.e-]+`)

func constant(s string) string { return variable.ReplaceAllString(s, "*") }

const stepsEvents = `event: start
id: 1
data: {"run_id":"*","workflow_id":"steps","version":"1.0.0","mode":"stream","status":"running",*}

event: task
id: 2
data: {"task":"one","reference":"/do/0/one","kind":"set","workflow_id":"steps","status":"completed",*}

event: task
id: 3
data: {"task":"two","reference":"/do/1/two","kind":"set","workflow_id":"steps","status":"skipped",*}

event: task
id: 4
data: {"task":"three","reference":"/do/2/three","kind":"set","workflow_id":"steps","status":"completed",*}

event: complete
id: 5
data: {"run_id":"*","workflow_id":"steps","version":"1.0.0","mode":"stream","status":"completed",*,*,*,"outputs":{"n":3}}

`

func TestStream(t *testing.T) {
	a := open(t)
	w := a.send(http.MethodPost, "/workflows/steps/execute", `{"mode":"stream"}`)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/event-stream" || w.Header().Get("Cache-Control") != "no-store" ||
		w.Header().Get("X-Accel-Buffering") != "no" || w.Header().Get("Ratelimit") == "" || !w.Flushed {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if got := constant(w.Body.String()); got != stepsEvents {
		t.Errorf("got\n%s\nwant\n%s", got, stepsEvents)
	}
	at := w.Header().Get("Location")
	again := a.send(http.MethodGet, at, "", "Accept", "text/event-stream")
	if again.Body.String() != w.Body.String() || again.Header().Get("Location") != "" {
		t.Errorf("followed later: %s", again.Body)
	}
	_, rest, _ := strings.Cut(w.Body.String(), "id: 3\n")
	_, rest, _ = strings.Cut(rest, "\n\n")
	if got := a.send(http.MethodGet, at, "", "Accept", "text/event-stream", "Last-Event-ID", "3"); got.Body.String() != rest {
		t.Errorf("after the third event: %s\nwant %s", got.Body, rest)
	}
	for _, id := range []string{"5", "6"} {
		if got := a.send(http.MethodGet, at, "", "Accept", "text/event-stream", "Last-Event-ID", id); got.Code != http.StatusNoContent || got.Body.Len() > 0 {
			t.Errorf("after all events: %d %s", got.Code, got.Body)
		}
	}
	for _, id := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		if got := a.send(http.MethodGet, at, "", "Accept", "text/event-stream", "Last-Event-ID", id); got.Code != http.StatusBadRequest {
			t.Errorf("Last-Event-ID: %s: %d %s", id, got.Code, got.Body)
		}
	}
	if got := a.send(http.MethodGet, at, "", "Accept", "text/event-stream", "Last-Event-ID", "1", "Last-Event-ID", "2"); got.Code != http.StatusBadRequest {
		t.Errorf("two of Last-Event-ID: %d", got.Code)
	}
	if got := a.send(http.MethodGet, at, "", "Last-Event-ID", "x"); got.Code != http.StatusOK {
		t.Errorf("without a stream the header means nothing: %d", got.Code)
	}
	head := a.send(http.MethodHead, at, "", "Accept", "text/event-stream")
	if head.Code != http.StatusOK || head.Body.Len() > 0 || head.Header().Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %d %v %s", head.Code, head.Header(), head.Body)
	}
}

func TestStreamFails(t *testing.T) {
	a := open(t)
	w := a.send(http.MethodPost, "/workflows/raises/execute", `{"mode":"stream"}`)
	events := strings.Split(strings.TrimSpace(constant(w.Body.String())), "\n\n")
	if w.Code != http.StatusOK || len(events) != 3 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	const raised = `{"type":"https://shop.example.com/sold-out","status":409,"title":"Sold out","detail":"none are left","instance":"/do/0/look"}`
	for i, want := range []string{"event: start\nid: 1\n", "event: task\nid: 2\ndata: {\"task\":\"look\"", "event: error\nid: 3\ndata: {\"run_id\""} {
		if !strings.HasPrefix(events[i], want) || i > 0 && !strings.Contains(events[i], `"error":`+raised) {
			t.Errorf("event %d: %s\nwant %s", i, events[i], want)
		}
	}
}

// TestHeartbeat: a stream that has nothing to tell says so, and the task that ends at last
// is told at once.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t)
		w := &line{header: http.Header{}}
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.handler.ServeHTTP(w, a.request(t.Context(), http.MethodPost, "/workflows/longer/execute", `{"mode":"stream"}`))
		}()
		synctest.Wait()
		if got := w.String(); strings.Count(got, "event:") != 1 || !strings.HasPrefix(got, "event: start\n") {
			t.Errorf("at first: %s", got)
		}
		<-time.After(50 * time.Second)
		synctest.Wait()
		if got := w.String(); strings.Count(got, ": alive\n\n") != 3 || strings.Count(got, "event:") != 1 {
			t.Errorf("after 50 s: %s", got)
		}
		<-done
		if got := w.String(); strings.Count(got, ": alive\n\n") > 4 || strings.Count(got, "event: task\n") != 2 || !strings.Contains(got, "event: complete\nid: 4\n") {
			t.Errorf("at the end: %s", got)
		}
	})
}

// TestStreamWithoutListener: a stream ends with its connection, and the execution does not.
func TestStreamWithoutListener(t *testing.T) {
	for name, breakOff := range map[string]func(*line, context.CancelFunc){
		"gone":        func(_ *line, cancel context.CancelFunc) { cancel() },
		"broken pipe": func(w *line, _ context.CancelFunc) { w.mu.Lock(); w.broken = true; w.mu.Unlock() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := open(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w := &line{header: http.Header{}}
				done := make(chan time.Time)
				go func() {
					a.handler.ServeHTTP(w, a.request(ctx, http.MethodPost, "/workflows/longer/execute", `{"mode":"stream"}`))
					done <- time.Now()
				}()
				synctest.Wait()
				began := time.Now()
				breakOff(w, cancel)
				if took := (<-done).Sub(began); took > heartbeat {
					t.Errorf("the stream went on for %v", took)
				}
				at := w.header.Get("Location")
				got := a.send(http.MethodGet, at, "", "Accept", "text/event-stream", "Last-Event-ID", "1")
				if !strings.HasPrefix(got.Body.String(), ": alive\n\n") || !strings.Contains(got.Body.String(), "event: task\nid: 2\n") ||
					!strings.Contains(got.Body.String(), "event: complete\nid: 4\n") {
					t.Errorf("the rest: %s", got.Body)
				}
			})
		})
	}
}

// TestEndStreams: who only follows an execution does not hold up a shutdown, and can go on
// elsewhere. Who started it by the same request is told how it ended.
func TestEndStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t)
		at := a.start("longer")
		serve := func(method, path, body string) (*line, chan time.Time) {
			w, done := &line{header: http.Header{}}, make(chan time.Time, 1)
			go func() {
				a.handler.ServeHTTP(w, a.request(t.Context(), method, path, body, "Accept", "text/event-stream"))
				done <- time.Now()
			}()
			return w, done
		}
		follower, followed := serve(http.MethodGet, at, "")
		starter, ended := serve(http.MethodPost, "/workflows/longer/execute", `{"mode":"stream"}`)
		synctest.Wait()
		began := time.Now()
		a.handler.EndStreams()
		if took := (<-followed).Sub(began); took > 0 || !strings.HasSuffix(follower.String(), ": the stream breaks off here; go on with Last-Event-ID\n\n") {
			t.Errorf("the follower was let go after %v: %s", took, follower)
		}
		if took := (<-ended).Sub(began); took < time.Minute || !strings.Contains(starter.String(), "event: complete\n") {
			t.Errorf("the starter was let go after %v: %s", took, starter)
		}
		late, done := serve(http.MethodGet, at, "")
		<-done
		if !strings.Contains(late.String(), "event: start\n") {
			t.Errorf("who came late was told nothing of what was: %s", late)
		}
	})
}

// TestStreamEndsWithCredential: a caller whose credential ends is told no more.
func TestStreamEndsWithCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t)
		follow := func(key string) (time.Duration, string) {
			began, w := time.Now(), &line{header: http.Header{}}
			r := a.request(t.Context(), http.MethodPost, "/workflows/longest/execute", `{"mode":"stream"}`)
			r.Header.Set("X-Api-Key", key)
			a.handler.ServeHTTP(w, r)
			return time.Since(began), w.String()
		}
		if took, text := follow(a.brief); took < 2*time.Minute || took > 2*time.Minute+recheck+heartbeat || strings.Contains(text, "complete") {
			t.Errorf("after %v: %s", took, text)
		}
		if took, text := follow(a.key); took != 5*time.Minute || !strings.Contains(text, "event: complete\n") {
			t.Errorf("one that is in force, after %v: %s", took, text)
		}
	})
}

// TestTooManyFollowers: what cannot be followed just now has been started all the same,
// and is not to be started again.
func TestTooManyFollowers(t *testing.T) {
	a := open(t)
	at := a.start("echo")
	a.ended(at)
	call := &engine.Call{Start: time.Now(), Client: a.handler.engine.Client("192.0.2.1:1", nil)}
	call.Credentials.APIKey = []string{a.key}
	for range execution.MaxSubjectFollowers {
		f, err := a.handler.engine.Follow(t.Context(), call, strings.TrimPrefix(at, "/executions/"), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	w := a.send(http.MethodPost, "/workflows/echo/execute", `{"mode":"stream"}`)
	if got := a.read(w); w.Code != http.StatusAccepted || w.Header().Get("Location") != "/executions/"+got.RunID || got.Mode != "stream" ||
		w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	w = a.send(http.MethodGet, at, "", "Accept", "text/event-stream")
	if a.read(w).Code != "overloaded" || w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestAcceptsEvents(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "application/json": false, "text/*": false, "text/event-streams": false,
		"text/event-stream": true, "Text/Event-Stream; charset=utf-8": true, "application/json, text/event-stream;q=0.5": true,
		"text/event-stream;q=0": false, "text/event-stream; q=0.0, application/json": false, ";;, text/event-stream": true,
	} {
		if got := acceptsEvents([]string{accept}); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
	if acceptsEvents(nil) || !acceptsEvents([]string{"application/json", "text/event-stream"}) {
		t.Error("no header is JSON; of two headers both count")
	}
}

// TestAppendEvent: gaps are told, and what was too large to keep leaves its place.
func TestAppendEvent(t *testing.T) {
	x := &exchange{}
	got, err := x.appendEvent(nil, "", execution.Event{ID: 960, Type: execution.EventTask, Dropped: 7})
	if want := ": not kept, events: 7\nevent: task\nid: 960\ndata: {}\n\n"; err != nil || string(got) != want {
		t.Errorf("%v, %q, want %q", err, got, want)
	}
}
