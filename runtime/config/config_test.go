package config

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

var update = flag.Bool("update", false, "rewrite testdata/good")

// manifests are rendered to the documents of testdata/good.
var manifests = map[string]string{
	"production":  "../../config/samples/nexus_v1alpha1_nexusapp.yaml",
	"development": "../../config/samples/development.yaml",
	"full":        "../../test/manifests/good/full.yaml",
}

func readApp(tb testing.TB, path string) *v1alpha1.NexusApp {
	tb.Helper()
	app, problems := ReadManifest(readFile(tb, path))
	if len(problems) > 0 {
		tb.Fatalf("%s: %v", path, problems)
	}
	return app
}

func readFile(tb testing.TB, path string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// render renders an app, with the ConfigMaps that stand beside the manifest full.
func render(tb testing.TB, app *v1alpha1.NexusApp) []byte {
	tb.Helper()
	d, errs := FromApp(app, beside(tb))
	if len(errs) > 0 {
		tb.Fatal(errs)
	}
	raw, err := d.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// beside reads the ConfigMaps that stand in the manifest full.
func beside(tb testing.TB) Source {
	tb.Helper()
	texts := map[Entry]string{}
	for part := range strings.SplitSeq(string(readFile(tb, manifests["full"])), "\n---\n") {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
			Data     map[string]string
		}
		if err := yaml.Unmarshal([]byte(part), &object); err != nil {
			tb.Fatal(err)
		}
		for key, text := range object.Data {
			texts[Entry{ConfigMap: object.Metadata.Name, Key: key}] = text
		}
	}
	return func(e Entry) (string, error) {
		text, ok := texts[Entry{ConfigMap: e.ConfigMap, Key: e.Key}]
		if !ok {
			return "", errors.New("it is not there")
		}
		return text, nil
	}
}

func TestRenderedDocuments(t *testing.T) {
	for name, manifest := range manifests {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", "good", name+".json")
			got := render(t, readApp(t, manifest))
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want := readFile(t, golden)
			if string(got) != string(want) {
				t.Errorf("%s has changed, which rolls every app; if that is meant, run go test ./runtime/config -update:\n%s", golden, got)
			}
			loaded, err := Load(want, Hash(want))
			if err != nil {
				t.Fatal(err)
			}
			again, err := loaded.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if string(again) != string(want) {
				t.Errorf("loading and rendering again changes the document:\n%s", again)
			}
		})
	}
}

// TestBadDocuments reads each document of testdata/bad: the file of the same name that
// ends in .want holds what its error has to say.
func TestBadDocuments(t *testing.T) {
	documents, err := filepath.Glob("testdata/bad/*.json")
	if err != nil || len(documents) < 20 {
		t.Fatalf("%d documents found: %v", len(documents), err)
	}
	for _, path := range documents {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			raw, want := readFile(t, path), readFile(t, strings.TrimSuffix(path, ".json")+".want")
			d, err := Load(raw, "")
			if err == nil {
				t.Fatal("it was loaded")
			}
			if message := strings.TrimSpace(string(want)); message == "" || !strings.Contains(err.Error(), message) {
				t.Errorf("got %v\nwant %s", err, message)
			}
			if d.Name != "" || d.Workflows != nil {
				t.Error("a document was returned beside the error")
			}
		})
	}
}

func TestLoadChecksTheHash(t *testing.T) {
	raw := render(t, readApp(t, manifests["production"]))
	if _, err := Load(raw, Hash(raw)); err != nil {
		t.Error(err)
	}
	other := strings.Replace(string(raw), `"requestsPerMinute": 120`, `"requestsPerMinute": 121`, 1)
	if _, err := Load([]byte(other), Hash(raw)); !errors.Is(err, ErrHashMismatch) {
		t.Errorf("a changed document: got %v, want ErrHashMismatch", err)
	}
	if _, err := Load([]byte(other), Hash([]byte(other))); err != nil {
		t.Errorf("the changed document itself is valid, so only the hash can refuse it: %v", err)
	}
}

