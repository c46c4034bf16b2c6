package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/mounted"
)

// undefined is the manifest good without its definition.
var undefined, _, _ = strings.Cut(good, "    definition:")

// referring is the manifest good with its definition, which calls an operation of an
// OpenAPI document, in a ConfigMap.
var referring = strings.Replace(undefined, "  workflows:", "  egress: {allow: ['pets.example.com:443']}\n  workflows:", 1) +
	"    definitionRef: {configMapRef: {name: flows, key: echo.yaml}}\n"

const (
	callsPets = `document: {dsl: 1.0.3, namespace: team-a, name: echo, version: 1.0.0}
do:
- find: {call: openapi, with: {document: {endpoint: "configmap:pets/api.yaml"}, operationId: find}}
`
	petsOpenAPI = `openapi: 3.1.0
info: {title: Pets, version: 1}
servers: [{url: https://pets.example.com}]
paths: {/pets: {get: {operationId: find, responses: {200: {description: ok}}}}}
`
)

// writeEntries writes DIR/<configmap>/<entry> files and returns DIR.
func writeEntries(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range texts {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Nothing is called valid that was not looked at.
func TestValidateConfigMaps(t *testing.T) {
	for name, c := range map[string]struct {
		texts map[string]string
		want  string // of the problem; empty when the manifest is valid
	}{
		"everything there":   {map[string]string{"flows/echo.yaml": callsPets, "pets/api.yaml": petsOpenAPI}, ""},
		"no definition":      {map[string]string{"flows/other.yaml": callsPets}, "spec.workflows[0].definitionRef.configMapRef\n         entry \"echo.yaml\" of ConfigMap \"flows\": DIR/flows/echo.yaml: no such file or directory: put the definition of the workflow, in YAML or JSON there"},
		"no OpenAPI":         {map[string]string{"flows/echo.yaml": callsPets}, "spec.workflows[0].definitionRef/do/0/find/with/document/endpoint\n         entry \"api.yaml\" of ConfigMap \"pets\": DIR/pets/api.yaml: no such file"},
		"no YAML":            {map[string]string{"flows/echo.yaml": "do: ["}, "spec.workflows[0].definitionRef\n         entry \"echo.yaml\" of ConfigMap \"flows\": the definition cannot be read: line 2, column 1: "},
		"no workflow":        {map[string]string{"flows/echo.yaml": "do: []"}, "spec.workflows[0].definitionRef/do"},
		"another operation":  {map[string]string{"flows/echo.yaml": callsPets, "pets/api.yaml": strings.Replace(petsOpenAPI, "find", "findAll", 1)}, "findAll"},
		"more than can be":   {map[string]string{"flows/echo.yaml": "# " + strings.Repeat("x", mounted.MaxEntryBytes)}, "has more than 1048576 bytes, which no ConfigMap holds"},
		"a directory, not a": {map[string]string{"flows/echo.yaml/file": ""}, "DIR/flows/echo.yaml: not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeEntries(t, c.texts)
			code, out, errOut := nexus(t, referring, "validate", "-f", "-", "--configmaps-dir", dir)
			if c.want == "" {
				if code != 0 || out != "nexusapp/shop is valid: 1 workflow\n" || errOut != "" {
					t.Errorf("%d: %s%s", code, out, errOut)
				}
				return
			}
			if want := strings.ReplaceAll(c.want, "DIR", dir); code != exitInvalid || !strings.Contains(out, want) {
				t.Errorf("exit code %d, no %q in\n%s%s", code, want, out, errOut)
			}
		})
	}
	code, out, _ := nexus(t, referring, "validate", "-f", "-")
	want := `entry "echo.yaml" of ConfigMap "flows" has not been looked at: give --configmaps-dir DIR, with the definition of the workflow, in YAML or JSON in DIR/flows/echo.yaml`
	if code != exitInvalid || !strings.Contains(out, want) {
		t.Errorf("without a directory: %d: %s", code, out)
	}
}

func TestValidateText(t *testing.T) {
	text := undefined + "    definitionText: |\n      document: {dsl: 1.0.3, namespace: team-a, name: echo, version: 1.0.0}\n      do:\n      - reply: {set: {on: ~}}\n"
	if code, out, errOut := nexus(t, text, "validate", "-f", "-"); code != 0 || errOut != "" {
		t.Errorf("%d: %s%s", code, out, errOut)
	}
	if code, out, _ := nexus(t, strings.Replace(text, "on: ~", "on: 1, on: 2", 1), "validate", "-f", "-"); code != exitInvalid ||
		!strings.Contains(out, "spec.workflows[0].definitionText\n         the definition cannot be read: line 3, column 24: the key \"on\" stands twice") {
		t.Errorf("%d: %s", code, out)
	}
}

func TestValidateTrust(t *testing.T) {
	manifest := strings.Replace(good, "  auth:", "  trust: {caBundle: {configMapRef: {name: ours, key: ca.crt}}}\n  auth:", 1)
	code, out, _ := nexus(t, manifest, "validate", "-f", "-", "--configmaps-dir", writeEntries(t, map[string]string{"ours/ca.crt": "none"}))
	if code != exitInvalid || !strings.Contains(out, "PROBLEM  spec.trust.caBundle\n") || !strings.Contains(out, "holds no PEM certificate") {
		t.Errorf("%d: %s", code, out)
	}
	if code, out, _ := nexus(t, manifest, "validate", "-f", "-"); code != 0 {
		t.Errorf("without a directory: %d: %s", code, out)
	}
}

// A manifest is served with what its ConfigMaps hold, as the document that the operator
// would render of it.
func TestServeReadsConfigMaps(t *testing.T) {
	dir := writeEntries(t, map[string]string{"flows/echo.yaml": callsPets, "pets/api.yaml": petsOpenAPI})
	doc, hash, err := loadDocument(serveFlags{manifest: write(t, "app.yaml", referring), configMapsDir: dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Resources) != 1 || !strings.Contains(string(doc.Workflows[0].Definition.Raw), `"call":"openapi"`) {
		t.Errorf("the document holds %+v and %s", doc.Resources, doc.Workflows[0].Definition.Raw)
	}
	raw, err := doc.Marshal()
	if err != nil || config.Hash(raw) != hash {
		t.Errorf("the hash is %s, that of the document %s (%v)", hash, config.Hash(raw), err)
	}
	_, _, err = loadDocument(serveFlags{manifest: write(t, "app.yaml", referring), configMapsDir: t.TempDir()}, nil)
	if err == nil || !strings.Contains(fmt.Sprint(err), `spec.workflows[0].definitionRef.configMapRef: entry "echo.yaml" of ConfigMap "flows": `) {
		t.Errorf("without the entry: %v", err)
	}
}
