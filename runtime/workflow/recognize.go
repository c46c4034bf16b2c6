package workflow

import (
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// recognizer says true for a value that is certainly valid. False means nothing: the
// full validator decides then, and words the violations. It exists because the full
// validator costs several microseconds for each input, valid or not.
type recognizer func(v any) bool

// recognize returns the recognizer of a schema, nil when the schema uses a keyword
// that it does not know.
func recognize(s *jsonschema.Schema) recognizer {
	b := recognizerBuilder{nodes: map[*jsonschema.Schema]*node{}}
	root := b.node(s)
	if b.unknown {
		return nil
	}
	return func(v any) bool {
		steps := maxSteps
		return root.accepts(v, &steps)
	}
}

// maxSteps is how often schemas are applied before the recognizer gives up: about a tenth
// of a second. The full validator is then asked whether it can do better.
const maxSteps = 4_000_000

// node is a schema in a form that is quick to test.
type node struct {
	never bool
	types typeSet
	// enum holds the allowed strings, booleans, integers and null; nil allows all.
	enum                 map[any]bool
	format               func(any) error
	pattern              jsonschema.Regexp
	minLength, maxLength int
	low, high            bound
	minItems, maxItems   int
	items                *node
	minFields, maxFields int
	required             []string
	properties           map[string]*node
	additional           *node
	allOf, anyOf         []*node
}

// bound is a limit of numbers, NaN for none. Equality is accepted only where it is
// certain: for an integer and an exact, inclusive bound.
type bound struct {
	value     float64
	inclusive bool
}

// typeSet is a set of JSON types; 0 allows all.
type typeSet uint8

const (
	isNull typeSet = 1 << iota
	isBoolean
	isInteger
	isNumber
	isString
	isArray
	isObject
)

var typeNames = map[string]typeSet{
	"null": isNull, "boolean": isBoolean, "integer": isInteger, "number": isNumber | isInteger,
	"string": isString, "array": isArray, "object": isObject,
}

// recognized are the fields of a schema that the recognizer knows, or may ignore.
var recognized = []string{
	"DraftVersion", "Location", "Bool", "Anchor", "Ref", "Types", "Enum", "Const", "AllOf", "AnyOf", "Format", "MaxProperties",
	"MinProperties", "Required", "Properties", "AdditionalProperties", "MinItems", "MaxItems", "Items2020", "MinLength",
	"MaxLength", "Pattern", "Maximum", "Minimum", "ExclusiveMaximum", "ExclusiveMinimum",
	"Title", "Description", "Default", "Comment", "ReadOnly", "WriteOnly", "Examples", "Deprecated",
}

type recognizerBuilder struct {
	nodes   map[*jsonschema.Schema]*node
	unknown bool
}

// node builds the node of a schema once; a schema may contain itself.
func (b *recognizerBuilder) node(s *jsonschema.Schema) *node {
	if s == nil {
		return nil
	}
	if n, ok := b.nodes[s]; ok {
		return n
	}
	n := &node{low: bound{value: math.NaN()}, high: bound{value: math.NaN()}}
	b.nodes[s] = n
	fields := reflect.ValueOf(s).Elem()
	for i := range fields.NumField() {
		field := fields.Type().Field(i)
		if field.IsExported() && !slices.Contains(recognized, field.Name) && !fields.Field(i).IsZero() {
			b.unknown = true
		}
	}
	n.never = s.Bool != nil && !*s.Bool
	if s.Types != nil {
		for _, t := range s.Types.ToStrings() {
			n.types |= typeNames[t]
		}
	}
	b.values(n, s)
	b.object(n, s)
	n.minItems, n.maxItems = limit(s.MinItems, 0), limit(s.MaxItems, math.MaxInt)
	n.items = b.node(s.Items2020)
	if s.Ref != nil {
		n.allOf = append(n.allOf, b.node(s.Ref))
	}
	for _, sub := range s.AllOf {
		n.allOf = append(n.allOf, b.node(sub))
	}
	for _, sub := range s.AnyOf {
		n.anyOf = append(n.anyOf, b.node(sub))
	}
	return n
}

// values takes over the keywords for scalars.
func (b *recognizerBuilder) values(n *node, s *jsonschema.Schema) {
	if s.Enum != nil {
		n.enum = scalars(s.Enum.Values)
	}
	if s.Const != nil {
		if n.enum != nil {
			b.unknown = true
		}
		n.enum = scalars([]any{*s.Const})
	}
	if s.Format != nil {
		n.format = s.Format.Validate
		b.unknown = b.unknown || s.Format.Name == "regex" || n.format == nil
	}
	n.pattern = s.Pattern
	n.minLength, n.maxLength = limit(s.MinLength, 0), limit(s.MaxLength, math.MaxInt)
	n.low = b.bound(s.Minimum, s.ExclusiveMinimum)
	n.high = b.bound(s.Maximum, s.ExclusiveMaximum)
}

// object takes over the keywords for objects.
func (b *recognizerBuilder) object(n *node, s *jsonschema.Schema) {
	n.minFields, n.maxFields = limit(s.MinProperties, 0), limit(s.MaxProperties, math.MaxInt)
	n.required = s.Required
	if len(s.Properties) > 0 {
		n.properties = make(map[string]*node, len(s.Properties))
	}
	for name, sub := range s.Properties {
		n.properties[name] = b.node(sub)
	}
	switch additional := s.AdditionalProperties.(type) {
	case nil:
	case bool:
		if !additional {
			n.additional = &node{never: true}
		}
	case *jsonschema.Schema:
		n.additional = b.node(additional)
	default:
		b.unknown = true
	}
}

func (b *recognizerBuilder) bound(inclusive, exclusive *big.Rat) bound {
	switch {
	case inclusive != nil && exclusive != nil:
		b.unknown = true
	case inclusive != nil:
		value, exact := inclusive.Float64()
		return bound{value, exact}
	case exclusive != nil:
		value, _ := exclusive.Float64()
		return bound{value, false}
	}
	return bound{value: math.NaN()}
}

func limit(n *int, none int) int {
	if n == nil {
		return none
	}
	return *n
}

// scalars returns those of the values that can be looked up; the full validator
// finds the others.
func scalars(values []any) map[any]bool {
	set := make(map[any]bool, len(values))
	for _, v := range values {
		switch v := v.(type) {
		case nil, bool, string:
			set[v] = true
		case json.Number:
			if n, err := v.Int64(); err == nil {
				set[int(n)] = true
			}
		}
	}
	return set
}

// accepts says whether a value is certainly valid.
func (n *node) accepts(v any, steps *int) bool {
	if *steps--; *steps < 0 {
		return false
	}
	if n.never || !n.acceptsOwn(v, steps) || n.format != nil && n.format(v) != nil {
		return false
	}
	for _, sub := range n.allOf {
		if !sub.accepts(v, steps) {
			return false
		}
	}
	return n.anyOf == nil || slices.ContainsFunc(n.anyOf, func(sub *node) bool { return sub.accepts(v, steps) })
}

// acceptsOwn tests the keywords of the schema itself.
func (n *node) acceptsOwn(v any, steps *int) bool {
	switch v := v.(type) {
	case nil:
		return n.allows(isNull) && n.listed(v)
	case bool:
		return n.allows(isBoolean) && n.listed(v)
	case int:
		return n.allows(isInteger) && n.listed(v) && n.acceptsInt(v)
	case string:
		return n.allows(isString) && n.listed(v) && n.acceptsString(v)
	}
	return n.enum == nil && n.acceptsUnlisted(v, steps)
}

// acceptsUnlisted tests the values that are not looked up in an enum.
func (n *node) acceptsUnlisted(v any, steps *int) bool {
	switch v := v.(type) {
	case float64:
		return n.allows(isNumber) && n.acceptsFloat(v)
	case []any:
		return n.allows(isArray) && n.acceptsArray(v, steps)
	case map[string]any:
		return n.allows(isObject) && n.acceptsObject(v, steps)
	}
	return false
}

func (n *node) allows(t typeSet) bool { return n.types == 0 || n.types&t != 0 }

func (n *node) listed(v any) bool { return n.enum == nil || n.enum[v] }

func (n *node) acceptsInt(v int) bool {
	const exact = 1 << 53
	if v < -exact || v > exact {
		return false
	}
	x := float64(v)
	return (math.IsNaN(n.low.value) || x > n.low.value || n.low.inclusive && x == n.low.value) &&
		(math.IsNaN(n.high.value) || x < n.high.value || n.high.inclusive && x == n.high.value)
}

// acceptsFloat leaves equality to the full validator, which compares decimals.
func (n *node) acceptsFloat(x float64) bool {
	return !math.IsNaN(x) && !math.IsInf(x, 0) &&
		(math.IsNaN(n.low.value) || x > n.low.value) && (math.IsNaN(n.high.value) || x < n.high.value)
}

func (n *node) acceptsString(s string) bool {
	if n.minLength > 0 || n.maxLength < math.MaxInt {
		if length := utf8.RuneCountInString(s); length < n.minLength || length > n.maxLength {
			return false
		}
	}
	return n.pattern == nil || n.pattern.MatchString(s)
}

func (n *node) acceptsArray(array []any, steps *int) bool {
	if len(array) < n.minItems || len(array) > n.maxItems {
		return false
	}
	if n.items != nil {
		for _, item := range array {
			if !n.items.accepts(item, steps) {
				return false
			}
		}
	}
	return true
}

func (n *node) acceptsObject(object map[string]any, steps *int) bool {
	if len(object) < n.minFields || len(object) > n.maxFields {
		return false
	}
	for _, name := range n.required {
		if _, ok := object[name]; !ok {
			return false
		}
	}
	known := 0
	for name, property := range n.properties {
		if value, ok := object[name]; ok {
			known++
			if !property.accepts(value, steps) {
				return false
			}
		}
	}
	if n.additional == nil || known == len(object) {
		return true
	}
	for name, value := range object {
		if _, ok := n.properties[name]; !ok && !n.additional.accepts(value, steps) {
			return false
		}
	}
	return true
}
