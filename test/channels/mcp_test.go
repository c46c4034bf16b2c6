package channels

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// The revisions of the protocol: the newest with a handshake, and the first without one.
const (
	dated     = "2025-11-25"
	stateless = "2026-07-28"
)

// rpcRequest is a message that calls a method. What follows _meta of the revision is in meta.
func rpcRequest(revision string, id int, method, params, meta string) string {
	var members []string
	if revision == stateless {
		members = append(members, `"io.modelcontextprotocol/protocolVersion":"`+stateless+`"`,
			`"io.modelcontextprotocol/clientInfo":{"name":"table","version":"1"}`, `"io.modelcontextprotocol/clientCapabilities":{}`)
	}
	if meta != "" {
		members = append(members, meta)
	}
	if len(members) > 0 {
		if params != "" {
			params = "," + params
		}
		params = `"_meta":{` + strings.Join(members, ",") + `}` + params
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{%s}}`, id, method, params)
}

// toolCall is the message that makes a call.
func (c call) toolCall(revision string, id int) string {
	var meta []string
	if c.async {
		meta = append(meta, `"nexus.dev/mode":"async"`)
	}
	if c.stream {
		meta = append(meta, `"progressToken":"told"`)
	}
	if c.key != "" {
		meta = append(meta, `"nexus.dev/idempotencyKey":`+quote(c.key))
	}
	return rpcRequest(revision, id, "tools/call", `"name":`+quote(c.toolName())+`,"arguments":`+c.inputs, strings.Join(meta, ","))
}

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// answer is one of JSON-RPC.
type answer struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Code    int             `json:"code"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	} `json:"error"`
}

// toolResult is the result of tools/call.
type toolResult struct {
	IsError bool `json:"isError"`
	Content []struct {
		Type string `json:"type"`
		Text string `json:"text"`
		URI  string `json:"uri"`
	} `json:"content"`
	Structured json.RawMessage            `json:"structuredContent"`
	Meta       map[string]json.RawMessage `json:"_meta"`
}

// readAnswer reads the answer to a call with an id, and checks that its form is the one that
// the table has for its code.
func readAnswer(t *testing.T, revision string, id int, raw []byte) (verdict, toolResult) {
	t.Helper()
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil || a.Version != "2.0" || (a.Result == nil) == (a.Error == nil) {
		t.Fatalf("no answer of JSON-RPC: %s", brief(string(raw)))
	}
	if a.Error != nil {
		return readError(t, id, a, raw), toolResult{}
	}
	if string(a.ID) != fmt.Sprint(id) {
		t.Errorf("the answer has the id %s, want %d: %s", a.ID, id, brief(string(raw)))
	}
	var r toolResult
	if err := json.Unmarshal(a.Result, &r); err != nil || len(r.Content) == 0 || r.Content[0].Type != "text" {
		t.Fatalf("no result of a tool: %s", brief(string(raw)))
	}
	text := []byte(r.Content[0].Text)
	if !r.IsError {
		v := succeeded(t, text, raw)
		object := strings.HasPrefix(v.output, "{")
		switch {
		case r.Structured != nil && canonical(t, r.Structured) != v.output:
			t.Errorf("the text and structuredContent differ: %s", brief(string(raw)))
		case r.Structured == nil && len(r.Content) == 1 && v.output != "null" && (object || revision == stateless):
			t.Errorf("no structuredContent: %s", brief(string(raw)))
		case r.Structured != nil && !object && revision != stateless:
			t.Errorf("structuredContent that is no object, which %s does not know: %s", revision, brief(string(raw)))
		}
		return v, r
	}
	p := readProblem(t, text)
	if len(r.Content) != 1 || r.Meta["nexus.dev/problem"] == nil || canonical(t, r.Meta["nexus.dev/problem"]) != canonical(t, text) {
		t.Errorf("a tool error has its problem twice, as text and in _meta: %s", brief(string(raw)))
	}
	if forms[p.Code].rpc != 0 {
		t.Errorf("%s is the result of a tool, want the JSON-RPC error %d", p.Code, forms[p.Code].rpc)
	}
	return refused(p, 0, raw), r
}

// readError reads an error of JSON-RPC, whose data is the problem object.
func readError(t *testing.T, id int, a answer, raw []byte) verdict {
	t.Helper()
	if a.Error.Data == nil {
		t.Fatalf("an error without the problem object: %s", brief(string(raw)))
	}
	unnamed := a.ID == nil || string(a.ID) == "null"
	read := readProblem
	if unnamed {
		read = readClientProblem
	}
	p := read(t, a.Error.Data)
	if !unnamed && string(a.ID) != fmt.Sprint(id) {
		t.Errorf("the answer has the id %s, want %d: %s", a.ID, id, brief(string(raw)))
	}
	want := forms[p.Code].rpc
	switch {
	case p.Code == "invalid_input" && unnamed && a.Error.Code == notJSON:
		want = notJSON // not even the id could be read
	case p.Code == "forbidden" && a.Error.Code == http.StatusForbidden:
		want = http.StatusForbidden // a missing scope, which a client can ask for
	}
	switch {
	case want == 0:
		t.Errorf("%s is an error of JSON-RPC, want the result of a tool: %s", p.Code, brief(string(raw)))
	case a.Error.Code != want:
		t.Errorf("the JSON-RPC code of %s is %d, want %d", p.Code, a.Error.Code, want)
	}
	if a.Error.Message != p.Detail {
		t.Errorf("the message is %q, and the detail %q", a.Error.Message, p.Detail)
	}
	v := refused(p, p.RetryAfter, raw)
	v.unnamed = unnamed
	return v
}

