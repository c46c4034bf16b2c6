package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// withWorkflows is an app that serves these.
func withWorkflows(tb testing.TB, workflows ...v1alpha1.Workflow) *v1alpha1.NexusApp {
	tb.Helper()
	app := readApp(tb, manifests["development"])
	app.Spec.Workflows = workflows
	return app
}

func asText(name, text string) v1alpha1.Workflow {
	return v1alpha1.Workflow{Name: name, DefinitionText: text}
}

func asReference(name, configMap, key string) v1alpha1.Workflow {
	return v1alpha1.Workflow{Name: name, DefinitionRef: &v1alpha1.DefinitionReference{ConfigMapRef: v1alpha1.ConfigMapKeyReference{Name: configMap, Key: key}}}
}

func asObject(name, definition string) v1alpha1.Workflow {
	return v1alpha1.Workflow{Name: name, Definition: runtime.RawExtension{Raw: []byte(definition)}}
}

// entries is the source of these texts, by configmap/key.
func entries(texts map[string]string) Source {
	return func(e Entry) (string, error) {
		text, ok := texts[e.ConfigMap+"/"+e.Key]
		if !ok {
			return "", errors.New("put " + e.Holds + " there")
		}
		return text, nil
	}
}

// calls is a definition that calls an operation of a document.
func calls(document string) string {
	return fmt.Sprintf(`{"do":[{"a":{"call":"openapi","with":{"document":{"endpoint":%q},"operationId":"x"}}}]}`, document)
}

// One hash whatever the source.
func TestEverySourceIsTheSameDocument(t *testing.T) {
	const text = "# a comment\ndo:\n- a: {set: {n: 1.0, on: yes, 'x<y': ~}}\ndocument: {name: a}\n"
	object := render(t, withWorkflows(t, asObject("a", `{"do":[{"a":{"set":{"x<y":null,"on":"yes","n":1}}}],"document":{"name":"a"}}`)))
	inText := render(t, withWorkflows(t, asText("a", text)))
	d, errs := FromApp(withWorkflows(t, asReference("a", "flows", "a.yaml")), entries(map[string]string{"flows/a.yaml": text}))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	referred, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if string(inText) != string(object) || string(referred) != string(object) {
		t.Errorf("an object is\n%s\na text is\n%s\na reference is\n%s", object, inText, referred)
	}
}

func TestSourcesThatCannotBeUsed(t *testing.T) {
	long := strings.Repeat("x", v1alpha1.MaxDefinitionBytes)
	for name, c := range map[string]struct {
		workflow v1alpha1.Workflow
		texts    map[string]string
		// field and message of the one problem, and whether it is one of a reference
		field, message string
		reference      bool
	}{
		"a missing definition": {asReference("a", "flows", "a.yaml"), nil,
			"spec.workflows[0].definitionRef.configMapRef", "put the definition of the workflow, in YAML or JSON there", true},
		"a definition that is no YAML": {asReference("a", "flows", "a.yaml"), map[string]string{"flows/a.yaml": "a: b: c"},
			"spec.workflows[0].definitionRef", `entry "a.yaml" of ConfigMap "flows": the definition cannot be read: line 1, column 5: `, false},
		"a definition that is too long": {asReference("a", "flows", "a.yaml"), map[string]string{"flows/a.yaml": "# " + long},
			"spec.workflows[0].definitionRef", `entry "a.yaml" of ConfigMap "flows": the definition cannot be read: has 65538 bytes, at most 65536 are read`, false},
		"a definition that is too long as JSON": {asText("a", "a: &x "+long[:30000]+"\nb: [*x, *x]"), nil,
			"spec.workflows[0].definitionText", "the definition has 90020 bytes as JSON, at most 65536 fit", false},
		"a definition that is a list": {asReference("a", "flows", "a.yaml"), map[string]string{"flows/a.yaml": "[]"},
			"spec.workflows[0].definitionRef", `entry "a.yaml" of ConfigMap "flows": a definition is an object with the keys document and do`, false},
		"a text that is empty": {asText("a", "# nothing"), nil,
			"spec.workflows[0].definitionText", "the definition cannot be read: is empty", false},
		"a missing OpenAPI document": {asObject("a", calls("configmap:pets/api.yaml")), nil,
			"spec.workflows[0].definition/do/0/a/with/document/endpoint", "put the OpenAPI document there", true},
		"one that a referred definition names": {asReference("a", "flows", "a.yaml"), map[string]string{"flows/a.yaml": calls("configmap:pets/api.yaml")},
			"spec.workflows[0].definitionRef/do/0/a/with/document/endpoint", "put the OpenAPI document there", true},
		"one without an entry": {asObject("a", calls("configmap:pets")), nil,
			"spec.workflows[0].definition/do/0/a/with/document/endpoint", "is called configmap:NAME/KEY", false},
		"one that climbs": {asObject("a", calls("configmap:../pets/api.yaml")), nil,
			"spec.workflows[0].definition/do/0/a/with/document/endpoint", "is called configmap:NAME/KEY", false},
		"one that is too long": {asObject("a", calls("configmap:pets/api.yaml")), map[string]string{"pets/api.yaml": "a: " + strings.Repeat("x", v1alpha1.MaxResourceBytes)},
			"spec.workflows[0].definition/do/0/a/with/document/endpoint", `entry "api.yaml" of ConfigMap "pets": the OpenAPI document has 262152 bytes as JSON, at most 262144 fit`, true},
	} {
		t.Run(name, func(t *testing.T) {
			d, errs := FromApp(withWorkflows(t, c.workflow), entries(c.texts))
			if len(errs) != 1 || errs[0].Field != c.field || IsReference(errs[0]) != c.reference || !strings.Contains(Problems(errs)[0].Message, c.message) {
				t.Errorf("got %v", Problems(errs))
			}
			if d.Name != "" {
				t.Error("a document was returned beside the errors")
			}
		})
	}
}

