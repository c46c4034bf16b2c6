package apidoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
)

// schemasRef is where components are, as a reference within the document.
const schemasRef = "#/components/schemas/"

// hoist is a JSON Schema on its way into an OpenAPI document. There it is no document of
// its own any more: # is the whole OpenAPI document, and anchors of two workflows would
// meet. So every reference becomes a pointer to where its target went, and no anchor is
// left:
//
//   - the schema itself goes to one component, and each member of its $defs to another;
//   - what is referred to although it is at no place of a schema, such as a default, is
//     copied to a component of its own, since it also has to stay as the data it is;
//   - a $dynamicRef becomes a $ref: in a schema without $id, which the workflow language
//     refuses, there is only one place it can lead to.
type hoist struct {
	root  any
	names *names
	// name is the component of the schema itself.
	name string
	// places are the pointers at which there are schemas, anchors where they lead, and
	// parts the components of those that have their own, by pointer.
	places  map[string]bool
	anchors map[string]string
	parts   map[string]string
}

// newHoist reads a schema and finds out which components it becomes. The first has the name.
func newHoist(raw json.RawMessage, name string, taken *names) (*hoist, error) {
	h := &hoist{name: taken.add(name), names: taken, places: map[string]bool{}, anchors: map[string]string{}, parts: map[string]string{}}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&h.root); err != nil {
		return nil, fmt.Errorf("reading a schema: %w", err)
	}
	var refs []string
	h.survey(h.root, "", true, &refs)
	h.findAnchors(h.root, "")
	defs, _ := member(h.root, "$defs").(map[string]any)
	// Names that can stay as they are come first, so that no other one takes them.
	for _, plain := range []bool{true, false} {
		for _, key := range slices.Sorted(maps.Keys(defs)) {
			if (componentName(key) == key) == plain {
				h.parts["/$defs/"+jsontext.EscapePointer(key)] = h.names.add(h.name + "." + key)
			}
		}
	}
	for len(refs) > 0 {
		ref := refs[0]
		refs = refs[1:]
		target, node, err := h.resolve(ref)
		if err != nil {
			return nil, err
		}
		if h.places[target] || h.parts[target] != "" {
			continue
		}
		h.parts[target] = h.names.add(h.name + ".ref")
		h.survey(node, target, false, &refs)
	}
	return h, nil
}

// components are the schemas of the document that h becomes, by name.
func (h *hoist) components() (map[string]any, error) {
	root, err := h.rewrite(h.root)
	if err != nil {
		return nil, err
	}
	if object, ok := root.(map[string]any); ok {
		delete(object, "$defs")
	}
	out := map[string]any{h.name: root}
	for pointer, name := range h.parts {
		node, ok := find(h.root, pointer)
		if !ok {
			return nil, fmt.Errorf("the schema has nothing at %q", pointer)
		}
		if out[name], err = h.rewrite(node); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ref refers to the schema itself.
func (h *hoist) ref() map[string]any { return map[string]any{"$ref": schemasRef + h.name} }

// survey notes the schemas in a schema, and what they refer to. Those in what is copied
// are not at a place of their own.
func (h *hoist) survey(node any, at string, placed bool, refs *[]string) {
	object, ok := node.(map[string]any)
	if placed && (ok || isBool(node)) {
		h.places[at] = true
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		switch value := object[key]; {
		case key == "$ref" || key == "$dynamicRef":
			if ref, ok := value.(string); ok {
				*refs = append(*refs, ref)
			}
		case placed && (key == "$anchor" || key == "$dynamicAnchor"):
			if name, ok := value.(string); ok {
				h.anchors[name] = at
			}
		}
	}
	eachSchema(object, func(node any, under string) { h.survey(node, at+under, placed, refs) })
}

// findAnchors notes the anchors elsewhere: the validator reads a schema wherever a
// reference leads.
func (h *hoist) findAnchors(node any, at string) {
	switch node := node.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(node)) {
			name, ok := node[key].(string)
			if _, known := h.anchors[name]; ok && !known && (key == "$anchor" || key == "$dynamicAnchor") {
				h.anchors[name] = at
			}
			h.findAnchors(node[key], at+"/"+jsontext.EscapePointer(key))
		}
	case []any:
		for i, item := range node {
			h.findAnchors(item, fmt.Sprintf("%s/%d", at, i))
		}
	}
}

