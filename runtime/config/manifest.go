package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Kind is the kind of the resource that a manifest declares.
const Kind = "NexusApp"

// Problem is one thing wrong with a manifest: the field, as a path from the root
// ("spec.workflows[0].name"; empty when it is about the file), and what to write
// instead.
type Problem struct{ Field, Message string }

// String is the line that a person reads.
func (p Problem) String() string {
	if p.Field == "" {
		return p.Message
	}
	return p.Field + ": " + p.Message
}

// Join makes one error of problems, with one line for each.
func Join(problems []Problem) error {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return errors.New(strings.Join(lines, "\n"))
}

// ReadManifest reads the NexusApp of a manifest in YAML or JSON. Exactly one of its
// documents is a NexusApp; other kinds are ignored, so that a Secret may stand beside
// it. YAML is read as kubectl reads it (version 1.1, duplicate keys refused).
//
// The object is checked against the schema of the CRD. Every problem is returned, and
// the app is nil when there is any. Rules that span fields are FromApp's, and
// definitions are compiled by runtime/workflow.
func ReadManifest(raw []byte) (*v1alpha1.NexusApp, []Problem) {
	tree, problems := findApp(raw)
	if len(problems) > 0 {
		return nil, problems
	}
	// The API server ignores what a manifest says about the status.
	delete(tree, "status")
	if problems := checkSchema(tree); len(problems) > 0 {
		return nil, problems
	}
	compact, err := json.Marshal(tree)
	if err != nil {
		return nil, []Problem{{"", "the manifest cannot be read: " + err.Error()}}
	}
	app := &v1alpha1.NexusApp{}
	if err := json.Unmarshal(compact, app); err != nil {
		return nil, []Problem{{"", "the manifest cannot be read: " + err.Error()}}
	}
	problems = append(checkMaxBytes(tree, app), checkMetadata(app)...)
	if len(problems) > 0 {
		return nil, problems
	}
	return app, nil
}

// checkMaxBytes refuses a written spec.input.maxBytes of zero. To the rules that see
// only the app it looks like one that was left out.
func checkMaxBytes(tree map[string]any, app *v1alpha1.NexusApp) []Problem {
	spec, _ := tree["spec"].(map[string]any)
	input, _ := spec["input"].(map[string]any)
	if _, written := input["maxBytes"]; !written || !app.Spec.Input.MaxBytes.IsZero() {
		return nil
	}
	return []Problem{{"spec.input.maxBytes", "0 is refused: " + v1alpha1.MaxBytesMessage}}
}

// checkMetadata applies rules that the API server has for every object.
func checkMetadata(app *v1alpha1.NexusApp) []Problem {
	path := field.NewPath("metadata")
	problems := Problems(metav1validation.ValidateLabels(app.Labels, path.Child("labels")))
	if app.Namespace != "" && len(content.IsDNS1123Label(app.Namespace)) > 0 {
		problems = append(problems, Problem{"metadata.namespace", show(app.Namespace) + " is refused: use at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends"})
	}
	return problems
}

// findApp returns the one NexusApp among the documents of a manifest.
func findApp(raw []byte) (map[string]any, []Problem) {
	docs, problems := readDocuments(raw)
	if len(problems) > 0 {
		return nil, problems
	}
	var apps []map[string]any
	var kinds []string
	for _, doc := range docs {
		kind, _ := doc["kind"].(string)
		apiVersion, _ := doc["apiVersion"].(string)
		if kind == Kind || strings.HasPrefix(apiVersion, v1alpha1.GroupVersion.Group+"/") || len(docs) == 1 {
			apps = append(apps, doc)
			continue
		}
		kinds = append(kinds, kind)
	}
	switch {
	case len(apps) > 1:
		return nil, []Problem{{"", fmt.Sprintf("the manifest holds %d NexusApps: keep one in each file", len(apps))}}
	case len(apps) == 0 && len(kinds) > 0:
		return nil, []Problem{{"kind", fmt.Sprintf("no document of the manifest is a NexusApp, only %s: write apiVersion: %s and kind: %s", strings.Join(kinds, ", "), v1alpha1.GroupVersion, Kind)}}
	case len(apps) == 0:
		return nil, []Problem{{"", fmt.Sprintf("the manifest is empty: begin with apiVersion: %s and kind: %s", v1alpha1.GroupVersion, Kind)}}
	}
	app := apps[0]
	problems = append(expect(app, "apiVersion", v1alpha1.GroupVersion.String()), expect(app, "kind", Kind)...)
	return app, problems
}

