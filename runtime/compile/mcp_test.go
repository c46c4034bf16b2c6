package compile

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/prompt"
)

// served is a workflow with this schema of its inputs, which MCP serves as a tool, and as
// a resource when uri is not empty.
func served(schema, uri string) v1alpha1.Workflow {
	more := ""
	if schema != "" {
		more = `"input":{"schema":{"document":` + schema + `}},`
	}
	w := define("a", more, `[{"s":{"set":{"x":1}}}]`)
	w.Expose = []v1alpha1.Channel{v1alpha1.ChannelREST, v1alpha1.ChannelMCP}
	if uri != "" {
		w.MCP.Resource = &v1alpha1.MCPResource{URI: uri}
	}
	return w
}

// header is an object's schema whose input a has these keywords.
func header(keywords string) string {
	return `{"type":"object","properties":{"a":{` + keywords + `}}}`
}

// TestWhatMCPCannotServe: clients would drop such a tool, or reading such a resource could
// never run the workflow.
func TestWhatMCPCannotServe(t *testing.T) {
	const schema = ".definition/input/schema/document"
	const uri = ".mcp.resource.uri"
	for name, c := range map[string]struct {
		schema, uri string
		// at is the end of the problem's field, says a part of its message; without them
		// there is no problem.
		at, says string
	}{
		"no schema":           {"", "", "", ""},
		"an object":           {`{"type":"object"}`, "", "", ""},
		"of no type":          {`{"properties":{"a":{"type":"string"}}}`, "", schema + "/type", `write "type": "object"`},
		"a header":            {header(`"type":"string","x-mcp-header":"Region"`), "", "", ""},
		"an input named so":   {`{"type":"object","properties":{"x-mcp-header":{"type":"object"},"properties":{"type":"string"}}}`, "", "", ""},
		"as data":             {header(`"type":"object","default":{"x-mcp-header":1},"enum":[{"x-mcp-header":1}]`), "", "", ""},
		"of a nested input":   {header(`"type":"object","properties":{"b":{"type":"integer","x-mcp-header":"B"}}`), "", "", ""},
		"of a number":         {header(`"type":"number","x-mcp-header":"N"`), "", schema + "/properties/a/x-mcp-header", "one string, integer or boolean"},
		"of no type, a":       {header(`"x-mcp-header":"N"`), "", schema + "/properties/a/x-mcp-header", "one string, integer or boolean"},
		"of two types":        {header(`"type":["string","null"],"x-mcp-header":"N"`), "", schema + "/properties/a/x-mcp-header", "one string, integer or boolean"},
		"with a space":        {header(`"type":"string","x-mcp-header":"My Region"`), "", schema + "/properties/a/x-mcp-header", "must be the name of a header"},
		"empty":               {header(`"type":"string","x-mcp-header":""`), "", schema + "/properties/a/x-mcp-header", "must be the name of a header"},
		"true":                {header(`"type":"string","x-mcp-header":true`), "", schema + "/properties/a/x-mcp-header", "must be the name of a header"},
		"twice":               {`{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"X"},"b/c":{"type":"string","x-mcp-header":"x"}}}`, "", schema + "/properties/b~1c/x-mcp-header", "another input has this header already"},
		"of the root":         {`{"type":"object","x-mcp-header":"X"}`, "", schema + "/x-mcp-header", "is for a named input"},
		"of items":            {header(`"type":"array","items":{"type":"string","x-mcp-header":"X"}`), "", schema + "/properties/a/items/x-mcp-header", "is for a named input"},
		"of a definition":     {`{"type":"object","$defs":{"a":{"type":"string","x-mcp-header":"X"}}}`, "", schema + "/$defs/a/x-mcp-header", "is for a named input"},
		"below a choice":      {`{"type":"object","anyOf":[{"properties":{"a":{"type":"string","x-mcp-header":"X"}}}]}`, "", schema + "/anyOf/0/properties/a/x-mcp-header", "is for a named input"},
		"a fixed URI":         {`{"type":"object"}`, "a://b", "", ""},
		"a variable":          {header(`"type":"integer"`), "a://{a}", "", ""},
		"without a schema":    {"", "a://{a}", "", ""},
		"one more is allowed": {`{"type":"object"}`, "a://{a}", "", ""},
		"one more matches":    {`{"type":"object","patternProperties":{"^a":{}},"additionalProperties":false}`, "a://{ab}", "", ""},
		"one more":            {`{"type":"object","properties":{"a":{}},"additionalProperties":false}`, "a://{a}/{b}", uri, `the input schema has no property "b" and forbids others`},
		"a list":              {header(`"type":"array"`), "a://{a}", uri, "types {a} as array, which a URI cannot hold"},
		"one is missing":      {`{"type":"object","required":["a","b"]}`, "a://{a}", uri, `requires "b", which reading the resource cannot give`},
	} {
		t.Run(name, func(t *testing.T) {
			doc := document()
			doc.Workflows = []v1alpha1.Workflow{served(c.schema, c.uri)}
			_, problems := App(doc)
			if c.at == "" {
				if len(problems) > 0 {
					t.Error(problems)
				}
				return
			}
			if len(problems) != 1 || problems[0].Field != "spec.workflows[0]"+c.at || !strings.Contains(problems[0].Message, c.says) {
				t.Errorf("%v, want one at spec.workflows[0]%s that says %s", problems, c.at, c.says)
			}
			// REST serves it all the same.
			doc.Workflows[0].Expose = []v1alpha1.Channel{v1alpha1.ChannelREST}
			if _, problems := App(doc); len(problems) > 0 {
				t.Errorf("over REST alone: %v", problems)
			}
		})
	}
}

func TestPrompts(t *testing.T) {
	if prompt.MaxBytes != v1alpha1.MaxPromptBytes {
		t.Errorf("a document takes prompts of %d bytes, the compiler %d", v1alpha1.MaxPromptBytes, prompt.MaxBytes)
	}
	doc := document()
	doc.Prompts = []config.Prompt{
		{Name: "good", Content: json.RawMessage(`{"messages":[{"role":"user","content":"x"}]}`)},
		{Name: "missing"},
		{Name: "bad", Content: json.RawMessage(`{"messages":[{"role":"usr","content":"x"}]}`)},
	}
	compiled, problems := Prompts(doc)
	if len(compiled) != 3 || compiled[0] == nil || compiled[0].Name() != "good" || compiled[1] != nil || compiled[2] != nil {
		t.Errorf("got %v", compiled)
	}
	if len(problems) != 1 || problems[0].Field != "spec.prompts[2].configMapRef/messages/0/role" {
		t.Errorf("got %v", problems)
	}
	if _, all := App(doc); len(all) != 1 || all[0] != problems[0] {
		t.Errorf("App says %v", all)
	}
}