// Documents are found wherever a call may stand, each once, and nowhere else.
func TestResourcesAreFound(t *testing.T) {
	const definition = `{"use":{"functions":{"f/g":{"call":"openapi","with":{"document":{"endpoint":{"uri":"configmap:a/1"}}}}}},
		"do":[{"each":{"for":{},"do":[{"x":{"call":"openapi","with":{"document":{"endpoint":"configmap:b/2"}}}},
		{"y":{"call":"openapi","with":{"document":{"endpoint":"configmap:a/1"}}}}]}},
		{"z":{"call":"openapi","with":{"document":{"endpoint":"https://example.com/configmap:c/3"}}}},
		{"s":{"set":{"endpoint":"configmap:d/4"}}},{"h":{"call":"http","with":{"document":{"endpoint":"configmap:e/5"}}}}]}`
	var asked []string
	source := func(e Entry) (string, error) {
		asked = append(asked, e.Field)
		return "# " + e.Key + "\ninfo: {version: " + e.Key + ".0}\npaths:\n  200: <b>\n", nil
	}
	d, errs := FromApp(withWorkflows(t, asObject("a", definition), asObject("b", calls("configmap:b/2"))), source)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := []Resource{{"configmap:b/2", `{"info":{"version":2},"paths":{"200":"<b>"}}`}, {"configmap:a/1", `{"info":{"version":1},"paths":{"200":"<b>"}}`}}
	if !slices.Equal(d.Resources, want) {
		t.Errorf("got %q", d.Resources)
	}
	if len(asked) != 2 || asked[1] != "spec.workflows[0].definition/do/0/each/do/1/y/with/document/endpoint" {
		t.Errorf("asked for %q", asked)
	}
	raw, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(raw, Hash(raw))
	if err != nil || !slices.Equal(loaded.Resources, want) {
		t.Errorf("loaded as %q, %v", loaded.Resources, err)
	}
}

// What is neither YAML nor JSON is not judged here.
func TestUnreadableResourceIsKept(t *testing.T) {
	d, errs := FromApp(withWorkflows(t, asObject("a", calls("configmap:a/1"))), entries(map[string]string{"a/1": "a: b: c"}))
	if len(errs) > 0 || len(d.Resources) != 1 || d.Resources[0].Content != "a: b: c" {
		t.Errorf("got %q, %v", d.Resources, errs)
	}
}

