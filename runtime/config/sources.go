package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/yamltext"
)

// Entry is an entry of a ConfigMap that an app names.
type Entry struct {
	// Field is what names it.
	Field string
	// ConfigMap is the name of the ConfigMap, in the namespace of the app, and Key that of
	// the entry.
	ConfigMap, Key string
	// Holds says what is to be found there.
	Holds string
}

// Source returns the text of an entry. Its error says what to do, without the field.
type Source func(Entry) (string, error)

// IsReference says whether an error of FromApp is about an entry of a ConfigMap that is
// not there or cannot be used, and not about the app itself.
func IsReference(err *field.Error) bool { return err.Type == field.ErrorTypeNotFound }

func referenceError(at, format string, args ...any) *field.Error {
	return &field.Error{Type: field.ErrorTypeNotFound, Field: at, Detail: fmt.Sprintf(format, args...)}
}

// resolve replaces every definition with its JSON, and reads the documents that the
// definitions name, and the prompts.
func resolve(spec *v1alpha1.NexusAppSpec, source Source) (*resolver, field.ErrorList) {
	if source == nil {
		source = func(Entry) (string, error) { return "", errors.New("ConfigMaps cannot be read here") }
	}
	r := &resolver{source: source, seen: map[string]bool{}}
	for i := range spec.Workflows {
		w := &spec.Workflows[i]
		path := field.NewPath("spec", "workflows").Index(i).Child(sourceField(w))
		if len(w.Definition.Raw) == 0 { // that there is one and no other, the rules of the API say
			w.Definition.Raw = r.definition(w, path)
		}
		w.DefinitionText, w.DefinitionRef = "", nil
		r.readResources(w.Definition.Raw, path.String())
	}
	for i := range spec.Prompts {
		r.readPrompt(&spec.Prompts[i], field.NewPath("spec", "prompts").Index(i).Child("configMapRef"))
	}
	return r, r.errs
}

type resolver struct {
	source    Source
	seen      map[string]bool
	resources []Resource
	prompts   []Prompt
	errs      field.ErrorList
}

// sourceField is the field that a workflow's definition is in.
func sourceField(w *v1alpha1.Workflow) string {
	switch {
	case len(w.Definition.Raw) > 0:
		return "definition"
	case w.DefinitionRef != nil:
		return "definitionRef"
	case w.DefinitionText != "":
		return "definitionText"
	default:
		return "definition"
	}
}

// definition is the JSON of a definition that is a text; nil when it cannot be had.
func (r *resolver) definition(w *v1alpha1.Workflow, path *field.Path) []byte {
	text, prefix := w.DefinitionText, ""
	if ref := w.DefinitionRef; ref != nil {
		entry := Entry{Field: path.Child("configMapRef").String(), ConfigMap: ref.ConfigMapRef.Name, Key: ref.ConfigMapRef.Key, Holds: "the definition of the workflow, in YAML or JSON"}
		var err error
		if text, err = r.source(entry); err != nil {
			r.errs = append(r.errs, referenceError(entry.Field, "%v", err))
			return nil
		}
		prefix = fmt.Sprintf("entry %q of ConfigMap %q: ", entry.Key, entry.ConfigMap)
	} else if text == "" {
		return nil // refused by the rules of the API
	}
	raw, err := readText(text, v1alpha1.MaxDefinitionBytes)
	if err != nil {
		r.errs = append(r.errs, field.Invalid(path, "", prefix+"the definition cannot be read: "+err.Error()))
		return nil
	}
	errs := v1alpha1.ValidateDefinition(raw, path)
	for _, err := range errs {
		err.Detail = prefix + err.Detail
	}
	if r.errs = append(r.errs, errs...); len(errs) > 0 {
		return nil
	}
	return raw
}

// readText is the compact JSON of a text in YAML or JSON.
func readText(text string, maxBytes int) ([]byte, error) {
	tree, err := yamltext.Decode([]byte(text), yamltext.Options{MaxBytes: maxBytes})
	if err != nil {
		return nil, err
	}
	return compactJSON(tree)
}

// readPrompt reads a prompt. Whoever compiles the document judges what it holds.
func (r *resolver) readPrompt(p *v1alpha1.Prompt, path *field.Path) {
	entry := Entry{Field: path.String(), ConfigMap: p.ConfigMapRef.Name, Key: p.ConfigMapRef.Key, Holds: "the prompt, in YAML or JSON"}
	out := Prompt{Name: p.Name}
	if text, err := r.source(entry); err != nil {
		r.errs = append(r.errs, referenceError(entry.Field, "%v", err))
	} else if out.Content, err = readText(text, v1alpha1.MaxPromptBytes); err != nil {
		r.errs = append(r.errs, field.Invalid(path, "", fmt.Sprintf("entry %q of ConfigMap %q: the prompt cannot be read: %v", entry.Key, entry.ConfigMap, err)))
	}
	r.prompts = append(r.prompts, out)
}

