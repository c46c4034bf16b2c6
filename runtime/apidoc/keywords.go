package apidoc

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
)

// holding says what the value of a keyword is.
type holding int

const (
	data holding = iota
	oneSchema
	listOfSchemas
	namedSchemas
)

// holds are the keywords of JSON Schema 2020-12 that hold schemas. Under any other key
// there is data, which may look like a schema and is not to be touched.
var holds = map[string]holding{
	"not": oneSchema, "if": oneSchema, "then": oneSchema, "else": oneSchema, "items": oneSchema, "contains": oneSchema,
	"additionalProperties": oneSchema, "propertyNames": oneSchema, "unevaluatedItems": oneSchema, "unevaluatedProperties": oneSchema,
	"contentSchema": oneSchema,
	"allOf":         listOfSchemas, "anyOf": listOfSchemas, "oneOf": listOfSchemas, "prefixItems": listOfSchemas,
	"properties": namedSchemas, "patternProperties": namedSchemas, "dependentSchemas": namedSchemas,
	"$defs": namedSchemas, "definitions": namedSchemas,
}

// eachSchema calls f with each schema right inside a schema, and the pointer from here to
// there, in an order that is always the same.
func eachSchema(object map[string]any, f func(node any, under string)) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		at := "/" + jsontext.EscapePointer(key)
		switch holds[key] {
		case oneSchema:
			f(object[key], at)
		case listOfSchemas:
			list, _ := object[key].([]any)
			for i, item := range list {
				f(item, fmt.Sprintf("%s/%d", at, i))
			}
		case namedSchemas:
			named, _ := object[key].(map[string]any)
			for _, name := range slices.Sorted(maps.Keys(named)) {
				f(named[name], at+"/"+jsontext.EscapePointer(name))
			}
		default:
		}
	}
}

// find resolves a JSON pointer (RFC 6901).
func find(node any, pointer string) (any, bool) {
	if pointer == "" {
		return node, true
	}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		switch at := node.(type) {
		case map[string]any:
			next, ok := at[unescape(token)]
			if !ok {
				return nil, false
			}
			node = next
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(at) || strconv.Itoa(i) != token {
				return nil, false
			}
			node = at[i]
		default:
			return nil, false
		}
	}
	return node, true
}

func member(node any, key string) any {
	object, _ := node.(map[string]any)
	return object[key]
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func isBool(v any) bool {
	_, ok := v.(bool)
	return ok
}

// escape writes a name as a token of a JSON pointer, and unescape reads it.
func unescape(name string) string { return strings.NewReplacer("~1", "/", "~0", "~").Replace(name) }

// canonical writes a pointer with the escapes that it needs and no others.
func canonical(pointer string) string {
	tokens := strings.Split(pointer, "/")
	for i, token := range tokens {
		tokens[i] = jsontext.EscapePointer(unescape(token))
	}
	return strings.Join(tokens, "/")
}

// unescapeFragment reads the fragment of a URI. A plus sign is one.
func unescapeFragment(s string) (string, error) { return url.PathUnescape(s) }

// escapeFragment writes the fragment of a URI (RFC 3986 section 3.5).
func escapeFragment(s string) string {
	const kept = "-._~/!$&'()*+,;=:@?"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(kept, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
