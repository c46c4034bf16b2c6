package call

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

func TestEmit(t *testing.T) {
	status, got, kind := 202, "", ""
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got, kind = r.Method+" "+r.URL.Path+" "+string(body), r.Header.Get("Content-Type")
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "s3cret")
	})
	event := map[string]any{"specversion": "1.0", "id": "1", "data": map[string]any{"n": 9007199254740993, "t": "<ü>"}}
	to := func(sink string) *Caller { return New(Options{Guard: guardTo(t, server, nobody()), Sink: sink}) }
	c := to(server.URL + "/sink")
	for _, status = range []int{200, 202, 204} {
		got = ""
		if err := c.Emit(t.Context(), event); err != nil || kind != "application/cloudevents+json" ||
			got != `POST /sink {"data":{"n":9007199254740993,"t":"<ü>"},"id":"1","specversion":"1.0"}` {
			t.Errorf("%d: %v, %s of %s", status, err, got, kind)
		}
	}
	for answer, want := range map[int]int{301: 500, 307: 500, 400: 400, 404: 404, 500: 500, 503: 503} {
		status = answer
		cause := mustFail(t, "status", c.Emit(t.Context(), event), workflow.CommunicationError, want, "the sink of events does not take the event")
		if !strings.Contains(cause, "127.0.0.1:") || !strings.HasPrefix(got, "POST /sink") {
			t.Errorf("%d: %v, %s", answer, cause, got)
		}
	}
	// The sink's guard is for events, and the other one for calls.
	apart := New(Options{Guard: guardTo(t), SinkGuard: guardTo(t, server), Sink: server.URL + "/sink"})
	status = 202
	if err := apart.Emit(t.Context(), event); err != nil {
		t.Errorf("through the sink's own guard: %v", err)
	}
	_, err := apart.HTTP(t.Context(), get(server.URL+"/sink"))
	mustFail(t, "a call of the sink", err, workflow.ConfigurationError, 400, "spec.egress")
	mustFail(t, "forbidden", to("http://evil.test/").Emit(t.Context(), event), workflow.ConfigurationError, 400, "spec.egress does not let the app reach the sink of events", "evil.test")
	mustFail(t, "no URL", to("http://%zz/").Emit(t.Context(), event), workflow.ConfigurationError, 400, "the sink of events is no URL")
	mustFail(t, "no JSON", c.Emit(t.Context(), map[string]any{"n": math.NaN()}), workflow.ExpressionError, 400, "the event holds something")
	if err := to("").Emit(t.Context(), event); err != nil {
		t.Errorf("no sink: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := to(server.URL+"/hang").Emit(ctx, event); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slow: %v", err)
	}
	mustFail(t, "gone", to(nobody().URL).Emit(t.Context(), event), workflow.CommunicationError, 503, "the sink of events cannot be reached")
}
