package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

const (
	startEvent    = "event: start\nid: 1\ndata: {\"run_id\":\"r-1\",\"workflow_id\":\"w\",\"status\":\"running\"}\n\n"
	taskEvent     = ": alive\r\nevent: task\r\nid: 2\r\ndata: {\"task\":\"one\",\"kind\":\"set\",\r\ndata: \"status\":\"completed\"}\r\n\r\n"
	completeEvent = "event: complete\nid: 3\ndata: {\"run_id\":\"r-1\",\"workflow_id\":\"w\",\"status\":\"completed\",\"outputs\":{\"n\":1.0}}\n\n"
	errorEvent    = "event: error\nid: 3\ndata: {\"run_id\":\"r-1\",\"status\":\"failed\",\"problem\":{\"code\":\"rate_limited\",\"status\":429,\"detail\":\"no\"}}\n\n"
)

// step is one request that is expected, and its reply.
type step struct {
	request string // method, path and Last-Event-ID
	media   string
	status  int
	body    string
}

// script serves the steps, one after the other.
func script(t *testing.T, steps []step) *Client {
	t.Helper()
	next := 0
	client := InProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := strings.TrimSpace(fmt.Sprint(r.Method, " ", r.URL.Path, " ", r.Header.Get("Last-Event-Id")))
		if next >= len(steps) || got != steps[next].request {
			t.Errorf("request %d is %s", next, got)
			panic(http.ErrAbortHandler)
		}
		s := steps[next]
		next++
		if r.Method == http.MethodPost {
			if sent, err := io.ReadAll(r.Body); err != nil || string(sent) != `{"inputs":{"a":1},"mode":"stream"}` || r.Header.Get("Idempotency-Key") != "k" {
				t.Errorf("sent %s with %v, %v", sent, r.Header, err)
			}
			w.Header().Set("Location", "/executions/r-1")
		}
		w.Header().Set("Content-Type", s.media)
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.body)
	}), nil, "")
	t.Cleanup(func() {
		client.Close()
		if next != len(steps) {
			t.Errorf("%d requests of %d were made", next, len(steps))
		}
	})
	return client
}

func TestStream(t *testing.T) {
	const (
		run     = "POST /workflows/w/execute"
		look    = "GET /executions/r-1"
		running = `{"run_id":"r-1","status":"running"}`
		done    = `{"run_id":"r-1","status":"completed","outputs":{"n":1.0}}`
	)
	for name, c := range map[string]struct {
		steps []step
		tasks int
		exit  int // 0 when it succeeds, -1 when the error has no code
		want  string
	}{
		"at once":        {[]step{{run, eventStream, 200, startEvent + taskEvent + completeEvent}}, 1, 0, `{"n":1.0}`},
		"fails":          {[]step{{run, eventStream, 200, startEvent + errorEvent}}, 0, ExitLimited, "rate_limited: no (429, request r-1)"},
		"refused":        {[]step{{run, problemType, 422, `{"code":"schema_violation","detail":"no"}`}}, 0, ExitInvalid, "schema_violation: no (422)"},
		"breaks off":     {[]step{{run, eventStream, 200, startEvent + taskEvent[:30]}, {look + " 1", eventStream, 200, taskEvent}, {look + " 2", eventStream, 200, completeEvent}}, 1, 0, `{"n":1.0}`},
		"never begins":   {[]step{{run, eventStream, 200, ""}, {look, eventStream, 200, startEvent + completeEvent}}, 0, 0, `{"n":1.0}`},
		"after the last": {[]step{{run, eventStream, 200, startEvent}, {look + " 1", "", 204, ""}, {look, "application/json", 200, running}, {look, "application/json", 200, done}}, 0, 0, `{"n":1.0}`},
		"cannot follow":  {[]step{{run, "application/json", 202, running}, {look, "application/json", 200, done}}, 0, 0, `{"n":1.0}`},
		"refused later":  {[]step{{run, eventStream, 200, startEvent}, {look + " 1", problemType, 401, `{"code":"unauthenticated","detail":"no"}`}}, 0, ExitDenied, "unauthenticated"},
		"forgotten": {[]step{{run, eventStream, 200, startEvent}, {look + " 1", problemType, 404, `{"code":"not_found","detail":"no"}`}}, 0, ExitFailure,
			"does not know the run r-1 any more"},
		"lost": {[]step{{run, eventStream, 200, startEvent}, {look + " 1", eventStream, 200, ""}, {look + " 1", eventStream, 200, ""}, {look + " 1", eventStream, 200, ""},
			{look + " 1", eventStream, 200, ""}, {look + " 1", eventStream, 200, ""}}, 0, -1, "'nexus status r-1'"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, tasks := script(t, c.steps), 0
				got, err := client.Run(t.Context(), Run{Workflow: "w", Inputs: []byte(`{"a":1}`), Mode: Stream, IdempotencyKey: "k", Progress: func(task Task) {
					if tasks++; task.Name != "one" || task.Status != "completed" {
						t.Errorf("told of %+v", task)
					}
				}})
				if err != nil {
					got = []byte(err.Error())
				}
				exit := 0
				if e, ok := errors.AsType[*Error](err); ok {
					exit = e.Exit
				} else if err != nil {
					exit = -1
				}
				if exit != c.exit || !strings.Contains(string(got), c.want) || tasks != c.tasks {
					t.Errorf("exit code %d, %d tasks: %s; want %d, %d: %s", exit, tasks, got, c.exit, c.tasks, c.want)
				}
			})
		})
	}
}

// TestStreamIsCanceled: the run does not go on without its caller.
func TestStreamIsCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cause, canceled := errors.New("enough"), 0
		client := InProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete && r.URL.Path == "/executions/r-1" {
				canceled++
				_, _ = io.WriteString(w, `{"run_id":"r-1","status":"running"}`)
				return
			}
			w.Header().Set("Content-Type", eventStream)
			_, _ = io.WriteString(w, startEvent)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}), nil, "")
		defer client.Close()
		go func() {
			synctest.Wait()
			cancel(cause)
		}()
		if _, err := client.Run(ctx, Run{Workflow: "w", Inputs: []byte("{}"), Mode: Stream}); !errors.Is(err, cause) || canceled != 1 {
			t.Errorf("%v; canceled %d times", err, canceled)
		}
	})
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(startEvent + taskEvent))
	f.Add([]byte("data\ndata:\r\n\ndata: x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for r, n := newEventReader(bytes.NewReader(text)), 0; ; n++ {
			e, err := r.next()
			if err != nil {
				return
			}
			if n > len(text) || len(e.data) > len(text) {
				t.Fatalf("%d events, the last with %d bytes, of %d bytes", n, len(e.data), len(text))
			}
		}
	})
}
