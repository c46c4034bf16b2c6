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
