package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

const slowApp = `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: shop, namespace: team-a}
spec:
  environment: Development
  auth: {mode: Disabled}
  egress: {allow: ["SERVICE"]}
  workflows:
  - {name: ask, expose: [EXPOSE], definition: {document: {dsl: "1.0.3", namespace: team-a, name: ask, version: 1.0.0}, do: [{ask: {call: http, with: {method: get, endpoint: "http://SERVICE/"}}}]}}
`

func newServer(t *testing.T, expose, service string) *Server {
	t.Helper()
	app, problems := config.ReadManifest([]byte(strings.NewReplacer("EXPOSE", expose, "SERVICE", service).Replace(slowApp)))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	doc, errs := config.FromApp(app, nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	s, err := New(t.Context(), Options{
		Document: doc, APIAddr: "127.0.0.1:0", MCPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", Output: io.Discard, Version: "1.2.3",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMCPPort: the port is there exactly where a workflow is served over it.
func TestMCPPort(t *testing.T) {
	without := newServer(t, "REST", "127.0.0.1:1")
	if without.MCPHandler() != nil {
		t.Error("there is a handler where nothing is served over MCP")
	}
	if err := without.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	if without.MCPAddr() != "" {
		t.Errorf("the port %s is open where nothing is served over MCP", without.MCPAddr())
	}
	_, _ = without.api.Close(), without.admin.Close()

	taken := newServer(t, "MCP", "127.0.0.1:1")
	blocker := httptest.NewServer(http.NotFoundHandler())
	defer blocker.Close()
	taken.options.MCPAddr = blocker.Listener.Addr().String()
	if err := taken.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "--mcp-addr") {
		t.Errorf("the port is taken: %v", err)
	}
}

// TestMCPDrain: at the end, what runs over MCP is answered, connections that stay open are
// closed, and nothing is left.
func TestMCPDrain(t *testing.T) {
	goroutines.Settle(t)
	arrived, answer := make(chan struct{}, 2), make(chan struct{})
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-answer:
		case <-r.Context().Done():
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"late":true}`)
	}))
	defer service.Close()
	s := newServer(t, "MCP", strings.TrimPrefix(service.URL, "http://"))
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	url := "http://" + s.MCPAddr() + "/mcp"
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	idle, busy := dial(t, client, url), dial(t, client, url)
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask"}}`
	if err := busy.Write(t.Context(), websocket.MessageText, []byte(call)); err != nil {
		t.Fatal(err)
	}
	posted := make(chan string, 1)
	go func() {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(call))
		if err != nil {
			posted <- err.Error()
			return
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "*/*")
		res, err := client.Do(r)
		if err != nil {
			posted <- err.Error()
			return
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		posted <- string(text)
	}()
	<-arrived
	<-arrived
	stop()
	if _, _, err := idle.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the idle connection ended with %v", err)
	}
	close(answer)
	if text := <-posted; !strings.Contains(text, `"late":true`) {
		t.Errorf("the call that ran was answered %s", text)
	}
	_, text, err := busy.Read(t.Context())
	var got struct{ Result json.RawMessage }
	if err != nil || json.Unmarshal(text, &got) != nil || got.Result == nil {
		t.Errorf("the call over the WebSocket was answered %s: %v", text, err)
	}
	if _, _, err := busy.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the busy connection ended with %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the server ended with %v", err)
	}
	_, _ = idle.CloseNow(), busy.CloseNow()
}

// dial opens a WebSocket and shakes hands.
func dial(t *testing.T, client *http.Client, url string) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), url+"/ws", &websocket.DialOptions{Subprotocols: []string{"mcp"}, HTTPClient: client}) //nolint:bodyclose // there is none
	if err != nil {
		t.Fatal(err)
	}
	const hello = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(hello)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	return conn
}
