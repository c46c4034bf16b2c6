package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// schema is a compiled JSON Schema (2020-12; formats are checked, patterns are RE2).
type schema struct {
	raw      json.RawMessage
	compiled *jsonschema.Schema
	// quick, when not nil, recognizes valid values fast; what it does not recognize
	// goes through compiled.
	quick recognizer
}

// maxChecked is how many values an input may hold to go through the full validator,
// which makes an error for every violation before it reports the first.
const maxChecked = 100_000

// schemaURL names the schema inside its own compiler; nothing is ever loaded from it.
const schemaURL = "definition:schema"

// noLoader refuses to fetch schemas: a definition may not make the runtime call out.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("schemas are not loaded from elsewhere")
}

// schema compiles the schema of input, output or export. That of what callers send has to
// be one of an object.
func (c *compiler) schema(at pointer, parent map[string]any, objects bool) *schema {
	holder, ok := c.object(at, parent, "schema")
	if !ok {
		return nil
	}
	at = at.child("schema")
	c.fields(at, holder, schemaFields)
	if format, ok := c.text(at, holder, "format", false); ok && format != "json" {
		c.problem(at.child("format"), "the schema format %q is not supported: write json", format)
	}
	document, ok := c.object(at, holder, "document")
	if !ok {
		if _, present := holder["document"]; !present {
			c.problem(at.child("document"), "is required: put the JSON Schema here")
		}
		return nil
	}
	at = at.child("document")
	before := len(c.problems)
	if t, present := document["type"]; objects && present && t != "object" {
		c.problem(at.child("type"), "must be \"object\": inputs have names")
	}
	if s, present := document["$schema"]; present && s != "https://json-schema.org/draft/2020-12/schema" {
		c.problem(at.child("$schema"), "must be https://json-schema.org/draft/2020-12/schema, or left out")
	}
	c.references(at, document)
	if len(c.problems) > before {
		return nil
	}
	return c.compileSchema(at, document)
}

// references refuses references that leave the schema, and patterns that are too large.
func (c *compiler) references(at pointer, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			switch key {
			case "$ref", "$dynamicRef", "$recursiveRef":
				if ref, ok := v[key].(string); ok && !strings.HasPrefix(ref, "#") {
					c.problem(at.child(key), "refers outside of this schema: move what it refers to into $defs and write #/$defs/NAME")
				}
			case "$id":
				if _, ok := v[key].(string); ok {
					c.problem(at.child(key), "is not supported: it changes what # refers to; remove it")
				}
			case "enum", "const", "default", "examples":
				continue // data, not schemas
			case "pattern":
				if text, ok := v[key].(string); ok {
					c.pattern(at.child(key), text)
				}
			case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
				c.namedSchemas(at.child(key), v[key], key == "patternProperties")
				continue
			}
			c.references(at.child(key), v[key])
		}
	case []any:
		for i, item := range v {
			c.references(at.index(i), item)
		}
	}
}

// namedSchemas looks at an object of schemas, whose members have names of their author's:
// a field may be called default, or $ref.
func (c *compiler) namedSchemas(at pointer, v any, patterns bool) {
	object, _ := v.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if patterns {
			c.pattern(at, name)
		}
		c.references(at.child(name), object[name])
	}
}

