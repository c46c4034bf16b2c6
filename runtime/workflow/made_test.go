package workflow

import (
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// TestSharedPartsAreWeighed makes values that take a few hundred bytes of memory, and as
// text would not fit into any: each level has the one before it twice. Whoever writes one
// of them down, or walks it, never ends; so nothing of the kind leaves an expression.
func TestSharedPartsAreWeighed(t *testing.T) {
	doubled := strings.TrimSuffix(strings.Repeat("[., .] | ", 40), " | ")
	object := `{"a":"${ . }","b":"${ . }"}`
	for name, members := range map[string]string{
		"the workflow's input":   `"input":{"from":` + quote("${ "+doubled+" }") + `},"do":[{"a":{"wait":{"milliseconds":0}}}]`,
		"a task's input":         `"do":[{"a":{"input":{"from":` + quote("${ "+doubled+" }") + `},"wait":{"milliseconds":0}}}]`,
		"the body of a call":     `"do":[{"a":{"call":"http","with":{"method":"post","endpoint":"https://h.example.com","body":` + quote("${ "+doubled+" }") + `}}}]`,
		"the data of an event":   `"do":[{"a":{"emit":{"event":{"with":{"type":"x","data":` + quote("${ "+doubled+" }") + `}}}}}]`,
		"what a loop goes over":  `"do":[{"a":{"for":{"in":` + quote("${ "+doubled+" }") + `},"do":[{"b":{"set":{"x":1}}}]}}]`,
		"an object of the input": `"input":{"from":` + object + `},"do":[{"a":{"wait":{"milliseconds":0}}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			var input any = map[string]any{"n": 1}
			if name == "an object of the input" {
				input = map[string]any{"text": strings.Repeat("x", 3<<18)} // twice that is too much
			}
			_, err := mustCompile(t, members).Run(t.Context(), input, &Host{}, Options{})
			if f := fault.As(err); err == nil || f.Code != fault.WorkflowFailed || !strings.Contains(f.Detail, "larger than 1024 KiB") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestFieldsNamedLikeKeywords looks at schemas of fields whose names are keywords of JSON
// Schema elsewhere: they are schemas, and bounded, like all others.
func TestFieldsNamedLikeKeywords(t *testing.T) {
	for _, name := range []string{"default", "const", "enum", "examples"} {
		_, problems := Compile("quote", []byte(schemaOf(`{"properties":{`+quote(name)+`:{"$ref":"https://example.com/x"}}}`)), Environment{})
		if len(problems) != 1 || problems[0].Pointer != "/input/schema/document/properties/"+name+"/$ref" {
			t.Errorf("%s: got %v", name, problems)
		}
	}
	mustCompile(t, `"input":{"schema":{"document":{"properties":{"$ref":{"type":"string"},"$id":{"type":"string"},"pattern":{"type":"string"}}}}},"do":[{"a":{"set":{"x":1}}}]`)
}
