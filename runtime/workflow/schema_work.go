package workflow

import (
	"reflect"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxWork is how many times schemas may be applied to one input and the values in it. The
// validator takes about a second for it, and nothing interrupts it.
const maxWork = 1_000_000

// work counts how often a validator applies schemas to a value and the values in it, as
// far as maxWork. A schema that has several forms for one field, each of which has that
// field again, doubles the work with each level of a value: what callers send decides how
// often.
type work struct {
	// known is the work of a schema on an array or object, whose copies are the same.
	known map[application]int
	// scalars is that on any other value.
	scalars map[*jsonschema.Schema]int
	// left is how many steps the counting itself may take.
	left int
}

// application is a schema that is applied to an array or object.
type application struct {
	schema *jsonschema.Schema
	at     uintptr
	length int
}

func newWork() *work {
	return &work{known: map[application]int{}, scalars: map[*jsonschema.Schema]int{}, left: maxWork}
}

// of counts the work of a schema on a value, a little too high where it cannot tell which
// schemas apply to a part of the value.
func (w *work) of(s *jsonschema.Schema, v any) int {
	if s == nil {
		return 0
	}
	if w.left--; w.left < 0 {
		return maxWork + 1
	}
	at := application{schema: s}
	switch v := v.(type) {
	case map[string]any:
		at.at, at.length = reflect.ValueOf(v).Pointer(), len(v)
	case []any:
		at.at, at.length = reflect.ValueOf(v).Pointer(), len(v)
	default:
		if n, known := w.scalars[s]; known {
			return n
		}
		n := w.same(s, v)
		w.scalars[s] = n
		return n
	}
	if n, known := w.known[at]; known {
		return n
	}
	n := w.same(s, v)
	switch v := v.(type) {
	case map[string]any:
		n = w.fields(n, s, v)
	case []any:
		n = w.items(n, s, v)
	}
	w.known[at] = n
	return n
}

// same counts the schema itself and those that apply to the same value.
func (w *work) same(s *jsonschema.Schema, v any) int {
	n := 1
	same, _ := applicators(s)
	for _, sub := range same {
		n = min(n+w.of(sub, v), maxWork+1)
	}
	return n
}

// fields adds the work on the fields of an object.
func (w *work) fields(n int, s *jsonschema.Schema, object map[string]any) int {
	additional, _ := s.AdditionalProperties.(*jsonschema.Schema)
	for name, field := range object {
		if n > maxWork {
			break
		}
		property := s.Properties[name]
		n += w.of(property, field) + w.of(s.PropertyNames, name) + w.of(s.UnevaluatedProperties, field)
		if property == nil {
			n += w.of(additional, field)
		}
		for pattern, sub := range s.PatternProperties {
			if pattern.MatchString(name) {
				n += w.of(sub, field)
			}
		}
	}
	return min(n, maxWork+1)
}

// items adds the work on the items of an array.
func (w *work) items(n int, s *jsonschema.Schema, array []any) int {
	for i, item := range array {
		if n > maxWork {
			break
		}
		if i < len(s.PrefixItems) {
			n += w.of(s.PrefixItems[i], item)
		} else {
			n += w.of(s.Items2020, item)
		}
		n += w.of(s.Contains, item) + w.of(s.UnevaluatedItems, item)
	}
	return min(n, maxWork+1)
}
