package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

// connection is a WebSocket of a test.
type connection struct {
	*websocket.Conn
	t *testing.T
}

func (a *app) dial(t *testing.T, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	return websocket.Dial(t.Context(), a.url+WebSocketPath, &websocket.DialOptions{HTTPHeader: header, Subprotocols: protocols, HTTPClient: a.client})
}

// connect opens a WebSocket and shakes hands.
func (a *app) connect(t *testing.T, key string) *connection {
	t.Helper()
	conn, _, err := a.dial(t, http.Header{"Authorization": {"Bearer " + key}}, subprotocol) //nolint:bodyclose // there is none
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(8 << 20)
	t.Cleanup(func() { _ = conn.CloseNow() })
	c := &connection{conn, t}
	c.write(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2026-07-28","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	if got := c.read(); !strings.Contains(string(got.Result), `"protocolVersion":"`+dated+`"`) {
		t.Fatalf("the handshake: %s", got.text)
	}
	c.write(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return c
}

func (c *connection) write(text string) {
	c.t.Helper()
	if err := c.Write(c.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *connection) read() *answer {
	c.t.Helper()
	_, text, err := c.Read(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	out := &answer{text: string(text)}
	if err := json.Unmarshal(text, out); err != nil {
		c.t.Fatalf("%v: %s", err, text)
	}
	return out
}

// ends returns the status that the connection is closed with.
func (c *connection) ends() websocket.StatusCode {
	for {
		if _, _, err := c.Read(context.Background()); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func callID(id any, tool, arguments string) string {
	text, _ := json.Marshal(id)
	return `{"jsonrpc":"2.0","id":` + string(text) + `,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments + `}}`
}

func TestWebSocketHandshake(t *testing.T) {
	a := start(t, "")
	good := http.Header{"Authorization": {"Bearer " + a.key}}
	with := func(name, value string) http.Header {
		h := good.Clone()
		h.Set(name, value)
		return h
	}
	for _, c := range []struct {
		name      string
		header    http.Header
		protocols []string
		status    int
	}{
		{"no subprotocol", good, nil, 400},
		{"another subprotocol", good, []string{"mqtt"}, 400},
		{"no credential", http.Header{}, []string{"mcp"}, 401},
		{"a wrong credential", with("Authorization", "Bearer nxs_a_b"), []string{"mcp"}, 401},
		{"another page", with("Origin", "https://evil.com"), []string{"mcp"}, 403},
		{"fine", with("Origin", "https://shop.example.com"), []string{"mqtt", "mcp"}, 101},
	} {
		conn, res, err := a.dial(t, c.header, c.protocols...) //nolint:bodyclose // there is none
		if res == nil || res.StatusCode != c.status || (err == nil) != (c.status == 101) {
			t.Fatalf("%s: %v %v", c.name, res, err)
		}
		if c.status == 401 && !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), challenge) {
			t.Errorf("%s: %v", c.name, res.Header)
		}
		if conn != nil {
			if conn.Subprotocol() != subprotocol {
				t.Errorf("%s: the subprotocol is %q", c.name, conn.Subprotocol())
			}
			_ = conn.CloseNow()
		}
	}
	a.handler.sessions.fill(maxSessions)
	if _, res, err := a.dial(t, good, subprotocol); err == nil || res.StatusCode != 503 || res.Header.Get("Retry-After") != "1" { //nolint:bodyclose // there is none
		t.Errorf("too many: %v %v", res, err)
	}
	a.handler.Drain()
	if _, res, err := a.dial(t, good, subprotocol); err == nil || res.StatusCode != 503 { //nolint:bodyclose // there is none
		t.Errorf("draining: %v %v", res, err)
	}
}

// TestWebSocketMessages: many at once, each with its own answer and its own verdict.
func TestWebSocketMessages(t *testing.T) {
	goroutines.Settle(t)
	a := start(t, "")
	c := a.connect(t, a.key)
	const many = 50
	for i := range many {
		c.write(callID(i, "echo", fmt.Sprintf(`{"i":%d}`, i)))
	}
	var seen []string
	for range many {
		got := c.read()
		if !strings.Contains(string(got.Result), fmt.Sprintf(`{"i":%v}`, got.ID)) {
			t.Errorf("%v was answered %s", got.ID, got.Result)
		}
		seen = append(seen, fmt.Sprint(got.ID))
	}
	slices.Sort(seen)
	if len(slices.Compact(seen)) != many {
		t.Errorf("the answers are to %v", seen)
	}
	for _, m := range []struct {
		message string
		rpc     int
		code    string
		id      any
	}{
		{callID("a", "owners", `{}`), 0, "forbidden", "a"},
		{callID("a", "scoped", `{}`), 0, "forbidden", "a"},
		{callID("b", "nothing", `{}`), -32602, "workflow_not_found", "b"},
		{callID("c", "add", `{"a":"x"}`), -32602, "schema_violation", "c"},
		{callID("d", "echo", `{"__proto__":1}`), -32602, "invalid_input", "d"},
		{callID("d", "owners", `{"__proto__":1}`), 0, "forbidden", "d"},
		{callID("d", "nothing", `{"__proto__":1}`), -32602, "workflow_not_found", "d"},
		{callID("e", "echo", `[]`), -32602, "invalid_input", "e"},
		{`{"jsonrpc":`, -32700, "invalid_input", nil},
		{`[]`, -32600, "invalid_input", nil},
		{`{"jsonrpc":"2.0","id":"f","method":"tools/drop"}`, -32601, "", "f"},
		{`{"jsonrpc":"2.0","id":"g","method":"subscriptions/listen","params":{}}`, -32601, "invalid_input", "g"},
		{`{"jsonrpc":"2.0","id":"h","method":"prompts/get","params":{"name":"none"}}`, -32602, "", "h"},
		{`{"jsonrpc":"2.0","id":"i","method":"resources/read","params":{"uri":"shop://none"}}`, -32602, "not_found", "i"},
		{`{"jsonrpc":"2.0","id":"j","method":"ping"}`, 0, "", "j"},
		{callID("k", "scarce", `{}`), 0, "", "k"},
		{callID("l", "scarce", `{}`), 0, "", "l"},
		{callID("m", "scarce", `{}`), 429, "rate_limited", "m"},
		{callID("n", "raises", `{}`), 0, "workflow_failed", "n"},
	} {
		c.write(m.message)
		got := c.read()
		rpc := 0
		if got.Error != nil {
			rpc = got.Error.Code
		}
		if rpc != m.rpc || got.ID != m.id || m.code != "" && got.code() != m.code {
			t.Errorf("%s: %s", m.message, got.text)
		}
	}
	if err := c.Ping(c.CloseRead(t.Context())); err != nil {
		t.Errorf("ping: %v", err)
	}
	if n := a.counted("echo", "ok"); n != "50" {
		t.Errorf("%s calls were counted", n)
	}
	_ = c.CloseNow()
	a.handler.Wait(t.Context())
	a.client.CloseIdleConnections()
}

// TestWebSocketProgress: the tasks are told before the result.
func TestWebSocketProgress(t *testing.T) {
	a := start(t, "")
	c := a.connect(t, a.key)
	c.write(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"steps","_meta":{"progressToken":"p"}}}`)
	for range 3 {
		if got := c.read(); !strings.Contains(got.text, "notifications/progress") {
			t.Errorf("instead of progress: %s", got.text)
		}
	}
	if got := c.read(); got.Result == nil {
		t.Errorf("instead of the result: %s", got.text)
	}
}

// TestWebSocketInFlight: a connection has so many requests under way, each with an id of
// its own; a notification ends one, and the end of the connection all.
func TestWebSocketInFlight(t *testing.T) {
	goroutines.Settle(t)
	a := start(t, "")
	t.Cleanup(a.client.CloseIdleConnections)
	c := a.connect(t, a.key)
	for i := range maxInFlight {
		c.write(callID(i, "call", `{}`))
		<-a.service.arrived
	}
	c.write(callID(3, "call", `{}`))
	if got := c.read(); got.code() != "invalid_input" || got.ID != 3.0 {
		t.Errorf("an id that is under way: %s", got.text)
	}
	c.write(callID("more", "echo", `{}`))
	if got := c.read(); got.code() != "overloaded" || got.ID != "more" {
		t.Errorf("one more: %s", got.text)
	}
	c.write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}`)
	if err := <-a.service.left; err == nil {
		t.Error("the run went on")
	}
	// The place is free as soon as the run's answer would have been written.
	for {
		c.write(callID("again", "echo", `{}`))
		if got := c.read(); got.ID != "again" || got.code() != "" && got.code() != "overloaded" {
			t.Fatalf("instead of the next answer: %s", got.text)
		} else if got.code() == "" {
			break
		}
	}
	_ = c.CloseNow()
	for range maxInFlight - 1 {
		if err := <-a.service.left; err == nil {
			t.Error("a run went on without its client")
		}
	}
	a.handler.Wait(t.Context())
}

func TestWebSocketIsClosed(t *testing.T) {
	goroutines.Settle(t)
	a := start(t, "")
	t.Cleanup(a.client.CloseIdleConnections)
	t.Run("after a large message", func(t *testing.T) {
		c := a.connect(t, a.key)
		c.write(callID(1, "echo", `{"a":"`+strings.Repeat("x", 1<<20)+`"}`))
		if got := c.read(); got.code() != "body_too_large" {
			t.Errorf("%s", got.text)
		}
		if status := c.ends(); status != websocket.StatusMessageTooBig {
			t.Errorf("closed with %v", status)
		}
	})
	t.Run("after a binary message", func(t *testing.T) {
		c := a.connect(t, a.key)
		if err := c.Write(t.Context(), websocket.MessageBinary, []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		if status := c.ends(); status != websocket.StatusUnsupportedData {
			t.Errorf("closed with %v", status)
		}
	})
	t.Run("not when the key loses its role", func(t *testing.T) {
		c := a.connect(t, a.owner)
		a.rewrite("boss", `"owner"`, `"guest"`)
		defer a.rewrite("boss", `"guest"`, `"owner"`)
		c.write(callID(1, "owners", `{}`))
		if got := c.read(); got.code() != "forbidden" {
			t.Errorf("%s", got.text)
		}
	})
	t.Run("when the key is revoked", func(t *testing.T) {
		c := a.connect(t, a.owner)
		c.write(callID(1, "owners", `{}`))
		if got := c.read(); got.code() != "" {
			t.Errorf("%s", got.text)
		}
		a.revoke("boss")
		c.write(callID(2, "owners", `{}`))
		if got := c.read(); got.code() != "unauthenticated" || got.Error.Code != 401 || got.ID != 2.0 {
			t.Errorf("%s", got.text)
		}
		if status := c.ends(); status != websocket.StatusPolicyViolation {
			t.Errorf("closed with %v", status)
		}
	})
	t.Run("at the drain, once nothing runs", func(t *testing.T) {
		idle, busy := a.connect(t, a.key), a.connect(t, a.key)
		busy.write(callID(1, "call", `{}`))
		<-a.service.arrived
		a.handler.Drain()
		if status := idle.ends(); status != websocket.StatusGoingAway {
			t.Errorf("the idle one was closed with %v", status)
		}
		close(a.service.answer)
		if got := busy.read(); got.ID != 1.0 || got.Result == nil {
			t.Errorf("what ran was answered %s", got.text)
		}
		if status := busy.ends(); status != websocket.StatusGoingAway {
			t.Errorf("the busy one was closed with %v", status)
		}
		a.handler.Wait(t.Context())
	})
}

// TestWebSocketGarbage: what is no message costs its sender an answer or the connection,
// and nobody else anything.
func TestWebSocketGarbage(t *testing.T) {
	goroutines.Settle(t)
	a := start(t, "")
	t.Cleanup(a.client.CloseIdleConnections)
	other := a.connect(t, a.key)
	conn, _, err := a.dial(t, http.Header{"Authorization": {"Bearer " + a.key}}, subprotocol) //nolint:bodyclose // there is none
	if err != nil {
		t.Fatal(err)
	}
	c := &connection{conn, t}
	for _, message := range []string{``, `x`, `{}`, `{"jsonrpc":"2.0","id":1}`, `{"jsonrpc":"2.0","id":{},"method":"ping"}`, `{"jsonrpc":"2.0","id":"a","method":"tools/list"}`,
		`{"jsonrpc":"2.0","id":"b","method":"initialize","params":3}`, `{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"echo","_meta":[]}}`} {
		c.write(message)
		if got := c.read(); got.Error == nil || got.Error.Message == "" || strings.Contains(got.text, "*mcp.") {
			t.Errorf("%q: %s", message, got.text)
		}
	}
	// Answers to nothing, and notifications before the handshake, are passed over.
	c.write(`{"jsonrpc":"2.0","id":99,"result":{}}`)
	c.write(`{"jsonrpc":"2.0","method":"notifications/party"}`)
	c.write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[]}}`)
	c.write(`{"jsonrpc":"2.0","id":"d","method":"ping"}`)
	if got := c.read(); got.ID != "d" {
		t.Errorf("ping: %s", got.text)
	}
	_ = c.CloseNow()
	other.write(callID(1, "echo", `{"a":1}`))
	if got := other.read(); got.Result == nil {
		t.Errorf("the other connection: %s", got.text)
	}
	_ = other.CloseNow()
	a.handler.Wait(t.Context())
}
