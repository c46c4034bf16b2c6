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
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, c.app.mcp+"/mcp/ws"+c.query, &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: c.headers(), Subprotocols: []string{"mcp"},
	})
	if err != nil {
		return notUpgraded(t, res, err)
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(-1)
	if conn.Subprotocol() != "mcp" {
		t.Errorf("the subprotocol is %q", conn.Subprotocol())
	}
	write := func(message string) {
		t.Helper()
		if err := conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(id int, message string) []byte {
		t.Helper()
		write(message)
		for {
			_, raw, err := conn.Read(ctx)
			if err != nil {
				t.Fatalf("no answer to the request %d: %v", id, err)
			}
			if isAnswer(raw) {
				return raw
			}
		}
	}
	handshake(t, ask(1, initialize(1)))
	write(initialized)
	raw := ask(2, c.toolCall(dated, 2))
	v, result := readAnswer(t, dated, 2, raw)
	if v.code != ok || !c.async {
		return v
	}
	uri, id := started(t, result), 2
	return awaitEnd(t, func() []byte {
		id++
		return readResource(t, ask(id, rpcRequest(dated, id, "resources/read", `"uri":`+quote(uri), "")))
	})
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