func TestMarshalBoundsTheResources(t *testing.T) {
	var workflows []v1alpha1.Workflow
	texts := map[string]string{}
	for i := range 4 {
		workflows = append(workflows, asObject(fmt.Sprintf("w%d", i), calls(fmt.Sprintf("configmap:a/%d", i))))
		texts[fmt.Sprintf("a/%d", i)] = `"` + strings.Repeat("x", 250<<10) + `"`
	}
	d, errs := FromApp(withWorkflows(t, workflows...), entries(texts))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if _, err := d.Marshal(); err == nil || !strings.Contains(err.Error(), "at most 921600 fit: shorten the workflow definitions and the OpenAPI documents that they name") {
		t.Errorf("got %v", err)
	}
}

// The size of a definition is that of its JSON, in whichever way the document spells it.
func TestLargestDefinitionIsLoaded(t *testing.T) {
	const frame = `{"do":""}`
	sized := func(char string, size int) *v1alpha1.NexusApp {
		return withWorkflows(t, asObject("a", ` { "do" : "`+strings.Repeat(char, (size-len(frame))/len(char))+`"}`))
	}
	raw := render(t, sized("<", v1alpha1.MaxDefinitionBytes))
	if _, err := Load(raw, Hash(raw)); err != nil {
		t.Errorf("%.200s", err)
	}
	// As JSON the line separator is always escaped, which takes six bytes instead of three.
	for char, size := range map[string]int{"<": v1alpha1.MaxDefinitionBytes + 1, "\u2028": v1alpha1.MaxDefinitionBytes / 3 * 2} {
		if _, errs := FromApp(sized(char, size), nil); len(errs) != 1 || !strings.Contains(errs[0].Detail, "bytes as JSON, at most 65536 fit") {
			t.Errorf("%q: %v", char, errs)
		}
	}
}

func TestKept(t *testing.T) {
	app := withWorkflows(t, asReference("a", "flows", "a.yaml"), asText("b", "do: [{x: {set: {n: 1.50}}}]"), asReference("c", "flows", "c.yaml"))
	texts := map[string]string{"flows/a.yaml": calls("configmap:pets/api.yaml"), "flows/c.yaml": "do: [{y: {set: {n: 12345678901234567890123, f: 1e21}}}]", "pets/api.yaml": "openapi: 3.1.0"}
	d, errs := FromApp(app, entries(texts))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	document, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := Kept(app, document)
	if err != nil {
		t.Fatal(err)
	}
	again, errs := FromApp(app, kept)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if got, err := again.Marshal(); err != nil || string(got) != string(document) {
		t.Errorf("rendered again from itself the document is\n%s\nwant\n%s (%v)", got, document, err)
	}
	other := withWorkflows(t, asReference("a", "flows", "other.yaml"), asReference("d", "flows", "d.yaml"))
	if kept, err = Kept(other, document); err != nil {
		t.Fatal(err)
	}
	if _, errs := FromApp(other, kept); len(errs) != 1 || !IsReference(errs[0]) || !strings.HasPrefix(errs[0].Field, "spec.workflows[1]") {
		t.Errorf("what the document does not hold: %v", errs)
	}
	if _, err := Kept(app, []byte("no JSON")); err == nil {
		t.Error("a document that is none was read")
	}
}

func TestLocated(t *testing.T) {
	app := withWorkflows(t, asText("a", "x"), asReference("b", "c", "d"), asObject("e", "{}"))
	problems := []Problem{{"spec.workflows[0].definition/do/0", "m"}, {"spec.workflows[1].definition", "m"}, {"spec.workflows[2].definition/do", "m"},
		{"spec.workflows[0].authorization.when", "m"}, {"spec.workflows[10].definition", "m"}}
	want := []string{"spec.workflows[0].definitionText/do/0", "spec.workflows[1].definitionRef", "spec.workflows[2].definition/do",
		"spec.workflows[0].authorization.when", "spec.workflows[10].definition"}
	for i, p := range Located(app, problems) {
		if p.Field != want[i] {
			t.Errorf("got %s, want %s", p.Field, want[i])
		}
	}
}
