package rest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAsync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t)
		w := a.send(http.MethodPost, "/workflows/longer/execute", `{"inputs":{"a":1},"mode":"async"}`)
		started := a.read(w)
		at := "/executions/" + started.RunID
		if w.Code != http.StatusAccepted || w.Header().Get("Location") != at || w.Header().Get("Retry-After") != "1" || w.Header().Get("Ratelimit") == "" ||
			w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		if started.Workflow != "longer" || started.Version != "1.0.0" || started.Mode != "async" || started.Status != "running" || !started.Created.Equal(time.Now()) ||
			started.Took != nil || started.Outputs != nil || started.Problem != nil || !started.Finished.IsZero() {
			t.Errorf("started: %s", w.Body)
		}
		w = a.send(http.MethodGet, at, "")
		if running := a.read(w); w.Code != http.StatusOK || running.Status != "running" || w.Header().Get("Retry-After") != "1" || w.Header().Get("Location") != "" {
			t.Errorf("running: %d %v %s", w.Code, w.Header(), w.Body)
		}
		head := a.send(http.MethodHead, at, "")
		if head.Code != http.StatusOK || head.Body.Len() != 0 || head.Header().Get("Content-Length") == "" {
			t.Errorf("HEAD: %d %v %s", head.Code, head.Header(), head.Body)
		}
		a.ended(at)
		w = a.send(http.MethodGet, at, "")
		done := a.read(w)
		if done.Status != "completed" || string(done.Outputs) != `{"after":"<a minute>"}` || done.Took == nil || *done.Took != 60 ||
			done.Finished.Sub(done.Created) != time.Minute || w.Header().Get("Retry-After") != "" {
			t.Errorf("completed: %v %s", w.Header(), w.Body)
		}
		if w = a.send(http.MethodDelete, at, ""); w.Code != http.StatusOK || a.read(w).Status != "completed" {
			t.Errorf("canceled when it has ended: %d %s", w.Code, w.Body)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t)
		at := a.start("longer")
		synctest.Wait()
		w := a.send(http.MethodDelete, at, "")
		if asked := a.read(w); w.Code != http.StatusAccepted || asked.Status != "running" || !asked.CancelRequested {
			t.Errorf("asked: %d %s", w.Code, w.Body)
		}
		a.ended(at)
		w = a.send(http.MethodGet, at, "")
		want := `{"type":"https://nexus.dev/problems/canceled","title":"Canceled","status":499,"detail":"the execution was canceled","instance":"` + at + `","code":"canceled"}`
		if done := a.read(w); done.Status != "canceled" || string(done.Problem) != want || done.Outputs != nil {
			t.Errorf("canceled: %s, want the problem %s", w.Body, want)
		}
	})
}

// TestFailedExecution: the problem reads as that of a call that fails so.
func TestFailedExecution(t *testing.T) {
	a := open(t)
	at := a.start("raises")
	a.ended(at)
	w := a.send(http.MethodGet, at, "")
	want := `{"type":"https://nexus.dev/problems/workflow_failed","title":"Workflow failed","status":409,"detail":"Sold out: none are left","instance":"` + at +
		`","code":"workflow_failed","error":{"type":"https://shop.example.com/sold-out","status":409,"title":"Sold out","detail":"none are left","instance":"/do/0/look"}}`
	if failed := a.read(w); w.Code != http.StatusOK || failed.Status != "failed" || string(failed.Problem) != want {
		t.Errorf("%d %s\nwant the problem %s", w.Code, w.Body, want)
	}
	var members map[string]any
	direct := a.send(http.MethodPost, "/workflows/raises/execute", `{}`)
	if err := json.Unmarshal(direct.Body.Bytes(), &members); err != nil || direct.Code != http.StatusConflict {
		t.Fatalf("%d %s", direct.Code, direct.Body)
	}
	var told map[string]any
	if err := json.Unmarshal([]byte(want), &told); err != nil {
		t.Fatal(err)
	}
	delete(members, "requestId")
	members["instance"] = at
	for name := range members {
		a, _ := json.Marshal(members[name])
		b, _ := json.Marshal(told[name])
		if string(a) != string(b) {
			t.Errorf("the member %s is %s of a call and %s of an execution", name, a, b)
		}
	}
}

func TestListExecutions(t *testing.T) {
	a := open(t)
	first := a.start("echo")
	a.ended(first)
	second := a.start("raises")
	a.ended(second)
	w := a.send(http.MethodGet, "/executions", "")
	var list struct{ Executions []map[string]any }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != http.StatusOK || len(list.Executions) != 2 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for i, want := range []string{second + " failed", first + " completed"} {
		got := list.Executions[i]
		if "/executions/"+got["run_id"].(string)+" "+got["status"].(string) != want || got["outputs"] != nil {
			t.Errorf("%d: %v, want %s without outputs", i, got, want)
		}
	}
	if w := a.send(http.MethodGet, "/executions", "", "X-Api-Key", "another"); w.Code != http.StatusUnauthorized {
		t.Errorf("two keys: %d", w.Code)
	}
}

