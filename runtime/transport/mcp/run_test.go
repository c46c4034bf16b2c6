package mcp

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

// TestProgress: a client that asks is told of each task in its order, and of nothing
// after the result.
func TestProgress(t *testing.T) {
	a := start(t, "")
	for _, c := range []struct {
		name, revision, tool string
		meta                 []string
		progress, logs       int
	}{
		{"progress", dated, "steps", []string{`"progressToken":"p"`}, 3, 3},
		{"logs", dated, "steps", nil, 0, 3},
		{"progress", stateless, "steps", []string{`"progressToken":5`}, 3, 0},
		{"both", stateless, "steps", []string{`"progressToken":5`, `"io.modelcontextprotocol/logLevel":"info"`}, 3, 3},
		{"level", stateless, "steps", []string{`"io.modelcontextprotocol/logLevel":"error"`}, 0, 0},
		{"many", dated, "loop", []string{`"progressToken":0`}, 10, 0},
	} {
		t.Run(c.name+" "+c.revision, func(t *testing.T) {
			got := a.send(c.revision, callOf(c.revision, c.tool, `{}`, c.meta...))
			if got.header.Get("Content-Type") != "text/event-stream" {
				t.Fatalf("%s: %s", got.header.Get("Content-Type"), got.text)
			}
			told := events(t, got.text)
			var progress, logs int
			last := 0.0
			for i, event := range told {
				var m struct {
					Method string
					Params struct{ Progress float64 }
					Result json.RawMessage
				}
				if err := json.Unmarshal([]byte(event), &m); err != nil {
					t.Fatal(err)
				}
				switch m.Method {
				case "notifications/progress":
					if progress++; m.Params.Progress <= last {
						t.Errorf("%v after %v", m.Params.Progress, last)
					}
					last = m.Params.Progress
				case "notifications/message":
					logs++
				default:
					if i != len(told)-1 || m.Result == nil {
						t.Errorf("event %d of %d is %s", i, len(told), event)
					}
				}
			}
			if c.tool == "loop" {
				if progress < c.progress || progress > 2000 {
					t.Errorf("%d notes of progress", progress)
				}
				return
			}
			if progress != c.progress || logs != c.logs {
				t.Errorf("%d notes of progress and %d logs, want %d and %d: %s", progress, logs, c.progress, c.logs, got.text)
			}
		})
	}
}

