package mcp

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// What differs from one call to the next.
var ids = regexp.MustCompile(`[0-9a-f]{32}|[0-9]{4}-[0-9-]{5}T[0-9:.]+Z`)

func leveled(t *testing.T, text string) any {
	t.Helper()
	text = ids.ReplaceAllString(text, "<>")
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// TestPlain: a call that is answered here gets the same answer as from the SDK, which a
// member that nobody knows leads to.
func TestPlain(t *testing.T) {
	a := start(t, "")
	for _, revision := range []string{"", "2025-03-26", "2025-06-18", dated, stateless} {
		for _, c := range []struct{ name, tool, arguments, meta string }{
			{"an object", "echo", `{"a":[1,"x",null,{"b":12345678901234567890}],"é\u2028":"<&>"}`, ""},
			{"no inputs", "echo", `{}`, ""},
			{"a number", "pick", `{"it":12345678901234567890123}`, ""},
			{"a text", "pick", `{"it":"a \"text\""}`, ""},
			{"null", "pick", `{"it":null}`, ""},
			{"a list", "pick", `{"it":[1,2]}`, ""},
			{"an object that is picked", "pick", `{"it":{"a":1}}`, ""},
			{"content", "show_it", `{"it":{"type":"text","text":"hello"}}`, ""},
			{"contents", "show_it", `{"it":[{"type":"text","text":"hello"},{"type":"image","mimeType":"image/png","data":"aGVsbG8="},{"type":"resource_link","uri":"a://b","name":"b"}]}`, ""},
			{"no contents", "show_it", `{"it":[]}`, ""},
			{"no content", "show_it", `{"it":{"type":"text","text":3}}`, ""},
			{"null as content", "show_it", `{"it":[null]}`, ""},
			{"refused by the rules", "echo", `{"__proto__":1}`, ""},
			{"forbidden before that", "owners", `{"__proto__":1}`, ""},
			{"unknown before that", "nothing", `{"__proto__":1}`, ""},
			{"a fault", "raises", `{}`, ""},
			{"forbidden", "owners", `{}`, ""},
			{"a schema", "add", `{"a":"x"}`, ""},
			{"a blocked key", "add", `{"a":1,"b":{"c":1}}`, ""},
			{"unknown", "nothing", `{}`, ""},
			{"of REST", "api-only", `{}`, ""},
			{"async", "echo", `{"a":1}`, `"nexus.dev/mode":"async"`},
			{"a wrong mode", "echo", `{}`, `"nexus.dev/mode":"later"`},
			{"a wrong mode that is no text", "echo", `{}`, `"nexus.dev/mode":3`},
			{"wrong arguments", "echo", `[1]`, ""},
			{"null arguments", "echo", `null`, ""},
			{"a replay", "add", `{"a":4}`, `"nexus.dev/idempotencyKey":"key-` + revision + `"`},
			{"a mismatch", "add", `{"a":5}`, `"nexus.dev/idempotencyKey":"key-` + revision + `"`},
			{"a wrong key", "add", `{"a":5}`, `"nexus.dev/idempotencyKey":"a b"`},
		} {
			t.Run(revision+" "+c.name, func(t *testing.T) {
				var meta []string
				if c.meta != "" {
					meta = []string{c.meta}
				}
				message := callOf(revision, c.tool, c.arguments, meta...)
				if c.name == "a replay" {
					a.send(revision, message)
				}
				plain := a.send(revision, message)
				odd := a.send(revision, strings.Replace(message, `"jsonrpc"`, `"odd":1,"jsonrpc"`, 1))
				if plain.status != odd.status {
					t.Errorf("status %d here, %d there", plain.status, odd.status)
				}
				if here, there := leveled(t, plain.text), leveled(t, odd.text); !reflect.DeepEqual(here, there) {
					t.Errorf("here:  %s\nthere: %s", plain.text, odd.text)
				}
				for _, name := range []string{"Content-Type", "Cache-Control", "Ratelimit-Policy", "X-Content-Type-Options"} {
					if plain.header.Get(name) != odd.header.Get(name) || plain.header.Get(name) == "" && name != "Ratelimit-Policy" {
						t.Errorf("%s is %q here, %q there", name, plain.header.Get(name), odd.header.Get(name))
					}
				}
			})
		}
	}
}