func TestHashDoesNotDependOnForm(t *testing.T) {
	base := readApp(t, manifests["production"])
	want := Hash(render(t, base))
	same := map[string]func(*v1alpha1.NexusApp){
		"keys of a definition in another order": func(a *v1alpha1.NexusApp) {
			var tree map[string]json.RawMessage
			raw := &a.Spec.Workflows[1].Definition.Raw
			if err := json.Unmarshal(*raw, &tree); err != nil {
				t.Fatal(err)
			}
			*raw = []byte(`{ "do": ` + string(tree["do"]) + `, "document":` + "\n" + string(tree["document"]) + `}`)
		},
		"a default written out":          func(a *v1alpha1.NexusApp) { a.Spec.RateLimit.AuthFailuresPerMinute = 10 },
		"another spelling of a quantity": func(a *v1alpha1.NexusApp) { a.Spec.Input.MaxBytes = resource.MustParse("1024Ki") },
		"another number of replicas":     func(a *v1alpha1.NexusApp) { a.Spec.Replicas = new(int32) },
		"another shape of the pods": func(a *v1alpha1.NexusApp) {
			a.Spec.Image, a.Spec.PodMetadata.Labels = "x:y", map[string]string{"a": "b"}
		},
		"a default of a later field written out": func(a *v1alpha1.NexusApp) { a.Spec.Limits.ExecutionRetentionSeconds = 3600 },
		"a definition as text": func(a *v1alpha1.NexusApp) {
			w := &a.Spec.Workflows[1]
			text, err := yaml.JSONToYAML(w.Definition.Raw)
			if err != nil {
				t.Fatal(err)
			}
			w.DefinitionText, w.Definition.Raw = "# the same\n"+string(text), nil
		},
		"labels and status of the app": func(a *v1alpha1.NexusApp) { a.Labels, a.Status.Selector = map[string]string{"a": "b"}, "a=b" },
	}
	for name, change := range same {
		app := base.DeepCopy()
		change(app)
		if got := Hash(render(t, app)); got != want {
			t.Errorf("%s changes the hash, which would roll the pods for nothing", name)
		}
	}
	different := map[string]func(*v1alpha1.NexusApp){
		"the limit":       func(a *v1alpha1.NexusApp) { a.Spec.RateLimit.RequestsPerMinute++ },
		"the environment": func(a *v1alpha1.NexusApp) { a.Spec.Environment = v1alpha1.Staging },
		"a role":          func(a *v1alpha1.NexusApp) { a.Spec.Workflows[0].Authorization.AnyRole = []string{"seller"} },
		"a definition": func(a *v1alpha1.NexusApp) {
			raw := &a.Spec.Workflows[1].Definition.Raw
			*raw = []byte(strings.Replace(string(*raw), "${ . }", "${ .a }", 1))
		},
		"how long results are kept": func(a *v1alpha1.NexusApp) { a.Spec.Limits.ExecutionRetentionSeconds = 60 },
		"a secret of the workflows": func(a *v1alpha1.NexusApp) { a.Spec.Secrets = []v1alpha1.WorkflowSecret{{Name: "a"}} },
		"the sink":                  func(a *v1alpha1.NexusApp) { a.Spec.Events.Sink = "https://broker.example.com" },
		"the order of the workflows": func(a *v1alpha1.NexusApp) {
			w := a.Spec.Workflows
			w[0], w[1] = w[1], w[0]
		},
	}
	for name, change := range different {
		app := base.DeepCopy()
		change(app)
		if got := Hash(render(t, app)); got == want {
			t.Errorf("%s does not change the hash, so the pods would never enforce it", name)
		}
	}
}

func TestFromAppLeavesTheAppAlone(t *testing.T) {
	app := readApp(t, manifests["production"])
	before := app.DeepCopy()
	render(t, app)
	a, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(app)
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Errorf("FromApp changed the app from\n%s\nto\n%s", a, b)
	}
}

func TestFromAppRefuses(t *testing.T) {
	app := readApp(t, manifests["production"])
	app.Spec.AcknowledgedRisks, app.Spec.Redis = nil, nil
	d, errs := FromApp(app, nil)
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "PerPodLimits") {
		t.Errorf("got %v", errs)
	}
	if d.Name != "" {
		t.Error("a document was returned beside the errors")
	}
}

func TestMarshalBoundsTheDocument(t *testing.T) {
	d, errs := FromApp(readApp(t, manifests["development"]), nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	d.Workflows[0].Definition.Raw = []byte(`{"text":"` + strings.Repeat("x", MaxBytes) + `"}`)
	if _, err := d.Marshal(); err == nil || !strings.Contains(err.Error(), "shorten the workflow definitions") {
		t.Errorf("got %v", err)
	}
}
