package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// maxHops bounds how many references are followed to find a type.
const maxHops = 8

// schema is a JSON Schema, of which only what a person wants to know of inputs is read.
// Judging inputs is the server's business.
type schema struct {
	root json.RawMessage
	at   schemaText
}

// schemaText are the keywords that are read.
type schemaText struct {
	Ref         string            `json:"$ref"`
	Type        json.RawMessage   `json:"type"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Properties  json.RawMessage   `json:"properties"`
	Required    []string          `json:"required"`
	Items       json.RawMessage   `json:"items"`
	Enum        []json.RawMessage `json:"enum"`
	Const       json.RawMessage   `json:"const"`
	Default     json.RawMessage   `json:"default"`
}

type property struct {
	name     string
	required bool
	schema   schema
}

// readSchema reads a schema. Of one that it cannot read nothing is known.
func readSchema(raw json.RawMessage) schema {
	s := schema{root: raw}
	return s.sub(raw)
}

// sub is a schema within s, with its references followed. What stands beside a reference
// is nearer to the reader than what it refers to.
func (s schema) sub(raw json.RawMessage) schema {
	out := schema{root: s.root}
	if json.Unmarshal(raw, &out.at) != nil {
		out.at = schemaText{} // true, false, or a keyword of another form
	}
	for hops := 0; out.at.Ref != "" && hops < maxHops; hops++ {
		pointer, local := strings.CutPrefix(out.at.Ref, "#")
		out.at.Ref = ""
		target, found := resolve(s.root, pointer)
		if !local || !found {
			break
		}
		var referred schemaText
		if json.Unmarshal(target, &referred) != nil {
			break
		}
		referred.Title = cmp.Or(out.at.Title, referred.Title)
		referred.Description = cmp.Or(out.at.Description, referred.Description)
		if out.at.Default != nil {
			referred.Default = out.at.Default
		}
		out.at = referred
	}
	return out
}

// resolve finds what a JSON pointer (RFC 6901) points to.
func resolve(raw json.RawMessage, pointer string) (json.RawMessage, bool) {
	if pointer == "" {
		return raw, true
	}
	for _, step := range strings.Split(pointer, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil || object[step] == nil {
			return nil, false
		}
		raw = object[step]
	}
	return raw, true
}

// types are those that a value may have; none when the schema does not say.
func (s schema) types() []string {
	var one string
	var several []string
	if json.Unmarshal(s.at.Type, &one) == nil && one != "" {
		return []string{one}
	}
	if json.Unmarshal(s.at.Type, &several) == nil {
		return several
	}
	return nil
}

// properties are those of an object, in the order of the schema.
func (s schema) properties() []property {
	members, err := membersOf(s.at.Properties)
	if err != nil {
		return nil
	}
	out := make([]property, len(members))
	for i, m := range members {
		out[i] = property{m.name, slices.Contains(s.at.Required, m.name), s.sub(m.value)}
	}
	return out
}

// typeName says in few words what a value may be.
func (s schema) typeName() string { return s.typeNameAt(0) }

func (s schema) typeNameAt(depth int) string {
	if s.at.Const != nil {
		return compact(s.at.Const)
	}
	if len(s.at.Enum) > 0 {
		values := make([]string, len(s.at.Enum))
		for i, v := range s.at.Enum {
			values[i] = compact(v)
		}
		return strings.Join(values, " | ")
	}
	types := slices.Clone(s.types())
	for i, t := range types {
		if t == "array" && s.at.Items != nil && depth < maxHops {
			types[i] = "array of " + s.sub(s.at.Items).typeNameAt(depth+1)
		}
	}
	return cmp.Or(strings.Join(types, " | "), "any")
}

// description is what the schema says of a value, and what it is when it is left out.
func (s schema) description() string {
	text := strings.Join(strings.Fields(cmp.Or(s.at.Description, s.at.Title)), " ")
	if s.at.Default == nil {
		return text
	}
	return strings.TrimSpace(text + " (default " + compact(s.at.Default) + ")")
}

func compact(raw json.RawMessage) string {
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return string(raw)
	}
	return out.String()
}
