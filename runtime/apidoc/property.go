package apidoc

import (
	"slices"
)

// property is an input by its name: its schema, and whether it has to be there.
type property struct {
	schema   any
	required bool
	// inURL says whether a URL can give it: no object, and no list of anything but texts.
	inURL bool
}

func (p property) schemaOr(other any) any {
	if p.schema == nil {
		return other
	}
	return p.schema
}

// maxHops bounds how many references are followed to find the properties, as in package
// workflow.
const maxHops = 8

// properties are the inputs that the schema names at its root, or where the root refers to.
func (h *hoist) properties() (map[string]property, error) {
	out := map[string]property{}
	if h == nil {
		return out, nil
	}
	var required []any
	node, _ := h.root.(map[string]any)
	for range maxHops {
		list, _ := node["required"].([]any)
		required = append(required, list...)
		named, _ := node["properties"].(map[string]any)
		for name, schema := range named {
			if _, known := out[name]; known {
				continue
			}
			rewritten, err := h.rewrite(schema)
			if err != nil {
				return nil, err
			}
			out[name] = property{schema: rewritten, inURL: h.inURL(schema)}
		}
		ref, ok := node["$ref"].(string)
		if !ok {
			break
		}
		_, target, err := h.resolve(ref)
		if err != nil {
			return nil, err
		}
		node, _ = target.(map[string]any)
	}
	for name, p := range out {
		p.required = slices.Contains(required, any(name))
		out[name] = p
	}
	return out, nil
}

// inURL says whether a parameter of a URL can be a value of a schema. One of several types
// is read as a text.
func (h *hoist) inURL(schema any) bool {
	node := h.target(schema)
	switch node["type"] {
	case "object":
		return false
	case "array":
		items := h.target(node["items"])["type"]
		return items == nil || items == "string"
	default:
		return true
	}
}

// target is what a schema says or refers to; nil when it is no object.
func (h *hoist) target(schema any) map[string]any {
	node, _ := schema.(map[string]any)
	for range maxHops {
		ref, ok := node["$ref"].(string)
		if !ok || node["type"] != nil {
			break
		}
		_, found, err := h.resolve(ref)
		if err != nil {
			break
		}
		node, _ = found.(map[string]any)
	}
	return node
}

// simple are the keywords of which it is clear what they say once a property is left out.
var simple = map[string]bool{
	"type": true, "title": true, "description": true, "properties": true, "required": true, "additionalProperties": true,
	"$defs": true, "$schema": true, "$comment": true,
}

// without is the schema of the inputs that are left when some come from elsewhere. It is
// false where that cannot be told.
func (h *hoist) without(inputs []string) (map[string]any, bool, error) {
	object, _ := h.root.(map[string]any)
	for key := range object {
		if !simple[key] {
			return nil, false, nil
		}
	}
	rewritten, err := h.rewrite(h.root)
	if err != nil {
		return nil, false, err
	}
	out, _ := rewritten.(map[string]any)
	delete(out, "$defs")
	delete(out, "title")
	properties, _ := out["properties"].(map[string]any)
	for _, name := range inputs {
		delete(properties, name)
	}
	required, _ := out["required"].([]any)
	required = slices.DeleteFunc(slices.Clone(required), func(name any) bool { return slices.Contains(inputs, text(name)) })
	delete(out, "required")
	if len(required) > 0 {
		out["required"] = required
	}
	return out, true, nil
}
