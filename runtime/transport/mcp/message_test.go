package mcp

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	quantity "k8s.io/apimachinery/pkg/api/resource"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/validate"
)

// TestMessages: what is wrong with a message is said in its answer, with its id where it
// has one.
func TestMessages(t *testing.T) {
	a := start(t, "")
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	call := func(arguments string) string {
		return `{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"echo","arguments":` + arguments + `}}`
	}
	for _, c := range []struct {
		name, message string
		status        int
		rpc           int
		code          string
		id            any
	}{
		{"nothing", ``, 400, -32700, "invalid_input", nil},
		{"no JSON", `{"jsonrpc":`, 400, -32700, "invalid_input", nil},
		{"a list", `[` + call(`{}`) + `]`, 400, -32600, "invalid_input", nil},
		{"an empty list", `[]`, 400, -32600, "invalid_input", nil},
		{"a text", `"x"`, 400, -32600, "invalid_input", nil},
		{"null", `null`, 400, -32600, "invalid_input", nil},
		{"another version", `{"jsonrpc":"1.0","id":3,"method":"ping"}`, 200, -32600, "invalid_input", 3.0},
		{"no method", `{"jsonrpc":"2.0","id":3}`, 200, -32600, "invalid_input", 3.0},
		{"a method that is no text", `{"jsonrpc":"2.0","id":3,"method":4}`, 200, -32600, "invalid_input", 3.0},
		{"an id that is null", `{"jsonrpc":"2.0","id":null,"method":"ping"}`, 400, -32600, "invalid_input", nil},
		{"an id that is an object", `{"jsonrpc":"2.0","id":{},"method":"ping"}`, 400, -32600, "invalid_input", nil},
		{"an id that is a fraction", `{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, 400, -32600, "invalid_input", nil},
		{"an id that is huge", `{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"ping"}`, 400, -32600, "invalid_input", nil},
		{"a duplicate key", call(`{"a":1,"a":2}`), 200, -32602, "invalid_input", "x"},
		{"a duplicate key of the message", `{"jsonrpc":"2.0","id":"x","method":"ping","method":"ping"}`, 200, -32602, "invalid_input", "x"},
		{"a blocked key", call(`{"b":[{"__proto__":1}]}`), 200, -32602, "invalid_input", "x"},
		{"a NUL", call(`{"b":"\u0000"}`), 200, -32602, "invalid_input", "x"},
		{"a path", call(`{"b":"../../etc/passwd"}`), 200, -32602, "invalid_input", "x"},
		{"too deep", call(deep(65)), 200, -32602, "invalid_input", "x"},
		{"deep", call(deep(64)), 200, 0, "", "x"},
		{"a name that is no text", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":3}}`, 200, -32602, "invalid_input", 1.0},
		{"no params", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, 200, -32602, "invalid_input", 1.0},
		{"params that are a list", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[1]}`, 200, -32602, "invalid_input", 1.0},
		{"arguments that are a text", call(`"x"`), 200, -32602, "invalid_input", "x"},
		{"no arguments", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}`, 200, 0, "", 1.0},
		{"_meta that is a list", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":[]}}`, 200, -32602, "invalid_input", 1.0},
		{"an unknown method", `{"jsonrpc":"2.0","id":1,"method":"tools/drop"}`, 200, -32601, "invalid_input", 1.0},
		{"a negative id", `{"jsonrpc":"2.0","id":-9007199254740993,"method":"tools/call","params":{"name":"echo"}}`, 200, 0, "", -9007199254740993.0},
		{"a notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, 202, 0, "", nil},
		{"an unknown notification", `{"jsonrpc":"2.0","method":"notifications/party"}`, 202, 0, "", nil},
		{"an answer", `{"jsonrpc":"2.0","id":1,"result":{}}`, 202, 0, "", nil},
		{"ping", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, 200, 0, "", 1.0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := a.send(dated, c.message)
			if c.id == nil && c.status == 202 && got.text != "" {
				t.Errorf("a notification was answered: %s", got.text)
			}
			rpc := 0
			if got.Error != nil {
				rpc = got.Error.Code
			}
			if got.status != c.status || rpc != c.rpc || got.code() != c.code || got.ID != c.id {
				t.Errorf("%d %d %q %v: %s", got.status, rpc, got.code(), got.ID, got.text)
			}
		})
	}
}