// TestClosedRequest: a client that goes away ends its run, at any revision and in either
// form of reply.
func TestClosedRequest(t *testing.T) {
	goroutines.Settle(t)
	a := start(t, "")
	t.Cleanup(a.client.CloseIdleConnections)
	for _, revision := range []string{dated, stateless} {
		for _, meta := range [][]string{nil, {`"progressToken":1`}, {`"x":1`}} {
			message := callOf(revision, "call", `{}`, meta...)
			if len(meta) == 1 && meta[0] == `"x":1` {
				message = strings.Replace(message, `"jsonrpc"`, `"odd":1,"jsonrpc"`, 1) // the SDK's, as JSON
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				res, err := a.client.Do(a.post(ctx, revision, message))
				if err == nil {
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
			}()
			<-a.service.arrived
			cancel()
			<-done
			if err := <-a.service.left; err == nil {
				t.Errorf("%s %v: the run went on", revision, meta)
			}
		}
	}
}

// TestCancelledNotification: clients of the revisions with a handshake say in another
// request that they do not wait any more. Only their own session and subject count.
func TestCancelledNotification(t *testing.T) {
	a := start(t, "")
	cancelled := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`
	for _, meta := range [][]string{nil, {`"progressToken":1`}} {
		done := make(chan *answer, 1)
		go func() { done <- a.send(dated, callOf(dated, "call", `{}`, meta...), sessionHeader, "mine") }()
		<-a.service.arrived
		for _, header := range [][]string{{sessionHeader, "other"}, {sessionHeader, ""}, {sessionHeader, "mine", "Authorization", "Bearer " + a.owner}} {
			if got := a.send(dated, cancelled, header...); got.status != http.StatusAccepted {
				t.Errorf("%v: %d %s", header, got.status, got.text)
			}
		}
		other := strings.Replace(cancelled, "7", `"7"`, 1)
		if got := a.send(dated, other, sessionHeader, "mine"); got.status != http.StatusAccepted || len(a.service.left) != 0 {
			t.Errorf("another id: %d %s", got.status, got.text)
		}
		if got := a.send(dated, cancelled, sessionHeader, "mine"); got.status != http.StatusAccepted {
			t.Errorf("its own: %d %s", got.status, got.text)
		}
		if err := <-a.service.left; err == nil {
			t.Error("the run went on")
		}
		if got := <-done; meta == nil && (got.status != http.StatusAccepted || got.text != "") {
			t.Errorf("the call that was canceled was answered: %d %s", got.status, got.text)
		}
	}
	if n := a.counted("call", "canceled"); n != "2" {
		t.Errorf("%s canceled calls were counted", n)
	}
	a.handler.calls.mu.Lock()
	defer a.handler.calls.mu.Unlock()
	if len(a.handler.calls.end) != 0 {
		t.Errorf("%d calls are still known", len(a.handler.calls.end))
	}
}

// TestPanics: a bug costs one call.
func TestPanics(t *testing.T) {
	a := start(t, "")
	a.service.panics = true
	for _, revision := range []string{dated, stateless} {
		for _, meta := range [][]string{nil, {`"progressToken":1`}} {
			got := a.send(revision, callOf(revision, "call", `{}`, meta...))
			if !strings.Contains(got.text, `"code\":\"internal\"`) && got.code() != "internal" || strings.Contains(got.text, "a bug") {
				t.Errorf("%s %v: %d %s", revision, meta, got.status, got.text)
			}
		}
	}
	// A bug of a handler.
	delete(a.handler.prompts, "review")
	got := a.send(dated, request(dated, "prompts/get", `"name":"review","arguments":{"order":"1"}`))
	if got.code() != "internal" || got.Error.Code != -32603 {
		t.Errorf("a handler's: %d %s", got.status, got.text)
	}
	if got := a.call(dated, "echo", `{}`); got.status != 200 || got.code() != "" {
		t.Errorf("afterwards: %s", got.text)
	}
}

// TestGarbage bounds what a call leaves to be collected: the SDK's own path leaves several
// times as much.
func TestGarbage(t *testing.T) {
	a := start(t, "")
	message := callOf(stateless, "add", `{"a":1}`)
	odd := strings.Replace(message, `"jsonrpc"`, `"odd":1,"jsonrpc"`, 1)
	a.garbage(t, message) // what is made once
	const most = 32 << 10
	if n := a.garbage(t, message); n > most {
		t.Errorf("a call leaves %d bytes, more than %d", n, most)
	}
	if n := a.garbage(t, odd); n < most {
		t.Errorf("a call that the SDK answers leaves %d bytes: what is the other way for?", n)
	}
}

// garbage is how many bytes a call takes, the request included.
func (a *app) garbage(t *testing.T, message string) uint64 {
	t.Helper()
	const calls = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		w := newRecorder()
		a.handler.ServeHTTP(w, a.post(t.Context(), stateless, message))
		if w.status != http.StatusOK {
			t.Fatalf("%d %s", w.status, w.text.String())
		}
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / calls
}

func BenchmarkCall(b *testing.B) {
	a := start(b, "  rateLimit: {requestsPerMinute: 1000000, burst: 1000000}")
	message := callOf(stateless, "add", `{"a":1}`)
	b.ReportAllocs()
	for b.Loop() {
		w := newRecorder()
		a.handler.ServeHTTP(w, a.post(b.Context(), stateless, message))
		if w.status != http.StatusOK {
			b.Fatalf("%d %s", w.status, w.text.String())
		}
	}
}
