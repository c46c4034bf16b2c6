package apidoc

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
)

// compiled is a schema as a validator reads it, within a document.
func compiled(t *testing.T, document any, at string) *jsonschema.Schema {
	t.Helper()
	raw, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("test:document", tree); err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	s, err := c.Compile("test:document" + at)
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	return s
}

var allowedName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// hoistedInto puts a schema into a document that has the anchors of another one.
func hoistedInto(t *testing.T, schema string) *jsonschema.Schema {
	t.Helper()
	taken := newNames()
	taken.add("w.input.taken")
	h, err := newHoist(json.RawMessage(schema), "w.input", taken)
	if err != nil {
		t.Fatalf("%v\n%s", err, schema)
	}
	schemas, err := h.components()
	if err != nil {
		t.Fatalf("%v\n%s", err, schema)
	}
	for name := range schemas {
		if !allowedName.MatchString(name) {
			t.Errorf("a component is called %q", name)
		}
	}
	schemas["w.input.taken"] = map[string]any{"$anchor": "here", "not": map[string]any{}}
	return compiled(t, map[string]any{
		"openapi": "3.1.0", "$defs": map[string]any{"a": false, "b/c": false}, "properties": map[string]any{"x": false},
		"components": map[string]any{"schemas": schemas},
	}, "#/components/schemas/w.input")
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// TestHoistedSchemas: what a schema accepts and refuses, it still does where it is hoisted to.
func TestHoistedSchemas(t *testing.T) {
	for name, c := range map[string]struct {
		schema     string
		good, poor []string
	}{
		"a reference to all of it": {
			`{"type":"object","properties":{"n":{"type":"integer"},"more":{"$ref":"#"}},"additionalProperties":false}`,
			[]string{`{"n":1,"more":{"n":2,"more":{}}}`}, []string{`{"more":{"n":"x"}}`, `{"more":{"more":{"other":1}}}`},
		},
		"$defs, one in another": {
			`{"type":"object","properties":{"x":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"array","items":{"$ref":"#/$defs/b"}},"b":{"type":"object","properties":{"again":{"$ref":"#/$defs/a"}},"required":["again"]}}}`,
			[]string{`{"x":[]}`, `{"x":[{"again":[]}]}`}, []string{`{"x":{}}`, `{"x":[{}]}`, `{"x":[{"again":1}]}`},
		},
		"into a definition": {
			`{"type":"object","properties":{"x":{"$ref":"#/$defs/a/properties/deep"}},"$defs":{"a":{"properties":{"deep":{"type":"string"}}}}}`,
			[]string{`{"x":"s"}`}, []string{`{"x":1}`},
		},
		"names with escapes": {
			`{"type":"object","properties":{"1":{"$ref":"#/$defs/b~1c"},"2":{"$ref":"#/$defs/d~0e"},"3":{"$ref":"#/$defs/f%20g"},"4":{"$ref":"#/$defs/%C3%A9"},"5":{"$ref":"#/$defs/h%25"},"6":{"$ref":"#/$defs/a%22b/properties/c%25d~1"}},` +
				`"$defs":{"b/c":{"const":1},"d~e":{"const":2},"f g":{"const":3},"é":{"const":4},"h%":{"const":5},"a\"b":{"properties":{"c%d/":{"const":6}}}}}`,
			[]string{`{"1":1,"2":2,"3":3,"4":4,"5":5,"6":6}`}, []string{`{"1":2}`, `{"2":1}`, `{"3":1}`, `{"4":1}`, `{"5":1}`, `{"6":1}`},
		},
		"names that become alike": {
			`{"type":"object","properties":{"1":{"$ref":"#/$defs/a b"},"2":{"$ref":"#/$defs/a~1b"},"3":{"$ref":"#/$defs/a_b"},"4":{"$ref":"#/$defs/taken"},"5":{"$ref":"#/$defs/"}},` +
				`"$defs":{"a b":{"const":1},"a/b":{"const":2},"a_b":{"const":3},"taken":{"const":4},"":{"const":5}}}`,
			[]string{`{"1":1,"2":2,"3":3,"4":4,"5":5}`}, []string{`{"1":2}`, `{"2":3}`, `{"3":1}`, `{"4":1}`, `{"5":1}`},
		},
		"anchors": {
			`{"type":"object","properties":{"x":{"$ref":"#here"},"y":{"$anchor":"there","type":"integer"},"z":{"$ref":"#there"}},"$defs":{"a":{"$anchor":"here","type":"string"}}}`,
			[]string{`{"x":"s","y":1,"z":1}`}, []string{`{"x":1}`, `{"z":"s"}`},
		},
		"dynamic references": {
			`{"$dynamicAnchor":"node","type":"object","properties":{"n":{"type":"integer"},"child":{"$dynamicRef":"#node"},"both":{"$ref":"#/$defs/a","$dynamicRef":"#node","allOf":[{"maxProperties":1}]}},"unevaluatedProperties":false,"$defs":{"a":{"required":["n"]}}}`,
			[]string{`{"child":{"n":1}}`, `{"both":{"n":1}}`}, []string{`{"child":{"n":"x"}}`, `{"child":{"other":1}}`, `{"both":{}}`, `{"both":{"n":"x"}}`, `{"both":{"n":1,"child":{}}}`},
		},
		"references into data": {
			`{"type":"object","properties":{"x":{"$ref":"#/default"},"y":{"$ref":"#/x-mine/properties/$ref"},"z":{"$ref":"#/properties/c/const"},"c":{"const":{"$ref":"#/$defs/a"}}},"default":{"type":"string"},` +
				`"x-mine":{"properties":{"$ref":{"$ref":"#/$defs/a"}}},"$defs":{"a":{"type":"boolean"}}}`,
			[]string{`{"x":"s","y":true,"z":false,"c":{"$ref":"#/$defs/a"}}`}, []string{`{"x":1}`, `{"y":1}`, `{"z":1}`, `{"c":{"$ref":"#/components/schemas/w.input.a"}}`},
		},
		"all definitions as one schema": {
			`{"type":"object","properties":{"x":{"$ref":"#/$defs"}},"$defs":{"items":{"type":"integer"}}}`,
			[]string{`{"x":[1]}`, `{"x":"s"}`}, []string{`{"x":["s"]}`},
		},
		"properties that are called like keywords": {
			`{"type":"object","properties":{"$ref":{"type":"string"},"$anchor":{"$ref":"#/properties/$ref"},"const":{"$ref":"#/properties/$anchor"},"$defs":{"type":"object","properties":{"a":{"$ref":"#/properties/const"}}}},"required":["$ref"]}`,
			[]string{`{"$ref":"#","$anchor":"a","const":"b","$defs":{"a":"c"}}`}, []string{`{}`, `{"$ref":1}`, `{"$ref":"","$anchor":1}`, `{"$ref":"","const":1}`, `{"$ref":"","$defs":{"a":1}}`},
		},
		"the root is a reference": {
			`{"$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"#/$defs/a","$defs":{"a":{"type":"object","required":["n"]},"yes":true,"no":false}}`,
			[]string{`{"n":1}`}, []string{`{}`},
		},
		"lists and conditions": {
			`{"type":"object","oneOf":[{"$ref":"#/$defs/a"},{"required":["b"]}],"if":{"required":["c"]},"then":{"properties":{"c":{"$ref":"#/oneOf/1"}}},"dependentSchemas":{"d":{"$ref":"#/oneOf/1"}},"$defs":{"a":{"required":["a"]}}}`,
			[]string{`{"a":1}`, `{"b":1}`, `{"a":1,"c":{"b":1}}`}, []string{`{}`, `{"a":1,"b":1}`, `{"a":1,"c":{}}`, `{"a":1,"d":1}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := compiled(t, json.RawMessage(c.schema), ""), hoistedInto(t, c.schema)
			for _, instance := range c.good {
				if a, b := before.Validate(decoded(t, instance)), after.Validate(decoded(t, instance)); a != nil || b != nil {
					t.Errorf("%s: before %v, after %v", instance, a, b)
				}
			}
			for _, instance := range c.poor {
				if a, b := before.Validate(decoded(t, instance)), after.Validate(decoded(t, instance)); a == nil || b == nil {
					t.Errorf("%s: before %v, after %v", instance, a, b)
				}
			}
		})
	}
}

// maker makes schemas and values at random.
type maker struct {
	*rand.Rand
	defs []string
}

var keys = []string{"a", "b/c", "d~e", "f g", "é", "%", "items", "$ref", "const"}

func (m *maker) pick(list []string) string { return list[m.IntN(len(list))] }

// target is a reference to somewhere: within a part of the value anything will do, and else
// a definition that comes later, so that there is no circle.
func (m *maker) target(inside bool, from int) (string, bool) {
	if inside && m.IntN(4) == 0 {
		return m.pick([]string{"#", "#/properties/a", "#/properties/b~1c", "#/default", "#/x-mine/properties/a", "#anchored"}), true
	}
	if inside {
		from = -1
	}
	if from+1 >= len(m.defs) {
		return "", false
	}
	ref := "#/$defs/" + escapeFragment(jsontext.EscapePointer(m.defs[from+1+m.IntN(len(m.defs)-from-1)]))
	if m.IntN(4) == 0 && inside {
		ref += "/properties/a"
	}
	return ref, true
}

func (m *maker) schema(depth, from int, inside bool) any {
	switch m.IntN(12) {
	case 0:
		return m.IntN(8) > 0
	case 1, 2:
		return map[string]any{"type": m.pick([]string{"string", "integer", "object", "array", "boolean"})}
	case 3:
		return map[string]any{"const": map[string]any{"$ref": "#/$defs/a"}}
	case 4, 5, 6:
		if ref, ok := m.target(inside, from); ok {
			return map[string]any{"$ref": ref}
		}
	}
	if depth == 0 {
		return map[string]any{"type": m.pick([]string{"string", "integer", "object"})}
	}
	out := map[string]any{}
	for range 1 + m.IntN(3) {
		switch m.IntN(6) {
		case 0, 1:
			out["properties"] = map[string]any{"a": m.schema(depth-1, from, true), m.pick(keys): m.schema(depth-1, from, true)}
		case 2:
			out["items"] = m.schema(depth-1, from, true)
		case 3:
			out["anyOf"] = []any{m.schema(depth-1, from, inside), m.schema(depth-1, from, inside)}
		case 4:
			out["not"] = m.schema(depth-1, from, inside)
		case 5:
			out["additionalProperties"] = m.schema(depth-1, from, true)
		}
	}
	return out
}

// whole is a schema of an object in which every target is there.
func (m *maker) whole() map[string]any {
	m.defs = keys[:1+m.IntN(len(keys))]
	defs := map[string]any{}
	for i, name := range m.defs {
		def, _ := m.schema(2, i, false).(map[string]any)
		if def == nil {
			def = map[string]any{}
		}
		properties, _ := def["properties"].(map[string]any)
		if properties == nil {
			properties = map[string]any{"a": m.schema(1, i, true)}
			def["properties"] = properties
		}
		defs[name] = def
	}
	return map[string]any{
		"type": "object", "$defs": defs, "default": m.schema(1, -1, true), "x-mine": map[string]any{"properties": map[string]any{"a": m.schema(1, -1, true)}},
		"properties": map[string]any{"a": m.schema(2, -1, true), "b/c": m.schema(2, -1, true), "anchored": map[string]any{"$anchor": "anchored", "type": "integer"}, m.pick(keys): m.schema(2, -1, true)},
	}
}

func (m *maker) value(depth int) any {
	switch m.IntN(6) {
	case 0:
		return m.IntN(3)
	case 1:
		return m.pick([]string{"", "a"})
	case 2:
		return m.IntN(2) == 0
	case 3:
		return map[string]any{"$ref": "#/$defs/a"}
	}
	if depth == 0 {
		return 1
	}
	if m.IntN(3) == 0 {
		return []any{m.value(depth - 1)}
	}
	out := map[string]any{}
	for range m.IntN(4) {
		out[m.pick(keys)] = m.value(depth - 1)
	}
	return out
}

// verdict is what a schema says of a value. A schema that comes back to itself for the same value has none;
// the workflow language refuses it.
func verdict(s *jsonschema.Schema, value any) string {
	err := s.Validate(value)
	switch {
	case err == nil:
		return "accepts"
	case strings.Contains(fmt.Sprintf("%T", err), "InfiniteLoop"), strings.Contains(err.Error(), "infinite loop"):
		return "does not end"
	default:
		return "refuses"
	}
}

// TestHoistKeepsVerdicts: schemas made at random accept and refuse the same values wherever
// they are.
func TestHoistKeepsVerdicts(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(400) {
		m := &maker{Rand: rand.New(rand.NewPCG(seed, 5))}
		schema, err := json.Marshal(m.whole())
		if err != nil {
			t.Fatal(err)
		}
		before, after := compiled(t, json.RawMessage(schema), ""), hoistedInto(t, string(schema))
		for range 40 {
			value := map[string]any{}
			for range 1 + m.IntN(4) {
				value[m.pick(keys)] = m.value(3)
			}
			raw, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			a, b := verdict(before, decoded(t, string(raw))), verdict(after, decoded(t, string(raw)))
			seen[a]++
			if a != b {
				t.Fatalf("seed %d: %s: it %s the value before, and %s it after\n%s", seed, raw, a, b, schema)
			}
		}
	}
	if seen["accepts"] < 1000 || seen["refuses"] < 1000 {
		t.Errorf("the values are too much alike: %v", seen)
	}
}

// TestWithout: the schema of a body that lacks what the path gives.
func TestWithout(t *testing.T) {
	h, err := newHoist(json.RawMessage(`{"type":"object","properties":{"id":{"type":"string"},"n":{"$ref":"#/$defs/n"}},"required":["id","n"],"additionalProperties":false,"$defs":{"n":{"type":"integer"}}}`), "w.input", newNames())
	if err != nil {
		t.Fatal(err)
	}
	rest, ok, err := h.without([]string{"id"})
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	got, _ := json.Marshal(rest)
	if want := `{"additionalProperties":false,"properties":{"n":{"$ref":"#/components/schemas/w.input.n"}},"required":["n"],"type":"object"}`; string(got) != want {
		t.Errorf("%s", got)
	}
	if h, err = newHoist(json.RawMessage(`{"type":"object","minProperties":2}`), "w.input", newNames()); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := h.without([]string{"id"}); ok {
		t.Error("how many members are left was told although it depends on the path")
	}
	properties, err := h.properties()
	if err != nil || len(slices.Collect(maps.Keys(properties))) != 0 {
		t.Errorf("%v, %v", properties, err)
	}
}