// started checks the answer to a call that starts an execution, and returns the URI of the
// resource that tells how it stands.
func started(t *testing.T, r toolResult) string {
	t.Helper()
	if len(r.Content) != 2 || r.Content[1].Type != "resource_link" || !strings.HasPrefix(r.Content[1].URI, "execution://") {
		t.Fatalf("no link to the execution: %+v", r)
	}
	return r.Content[1].URI
}

// readResource takes the text out of the answer to resources/read.
func readResource(t *testing.T, raw []byte) []byte {
	t.Helper()
	var a struct {
		Result struct {
			Contents []struct{ Text string } `json:"contents"`
		} `json:"result"`
	}
	if err := json.Unmarshal(raw, &a); err != nil || len(a.Result.Contents) != 1 {
		t.Fatalf("the execution cannot be read: %s", brief(string(raw)))
	}
	return []byte(a.Result.Contents[0].Text)
}

// post calls over MCP's Streamable HTTP, in a revision.
type post struct{ revision string }

func (p post) call(t *testing.T, c call) verdict {
	t.Helper()
	got := p.send(t, c, "tools/call", c.toolName(), c.toolCall(p.revision, 7))
	if c.stream && got.StatusCode == http.StatusOK && got.Header.Get("Content-Type") == eventStream {
		events := readEvents(t, got.body)
		if len(events) < 2 && c.workflow == "echo" {
			t.Errorf("nothing was told of the tasks: %s", got.body)
		}
		got.body = events[len(events)-1]
	}
	v, result := readAnswer(t, p.revision, 7, got.body)
	if v.code != ok {
		p.checkHTTP(t, c, got, v)
		v.raw = got.Header.Get("WWW-Authenticate") + "\n" + v.raw
		return v
	}
	if got.StatusCode != http.StatusOK {
		t.Errorf("the status of a result is %d", got.StatusCode)
	}
	if !c.async {
		return v
	}
	uri := started(t, result)
	return awaitEnd(t, func() []byte {
		return readResource(t, p.send(t, c, "resources/read", uri, rpcRequest(p.revision, 8, "resources/read", `"uri":`+quote(uri), "")).body)
	})
}

// send posts a message. The revision without a handshake has headers that repeat what it
// calls.
func (p post) send(t *testing.T, c call, method, name, message string) reply {
	t.Helper()
	header := c.headers()
	header.Set("Accept", "application/json, text/event-stream")
	header.Set("Mcp-Protocol-Version", p.revision)
	if p.revision == stateless {
		header.Set("Mcp-Method", method)
		if name != "" {
			header.Set("Mcp-Name", headerValue(name))
		}
	}
	return send(t, http.MethodPost, c.app.mcp+"/mcp"+c.query, message, header)
}

// headerValue is a name as a header's value, in Base64 where a header cannot hold it.
func headerValue(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(name)) + "?="
	}
	return name
}

// checkHTTP checks status and headers of a refusal. What was found out about one message that
// could be read is the answer to it, and no error of HTTP.
func (p post) checkHTTP(t *testing.T, c call, got reply, v verdict) {
	t.Helper()
	want := forms[v.code].http
	var a answer
	if err := json.Unmarshal(got.body, &a); err != nil {
		t.Fatal(err)
	}
	switch {
	case a.Error == nil:
		want = http.StatusOK // a tool error
	case v.code == "rate_limited":
		// Before the message is parsed it is an error of HTTP, and afterwards the answer to it.
		if got.StatusCode == http.StatusOK {
			want = http.StatusOK
		}
	case a.Error.Code == -32602 && p.revision == stateless:
		want = http.StatusBadRequest
	case a.Error.Code == -32602:
		if !v.unnamed {
			want = http.StatusOK
		}
	}
	// What a header says, it says as the object does.
	if header := retryAfter(t, got.Header); header != v.retryAfter && (header > 0 || got.StatusCode != http.StatusOK) {
		t.Errorf("%d with Retry-After %d and retryAfterSeconds %d", got.StatusCode, header, v.retryAfter)
	}
	if got.StatusCode != want {
		t.Errorf("%s has the status %d over HTTP, want %d: %s", v.code, got.StatusCode, want, brief(string(got.body)))
	}
	challenge := got.Header.Get("WWW-Authenticate")
	if v.code == "unauthenticated" && !strings.HasPrefix(challenge, "Bearer realm=") {
		t.Errorf("%s has WWW-Authenticate: %q", v.code, challenge)
	}
	if media := got.Header.Get("Content-Type"); media != "application/json" && (!c.stream || media != eventStream) {
		t.Errorf("the Content-Type is %q", media)
	}
}
