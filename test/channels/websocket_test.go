package channels

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// socket calls over a WebSocket, with a connection for each call.
type socket struct{}

func (socket) call(t *testing.T, c call) verdict {
	t.Helper()
	s, refusal := connect(t, c)
	if refusal != nil {
		return *refusal
	}
	defer func() { _ = s.conn.CloseNow() }()
	v, result := readAnswer(t, dated, 2, s.ask(t, c.toolCall(dated, 2)))
	if v.code != ok || !c.async {
		return v
	}
	uri, id := started(t, result), 2
	return awaitEnd(t, func() []byte {
		id++
		return readResource(t, s.ask(t, rpcRequest(dated, id, "resources/read", `"uri":`+quote(uri), "")))
	})
}

// session is a connection after its handshake.
type session struct{ conn *websocket.Conn }

// connect makes a connection for the call's caller, or returns why there is none.
func connect(t *testing.T, c call) (*session, *verdict) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, c.app.mcp+"/mcp/ws"+c.query, &websocket.DialOptions{ //nolint:bodyclose // of a refusal the library has read it, and else it is the connection
		HTTPClient: client, HTTPHeader: c.headers(), Subprotocols: []string{"mcp"},
	})
	if err != nil {
		refusal := notUpgraded(t, res, err)
		return nil, &refusal
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(-1)
	if conn.Subprotocol() != "mcp" {
		t.Errorf("the subprotocol is %q", conn.Subprotocol())
	}
	s := &session{conn}
	handshake(t, s.ask(t, initialize(1)))
	if err := conn.Write(ctx, websocket.MessageText, []byte(initialized)); err != nil {
		t.Fatal(err)
	}
	return s, nil
}

// ask sends a message and returns the answer: one is asked at a time.
func (s *session) ask(t *testing.T, message string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		t.Fatal(err)
	}
	for {
		_, raw, err := s.conn.Read(ctx)
		if err != nil {
			t.Fatalf("no answer to %s: %v", brief(message), err)
		}
		if isAnswer(raw) {
			return raw
		}
	}
}

// notUpgraded reads why there is no WebSocket: what HTTP says, as over /mcp.
func notUpgraded(t *testing.T, res *http.Response, err error) verdict {
	t.Helper()
	if res == nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil || a.Error == nil {
		t.Fatalf("the WebSocket is refused with %d %s", res.StatusCode, raw)
	}
	v := readError(t, 0, a, raw)
	if res.StatusCode != forms[v.code].http {
		t.Errorf("%s has the status %d, want %d", v.code, res.StatusCode, forms[v.code].http)
	}
	if header := retryAfter(t, res.Header); header != v.retryAfter {
		t.Errorf("Retry-After is %d, and retryAfterSeconds %d", header, v.retryAfter)
	}
	if challenge := res.Header.Get("WWW-Authenticate"); v.code == "unauthenticated" && !strings.HasPrefix(challenge, "Bearer realm=") {
		t.Errorf("%s has WWW-Authenticate: %q", v.code, challenge)
	}
	return v
}

const initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`

func initialize(id int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"initialize","params":{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"table","version":"1"}}}`, id, dated)
}

// handshake checks the answer to initialize.
func handshake(t *testing.T, raw []byte) {
	t.Helper()
	var a struct {
		Result struct {
			Version string `json:"protocolVersion"`
		} `json:"result"`
	}
	if err := json.Unmarshal(raw, &a); err != nil || a.Result.Version != dated {
		t.Fatalf("initialize is answered with %s", brief(string(raw)))
	}
}

// isAnswer tells an answer from a notification.
func isAnswer(raw []byte) bool {
	var a answer
	return json.Unmarshal(raw, &a) == nil && (a.Result != nil || a.Error != nil)
}