// readResources reads the documents that a definition names.
func (r *resolver) readResources(raw []byte, at string) {
	for _, named := range findResources(raw) {
		if r.seen[named.name] {
			continue
		}
		r.seen[named.name] = true
		configMap, key, ok := parseResource(named.name)
		if !ok {
			r.errs = append(r.errs, &field.Error{Type: field.ErrorTypeInvalid, Field: at + named.pointer, BadValue: named.name,
				Detail: "an OpenAPI document in a ConfigMap is called configmap:NAME/KEY: write the names of the ConfigMap and of its entry"})
			continue
		}
		entry := Entry{Field: at + named.pointer, ConfigMap: configMap, Key: key, Holds: "the OpenAPI document"}
		text, err := r.source(entry)
		if err != nil {
			r.errs = append(r.errs, referenceError(entry.Field, "%v", err))
			continue
		}
		content := minimised(text)
		if len(content) > v1alpha1.MaxResourceBytes {
			r.errs = append(r.errs, referenceError(entry.Field, "entry %q of ConfigMap %q: the OpenAPI document has %d bytes as JSON, at most %d fit: leave out the operations that no workflow calls",
				key, configMap, len(content), v1alpha1.MaxResourceBytes))
			continue
		}
		r.resources = append(r.resources, Resource{Name: named.name, Content: content})
	}
}

// maxResourceText bounds the text of an OpenAPI document: as YAML, with its comments, it
// may be much longer than as JSON.
const maxResourceText = 1 << 20

// minimised is a document as compact JSON; where it is neither YAML nor JSON, it is left
// for whoever reads it to say so.
func minimised(text string) string {
	tree, err := yamltext.Decode([]byte(text), yamltext.Options{MaxBytes: maxResourceText, NumberKeys: true})
	if err != nil {
		return text
	}
	raw, err := compactJSON(tree)
	if err != nil {
		return text
	}
	return string(raw)
}

// resourcePrefix begins the name of a document that is in a ConfigMap.
const resourcePrefix = "configmap:"

var (
	configMapName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	configMapKey  = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)
)

func parseResource(name string) (configMap, key string, ok bool) {
	configMap, key, _ = strings.Cut(strings.TrimPrefix(name, resourcePrefix), "/")
	return configMap, key, configMapName.MatchString(configMap) && configMapKey.MatchString(key)
}

// namedResource is a document that a definition names, and where.
type namedResource struct{ pointer, name string }

// findResources returns the documents in ConfigMaps that the calls of OpenAPI operations
// in a definition name, wherever the calls stand.
func findResources(definition []byte) []namedResource {
	if !bytes.Contains(definition, []byte(resourcePrefix)) {
		return nil
	}
	var tree any
	if json.Unmarshal(definition, &tree) != nil {
		return nil
	}
	var found []namedResource
	var walk func(value any, pointer string)
	walk = func(value any, pointer string) {
		switch v := value.(type) {
		case []any:
			for i, item := range v {
				walk(item, pointer+"/"+strconv.Itoa(i))
			}
		case map[string]any:
			if v["call"] == any("openapi") {
				if at, name := documentOf(v); strings.HasPrefix(name, resourcePrefix) {
					found = append(found, namedResource{pointer + at, name})
				}
			}
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(v[key], pointer+"/"+pointerEscapes.Replace(key))
			}
		}
	}
	walk(tree, "")
	return found
}

// pointerEscapes escapes a key as a token of a JSON pointer (RFC 6901 section 3).
var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// documentOf is the endpoint of the document of a call: a URI, or an object with one.
func documentOf(call map[string]any) (pointer, name string) {
	with, _ := call["with"].(map[string]any)
	document, _ := with["document"].(map[string]any)
	const at = "/with/document/endpoint"
	switch endpoint := document["endpoint"].(type) {
	case string:
		return at, endpoint
	case map[string]any:
		name, _ = endpoint["uri"].(string)
		return at + "/uri", name
	}
	return at, ""
}

// Located names, in the problems of definitions, the fields that the definitions are in.
// Whoever compiles a document finds all of them in one place.
func Located(app *v1alpha1.NexusApp, problems []Problem) []Problem {
	out := slices.Clone(problems)
	for i := range app.Spec.Workflows {
		at := fmt.Sprintf("spec.workflows[%d].", i)
		for j := range out {
			if rest, ok := strings.CutPrefix(out[j].Field, at+"definition"); ok && (rest == "" || rest[0] == '/') {
				out[j].Field = at + sourceField(&app.Spec.Workflows[i]) + rest
			}
		}
	}
	return out
}