func (c *compiler) compileSchema(at pointer, document map[string]any) *schema {
	raw, err := json.Marshal(document)
	if err != nil {
		c.problem(at, "cannot be written as JSON")
		return nil
	}
	tree, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	if err != nil {
		c.problem(at, "is not JSON: %v", err)
		return nil
	}
	jc := jsonschema.NewCompiler()
	jc.DefaultDraft(jsonschema.Draft2020)
	jc.AssertFormat()
	// A reference can make a schema of what looks like data, so patterns are counted here
	// once more, where none gets by. The validator compiles each twice.
	compiling, patterns := true, 0
	jc.UseRegexpEngine(func(text string) (jsonschema.Regexp, error) {
		if compiling {
			if patterns += patternSize(text); patterns > 3*maxPatterns {
				return nil, errors.New("the patterns of the schema are too large together")
			}
		}
		return patternEngine(text)
	})
	jc.UseLoader(noLoader{})
	if err = jc.AddResource(schemaURL, tree); err == nil {
		var compiled *jsonschema.Schema
		if compiled, err = jc.Compile(schemaURL); err == nil {
			compiling = false
			if err = wellFounded(compiled); err == nil {
				return &schema{raw: raw, compiled: compiled, quick: recognize(compiled)}
			}
		}
	}
	c.schemaProblems(at, err)
	return nil
}

// schemaProblems explains why a schema does not compile.
func (c *compiler) schemaProblems(at pointer, err error) {
	if e, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if v, ok := errors.AsType[*jsonschema.ValidationError](e.Err); ok {
			for _, violation := range violations(v) {
				c.problem(at+pointer(violation.Pointer), "in the JSON Schema, this %s", violation.Message)
			}
			return
		}
	}
	c.problem(at, "the JSON Schema cannot be compiled: %s", strings.ReplaceAll(err.Error(), schemaURL, "this schema"))
}

func (s *schema) text() json.RawMessage {
	if s == nil {
		return nil
	}
	return s.raw
}

// check validates a value; the error is a *fault.Error SchemaViolation.
func (s *schema) check(value any) error {
	if s == nil || s.quick != nil && s.quick(value) {
		return nil
	}
	if count(value, maxChecked+1) > maxChecked {
		return tooMuch("has more than %d values, which are checked only as a whole: correct them, or send fewer", maxChecked)
	}
	if newWork().of(s.compiled, value) > maxWork {
		return tooMuch("is nested too deep for a schema with so many forms: correct it, or nest it less")
	}
	err := s.compiled.Validate(plain(value))
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return fault.As(fmt.Errorf("validating with a JSON Schema: %w", err))
	}
	f := fault.New(fault.SchemaViolation, "the inputs do not match the workflow's input schema")
	f.Violations = violations(e)
	if len(f.Violations) > 0 {
		first := f.Violations[0]
		where := "the object of inputs"
		if first.Pointer != "" {
			where = first.Pointer
		}
		f.Detail += ": " + where + " " + first.Message
	}
	return f
}

// tooMuch is the answer to inputs that cannot be checked.
func tooMuch(message string, args ...any) error {
	f := fault.New(fault.SchemaViolation, "the inputs do not match the workflow's input schema, or are too many to tell")
	f.Violations = []fault.Violation{{Message: fmt.Sprintf(message, args...)}}
	return f
}

// count counts the values inside v and v itself, up to about bound.
func count(v any, bound int) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if n > bound {
				break
			}
			n += count(item, bound-n)
		}
	case map[string]any:
		for _, item := range v {
			if n > bound {
				break
			}
			n += count(item, bound-n)
		}
	}
	return n
}

// propertyType returns the one type of a top-level property.
func (s *schema) propertyType(name string) string {
	if s == nil {
		return ""
	}
	for at, hops := s.compiled, 0; at != nil && hops < maxHops; at, hops = at.Ref, hops+1 {
		if property, ok := at.Properties[name]; ok {
			return onlyType(property)
		}
	}
	return ""
}

// maxHops bounds how many references are followed to find a type.
const maxHops = 8

// onlyType returns the one type, besides null, that a schema allows.
func onlyType(at *jsonschema.Schema) string {
	for hops := 0; at != nil && hops < maxHops; at, hops = at.Ref, hops+1 {
		if at.Types == nil || at.Types.IsEmpty() {
			continue
		}
		types := slices.DeleteFunc(at.Types.ToStrings(), func(t string) bool { return t == "null" })
		if len(types) == 1 {
			return types[0]
		}
		return ""
	}
	return ""
}