// TestInputsArrive: every input arrives under its name, and every number as it was
// written.
func TestInputsArrive(t *testing.T) {
	a := start(t, "")
	inputs := `{"api_key":"a","authorization":"b","big":123456789012345678901234567890,"jwt":"c","mcp_auth":"d","name":"n","password":"e","token":"f","_meta":{"progressToken":1}}`
	for _, revision := range []string{dated, stateless} {
		got := a.call(revision, "echo", inputs)
		var result struct{ StructuredContent json.RawMessage }
		if err := json.Unmarshal(got.Result, &result); err != nil {
			t.Fatalf("%v: %s", err, got.text)
		}
		var here, there map[string]json.RawMessage
		_ = json.Unmarshal(result.StructuredContent, &here)
		_ = json.Unmarshal([]byte(inputs), &there)
		if len(here) != len(there) {
			t.Errorf("%s: %s", revision, result.StructuredContent)
		}
		for name, value := range there {
			if string(here[name]) != string(value) {
				t.Errorf("%s: %s arrived as %s", revision, name, here[name])
			}
		}
		if got := a.call(revision, "echo", `{"a":1e400}`); got.code() != "invalid_input" {
			t.Errorf("a number that none can hold: %s", got.text)
		}
	}
}

// TestMethods: what is served for which method.
func TestMethods(t *testing.T) {
	a := start(t, "")
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodGet, "/mcp", 405, "POST, OPTIONS"},
		{http.MethodDelete, "/mcp", 405, "POST, OPTIONS"},
		{http.MethodPut, "/mcp/", 405, "POST, OPTIONS"},
		{http.MethodHead, "/mcp", 405, "POST, OPTIONS"},
		{http.MethodOptions, "/mcp", 204, "POST, OPTIONS"},
		{http.MethodPost, "/mcp/", 200, ""},
		{http.MethodPost, "/mcp/x", 404, ""},
		{http.MethodPost, "/", 404, ""},
		{http.MethodPost, "/mcp/ws", 405, "GET, OPTIONS"},
		{http.MethodGet, "/mcp/ws", 400, ""},
		{http.MethodOptions, "/mcp/ws", 204, "GET, OPTIONS"},
	} {
		r := a.post(t.Context(), dated, callOf(dated, "echo", `{}`))
		r.Method, r.URL.Path = c.method, c.path
		if got := a.do(r); got.status != c.status || got.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q: %s", c.method, c.path, got.status, got.header.Get("Allow"), got.text)
		}
	}
}

// TestHeaders: headers of the protocol, as clients send them and as nobody should.
func TestHeaders(t *testing.T) {
	a := start(t, "")
	for _, c := range []struct {
		name     string
		revision string
		header   []string
		status   int
	}{
		{"no Accept", dated, []string{"Accept", ""}, 400},
		{"anything", dated, []string{"Accept", "*/*"}, 200},
		{"both in another order", dated, []string{"Accept", "text/event-stream;q=0.5,application/json"}, 200},
		{"JSON alone", dated, []string{"Accept", "application/json"}, 400},
		{"another media type", dated, []string{"Content-Type", "text/plain"}, 415},
		{"a charset", dated, []string{"Content-Type", "application/json; charset=utf-8"}, 200},
		{"a session", dated, []string{sessionHeader, "whatever"}, 200},
		{"an event", dated, []string{"Last-Event-ID", "1_2"}, 400},
		{"no revision", dated, []string{"Mcp-Protocol-Version", ""}, 200},
		{"an unknown revision", dated, []string{"Mcp-Protocol-Version", "2020-01-01"}, 400},
		{"another name", stateless, []string{"Mcp-Name", "add"}, 400},
		{"another method", stateless, []string{"Mcp-Method", "tools/list"}, 400},
		{"no method", stateless, []string{"Mcp-Method", ""}, 400},
		{"no name", stateless, []string{"Mcp-Name", ""}, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := a.call(c.revision, "echo", `{}`, c.header...)
			if got.status != c.status {
				t.Errorf("%d %s", got.status, got.text)
			}
			if c.status != 200 && (got.Error == nil || got.Error.Message == "") {
				t.Errorf("no error of JSON-RPC: %s", got.text)
			}
		})
	}
	// The header names a tool, and the message reads a resource.
	got := a.send(stateless, request(stateless, "resources/read", `"uri":"shop://hours"`), "Mcp-Method", "tools/call", "Mcp-Name", "echo")
	if got.status != 400 || got.Error == nil || got.Error.Code != -32020 {
		t.Errorf("a resource under the name of a tool: %d %s", got.status, got.text)
	}
}

