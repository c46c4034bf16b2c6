package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/compile"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
	"github.com/nexus-operator/nexus-operator/runtime/mounted"
)

// findings are what was found in a manifest.
type findings struct {
	problems, warnings []config.Problem
}

// maxManifest is larger than any manifest that an API server takes.
const maxManifest = 8 << 20

// readFile reads a file; - is the standard input.
func readFile(path string, in io.Reader) ([]byte, error) {
	what := "the standard input"
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("reading the manifest: %w", err)
		}
		defer func() { _ = file.Close() }()
		what, in = "the manifest", file
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	if len(raw) > maxManifest {
		return nil, &exitError{exitInvalid, fmt.Errorf("%s has more than %d MiB, which no manifest has: is it the right file?", what, maxManifest>>20)}
	}
	return raw, nil
}

// readApp reads a manifest and looks for everything that would be refused when it is
// applied. What it names of ConfigMaps is read from a directory, if there is one.
func readApp(raw []byte, configMapsDir string) (*v1alpha1.NexusApp, config.Document, findings) {
	var f findings
	app, problems := config.ReadManifest(raw)
	if len(problems) > 0 {
		return nil, config.Document{}, findings{problems: problems}
	}
	doc, errs := config.Draft(app, configMapsIn(configMapsDir))
	f.problems = config.Problems(errs)
	if !slices.ContainsFunc(doc.Workflows, func(w v1alpha1.Workflow) bool { return len(w.Definition.Raw) == 0 }) {
		_, problems = compile.App(&doc)
		f.problems = append(f.problems, config.Located(app, problems)...)
	}
	for i := range app.Spec.Workflows {
		f.warnings = append(f.warnings, findNulls(app.Spec.Workflows[i].Definition.Raw, fmt.Sprintf("spec.workflows[%d].definition", i))...)
	}
	return app, doc, f
}

// configMapsIn reads the entries of ConfigMaps from the files DIR/<configmap>/<entry>.
func configMapsIn(dir string) config.Source {
	return func(e config.Entry) (string, error) {
		if dir == "" {
			return "", fmt.Errorf("entry %q of ConfigMap %q has not been looked at: give --configmaps-dir DIR, with %s in DIR/%s/%s",
				e.Key, e.ConfigMap, e.Holds, e.ConfigMap, e.Key)
		}
		path := filepath.Join(dir, e.ConfigMap, e.Key)
		text, err := mounted.Entry(filepath.Dir(path), filepath.Base(path))
		switch {
		case err != nil:
			return "", fmt.Errorf("entry %q of ConfigMap %q: %s: %s: put %s there", e.Key, e.ConfigMap, path, mounted.Cause(err), e.Holds)
		case len(text) > mounted.MaxEntryBytes:
			return "", fmt.Errorf("entry %q of ConfigMap %q: %s has more than %d bytes, which no ConfigMap holds: shorten it", e.Key, e.ConfigMap, path, mounted.MaxEntryBytes)
		}
		return string(text), nil
	}
}

// findNulls warns of literal nulls, which kubectl's client-side apply takes as a wish
// to delete the key.
func findNulls(definition []byte, at string) []config.Problem {
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(definition))
	if decoder.Decode(&tree) != nil {
		return nil // reported as a problem already
	}
	var found []config.Problem
	var walk func(value any, pointer string)
	walk = func(value any, pointer string) {
		switch v := value.(type) {
		case nil:
			found = append(found, config.Problem{Field: at + pointer, Message: "kubectl apply drops a literal null: write ${ null }"})
		case []any:
			for i, item := range v {
				walk(item, pointer+"/"+strconv.Itoa(i))
			}
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(v[key], pointer+"/"+jsontext.EscapePointer(key))
			}
		}
	}
	walk(tree, "")
	return found
}

// invalid is the error of a manifest with problems, one line each.
func invalid(path string, problems []config.Problem) error {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = path + ": " + p.String()
	}
	return &exitError{exitInvalid, errors.New(strings.Join(lines, "\n"))}
}