// resolve finds what a reference leads to.
func (h *hoist) resolve(ref string) (pointer string, node any, err error) {
	fragment, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return "", nil, fmt.Errorf("the reference %q leaves the schema", ref)
	}
	fragment, err = unescapeFragment(fragment)
	if err != nil {
		return "", nil, fmt.Errorf("the reference %q: %w", ref, err)
	}
	pointer = fragment
	if fragment != "" && fragment[0] != '/' {
		if pointer, ok = h.anchors[fragment]; !ok {
			return "", nil, fmt.Errorf("the reference %q leads to no anchor", ref)
		}
	}
	pointer = canonical(pointer)
	if node, ok = find(h.root, pointer); !ok {
		return "", nil, fmt.Errorf("the reference %q leads nowhere", ref)
	}
	return pointer, node, nil
}

// moved is a reference to where the target of a reference went.
func (h *hoist) moved(ref string) (string, error) {
	pointer, _, err := h.resolve(ref)
	if err != nil {
		return "", err
	}
	if name := h.parts[pointer]; name != "" {
		return schemasRef + name, nil
	}
	if rest, ok := strings.CutPrefix(pointer, "/$defs/"); ok {
		key, below, more := strings.Cut(rest, "/")
		if more {
			below = "/" + below
		}
		return schemasRef + h.parts["/$defs/"+key] + escapeFragment(below), nil
	}
	return schemasRef + h.name + escapeFragment(pointer), nil
}

// rewrite is a schema as it reads in the OpenAPI document.
func (h *hoist) rewrite(node any) (any, error) {
	object, ok := node.(map[string]any)
	if !ok {
		return node, nil
	}
	out := make(map[string]any, len(object))
	for key, value := range object {
		switch key {
		case "$schema", "$anchor", "$dynamicAnchor", "$dynamicRef":
			// $schema may only stand at the root of a document.
			continue
		case "$ref":
			ref, err := h.moved(text(value))
			if err != nil {
				return nil, err
			}
			out[key] = ref
		default:
			rewritten, err := h.rewriteMember(key, value)
			if err != nil {
				return nil, err
			}
			out[key] = rewritten
		}
	}
	if dynamic, ok := object["$dynamicRef"].(string); ok {
		ref, err := h.moved(dynamic)
		if err != nil {
			return nil, err
		}
		addRef(out, ref)
	}
	return out, nil
}

// addRef adds a reference to a schema that may have one already. Behind the others of
// allOf it moves none of them.
func addRef(schema map[string]any, ref string) {
	if _, has := schema["$ref"]; !has {
		schema["$ref"] = ref
		return
	}
	all, _ := schema["allOf"].([]any)
	schema["allOf"] = append(slices.Clone(all), map[string]any{"$ref": ref})
}

func (h *hoist) rewriteMember(key string, value any) (any, error) {
	switch holds[key] {
	case oneSchema:
		return h.rewrite(value)
	case listOfSchemas:
		list, ok := value.([]any)
		if !ok {
			return value, nil
		}
		out := make([]any, len(list))
		for i, item := range list {
			var err error
			if out[i], err = h.rewrite(item); err != nil {
				return nil, err
			}
		}
		return out, nil
	case namedSchemas:
		object, ok := value.(map[string]any)
		if !ok {
			return value, nil
		}
		out := make(map[string]any, len(object))
		for name, item := range object {
			var err error
			if out[name], err = h.rewrite(item); err != nil {
				return nil, err
			}
		}
		return out, nil
	default:
		return value, nil
	}
}
