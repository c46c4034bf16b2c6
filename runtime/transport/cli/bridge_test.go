package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

// talk is a bridge to a handler, with both ends of it.
type talk struct {
	t       *testing.T
	in      *io.PipeWriter
	lines   chan string
	log     chan string
	done    chan error
	mu      sync.Mutex
	headers []http.Header
}

// open bridges to a handler, which is told the method of each message.
func open(t *testing.T, serve func(w http.ResponseWriter, r *http.Request, m message)) *talk {
	t.Helper()
	goroutines.Settle(t)
	k := &talk{t: t, lines: make(chan string, 100), log: make(chan string, 10), done: make(chan error, 1)}
	client := InProcess(http.NotFoundHandler(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var m message
		_ = json.Unmarshal(raw, &m)
		k.mu.Lock()
		k.headers = append(k.headers, r.Header)
		k.mu.Unlock()
		serve(w, r, m)
	}), "hush")
	t.Cleanup(client.Close)
	in, writer := io.Pipe()
	reader, out := io.Pipe()
	k.in = writer
	go func() {
		k.done <- client.Bridge(t.Context(), in, out, lineWriter(k.log))
		_ = out.Close()
	}()
	go func() {
		defer close(k.lines)
		text, _ := io.ReadAll(io.TeeReader(reader, lineWriter(k.lines)))
		if n := len(text); n > 0 && text[n-1] != '\n' {
			t.Errorf("the last line has no end: %s", text)
		}
	}()
	return k
}

// lineWriter takes whole lines: each message is written at once.
type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		w <- strings.TrimSuffix(line, "\n")
	}
	return len(p), nil
}

func (k *talk) say(lines ...string) {
	k.t.Helper()
	for _, line := range lines {
		if _, err := io.WriteString(k.in, line+"\n"); err != nil {
			k.t.Fatal(err)
		}
	}
}

// end closes the input and returns the lines that were not read yet.
func (k *talk) end() (rest []string) {
	k.t.Helper()
	_ = k.in.Close()
	if err := <-k.done; err != nil {
		k.t.Errorf("the bridge ends with %v", err)
	}
	for line := range k.lines {
		rest = append(rest, line)
	}
	return rest
}

func answering(id, result string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"result":` + result + `}`
}

func TestBridgeAnswers(t *testing.T) {
	reply := func(status int, media, body string) func(http.ResponseWriter, *http.Request, message) {
		return func(w http.ResponseWriter, _ *http.Request, _ message) {
			if status == http.StatusTooManyRequests {
				w.Header().Set("Retry-After", "7")
			}
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, c := range map[string]struct {
		serve      func(http.ResponseWriter, *http.Request, message)
		send, want string // empty: nothing is answered
		log        string
	}{
		"JSON":                      {reply(200, "application/json", "{\"jsonrpc\":\"2.0\",\n \"id\":1, \"result\":{}}\n"), `{"jsonrpc":"2.0","id":1,"method":"ping"}`, answering("1", "{}"), ""},
		"a stream":                  {reply(200, eventStream, "data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":\"a\",\"result\":{}}\n\n"), `{"jsonrpc":"2.0","id":"a","method":"ping"}`, answering(`"a"`, "{}"), ""},
		"an error of the protocol":  {reply(400, "application/json", `{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"no"}}`), `{"jsonrpc":"2.0","id":1,"method":"ping"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"no"}}`, ""},
		"a problem":                 {reply(429, problemType, `{"code":"rate_limited","detail":"slow down"}`), `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":429,"message":"slow down","data":{"code":"rate_limited","detail":"slow down","retryAfterSeconds":7}}}`, ""},
		"a proxy":                   {reply(502, "text/html", `<html>`), `{"jsonrpc":"2.0","id":1,"method":"ping"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":502,"message":"502 Bad Gateway"}}`, ""},
		"no MCP server":             {reply(200, "text/html", `<html>`), `{"jsonrpc":"2.0","id":1,"method":"ping"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"http://127.0.0.1:3001/mcp does not answer like an MCP server: is --server right?"}}`, ""},
		"a stream without an end":   {reply(200, eventStream, "data: {\"jsonrpc\":"), `{"jsonrpc":"2.0","id":1,"method":"ping"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"the server ended the reply without an answer"}}`, ""},
		"a notification":            {reply(202, "", ""), `{"jsonrpc":"2.0","method":"notifications/initialized"}`, "", ""},
		"a notification is refused": {reply(401, problemType, `{"code":"unauthenticated","detail":"no key"}`), `{"jsonrpc":"2.0","method":"notifications/initialized"}`, "", "nexus: the server refuses notifications/initialized: no key"},
		"no JSON":                   {reply(200, "", ""), `{"jsonrpc":`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the line is not JSON: write one message in each line","data":{"type":"https://nexus.dev/problems/invalid_input","title":"Invalid input","status":400,"detail":"the line is not JSON: write one message in each line","code":"invalid_input"}}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			k := open(t, c.serve)
			k.say(c.send)
			if c.want != "" {
				if got := <-k.lines; got != c.want {
					t.Errorf("%s\nwant\n%s", got, c.want)
				}
			}
			if c.log != "" {
				if got := <-k.log; got != c.log {
					t.Errorf("the log has %q, want %q", got, c.log)
				}
			}
			if rest := k.end(); len(rest) > 0 || len(k.log) > 0 {
				t.Errorf("more is said: %v, and %d lines to the log", rest, len(k.log))
			}
		})
	}
}

