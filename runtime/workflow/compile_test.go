package workflow

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// set is a list of one valid task.
const set = `"do":[{"a":{"set":{"x":1}}}]`

func TestCompileProblems(t *testing.T) {
	tests := []struct{ name, definition, pointer, message string }{
		// The definition as a whole.
		{"not JSON", `{`, "", "not a JSON object"},
		{"an array", `[]`, "", "not a JSON object"},
		{"null", `null`, "", "not a JSON object"},
		{"trailing data", `{}{}`, "", "something follows"},
		{"too deep", `{"do":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, "", "nested"},
		{"no document", `{` + set + `}`, "/document", "is required"},
		{"document is a list", `{"document":[],` + set + `}`, "/document", "must be an object, not an array"},
		// document.
		{"dsl missing", doc(`"namespace":"a","name":"quote","version":"1.0.0"`), "/document/dsl", "is required"},
		{"namespace missing", doc(`"dsl":"1.0.3","name":"quote","version":"1.0.0"`), "/document/namespace", "is required"},
		{"name missing", doc(`"dsl":"1.0.3","namespace":"a","version":"1.0.0"`), "/document/name", "is required"},
		{"version missing", doc(`"dsl":"1.0.3","namespace":"a","name":"quote"`), "/document/version", "is required"},
		{"dsl a number", doc(`"dsl":1.0,"namespace":"a","name":"quote","version":"1.0.0"`), "/document/dsl", "quotes"},
		{"dsl too new", doc(`"dsl":"1.1.0","namespace":"a","name":"quote","version":"1.0.0"`), "/document/dsl", "not supported"},
		{"dsl too old", doc(`"dsl":"0.8","namespace":"a","name":"quote","version":"1.0.0"`), "/document/dsl", "not supported"},
		{"dsl pre-release", doc(`"dsl":"1.0.0-alpha5","namespace":"a","name":"quote","version":"1.0.0"`), "/document/dsl", "not supported"},
		{"other name", doc(`"dsl":"1.0.3","namespace":"a","name":"order","version":"1.0.0"`), "/document/name", `is called "quote"`},
		{"bad namespace", doc(`"dsl":"1.0.3","namespace":"a b","name":"quote","version":"1.0.0"`), "/document/namespace", "letters, digits and dashes"},
		{"bad version", doc(`"dsl":"1.0.3","namespace":"a","name":"quote","version":"v1"`), "/document/version", "semantic version"},
		{"tags a list", doc(`"dsl":"1.0.3","namespace":"a","name":"quote","version":"1.0.0","tags":[]`), "/document/tags", "must be an object"},
		{"unknown document field", doc(`"dsl":"1.0.3","namespace":"a","name":"quote","version":"1.0.0","titel":"x"`), "/document/titel", `did you mean "title"?`},
		// Fields of the workflow.
		{"misspelt field", def(`"inptu":{},` + set), "/inptu", `did you mean "input"?`},
		{"unknown field", def(`"zzzzz":{},` + set), "/zzzzz", "known are document, input, do, output"},
		{"timeout", def(`"timeout":{"after":"PT1S"},` + set), "/timeout", `"timeout" is not supported by this version`},
		{"use", def(`"use":{},` + set), "/use", "not supported by this version"},
		{"schedule", def(`"schedule":{},` + set), "/schedule", "not supported by this version"},
		{"evaluate", def(`"evaluate":{"language":"js"},` + set), "/evaluate", "not supported by this version"},
		{"input a string", def(`"input":".a",` + set), "/input", "must be an object, not a string"},
		{"input.form", def(`"input":{"form":".a"},` + set), "/input/form", `did you mean "from"?`},
		{"input.from a number", def(`"input":{"from":1},` + set), "/input/from", "must be an expression or an object"},
		{"output.as null", def(`"output":{"as":null},` + set), "/output/as", "must be an expression or an object, not null"},
		// Tasks.
		{"no do", def(`"input":{}`), "/do", "is required"},
		{"do empty", def(`"do":[]`), "/do", "is empty"},
		{"do an object", def(`"do":{"a":{"set":{"x":1}}}`), "/do", "must be a list"},
		{"task without name", def(`"do":[{"set":{"x":1},"if":".a"}]`), "/do/0", "the task's name"},
		{"task is null", def(`"do":[{"a":null}]`), "/do/0/a", "must be an object"},
		{"task name twice", def(`"do":[{"a":{"set":{"x":1}}},{"a":{"set":{"x":1}}}]`), "/do/1/a", "stands twice"},
		{"call", def(`"do":[{"a":{"set":{"x":1}}},{"fetch":{"call":"http","with":{}}}]`), "/do/1/fetch/call", `task "call" is not supported by this version; supported: set`},
		{"task do", def(`"do":[{"a":{"do":[]}}]`), "/do/0/a/do", `task "do" is not supported`},
		{"emit", def(`"do":[{"a":{"emit":{}}}]`), "/do/0/a/emit", `task "emit" is not supported`},
		{"for", def(`"do":[{"a":{"for":{"in":".l"},"do":[]}}]`), "/do/0/a/for", `task "for" is not supported`},
		{"fork", def(`"do":[{"a":{"fork":{}}}]`), "/do/0/a/fork", `task "fork" is not supported`},
		{"listen", def(`"do":[{"a":{"listen":{}}}]`), "/do/0/a/listen", `task "listen" is not supported`},
		{"raise", def(`"do":[{"a":{"raise":{}}}]`), "/do/0/a/raise", `task "raise" is not supported`},
		{"run", def(`"do":[{"a":{"run":{}}}]`), "/do/0/a/run", `task "run" is not supported`},
		{"switch", def(`"do":[{"a":{"switch":[]}}]`), "/do/0/a/switch", `task "switch" is not supported`},
		{"try", def(`"do":[{"a":{"try":[],"catch":{}}}]`), "/do/0/a/try", `task "try" is not supported`},
		{"wait", def(`"do":[{"a":{"wait":{"seconds":1}}}]`), "/do/0/a/wait", `task "wait" is not supported`},
		{"two kinds", def(`"do":[{"a":{"set":{"x":1},"call":"http"}}]`), "/do/0/a", "several tasks in one (call, set)"},
		{"no kind", def(`"do":[{"a":{"if":".a"}}]`), "/do/0/a", "add set"},
		{"misspelt kind", def(`"do":[{"a":{"sett":{"x":1}}}]`), "/do/0/a", "did you mean set instead of sett?"},
		{"then", def(`"do":[{"a":{"set":{"x":1},"then":"end"}}]`), "/do/0/a/then", "not supported by this version"},
		{"export", def(`"do":[{"a":{"set":{"x":1},"export":{"as":"."}}}]`), "/do/0/a/export", "not supported by this version"},
		{"task timeout", def(`"do":[{"a":{"set":{"x":1},"timeout":{}}}]`), "/do/0/a/timeout", "not supported by this version"},
		{"task input schema", def(`"do":[{"a":{"set":{"x":1},"input":{"schema":{}}}}]`), "/do/0/a/input/schema", "not supported by this version"},
		{"task output schema", def(`"do":[{"a":{"set":{"x":1},"output":{"schema":{}}}}]`), "/do/0/a/output/schema", "not supported by this version"},
		{"misspelt task field", def(`"do":[{"a":{"set":{"x":1},"outputt":{"as":"."}}}]`), "/do/0/a/outputt", `did you mean "output"?`},
		{"name needs escaping", def(`"do":[{"a/b~c":{"call":"http"}}]`), "/do/0/a~1b~0c/call", "not supported"},
		// set.
		{"set a number", def(`"do":[{"a":{"set":1}}]`), "/do/0/a/set", "must be an object or an expression"},
		{"set a plain string", def(`"do":[{"a":{"set":".a"}}]`), "/do/0/a/set", "write ${ ... }"},
		{"set empty", def(`"do":[{"a":{"set":{}}}]`), "/do/0/a/set", "is empty"},
		{"expression inside a text", def(`"do":[{"a":{"set":{"x":"Hello ${ .name }"}}}]`), "/do/0/a/set/x", "make the whole string one expression"},
		{"if a boolean", def(`"do":[{"a":{"if":true,"set":{"x":1}}}]`), "/do/0/a/if", "must be a string, not a boolean"},
		// jq.
		{"empty expression", expr(`${ }`), "/do/0/a/set/x/0", "the expression is empty"},
		{"only a comment", expr(`${ # nothing\n }`), "/do/0/a/set/x/0", "missing query"},
		{"syntax", expr(`${ .a + }`), "/do/0/a/set/x/0", "ends too early"},
		{"syntax in the middle", expr(`${ .a ) + 1 }`), "/do/0/a/set/x/0", `at ")"`},
		{"two expressions", expr(`${ .a } and ${ .b }`), "/do/0/a/set/x/0", "syntax error"},
		{"unknown function", expr(`${ frobnicate }`), "/do/0/a/set/x/0", "frobnicate/0"},
		{"unknown variable", expr(`${ $inputs }`), "/do/0/a/set/x/0", `did you mean "$input"?`},
		{"secrets", expr(`${ $secrets.token }`), "/do/0/a/set/x/0", "$secrets is not supported by this version"},
		{"run id", expr(`${ $workflow.id }`), "/do/0/a/set/x/0", "$workflow.id is not supported"},
		{"input too early", def(`"input":{"from":"$input.a"},` + set), "/input/from", "$input does not exist yet"},
		{"task too early", def(`"input":{"from":"$task.name"},` + set), "/input/from", "$task does not exist yet"},
		{"too long", expr(`${ \"` + strings.Repeat("a", 17<<10) + `\" }`), "/do/0/a/set/x/0", "bytes"},
		{"environment", expr(`${ env.HOME }`), "/do/0/a/set/x/0", "environment"},
		{"environment variable", expr(`${ $ENV.HOME }`), "/do/0/a/set/x/0", "environment"},
		{"input", expr(`${ input }`), "/do/0/a/set/x/0", "one input"},
		{"inputs", expr(`${ [inputs] }`), "/do/0/a/set/x/0", "one input"},
		{"debug", expr(`${ debug }`), "/do/0/a/set/x/0", "side effects"},
		{"stderr", expr(`${ stderr }`), "/do/0/a/set/x/0", "side effects"},
		{"halt", expr(`${ halt }`), "/do/0/a/set/x/0", "use error"},
		{"halt_error", expr(`${ halt_error(1) }`), "/do/0/a/set/x/0", "use error"},
		{"input_filename", expr(`${ input_filename }`), "/do/0/a/set/x/0", "one input"},
		{"modules", expr(`${ import \"a\" as a; . }`), "/do/0/a/set/x/0", "modules"},
		{"builtins", expr(`${ builtins }`), "/do/0/a/set/x/0", "interpreter"},
		{"Bessel function", expr(`${ jn(.n; 1) }`), "/do/0/a/set/x/0", "cannot be bounded"},
		{"internal function", expr(`${ _multiply(\"x\"; 1000000000) }`), "/do/0/a/set/x/0", "underscore"},
		{"guarded variable", expr(`${ 1 as $__guard | . }`), "/do/0/a/set/x/0", "underscore"},
		{"guarded function", expr(`${ def contains(x): 1; contains(2) }`), "/do/0/a/set/x/0", "cannot be defined anew"},
		{"pattern from data", expr(`${ .s | test($input.p) }`), "/do/0/a/set/x/0", "must be literal strings"},
		{"pattern in an array from data", expr(`${ .s | test([.p, \"g\"]) }`), "/do/0/a/set/x/0", "must be literal strings"},
		{"pattern and flags in an array", expr(`${ .s | test([.p]) }`), "/do/0/a/set/x/0", "must be literal strings"},
		{"bad pattern in an array", expr(`${ .s | test([\"(\", \"g\"]) }`), "/do/0/a/set/x/0", "not a regular expression"},
		{"flags from data", expr(`${ .s | sub(\"a\"; \"b\"; .f) }`), "/do/0/a/set/x/0", "must be literal strings"},
		{"format from data", expr(`${ now | strftime($input.f) }`), "/do/0/a/set/x/0", "must be literal strings"},
		{"bad pattern", expr(`${ .s | test(\"(\") }`), "/do/0/a/set/x/0", "not a regular expression"},
		{"index too large", expr(`${ .l[5000000] = 1 }`), "/do/0/a/set/x/0", "too large"},
		{"refused inside everything", expr(`${ try (reduce .[] as {a: $x} (0; if {b: [env]} then \"\\(1)\" else -1 end)) catch . }`), "/do/0/a/set/x/0", "environment"},
		// Schemas.
		{"schema without document", def(`"input":{"schema":{}},` + set), "/input/schema/document", "is required"},
		{"schema format", def(`"input":{"schema":{"format":"avro","document":{}}},` + set), "/input/schema/format", "supported: json"},
		{"schema resource", def(`"input":{"schema":{"resource":{"endpoint":"https://x"}}},` + set), "/input/schema/resource", "not supported by this version"},
		{"schema root type", schemaOf(`{"type":"array"}`), "/input/schema/document/type", `must be "object"`},
		{"schema draft", schemaOf(`{"$schema":"http://json-schema.org/draft-07/schema#"}`), "/input/schema/document/$schema", "2020-12"},
		{"schema remote reference", schemaOf(`{"properties":{"a":{"$ref":"https://example.com/a.json"}}}`), "/input/schema/document/properties/a/$ref", "$defs"},
		{"schema file reference", schemaOf(`{"properties":{"a":{"$ref":"file:///etc/passwd"}}}`), "/input/schema/document/properties/a/$ref", "$defs"},
		{"schema relative reference", schemaOf(`{"properties":{"a":{"$ref":"other.json"}}}`), "/input/schema/document/properties/a/$ref", "$defs"},
		{"schema id", schemaOf(`{"properties":{"a":{"$id":"https://example.com/a"}}}`), "/input/schema/document/properties/a/$id", "not supported"},
		{"schema dangling reference", schemaOf(`{"properties":{"a":{"$ref":"#/$defs/b"}}}`), "/input/schema/document", "cannot be compiled"},
		{"schema bad type", schemaOf(`{"properties":{"a":{"type":"strin"}}}`), "/input/schema/document/properties/a/type", "JSON Schema"},
		{"schema bad keyword value", schemaOf(`{"properties":{"a":{"minLength":"3"}}}`), "/input/schema/document/properties/a/minLength", "must be an integer, not a string"},
		{"schema bad pattern", schemaOf(`{"properties":{"a":{"pattern":"(?=x)"}}}`), "/input/schema/document/properties/a/pattern", "RE2"},
		{"schema bad pattern of names", schemaOf(`{"patternProperties":{"(":{}}}`), "/input/schema/document/patternProperties", "RE2"},
		{"schema circle", schemaOf(`{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}}`), "/input/schema/document", "refers to itself"},
		{"schema inner circle", schemaOf(`{"properties":{"x":{"allOf":[{"$ref":"#/$defs/a"}]}},"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"}]}}}`), "/input/schema/document", "refers to itself"},
		{"output schema", def(`"output":{"schema":{"document":{"type":"string"}}},` + set), "/output/schema/document/type", `must be "object"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := Compile("quote", []byte(tt.definition))
			if p != nil {
				t.Errorf("there is a program in spite of %v", problems)
			}
			if !slices.ContainsFunc(problems, func(p Problem) bool {
				return p.Pointer == tt.pointer && strings.Contains(p.Message, tt.message)
			}) {
				t.Errorf("want %s: ...%s..., got %v", tt.pointer, tt.message, problems)
			}
		})
	}
}

// doc, def, expr and schemaOf make definitions with one part that matters.
func doc(members string) string { return `{"document":{` + members + `},` + set + `}` }

func def(members string) string { return string(define(members)) }

func expr(text string) string { return def(`"do":[{"a":{"set":{"x":["` + text + `"]}}}]`) }

func schemaOf(document string) string {
	return def(`"input":{"schema":{"document":` + document + `}},` + set)
}

func TestCompileReportsEverything(t *testing.T) {
	_, problems := Compile("quote", []byte(`{"document":{"dsl":"2.0","namespace":"a","name":"x","version":"1"},"use":{},
		"input":{"from":".a +"},"do":[{"a":{"call":"http"}},{"b":{"set":{"x":"${ env }","y":"${ ( }"}}}]}`))
	var got []string
	for _, p := range problems {
		got = append(got, p.Pointer)
	}
	want := []string{"/use", "/document/dsl", "/document/name", "/document/version", "/input/from", "/do/0/a/call", "/do/1/b/set/x", "/do/1/b/set/y"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", problems, want)
	}
	for _, p := range problems {
		if s := p.String(); !strings.HasPrefix(s, p.Pointer+": ") {
			t.Errorf("String: %s", s)
		}
	}
}

func TestProgramDescribesItself(t *testing.T) {
	p, problems := Compile("quote", []byte(`{"document":{"dsl":"1.0.0","namespace":"a","name":"quote","version":"2.1.0","title":"Quote","summary":"Quotes.","tags":{"a":"b"},"metadata":{"x":1}},
		"input":{"schema":{"format":"json","document":{"type":"object","properties":{"n":{"type":"integer"},"s":{"type":["string","null"]},"r":{"$ref":"#/$defs/r"},"any":{},"two":{"type":["string","integer"]},"o":{"type":"object"}},"$defs":{"r":{"type":"boolean"}}}}},
		"output":{"schema":{"document":{"type":"object"}}},`+set+`}`))
	if problems != nil {
		t.Fatal(problems)
	}
	if p.Version() != "2.1.0" || p.Title() != "Quote" || p.Summary() != "Quotes." || len(p.Hash()) != 16 {
		t.Errorf("got %q %q %q %q", p.Version(), p.Title(), p.Summary(), p.Hash())
	}
	if !json.Valid(p.InputSchema()) || string(p.OutputSchema()) != `{"type":"object"}` {
		t.Errorf("schemas: %s %s", p.InputSchema(), p.OutputSchema())
	}
	for name, want := range map[string]string{"n": "integer", "s": "string", "r": "boolean", "any": "", "two": "", "o": "object", "missing": ""} {
		if got := p.PropertyType(name); got != want {
			t.Errorf("PropertyType(%s) = %q, want %q", name, got, want)
		}
	}
	bare := mustCompile(t, set)
	if bare.InputSchema() != nil || bare.OutputSchema() != nil || bare.PropertyType("n") != "" || bare.Check(5) != nil {
		t.Error("a workflow without a schema has one")
	}
}

func TestHashIgnoresTheOrderOfKeys(t *testing.T) {
	a := mustCompile(t, `"do":[{"a":{"set":{"x":1,"y":2}}}]`)
	b := mustCompile(t, `"do":[{"a":{"set":{"y":2, "x":1}}}]`)
	c := mustCompile(t, `"do":[{"a":{"set":{"x":1,"y":3}}}]`)
	if a.Hash() != b.Hash() || a.Hash() == c.Hash() {
		t.Errorf("got %s %s %s", a.Hash(), b.Hash(), c.Hash())
	}
}

func TestCheckNamesEachViolation(t *testing.T) {
	p := mustCompile(t, `"input":{"schema":{"document":{"type":"object","required":["id"],"additionalProperties":false,"properties":{
		"id":{"type":"string","pattern":"^o-"},"n":{"type":"integer","minimum":1,"maximum":9},"tier":{"enum":["gold","silver"]},"k":{"const":"v"},
		"list":{"type":"array","minItems":1,"maxItems":2,"uniqueItems":true,"items":{"type":"number"}},"mail":{"format":"email"},
		"short":{"maxLength":2},"form":{"oneOf":[{"type":"string"},{"type":"integer"}]},"a/b":{"type":"string"},"big":{"type":"integer"}}}}},`+set)
	tests := []struct{ input, pointer, message string }{
		{`{}`, "", `lacks the required field "id"`},
		{`[]`, "", "must be an object, not an array"},
		{`{"id":1}`, "/id", "must be a string, not a number"},
		{`{"id":"x-secret"}`, "/id", "must match the pattern ^o-"},
		{`{"id":"o-1","n":0}`, "/n", "must be at least 1"},
		{`{"id":"o-1","n":987654321}`, "/n", "must be at most 9"},
		{`{"id":"o-1","n":1.5}`, "/n", "must be an integer, not a number"},
		{`{"id":"o-1","tier":"secret"}`, "/tier", `must be one of "gold", "silver"`},
		{`{"id":"o-1","k":"secret"}`, "/k", `must be "v"`},
		{`{"id":"o-1","list":[]}`, "/list", "must have at least 1 items"},
		{`{"id":"o-1","list":[1,2,3]}`, "/list", "must have at most 2 items"},
		{`{"id":"o-1","list":[4,4]}`, "/list", "items 0 and 1 are equal"},
		{`{"id":"o-1","list":[1,"secret"]}`, "/list/1", "must be a number, not a string"},
		{`{"id":"o-1","mail":"secret"}`, "/mail", "must have the format email"},
		{`{"id":"o-1","short":"secret"}`, "/short", "at most 2 characters"},
		{`{"id":"o-1","form":true}`, "/form", "one of the forms"},
		{`{"id":"o-1","a/b":1}`, "/a~1b", "must be a string"},
		{`{"id":"o-1","isd":1}`, "", `an unknown field "isd"`},
	}
	for _, tt := range tests {
		err := p.Check(value(t, tt.input))
		f := fault.As(err)
		if err == nil || f.Code != fault.SchemaViolation || len(f.Violations) != 1 {
			t.Errorf("%s: got %+v", tt.input, f)
			continue
		}
		v := f.Violations[0]
		if v.Pointer != tt.pointer || !strings.Contains(v.Message, tt.message) {
			t.Errorf("%s: got %+v, want %s at %s", tt.input, v, tt.message, tt.pointer)
		}
		if text := f.Detail + v.Message; strings.Contains(text, "secret") || strings.Contains(text, "987654321") {
			t.Errorf("%s: the value is shown: %s", tt.input, text)
		}
	}
	for _, valid := range []string{`{"id":"o-1"}`, `{"id":"o-1","n":9,"tier":"gold","k":"v","list":[1,2.5],"mail":"a@b.example","form":3,"big":123456789012345678901234567890}`} {
		if err := p.Check(value(t, valid)); err != nil {
			t.Errorf("%s: %v %v", valid, err, fault.As(err).Violations)
		}
	}
	if f := fault.As(p.Check(value(t, `{"id":1,"n":0,"short":"abc"}`))); len(f.Violations) != 3 {
		t.Errorf("want every violation, got %v", f.Violations)
	}
}
