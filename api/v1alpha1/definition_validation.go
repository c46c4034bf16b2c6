package v1alpha1

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateSource applies the rules of a workflow's definition, wherever it is. That of
// definitionRef is looked at once it has been read: see ValidateDefinition.
func validateSource(w *Workflow, at *field.Path) field.ErrorList {
	const one = "a workflow has one definition: set exactly one of definition, definitionText and definitionRef"
	sources := 0
	for _, has := range []bool{len(w.Definition.Raw) > 0, w.DefinitionText != "", w.DefinitionRef != nil} {
		if has {
			sources++
		}
	}
	switch {
	case sources == 0:
		return field.ErrorList{field.Required(at.Child("definition"), one)}
	case sources > 1:
		return field.ErrorList{field.Invalid(at.Child("definition"), "", one)}
	case len(w.Definition.Raw) > 0:
		return ValidateDefinition(w.Definition.Raw, at.Child("definition"))
	case len(w.DefinitionText) > MaxDefinitionBytes: // the schema counts characters
		return field.ErrorList{field.Invalid(at.Child("definitionText"), "",
			fmt.Sprintf("the definition has %d bytes, at most %d fit: split it into several workflows", len(w.DefinitionText), MaxDefinitionBytes))}
	}
	return nil
}

// ValidateDefinition applies the rules of every definition to one in JSON; path is the
// field that it comes from.
func ValidateDefinition(raw []byte, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if size := len(raw); size > MaxDefinitionBytes {
		errs = append(errs, field.Invalid(path, "",
			fmt.Sprintf("the definition has %d bytes as JSON, at most %d fit: split it into several workflows", size, MaxDefinitionBytes)))
	}
	var tree map[string]json.RawMessage
	if err := json.Unmarshal(raw, &tree); err != nil || tree == nil {
		errs = append(errs, field.Invalid(path, "", "a definition is an object with the keys document and do"))
	}
	return errs
}

// ValidateWritten applies the rules about what stands in the app itself. They are not
// part of Validate, which also judges apps in which the texts of definitions have been
// replaced by what they mean.
func ValidateWritten(app *NexusApp) field.ErrorList {
	var errs field.ErrorList
	path, total := field.NewPath("spec", "workflows"), 0
	for i := range app.Spec.Workflows {
		w := &app.Spec.Workflows[i]
		total += len(w.Definition.Raw) + len(w.DefinitionText)
		var tree any
		if json.Unmarshal(w.Definition.Raw, &tree) == nil {
			errs = append(errs, validateYAMLBooleans(tree, path.Index(i).Child("definition"))...)
		}
	}
	if total > MaxDefinitionsBytes {
		errs = append(errs, field.Invalid(path, "",
			fmt.Sprintf("the definitions have %d bytes in all, at most %d fit in one app: move some into ConfigMaps (definitionRef), or split the app", total, MaxDefinitionsBytes)))
	}
	return errs
}

// validateYAMLBooleans refuses the keys "true" and "false": kubectl reads YAML 1.1,
// where on, off, yes, no, y and n are booleans, so that the key "on" of a definition
// arrives here as "true" and would be misread silently.
func validateYAMLBooleans(value any, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key == "true" || key == "false" {
				errs = append(errs, field.Invalid(path.Key(key), key,
					"YAML 1.1 reads the unquoted keys on, off, yes, no, y and n as booleans: quote the key, for example \"on\":"))
			}
			errs = append(errs, validateYAMLBooleans(v[key], path.Child(key))...)
		}
	case []any:
		for i, item := range v {
			errs = append(errs, validateYAMLBooleans(item, path.Index(i))...)
		}
	}
	return errs
}

func validateEvents(events *Events, path *field.Path) field.ErrorList {
	if events.Sink == "" {
		return nil
	}
	if _, ok := ruleOfURL(events.Sink); !ok {
		return field.ErrorList{field.Invalid(path.Child("sink"), events.Sink,
			"write the sink as http://HOST:PORT/PATH or https://HOST/PATH, without user, query and fragment")}
	}
	return nil
}