// TestBridgeStreams: what a server tells before its answer is handed on at once.
func TestBridgeStreams(t *testing.T) {
	heard := make(chan struct{})
	const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`
	k := open(t, func(w http.ResponseWriter, _ *http.Request, m message) {
		w.Header().Set("Content-Type", eventStream)
		_, _ = io.WriteString(w, "event: message\ndata: "+progress+"\n\nid: 1\ndata: \n\n")
		_ = http.NewResponseController(w).Flush()
		<-heard
		_, _ = io.WriteString(w, "data: "+answering(string(m.ID), "{}")+"\n\n")
	})
	k.say(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}`)
	if got := <-k.lines; got != progress {
		t.Errorf("%s", got)
	}
	close(heard)
	if got := <-k.lines; got != answering("1", "{}") {
		t.Errorf("%s", got)
	}
	k.end()
}

// TestBridgeGivesUp: requests run side by side, and end with a cancellation, or with the
// input; then nothing is answered.
func TestBridgeGivesUp(t *testing.T) {
	begun, ended := make(chan string), make(chan string, 3)
	k := open(t, func(_ http.ResponseWriter, r *http.Request, m message) {
		begun <- string(m.ID)
		<-r.Context().Done()
		ended <- string(m.ID)
	})
	for _, id := range []string{"1", `"1"`, "2"} {
		k.say(`{"jsonrpc":"2.0","id":` + id + `,"method":"subscriptions/listen","params":{}}`)
		if got := <-begun; got != id {
			t.Errorf("%s begins", got)
		}
	}
	k.say(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	if got := <-k.lines; !strings.Contains(got, "a request with this id is under way") {
		t.Errorf("%s", got)
	}
	k.say(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}`, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"1"}}`)
	if got := <-ended; got != `"1"` {
		t.Errorf("%s ends", got)
	}
	if rest := k.end(); len(rest) > 0 {
		t.Errorf("answered: %v", rest)
	}
	last := []string{<-ended, <-ended}
	slices.Sort(last)
	if !slices.Equal(last, []string{"1", "2"}) {
		t.Errorf("%v end", last)
	}
}

func TestBridgeLongLine(t *testing.T) {
	k := open(t, func(w http.ResponseWriter, _ *http.Request, m message) {
		_, _ = io.WriteString(w, answering(string(m.ID), "{}"))
	})
	k.say(strings.Repeat("x", maxLineBytes+1), `{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	if got := <-k.lines; !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":null,"error":{"code":413,"message":"the message is longer than 51 MiB`) || !strings.Contains(got, `"code":"body_too_large"`) {
		t.Errorf("%s", got)
	}
	if got := <-k.lines; got != answering("1", "{}") {
		t.Errorf("%s", got)
	}
	k.end()
}

// TestBridgeEnds: with its context, and when nobody reads what it writes.
func TestBridgeEnds(t *testing.T) {
	client := InProcess(http.NotFoundHandler(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, answering("1", "{}"))
	}), "")
	defer client.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	in, writer := io.Pipe()
	defer func() { _ = writer.Close() }()
	if err := client.Bridge(ctx, in, io.Discard, io.Discard); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	in, writer = io.Pipe()
	reader, out := io.Pipe()
	_ = reader.Close()
	go func() { _, _ = io.WriteString(writer, `{"jsonrpc":"2.0","id":1,"method":"ping"}`+"\n") }()
	if err := client.Bridge(t.Context(), in, out, io.Discard); err != nil {
		t.Errorf("nobody reads: %v", err)
	}
	_ = writer.Close()
	broken := errors.New("broken")
	in, writer = io.Pipe()
	_ = writer.CloseWithError(broken)
	if err := client.Bridge(t.Context(), in, io.Discard, io.Discard); !errors.Is(err, broken) {
		t.Errorf("an input that breaks: %v", err)
	}
}

