package manifests

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

const root = "../.."

// documents are the Markdown files that users read, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"}
	for _, dir := range []string{"docs", "charts"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if relative, _ := filepath.Rel(root, path); err == nil && filepath.Ext(path) == ".md" {
				paths = append(paths, relative)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	out := map[string]string{}
	for _, path := range paths {
		raw, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		out[path] = string(raw)
	}
	return out
}

var yamlBlock = regexp.MustCompile("(?ms)^```ya?ml\n(.*?)^```$")

// TestExamplesInDocumentsAreValid checks every NexusApp in the documentation, every
// fragment of one (a block that begins with spec:), and every Secret of API keys.
func TestExamplesInDocumentsAreValid(t *testing.T) {
	apps, fragments, keys := 0, 0, 0
	for path, text := range documents(t) {
		for _, block := range yamlBlock.FindAllStringSubmatch(text, -1) {
			example := block[1]
			switch {
			case strings.Contains(example, "kind: NexusApp"):
				apps++
			case strings.HasPrefix(example, "spec:"):
				fragments++
				example = complete(t, path, example)
			case strings.Contains(example, "kind: Secret") && strings.Contains(example, "sha256"):
				keys++
				checkKeys(t, path, example)
				continue
			default:
				continue
			}
			app, problems := config.ReadManifest([]byte(example))
			said := lines(problems)
			if app != nil {
				said = judge(app, Beside{})
			}
			if said != "" {
				t.Errorf("%s: an example is not valid:\n%s\n%s", path, said, block[1])
			}
		}
	}
	if apps < 3 || fragments < 2 || keys < 1 {
		t.Errorf("%d apps, %d fragments and %d Secrets found: is the pattern still right?", apps, fragments, keys)
	}
}

// complete adds what a fragment leaves out.
func complete(t *testing.T, path, fragment string) string {
	t.Helper()
	var app, part map[string]any
	if err := yaml.UnmarshalStrict([]byte(fragment), &part); err != nil {
		t.Fatalf("%s: %v\n%s", path, err, fragment)
	}
	for _, c := range Load(t) { // any app that only a reference keeps from being valid
		if c.At == References {
			if err := yaml.Unmarshal(c.App, &app); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	maps.Copy(app["spec"].(map[string]any), part["spec"].(map[string]any))
	raw, err := yaml.Marshal(app)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func checkKeys(t *testing.T, path, example string) {
	t.Helper()
	var secret corev1.Secret
	if err := yaml.UnmarshalStrict([]byte(example), &secret); err != nil {
		t.Errorf("%s: %v\n%s", path, err, example)
	}
	for name, value := range secret.StringData {
		if _, err := v1alpha1.ParseAPIKeyEntry([]byte(value)); err != nil {
			t.Errorf("%s: the entry %s: %v", path, name, err)
		}
	}
}

// TestConditionsAreDocumented compares the constants of the API with the tables of
// docs/conditions.md, both ways.
func TestConditionsAreDocumented(t *testing.T) {
	text := documents(t)["docs/conditions.md"]
	source := readSource(t, "api/v1alpha1/conditions.go")
	declared := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t(?:Condition|Reason)\w+\s+= "(\w+)"`).FindAllStringSubmatch(source, -1) {
		declared[m[1]] = true
	}
	for _, c := range v1alpha1.Posture(&v1alpha1.NexusAppSpec{}) {
		declared[c.ID] = true
	}
	if len(declared) < 40 {
		t.Fatalf("only %d names found in the source", len(declared))
	}
	compare(t, "docs/conditions.md", declared, text)
}

// TestErrorsAreDocumented compares the codes of runtime/fault with the error table.
func TestErrorsAreDocumented(t *testing.T) {
	text := documents(t)["docs/spec/nexusapp.md"]
	_, table, found := strings.Cut(text, "\n## Errors\n")
	if !found {
		t.Fatal("no section called Errors")
	}
	declared := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t\w+\s+(?:Code )?= "([a-z_]+)"$`).FindAllStringSubmatch(readSource(t, "runtime/fault/fault.go"), -1) {
		declared[m[1]] = true
	}
	if len(declared) < 14 {
		t.Fatalf("only %d codes found in the source", len(declared))
	}
	compare(t, "docs/spec/nexusapp.md", declared, table)
}

func readSource(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// compare wants each declared name as the first cell of a table row, and no other.
func compare(t *testing.T, path string, declared map[string]bool, text string) {
	t.Helper()
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(text, -1) {
		documented[m[1]] = true
		if !declared[m[1]] {
			t.Errorf("%s explains %s, which does not exist", path, m[1])
		}
	}
	for name := range declared {
		if !documented[name] {
			t.Errorf("%s does not explain %s", path, name)
		}
	}
}

// TestDocumentedFieldsExist checks the names in backticks of docs/spec/nexusapp.md that
// read like a field of the spec.
func TestDocumentedFieldsExist(t *testing.T) {
	var definition map[string]any
	if err := yaml.Unmarshal([]byte(readSource(t, "config/crd/bases/nexus.dev_nexusapps.yaml")), &definition); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"spec": true, "status": true, "schema": true, "from": true} // the last two are a definition's
	for _, name := range specFields(t, definition) {
		known[name] = true
	}
	text := documents(t)["docs/spec/nexusapp.md"]
	before, _, _ := strings.Cut(text, "\n## The REST API\n")
	checked := 0
	for _, m := range regexp.MustCompile("`([a-z][A-Za-z]+(?:\\[\\])?(?:\\.[a-z][A-Za-z]+)+)(?:: \\w+)?`").FindAllStringSubmatch(before, -1) {
		first, rest, _ := strings.Cut(strings.ReplaceAll(m[1], "[]", ""), ".")
		if inDefinition[first] {
			continue
		}
		checked++
		for _, name := range append([]string{first}, strings.Split(rest, ".")...) {
			if !known[name] {
				t.Errorf("%s: the spec has no field called %s", m[1], name)
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d field names found", checked)
	}
}

// inDefinition are names that the page uses of definitions, hosts and files.
var inDefinition = map[string]bool{"document": true, "output": true, "openapi": true, "app": true, "nexus": true, "kubernetes": true}