// TestInitialize: the newest revision with a handshake is what unknown ones get, and the
// reply gives the client a session that nothing is kept under.
func TestInitialize(t *testing.T) {
	a := start(t, "")
	for asked, want := range map[string]string{dated: dated, "2025-06-18": "2025-06-18", "1999-01-01": dated, "2099-01-01": dated} {
		got := a.send("", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"`+asked+`","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
		var result struct {
			ProtocolVersion string
			ServerInfo      struct{ Name, Version string }
		}
		if err := json.Unmarshal(got.Result, &result); err != nil || result.ProtocolVersion != want || result.ServerInfo.Name != "shop" || result.ServerInfo.Version != "1.2.3" {
			t.Errorf("%s: %v %s", asked, err, got.text)
		}
		if len(got.header.Get(sessionHeader)) != 32 {
			t.Errorf("%s: the session is %q", asked, got.header.Get(sessionHeader))
		}
	}
}

func FuzzDecode(f *testing.F) {
	rules := validate.New(v1alpha1.Input{MaxBytes: quantity.MustParse("64Ki"), Policy: v1alpha1.InputStandard})
	f.Add([]byte(callOf(stateless, "echo", `{"a":1}`, `"nexus.dev/mode":"async"`)))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1e3,"method":"resources/read","params":{"uri":3,"_meta":[]}}`))
	f.Add([]byte(`{"id":"a","id":2,"method":"notifications/cancelled","params":{"requestId":{}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var m message
		err := m.decode(rules, text)
		if m.known == (m.id == nil) {
			t.Errorf("the id %v is known: %v", m.id, m.known)
		}
		if err == nil && m.method == methodCallTool && m.problem == nil && m.arguments == nil {
			t.Error("a call without arguments")
		}
	})
}

// FuzzHandler: whatever is sent, the answer is one of JSON-RPC or empty, and no failure of
// ours.
func FuzzHandler(f *testing.F) {
	a := start(f, "")
	f.Add(callOf(stateless, "echo", `{"a":1}`), stateless, "tools/call", "echo", "*/*")
	f.Add(callOf(dated, "steps", `{}`, `"progressToken":1`), dated, "", "", "application/json, text/event-stream")
	for _, method := range []string{"initialize", "server/discover", "tools/list", "resources/list", "resources/templates/list", "prompts/list", "prompts/get", "completion/complete",
		"logging/setLevel", "resources/subscribe", "resources/unsubscribe", "resources/read", "notifications/cancelled", "ping", "tasks/get"} {
		f.Add(request(dated, method, `"uri":"shop://orders/1/a","name":"review","ref":{"type":"ref/prompt","name":"review"},"argument":{"name":"a","value":""},"requestId":1,"level":"x"`), dated, method, "x", "*/*")
		f.Add(request(stateless, method, `"uri":"workflow://echo","name":3,"ref":null`), stateless, method, "=?base64?eA==?=", "*/*")
	}
	f.Fuzz(func(t *testing.T, message, revision, method, name, accept string) {
		if strings.Contains(message, methodListen) {
			return // it stays open
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, strings.NewReader(message))
		r.Header = http.Header{"Authorization": {"Bearer " + a.key}, "Content-Type": jsonType,
			"Mcp-Protocol-Version": {revision}, "Mcp-Method": {method}, "Mcp-Name": {name}, "Accept": {accept}, sessionHeader: {name}}
		w := newRecorder()
		a.handler.ServeHTTP(w, r)
		if w.status >= 500 {
			t.Errorf("%d %s", w.status, w.text.String())
		}
		text := w.text.String()
		if w.header.Get("Content-Type") == "text/event-stream" || text == "" {
			return
		}
		var answer struct {
			JSONRPC       string
			Result, Error json.RawMessage
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.JSONRPC != "2.0" || (answer.Result == nil) == (answer.Error == nil) {
			t.Errorf("%v: %d %s", err, w.status, text)
		}
	})
}
