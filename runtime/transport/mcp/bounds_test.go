package mcp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/validate"
)

// TestMessageBounds: what sessions and answers keep or repeat is short, and inputs are not
// bounded by it.
func TestMessageBounds(t *testing.T) {
	app := v1alpha1.NexusAppSpec{}
	v1alpha1.SetDefaults(&app)
	rules := validate.New(app.Input)
	long := strings.Repeat("x", maxProtocolMessage)
	for name, c := range map[string]struct {
		text string
		code fault.Code
	}{
		"a handshake":         {`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"clientInfo":{"name":"` + long + `"}}}`, fault.BodyTooLarge},
		"a stream of changes": {`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"x":"` + long + `"}}`, fault.BodyTooLarge},
		"an id":               {`{"jsonrpc":"2.0","id":"` + long[:maxToken+1] + `","method":"ping"}`, fault.InvalidInput},
		"a URI":               {`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a://` + long[:maxURI] + `"}}`, fault.InvalidInput},
		"inputs":              {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":"` + long + `"}}}`, ""},
	} {
		var m message
		err := m.decode(rules, []byte(c.text))
		if c.code == "" && err == nil && m.problem == nil {
			continue
		}
		if err == nil || fault.As(err).Code != c.code {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
	for token, good := range map[string]bool{`"short"`: true, `7`: true, `"` + long[:maxToken+1] + `"`: false, `{"a":1}`: false, `1.5`: false} {
		var m message
		text := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":%s}}}`, token)
		if err := m.decode(rules, []byte(text)); err != nil || (m.problem == nil) != good || (m.progressToken != nil) != good {
			t.Errorf("the token %.20s: %v, %v", token, err, m.problem)
		}
	}
}

// TestContent: what is no content of a result fails the workflow, and is not sent.
func TestContent(t *testing.T) {
	for text, good := range map[string]bool{
		`{"type":"text","text":"a"}`: true, `[]`: true, `[{"type":"resource","resource":{"uri":"a://b","text":""}}]`: true,
		`{"type":"resource"}`: false, `{"type":"tool_result","toolUseId":"x","content":[]}`: false, `{"type":"tool_use","id":"x","name":"y","input":{}}`: false, `7`: false, `{}`: false,
	} {
		if _, err := contentOf([]byte(text)); (err == nil) != good || err != nil && fault.As(err).Code != fault.WorkflowFailed {
			t.Errorf("%s: %v", text, err)
		}
	}
	r := &resource{}
	if _, err := r.contentsOf("a://b", nil); err == nil || fault.As(err).Code != fault.WorkflowFailed {
		t.Errorf("a resource without content: %v", err)
	}
}

// TestRefusedEarly: what is not what its sender means is refused with the place and the
// fix, before it spends anything.
func TestRefusedEarly(t *testing.T) {
	a := start(t, "  rateLimit: {requestsPerMinute: 1, burst: 1}")
	for name, c := range map[string]struct {
		message, says string
		code          int
	}{
		"a call without an id":             {`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}`, "has an id", -32600},
		"a handshake that lies":            {`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":7}}`, "initialize", -32602},
		"a variable that is no simple one": {request(dated, methodReadResource, `"uri":"shop://orders/1/a!b"`), "", -32602},
	} {
		got := a.send(dated, c.message)
		if got.Error == nil || got.Error.Code != c.code || !strings.Contains(got.Error.Message, c.says) {
			t.Errorf("%s: %s", name, got.text)
		}
	}
	if got := a.send(dated, callOf(dated, "echo", `{}`)); got.code() != "" {
		t.Errorf("the one call that there is was spent: %s", got.text)
	}
	var m message
	_ = m.decode(a.handler.engine.Rules(), []byte(request(dated, methodCallTool, `"name":"echo","_meta":{"nexus.dev/idempotencykey":"k"}`)))
	if m.problem == nil || !strings.Contains(m.problem.Error(), "/params/_meta/nexus.dev~1idempotencykey: is not known: there are nexus.dev/mode and nexus.dev/idempotencyKey") {
		t.Errorf("a misspelt member: %v", m.problem)
	}
}
