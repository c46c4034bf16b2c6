package workflow

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

func TestCompileRefusesSchemas(t *testing.T) {
	testWrong(t, []wrong{
		{"schema without document", def(`"input":{"schema":{}},` + set), "/input/schema/document", "is required"},
		{"schema format", def(`"input":{"schema":{"format":"avro","document":{}}},` + set), "/input/schema/format", "write json"},
		{"schema resource", def(`"input":{"schema":{"resource":{"endpoint":"https://x"}}},` + set), "/input/schema/resource", "put it into document"},
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
		{"schema that doubles", schemaOf(`{"$ref":"#/$defs/t50","$defs":{` + doubled(50) + `"t0":{"type":"string"}}}`), "/input/schema/document", "more than 10000 schemas to one value"},
		{"schema that doubles inside", schemaOf(`{"properties":{"a":{"$ref":"#/$defs/t50"}},"$defs":{` + doubled(50) + `"t0":{"type":"string"}}}`), "/input/schema/document", "more than 10000 schemas to one value"},
		{"schema with a large pattern", schemaOf(`{"properties":{"a":{"pattern":"a{900}b{900}c{900}d{900}"}}}`), "/input/schema/document/properties/a/pattern", "more than 5000 instructions"},
		{"schema with a large pattern of a field called default", schemaOf(`{"properties":{"default":{"pattern":"a{900}b{900}c{900}d{900}"}}}`), "/input/schema/document/properties/default/pattern", "more than 5000 instructions"},
		{"schema with many patterns", schemaOf(`{"patternProperties":{` + many(20, `"a{500}b{500}c{500}#":{}`) + `}}`), "/input/schema/document/patternProperties", "more than 50000 instructions together"},
		{"schema document a list", schemaOf(`[]`), "/input/schema/document", "must be an object"},
		{"schema of a task", oneTask(`{"set":{"x":1},"input":{"schema":{"document":{"type":"strin"}}}}`), "/do/0/a/input/schema/document/type", "JSON Schema"},
		{"schema of a task's output", oneTask(`{"set":{"x":1},"output":{"schema":{"document":{"type":"strin"}}}}`), "/do/0/a/output/schema/document/type", "JSON Schema"},
		{"schema of an export", oneTask(`{"set":{"x":1},"export":{"schema":{"document":{"type":"strin"}}}}`), "/do/0/a/export/schema/document/type", "JSON Schema"},
	})
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

// TestCheckIsNotExponential: a schema with several forms for a field that has the field
// again costs its callers' choice of work, doubled with each level. Without the counting
// these take years.
func TestCheckIsNotExponential(t *testing.T) {
	nested := func(levels int) any {
		return value(t, strings.Repeat(`{"a":`, levels)+`1`+strings.Repeat(`}`, levels))
	}
	for name, document := range map[string]string{
		"oneOf":             `{"$ref":"#/$defs/t","$defs":{"t":{"oneOf":[{"type":"integer"},{"properties":{"a":{"$ref":"#/$defs/t"},"op":{"const":1}}},{"properties":{"a":{"$ref":"#/$defs/t"},"op":{"const":2}},"required":["op"]}]}}}`,
		"anyOf":             `{"$ref":"#/$defs/t","$defs":{"t":{"anyOf":[{"properties":{"a":{"$ref":"#/$defs/t"}},"required":["x"]},{"properties":{"a":{"$ref":"#/$defs/t"}},"required":["y"]}]}}}`,
		"allOf":             `{"$ref":"#/$defs/t","$defs":{"t":{"allOf":[{"properties":{"a":{"$ref":"#/$defs/t"}}},{"additionalProperties":{"$ref":"#/$defs/t"}}]}}}`,
		"patternProperties": `{"$ref":"#/$defs/t","$defs":{"t":{"properties":{"a":{"$ref":"#/$defs/t"}},"patternProperties":{"^a":{"$ref":"#/$defs/t"}}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := mustCompile(t, `"input":{"schema":{"document":`+document+`}},`+set)
			f := fault.As(p.Check(nested(60)))
			if f.Code != fault.SchemaViolation || len(f.Violations) != 1 || !strings.Contains(f.Violations[0].Message, "nested too deep") {
				t.Errorf("got %v", f.Violations)
			}
			// A few levels are nobody's harm.
			if err := p.Check(nested(6)); err != nil && strings.Contains(fault.As(err).Violations[0].Message, "nested too deep") {
				t.Error("six levels are too many")
			}
		})
	}
}

// doubled are definitions t1 to tn, each of which is the one before twice.
func doubled(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, `"t%d":{"allOf":[{"$ref":"#/$defs/t%d"},{"$ref":"#/$defs/t%d"}]},`, i+1, i, i)
	}
	return out.String()
}

// TestPatternsInData: a reference makes a schema of what looks like data, and the patterns
// in it count too.
func TestPatternsInData(t *testing.T) {
	_, problems := Compile("quote", []byte(schemaOf(`{"$ref":"#/default","default":{"patternProperties":{`+many(80, `"a{500}b{500}c{500}#":{}`)+`}}}`)), app())
	if len(problems) == 0 {
		t.Error("patterns that are too large together are compiled")
	}
}