func expect(doc map[string]any, name, want string) []Problem {
	switch got, present := doc[name]; {
	case !present:
		return []Problem{{name, "is required: write " + want}}
	case got != any(want):
		return []Problem{{name, fmt.Sprintf("is %s: write %s", show(got), want)}}
	}
	return nil
}

// readDocuments decodes each document of a manifest that is not empty.
func readDocuments(raw []byte) ([]map[string]any, []Problem) {
	var docs []map[string]any
	var problems []Problem
	for _, text := range splitDocuments(raw) {
		tree, problem := readDocument(text)
		if problem != nil {
			problems = append(problems, *problem)
			continue
		}
		if tree == nil {
			continue
		}
		doc, ok := tree.(map[string]any)
		if !ok {
			problems = append(problems, Problem{"", fmt.Sprintf("a document of the manifest is %s: write an object that begins with apiVersion: %s", typeName(tree), v1alpha1.GroupVersion)})
			continue
		}
		docs = append(docs, doc)
	}
	return docs, problems
}

// splitDocuments cuts a manifest at its "---" lines. Every part keeps as many empty
// lines at its beginning as precede it, so that messages count lines of the file.
func splitDocuments(raw []byte) [][]byte {
	var parts [][]byte
	var part bytes.Buffer
	for n, line := range bytes.SplitAfter(raw, []byte("\n")) {
		if after, ok := bytes.CutPrefix(line, []byte("---")); ok && isBlank(after) {
			parts = append(parts, bytes.Clone(part.Bytes()))
			part.Reset()
			part.WriteString(strings.Repeat("\n", n+1))
			continue
		}
		part.Write(line)
	}
	return append(parts, part.Bytes())
}

func isBlank(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) == 0 || line[0] == '#'
}

// readDocument decodes one document, and refuses duplicate keys.
func readDocument(text []byte) (any, *Problem) {
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) || !json.Valid(text) {
		converted, err := yaml.YAMLToJSONStrict(text)
		if err != nil {
			return nil, &Problem{"", "not valid YAML: " + explainYAML(err)}
		}
		text = converted
	}
	var tree any
	strict, err := kjson.UnmarshalStrict(text, &tree)
	if err != nil {
		return nil, &Problem{"", "not valid JSON: " + err.Error()}
	}
	if len(strict) > 0 {
		return nil, &Problem{"", fmt.Sprintf("not valid JSON: %v: remove one of the two", strict[0])}
	}
	return tree, nil
}

// explainYAML keeps of the YAML library's error what helps: the line and the cause.
func explainYAML(err error) string {
	text := err.Error()
	for _, noise := range []string{"error converting YAML to JSON: ", "yaml: ", "unmarshal errors:\n"} {
		text = strings.TrimPrefix(text, noise)
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	text = strings.Join(lines, "; ")
	switch {
	case strings.Contains(text, "already set in map"):
		return text + ": remove one of the two"
	case strings.Contains(text, "cannot start any token"):
		return text + ": indent with spaces, not tabs, and quote values that begin with a special character"
	}
	return text
}

// Problems turns the errors of the API's rules into problems, so that the command
// line and the operator say the same.
func Problems(errs field.ErrorList) []Problem {
	problems := make([]Problem, 0, len(errs))
	for _, err := range errs {
		problems = append(problems, Problem{err.Field, explain(err)})
	}
	return problems
}

func explain(err *field.Error) string {
	switch err.Type {
	case field.ErrorTypeRequired:
		if strings.Contains(err.Detail, "required") {
			return err.Detail
		}
		return "is required: " + err.Detail
	case field.ErrorTypeDuplicate:
		return show(err.BadValue) + " stands twice: remove or rename one"
	case field.ErrorTypeForbidden, field.ErrorTypeNotFound:
		return err.Detail
	case field.ErrorTypeInvalid:
		if value := show(err.BadValue); value != `""` && value != "null" && !strings.Contains(err.Detail, value) {
			return value + " is refused: " + err.Detail
		}
		return err.Detail
	default:
		return err.ErrorBody()
	}
}