// TestBridgeAnswersLast: what is under way when the input ends is answered.
func TestBridgeAnswersLast(t *testing.T) {
	begun, closed := make(chan struct{}), make(chan struct{})
	k := open(t, func(w http.ResponseWriter, _ *http.Request, _ message) {
		close(begun)
		<-closed
		_, _ = io.WriteString(w, answering("1", "{}"))
	})
	k.say(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}`)
	<-begun
	_ = k.in.Close()
	close(closed)
	if rest := k.end(); len(rest) != 1 || rest[0] != answering("1", "{}") {
		t.Errorf("answered: %v", rest)
	}
}

// TestBridgeHeaders: what HTTP is to repeat of a message.
func TestBridgeHeaders(t *testing.T) {
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":7}`
	const tools = `{"tools":[{"name":"order","inputSchema":{"properties":{"sku":{"type":"string","x-mcp-header":"Sku"},"to":{"properties":{"n":{"x-mcp-header":"To-N"}}},"b":{"x-mcp-header":"B"},"f":{"x-mcp-header":"F"},"odd":true,"none":{}}}}]}`
	serve := func(w http.ResponseWriter, _ *http.Request, m message) {
		result := "{}"
		switch {
		case m.Method == "initialize":
			result = `{"protocolVersion":"2025-11-25"}`
		case m.Method == "tools/list" && !strings.Contains(string(m.Params), "cursor"):
			result = `{"tools":[],"nextCursor":"next"}`
		case m.Method == "tools/list":
			result = tools
		}
		_, _ = io.WriteString(w, answering(string(m.ID), result))
	}
	call := func(id, arguments string) string {
		return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"order","arguments":` + arguments + `,` + meta + `}}`
	}
	for _, c := range []struct {
		name  string
		lines []string
		want  map[string]string // of the last request
		count int
	}{
		{"before anything is agreed", []string{`{"jsonrpc":"2.0","id":1,"method":"initialize"}`}, map[string]string{"Accept": "application/json, text/event-stream", "Content-Type": "application/json", "Authorization": "Bearer hush"}, 1},
		{"a dated revision", []string{`{"jsonrpc":"2.0","id":1,"method":"initialize"}`, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"order","arguments":{"sku":"a"}}}`}, map[string]string{"Mcp-Protocol-Version": "2025-11-25"}, 2},
		{"a method", []string{`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{` + meta + `}}`}, map[string]string{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}, 1},
		{"a resource", []string{`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"orders://ä",` + meta + `}}`}, map[string]string{"Mcp-Method": "resources/read", "Mcp-Name": "=?base64?b3JkZXJzOi8vw6Q=?="}, 1},
		{"a prompt", []string{`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"greet",` + meta + `}}`}, map[string]string{"Mcp-Method": "prompts/get", "Mcp-Name": "greet"}, 1},
		{"a tool that nobody listed", []string{call("1", `{"sku":" ä","to":{"n":5},"b":true,"f":1.5,"none":"x"}`)},
			map[string]string{"Mcp-Name": "order", "Mcp-Param-Sku": "=?base64?IMOk?=", "Mcp-Param-To-N": "5", "Mcp-Param-B": "true"}, 3},
		{"a tool that was asked for before", []string{call("1", `{}`), call("2", `{"sku":null,"to":1}`)}, map[string]string{"Mcp-Name": "order"}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := open(t, serve)
			for _, line := range c.lines {
				k.say(line)
				if got := <-k.lines; !strings.Contains(got, `"result"`) {
					t.Errorf("%s", got)
				}
			}
			k.end()
			if len(k.headers) != c.count {
				t.Fatalf("%d requests", len(k.headers))
			}
			got := k.headers[len(k.headers)-1]
			for name, want := range c.want {
				if got.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, got.Get(name), want)
				}
			}
			for name := range got {
				if _, known := c.want[name]; !known && strings.HasPrefix(name, "Mcp-") && name != "Mcp-Protocol-Version" && name != "Mcp-Method" {
					t.Errorf("%s: %v", name, got[name])
				}
			}
		})
	}
}