func TestExecutionMethods(t *testing.T) {
	a := open(t)
	at := a.start("echo")
	for request, want := range map[string]string{
		"POST " + at:         "DELETE, GET, HEAD, OPTIONS",
		"PUT " + at:          "DELETE, GET, HEAD, OPTIONS",
		"DELETE /executions": "GET, HEAD, OPTIONS",
	} {
		method, path, _ := strings.Cut(request, " ")
		if w := a.send(method, path, ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != want {
			t.Errorf("%s: %d, Allow: %s", request, w.Code, w.Header().Get("Allow"))
		}
	}
	for _, path := range []string{"/executions/" + strings.Repeat("0", 32), "/executions/x", "/executions/..%2Fx", at + "/x", at + "//"} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			if w := a.send(method, path, "", "Accept", "text/event-stream"); w.Code != http.StatusNotFound || a.read(w).Code != "not_found" {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
		}
	}
}

func TestIdempotencyKeyHeader(t *testing.T) {
	long := strings.Repeat("x", 255)
	for _, c := range []struct {
		values []string
		want   string
		bad    bool
	}{
		{values: nil}, {values: []string{"abc"}, want: "abc"}, {values: []string{`"abc"`}, want: "abc"}, {values: []string{`"`}, want: `"`},
		{values: []string{`a"b`}, want: `a"b`}, {values: []string{long}, want: long}, {values: []string{`"` + long + `"`}, want: long},
		{values: []string{"a", "a"}, bad: true}, {values: []string{""}, bad: true}, {values: []string{`""`}, bad: true}, {values: []string{long + "x"}, bad: true},
		{values: []string{"ä"}, bad: true}, {values: []string{"a b"}, bad: true}, {values: []string{"a\x7f"}, bad: true},
	} {
		got, err := idempotencyKey(c.values)
		if (err != nil) != c.bad || err == nil && got != c.want {
			t.Errorf("%q: %q, %v", c.values, got, err)
		}
	}
	a := open(t)
	if w := a.send(http.MethodPost, "/workflows/echo/execute", `{}`, "Idempotency-Key", "a b"); w.Code != http.StatusBadRequest || a.read(w).Code != "invalid_input" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// Who calls is found out first.
	r := a.request(t.Context(), http.MethodPost, "/workflows/echo/execute", `{}`, "Idempotency-Key", "a b")
	r.Header.Del("X-Api-Key")
	if w := a.serve(r); w.Code != http.StatusUnauthorized {
		t.Errorf("without a credential: %d %s", w.Code, w.Body)
	}
}

// TestReplayed: the second reply has the body of the first, and says so.
func TestReplayed(t *testing.T) {
	for _, c := range []struct{ name, path, body string }{
		{"sync", "/workflows/echo/execute", `{"inputs":{"a":"<&>\u2028","n":1e-7,"b":[1,null]}}`},
		{"route", "/api/echo", `{"a":"<&>\u2028"}`},
		{"stream", "/workflows/steps/execute", `{"mode":"stream"}`},
		{"failed", "/workflows/raises/execute", `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := open(t)
			first := a.send(http.MethodPost, c.path, c.body, "Idempotency-Key", "k")
			again := a.send(http.MethodPost, c.path, c.body, "Idempotency-Key", `"k"`)
			was, is := first.Body.String(), again.Body.String()
			if c.name == "failed" { // but for the id of the request
				was, is = constant(was), constant(is)
			}
			if first.Code != again.Code || was != is || again.Header().Get("Content-Type") != first.Header().Get("Content-Type") {
				t.Errorf("first %d %s\nagain %d %s", first.Code, was, again.Code, is)
			}
			if first.Header().Get("Idempotency-Replayed") != "" || again.Header().Get("Idempotency-Replayed") != "true" {
				t.Errorf("Idempotency-Replayed is %q and then %q", first.Header().Get("Idempotency-Replayed"), again.Header().Get("Idempotency-Replayed"))
			}
			if w := a.send(http.MethodPost, c.path, strings.Replace(c.body, "{", "{ ", 1), "Idempotency-Key", "k"); w.Body.String() != first.Body.String() && c.name != "failed" {
				t.Errorf("the same inputs in another form: %s", w.Body)
			}
		})
	}
	a := open(t)
	at := a.start("echo", "Idempotency-Key", "k")
	a.ended(at)
	w := a.send(http.MethodPost, "/workflows/echo/execute", `{"mode":"async"}`, "Idempotency-Key", "k")
	if w.Code != http.StatusAccepted || w.Header().Get("Location") != at || a.read(w).Status != "completed" || w.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("started again: %d %v %s", w.Code, w.Header(), w.Body)
	}
	w = a.send(http.MethodPost, "/workflows/echo/execute", `{"inputs":{"b":1},"mode":"async"}`, "Idempotency-Key", "k")
	if w.Code != http.StatusUnprocessableEntity || a.read(w).Code != "idempotency_mismatch" {
		t.Errorf("another call: %d %s", w.Code, w.Body)
	}
}
