package config

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Kept returns the source of an app that was rendered before: what the ConfigMaps that it
// names held at that time, by the document that came of it. The document may be one of
// another version, of which no more is read than that.
func Kept(app *v1alpha1.NexusApp, document []byte) (Source, error) {
	var kept struct {
		Workflows []struct {
			Name       string          `json:"name"`
			Definition json.RawMessage `json:"definition"`
		} `json:"workflows"`
		Prompts   []Prompt   `json:"prompts"`
		Resources []Resource `json:"resources"`
	}
	if err := json.Unmarshal(document, &kept); err != nil {
		return nil, fmt.Errorf("reading an earlier runtime document: %w", err)
	}
	type place struct{ configMap, key string }
	texts := map[place]string{}
	for _, r := range kept.Resources {
		if configMap, key, ok := parseResource(r.Name); ok {
			texts[place{configMap, key}] = r.Content
		}
	}
	for i := range app.Spec.Workflows {
		ref := app.Spec.Workflows[i].DefinitionRef
		for _, w := range kept.Workflows {
			if ref != nil && w.Name == app.Spec.Workflows[i].Name {
				texts[place{ref.ConfigMapRef.Name, ref.ConfigMapRef.Key}] = string(w.Definition)
			}
		}
	}
	for i := range app.Spec.Prompts {
		ref := app.Spec.Prompts[i].ConfigMapRef
		for _, p := range kept.Prompts {
			if p.Name == app.Spec.Prompts[i].Name {
				texts[place{ref.Name, ref.Key}] = string(p.Content)
			}
		}
	}
	return func(e Entry) (string, error) {
		text, ok := texts[place{e.ConfigMap, e.Key}]
		if !ok {
			return "", errors.New("the earlier runtime document does not hold it")
		}
		return text, nil
	}, nil
}
