package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// circular says whether a schema comes back to itself without ever stepping into a
// part of the value: validating with it would not end.
func circular(root *jsonschema.Schema) bool {
	const visiting, done = 1, 2
	state := map[*jsonschema.Schema]int{}
	var visit func(s *jsonschema.Schema) bool
	var parts []*jsonschema.Schema
	visit = func(s *jsonschema.Schema) bool {
		switch {
		case s == nil || state[s] == done:
			return false
		case state[s] == visiting:
			return true
		}
		state[s] = visiting
		same, inside := applicators(s)
		parts = append(parts, inside...)
		if slices.ContainsFunc(same, visit) {
			return true
		}
		state[s] = done
		return false
	}
	if visit(root) {
		return true
	}
	for len(parts) > 0 {
		next := parts[0]
		parts = parts[1:]
		if visit(next) {
			return true
		}
	}
	return false
}

// maxSpread is how many schemas may apply to one value.
const maxSpread = 10_000

// wellFounded refuses a schema with which validating would not end, or not soon: each
// reference to a schema that refers to two others doubles the work.
func wellFounded(root *jsonschema.Schema) error {
	if circular(root) {
		return errors.New("it refers to itself without end: break the circle of $ref")
	}
	spreads := map[*jsonschema.Schema]int{}
	var spread func(s *jsonschema.Schema) int
	var parts []*jsonschema.Schema
	spread = func(s *jsonschema.Schema) int {
		if n, known := spreads[s]; known || s == nil {
			return n
		}
		n := 1
		same, inside := applicators(s)
		for _, sub := range same {
			n = min(n+spread(sub), maxSpread+1)
		}
		spreads[s] = n
		parts = append(parts, inside...)
		return n
	}
	most := spread(root)
	for ; len(parts) > 0; parts = parts[1:] {
		most = max(most, spread(parts[0]))
	}
	if most > maxSpread {
		return fmt.Errorf("it applies more than %d schemas to one value: refer to fewer from within one another", maxSpread)
	}
	return nil
}

// applicators returns the schemas that apply to the same value, and those that apply
// to parts of it.
func applicators(s *jsonschema.Schema) (same, inside []*jsonschema.Schema) {
	same = append(same, s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else)
	if s.DynamicRef != nil {
		same = append(same, s.DynamicRef.Ref)
	}
	for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		same = append(same, list...)
	}
	for _, sub := range s.DependentSchemas {
		same = append(same, sub)
	}
	for _, sub := range s.Properties {
		inside = append(inside, sub)
	}
	for _, sub := range s.PatternProperties {
		inside = append(inside, sub)
	}
	if sub, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		inside = append(inside, sub)
	}
	inside = append(inside, s.PrefixItems...)
	return same, append(inside, s.Items2020, s.Contains, s.PropertyNames, s.UnevaluatedItems, s.UnevaluatedProperties)
}

// plain returns a value as the validator takes it: with big integers as their text. A
// value without one is not copied.
func plain(v any) any {
	if !hasBig(v) {
		return v
	}
	switch v := v.(type) {
	case *big.Int:
		return json.Number(v.String())
	case []any:
		array := make([]any, len(v))
		for i, item := range v {
			array[i] = plain(item)
		}
		return array
	case map[string]any:
		object := make(map[string]any, len(v))
		for key, item := range v {
			object[key] = plain(item)
		}
		return object
	}
	return v
}

func hasBig(v any) bool {
	switch v := v.(type) {
	case *big.Int:
		return true
	case []any:
		return slices.ContainsFunc(v, hasBig)
	case map[string]any:
		for _, item := range v {
			if hasBig(item) {
				return true
			}
		}
	}
	return false
}
