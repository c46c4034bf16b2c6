package cli

import (
	"errors"
	"testing"
)

const orderSchema = `{
  "type": "object", "required": ["sku"],
  "properties": {
    "sku": {"type": "string", "description": "What is\n ordered"},
    "note": {"type": ["string", "null"], "default": "none"},
    "quantity": {"type": "integer", "title": "How many"},
    "express": {"type": "boolean"},
    "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
    "size": {"enum": ["s", "m"]},
    "level": {"enum": [1, 2]},
    "from": {"$ref": "#/$defs/a~1b~0c", "description": "Where from"},
    "fixed": {"const": "x"},
    "any": true,
    "lost": {"$ref": "#/$defs/missing"},
    "loop": {"$ref": "#/properties/loop"}
  },
  "$defs": {"tag": {"type": "string"}, "a/b~c": {"type": "string", "description": "An address"}}
}`

func TestInputs(t *testing.T) {
	for _, c := range []struct {
		pair         string
		typed, plain string // with the schema, and without
	}{
		{"sku=5", `{"sku":"5"}`, `{"sku":5}`},
		{`sku="5"`, `{"sku":"\"5\""}`, `{"sku":"5"}`},
		{"sku=", `{"sku":""}`, `{"sku":""}`},
		{"sku=a=b <c>", `{"sku":"a=b <c>"}`, `{"sku":"a=b <c>"}`},
		{"note=null", `{"note":"null"}`, `{"note":null}`},
		{"quantity=5", `{"quantity":5}`, `{"quantity":5}`},
		{"quantity=1.50", `{"quantity":1.50}`, `{"quantity":1.50}`},
		{"quantity=many", `{"quantity":"many"}`, `{"quantity":"many"}`},
		{"express=true", `{"express":true}`, `{"express":true}`},
		{"express=yes", `{"express":"yes"}`, `{"express":"yes"}`},
		{`tags=["a", "b"]`, `{"tags":["a", "b"]}`, `{"tags":["a", "b"]}`},
		{"size=5", `{"size":"5"}`, `{"size":5}`},
		{"level=1", `{"level":1}`, `{"level":1}`},
		{"from=7", `{"from":"7"}`, `{"from":7}`},
		{"any=7", `{"any":7}`, `{"any":7}`},
		{"lost=7", `{"lost":7}`, `{"lost":7}`},
		{"loop=7", `{"loop":7}`, `{"loop":7}`},
		{"other=7", `{"other":7}`, `{"other":7}`},
		{"a.b=x\ty", `{"a.b":"x\ty"}`, `{"a.b":"x\ty"}`},
	} {
		pairs, err := ParsePairs([]string{c.pair})
		if err != nil {
			t.Fatal(err)
		}
		for schema, want := range map[string]string{orderSchema: c.typed, "": c.plain, "true": c.plain} {
			if got, err := Inputs([]byte(schema), pairs, nil); err != nil || string(got) != want {
				t.Errorf("%s with schema %.10q: %s, %v; want %s", c.pair, schema, got, err, want)
			}
		}
	}
}

func TestInputsOverAFile(t *testing.T) {
	pairs := []Pair{{"b", "2"}, {"d", "x"}}
	for _, c := range []struct{ object, want string }{
		{`{"a": 1.0, "b": 1, "c": {"b": 3}}`, `{"a":1.0,"c":{"b": 3},"b":2,"d":"x"}`},
		{`{"b": 1, "b": 3}`, `{"b":2,"d":"x"}`},
		{`{"a": 1, "a": 2}`, `{"a":1,"a":2,"b":2,"d":"x"}`},
	} {
		if got, err := Inputs(nil, pairs, []byte(c.object)); err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.object, got, err, c.want)
		}
	}
	// Without pairs a runtime judges the very text.
	if got, err := Inputs(nil, nil, []byte("\n {\"a\": 1, \"a\": 2} \n")); err != nil || string(got) != `{"a": 1, "a": 2}` {
		t.Errorf("%s, %v", got, err)
	}
	for _, object := range []string{`[1]`, `null`, `"a"`, `{`, `{"a":1}, "mode": "async"`, `{"a":1} {}`, `{a: 1}`} {
		for _, pairs := range [][]Pair{nil, pairs} {
			_, err := Inputs(nil, pairs, []byte(object))
			if e, ok := errors.AsType[*Error](err); !ok || e.Exit != ExitInvalid {
				t.Errorf("%s: %v", object, err)
			}
		}
	}
}

func TestParsePairsRefuses(t *testing.T) {
	for _, texts := range [][]string{{"novalue"}, {"=5"}, {""}, {"a=1", "b=2", "a=3"}} {
		_, err := ParsePairs(texts)
		if e, ok := errors.AsType[*Error](err); !ok || e.Exit != ExitUsage {
			t.Errorf("%v: %v", texts, err)
		}
	}
}
