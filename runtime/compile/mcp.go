package compile

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
	"github.com/nexus-operator/nexus-operator/runtime/prompt"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// Prompts compiles the prompts of an app, in their order. Every problem is returned, with
// the field that names the prompt and, within it, its JSON pointer; App returns them too.
func Prompts(doc *config.Document) ([]*prompt.Prompt, []config.Problem) {
	out := make([]*prompt.Prompt, len(doc.Prompts))
	var problems []config.Problem
	for i, p := range doc.Prompts {
		if len(p.Content) == 0 {
			continue // it could not be had, which is said elsewhere
		}
		compiled, found := prompt.Compile(p.Name, p.Content)
		for _, f := range found {
			problems = append(problems, config.Problem{Field: fmt.Sprintf("spec.prompts[%d].configMapRef%s", i, f.Pointer), Message: f.Message})
		}
		out[i] = compiled
	}
	return out, problems
}

// inputSchema is where the definition of a workflow has the schema of its inputs.
const inputSchema = "/input/schema/document"

// tool judges whether a workflow that compiles can be a tool of MCP, and the resource that
// it says it is.
func tool(at string, w *v1alpha1.Workflow, program *workflow.Program) []config.Problem {
	raw := program.InputSchema()
	if raw == nil {
		return nil
	}
	var schema map[string]any
	if err := json.Unmarshal(raw, &schema); err != nil {
		return []config.Problem{{Field: at + ".definition" + inputSchema, Message: "is not an object"}}
	}
	var found []workflow.Problem
	if schema["type"] != any("object") {
		// Schema of MCP, Tool.inputSchema.
		found = append(found, workflow.Problem{Pointer: inputSchema + "/type",
			Message: `is required where MCP serves the workflow: write "type": "object", or leave MCP out of the workflow's expose`})
	}
	headers := headerNames{taken: map[string]bool{}}
	headers.visit(inputSchema, schema, true, false)
	problems := within(at, append(found, headers.problems...))
	if w.MCP.Resource != nil {
		for _, message := range unreadable(w.MCP.Resource.URI, schema, program) {
			problems = append(problems, config.Problem{Field: at + ".mcp.resource.uri", Message: message})
		}
	}
	return problems
}

// headerKey is the keyword by which clients also send an input in a header (MCP
// 2026-07-28, transports, custom headers from tool parameters). A tool whose schema uses
// it wrongly is dropped by every client, without a word to its author.
const headerKey = "x-mcp-header"

// headerNames judges the headers that a schema names.
type headerNames struct {
	taken    map[string]bool
	problems []workflow.Problem
}

// headerToken is the name of a header (RFC 9110 section 5.1).
var headerToken = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// visit looks at a schema. Only a named input that is reached by properties alone may name
// a header: chain says that nothing else was passed, and property that it has a name.
func (h *headerNames) visit(at string, value any, chain, property bool) {
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			h.visit(at+"/"+strconv.Itoa(i), item, false, false)
		}
	case map[string]any:
		if name, present := v[headerKey]; present {
			h.judge(at+"/"+headerKey, name, v["type"], chain && property)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			switch key {
			case "enum", "const", "default", "examples", "required", "dependentRequired", headerKey: // data, not schemas
			case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
				named, _ := v[key].(map[string]any)
				for _, name := range slices.Sorted(maps.Keys(named)) {
					h.visit(at+"/"+key+"/"+jsontext.EscapePointer(name), named[name], chain && key == "properties", true)
				}
			default:
				h.visit(at+"/"+key, v[key], false, false)
			}
		}
	}
}

func (h *headerNames) judge(at string, name, kind any, reachable bool) {
	text, _ := name.(string)
	lower := strings.ToLower(text)
	message := ""
	switch {
	case !reachable:
		message = "is for a named input, reached by properties alone: move it there, or remove it"
	case !headerToken.MatchString(text):
		message = "must be the name of a header: write letters, digits and dashes, without the prefix Mcp-Param-"
	case kind != any("string") && kind != any("integer") && kind != any("boolean"):
		message = `is for an input that is one string, integer or boolean: give it that "type", or remove it`
	case h.taken[lower]:
		message = "another input has this header already, whatever the case: choose another name"
	}
	if h.taken[lower] = true; message != "" {
		h.problems = append(h.problems, workflow.Problem{Pointer: at, Message: message})
	}
}

// unreadable says why reading a resource could never run its workflow: the variables of
// its URI are all the inputs that there are.
func unreadable(uri string, schema map[string]any, program *workflow.Program) []string {
	var messages []string
	variables := map[string]bool{}
	properties, _ := schema["properties"].(map[string]any)
	for _, found := range v1alpha1.URIVariable.FindAllStringSubmatch(uri, -1) {
		name := found[1]
		variables[name] = true
		_, declared := properties[name]
		switch kind := program.PropertyType(name); {
		case kind == "object" || kind == "array":
			messages = append(messages, fmt.Sprintf("the input schema types {%s} as %s, which a URI cannot hold: use an input that is a string, number, integer or boolean", name, kind))
		case !declared && schema["additionalProperties"] == any(false) && !matches(schema["patternProperties"], name):
			messages = append(messages, fmt.Sprintf("the input schema has no property %q and forbids others: declare it there, or rename {%s}", name, name))
		}
	}
	required, _ := schema["required"].([]any)
	for _, item := range required {
		if name, ok := item.(string); ok && !variables[name] {
			messages = append(messages, fmt.Sprintf("the input schema requires %q, which reading the resource cannot give: write {%s} into the URI, or make the input optional", name, name))
		}
	}
	return messages
}

// matches says whether a name matches one of the patterns of patternProperties, which
// have compiled already.
func matches(patterns any, name string) bool {
	named, _ := patterns.(map[string]any)
	for pattern := range named {
		if re, err := regexp.Compile(pattern); err == nil && re.MatchString(name) {
			return true
		}
	}
	return false
}
