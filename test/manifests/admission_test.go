package manifests

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/config/crd"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

// server is a real API server with the CRD installed.
type server struct{ client rest.Interface }

func startServer(t *testing.T) *server {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: run 'make test', or set it to what 'hack/cluster/cluster assets' prints")
	}
	env := &envtest.Environment{CRDDirectoryPaths: []string{"../../config/crd/bases"}, ErrorIfCRDPathMissing: true}
	cfg, err := env.Start()
	if err != nil {
		t.Fatalf("starting the API server with the CRD: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	gv := v1alpha1.GroupVersion
	cfg.GroupVersion, cfg.APIPath = &gv, "/apis"
	cfg.NegotiatedSerializer = serializer.NewCodecFactory(clientgoscheme.Scheme).WithoutConversion()
	cfg.QPS, cfg.Burst = 200, 400
	client, err := rest.RESTClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &server{client}
}

const namespace = "default"

// create sends a manifest as it stands, with strict field validation, and returns
// what was stored or what was said against it.
func (s *server) create(ctx context.Context, manifest []byte) ([]byte, error) {
	return s.client.Post().Namespace(namespace).Resource("nexusapps").
		Param("fieldValidation", metav1.FieldValidationStrict).
		SetHeader("Content-Type", "application/yaml").SetHeader("Accept", "application/json").
		Body(manifest).Do(ctx).Raw()
}

// apply applies a manifest server-side.
func (s *server) apply(ctx context.Context, name string, manifest []byte) ([]byte, error) {
	return s.client.Patch(types.ApplyYAMLPatchType).Namespace(namespace).Resource("nexusapps").Name(name).
		Param("fieldManager", "user").Param("fieldValidation", metav1.FieldValidationStrict).
		SetHeader("Accept", "application/json").Body(manifest).Do(ctx).Raw()
}

func (s *server) remove(t *testing.T, name string) {
	t.Helper()
	if err := s.client.Delete().Namespace(namespace).Resource("nexusapps").Name(name).Do(context.WithoutCancel(t.Context())).Error(); err != nil {
		t.Error(err)
	}
}

// said is the whole of what the API server answers, or the error where it answers
// with none.
func said(raw []byte, err error) string {
	var status metav1.Status
	if json.Unmarshal(raw, &status) == nil && status.Message != "" {
		return status.Message
	}
	return err.Error()
}

func TestManifestsOnAnAPIServer(t *testing.T) {
	s := startServer(t)
	t.Run("bad", func(t *testing.T) {
		for _, c := range Load(t) {
			t.Run(c.Name, func(t *testing.T) { s.testBad(t, c) })
		}
	})
	t.Run("good", func(t *testing.T) {
		for name, raw := range goodManifests(t) {
			t.Run(name, func(t *testing.T) { s.testGood(t, raw) })
		}
	})
	t.Run("what is taken away leaves a valid object", s.testTakingAway)
	t.Run("maximal", s.testMaximal)
}

// testBad expects a refusal at admission, or a stored object that the operator's
// rules refuse.
func (s *server) testBad(t *testing.T, c Case) {
	t.Helper()
	raw, err := s.create(t.Context(), c.App)
	if c.At == Admission {
		if err == nil {
			t.Fatal("the API server stored it")
		}
		if answer := said(raw, err); len(Missing(c.WantOnline, answer)) > 0 {
			t.Errorf("missing %q in:\n%s", Missing(c.WantOnline, answer), answer)
		}
		return
	}
	if err != nil {
		t.Fatalf("the API server refuses it already, want-at is %s:\n%s", c.At, said(raw, err))
	}
	var app v1alpha1.NexusApp
	if err := json.Unmarshal(raw, &app); err != nil {
		t.Fatal(err)
	}
	s.remove(t, app.Name)
	answer := judge(&app, c.Beside)
	if c.At == References {
		if answer != "" {
			t.Errorf("refused before the references are looked at:\n%s", answer)
		}
		return
	}
	if missing := Missing(c.WantOnline, answer); len(missing) > 0 {
		t.Errorf("missing %q in:\n%s", missing, answer)
	}
}

// testGood expects that what is stored, what a typed client reads and writes again,
// and what the manifest reader reads are the same.
func (s *server) testGood(t *testing.T, manifest []byte) {
	t.Helper()
	manifest, beside := Split(t, manifest)
	want, problems := config.ReadManifest(manifest)
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	body := withNamespace(t, manifest)
	raw, err := s.create(t.Context(), body)
	if err != nil {
		t.Fatal(said(raw, err))
	}
	defer s.remove(t, want.Name)
	var got v1alpha1.NexusApp
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if a, b := specTree(t, body), specTree(t, raw); !reflect.DeepEqual(a, b) {
		t.Errorf("the API server changed the spec from\n%v\nto\n%v", a, b)
	}
	typed, err := json.Marshal(&got)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := specTree(t, body), specTree(t, typed); !reflect.DeepEqual(a, b) {
		t.Errorf("the Go types lose something of\n%v\nand keep\n%v", a, b)
	}
	if a, b := document(t, want, beside), document(t, &got, beside); !bytes.Equal(a, b) {
		t.Errorf("offline and on the cluster the documents differ:\n%s\n%s", a, b)
	}
}

// document renders an app, in a namespace that both have.
func document(t *testing.T, app *v1alpha1.NexusApp, beside Beside) []byte {
	t.Helper()
	app = app.DeepCopy()
	app.Namespace = namespace
	d, errs := config.FromApp(app, beside.Source)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	raw, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func withNamespace(t *testing.T, manifest []byte) []byte {
	t.Helper()
	var tree map[string]any
	if err := yaml.Unmarshal(manifest, &tree); err != nil {
		t.Fatal(err)
	}
	delete(tree["metadata"].(map[string]any), "namespace")
	raw, err := yaml.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// specTree is the spec without empty blocks, which mean the same as no block.
func specTree(t *testing.T, raw []byte) any {
	t.Helper()
	var tree map[string]any
	if err := yaml.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	return withoutEmpty(tree["spec"])
}

func withoutEmpty(value any) any {
	list, _ := value.([]any)
	for i := range list {
		list[i] = withoutEmpty(list[i])
	}
	object, ok := value.(map[string]any)
	if !ok {
		return value
	}
	for name, child := range object {
		if name == "definition" {
			continue
		}
		child = withoutEmpty(child)
		switch v := reflect.ValueOf(child); {
		case child == nil, (v.Kind() == reflect.Map || v.Kind() == reflect.Slice) && v.Len() == 0:
			delete(object, name)
		}
	}
	return object
}

// testTakingAway applies an app with everything set, and then one with only what is
// required, as somebody does who removes blocks from a file: what server-side apply
// leaves behind has to be valid. The same for a merge patch that takes the last field
// of a block away.
func (s *server) testTakingAway(t *testing.T) {
	full, _ := Split(t, Good(t)["full"])
	if raw, err := s.apply(t.Context(), "full", full); err != nil {
		t.Fatal(said(raw, err))
	}
	defer s.remove(t, "full")
	patch := []byte(`{"spec":{"rollout":{"progressDeadlineSeconds":null},"logging":{"level":null,"format":null},"podMetadata":{"labels":{"team":null}}}}`)
	raw, err := s.client.Patch(types.MergePatchType).Namespace(namespace).Resource("nexusapps").Name("full").
		SetHeader("Accept", "application/json").Body(patch).Do(t.Context()).Raw()
	if err != nil {
		t.Fatalf("a merge patch that empties a block is refused: %s", said(raw, err))
	}
	minimal := `
apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: full}
spec:
  environment: Development
  workflows:
  - name: add
    definition: {document: {dsl: 1.0.3, namespace: team-a, name: add, version: 0.1.0}, do: [{a: {set: {b: 1}}}]}
`
	if raw, err := s.apply(t.Context(), "full", []byte(minimal)); err != nil {
		t.Fatalf("applying less than before is refused: %s", said(raw, err))
	}
}

// testMaximal creates the largest app that the limits allow: it has to fit into what
// the API server takes, and its CEL rules into their budget at run time.
func (s *server) testMaximal(t *testing.T) {
	_, beside := Split(t, Good(t)["full"])
	app, problems := config.ReadManifest(Good(t)["full"])
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	app.Name = "maximal"
	template := app.Spec.Workflows[0] // its definition is an object
	app.Spec.Workflows = nil
	for i := range 100 {
		w := *template.DeepCopy()
		w.Name = strings.Repeat("w", 60) + string([]byte{'0' + byte(i/10), '0' + byte(i%10)})
		w.Definition.Raw = []byte(`{"document":{"dsl":"1.0.3","namespace":"a","name":"` + w.Name + `","version":"1.0.0"},"do":[{"a":{"set":{"text":"` + strings.Repeat("x", 1700) + `"}}}]}`)
		w.MCP.ToolName = strings.Repeat("t", 65) + w.Name
		w.MCP.Resource.URI = "a:" + w.Name + strings.Repeat("r", 440)
		w.Routes = nil
		for j := range 16 {
			w.Routes = append(w.Routes, v1alpha1.Route{Method: "GET", Path: "/api/" + w.Name + "/" + strings.Repeat("r", 180) + string([]byte{'a' + byte(j)})})
		}
		app.Spec.Workflows = append(app.Spec.Workflows, w)
	}
	prompt := app.Spec.Prompts[0]
	app.Spec.Prompts = nil
	for i := range 64 {
		prompt.Name = strings.Repeat("p", 126) + string([]byte{'0' + byte(i/10), '0' + byte(i%10)})
		app.Spec.Prompts = append(app.Spec.Prompts, prompt)
	}
	if said := judge(app, beside); said != "" {
		t.Fatalf("the maximal app is not valid:\n%.2000s", said)
	}
	body, err := json.Marshal(app)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := s.create(t.Context(), body)
	if err != nil {
		t.Fatalf("%d bytes: %.2000s", len(body), said(raw, err))
	}
	s.remove(t, "maximal")
}

// TestCRDFitsClientSideApply bounds the CRD: kubectl apply copies it into an
// annotation, which holds at most 256 KiB.
func TestCRDFitsClientSideApply(t *testing.T) {
	const most = 200 << 10
	raw, err := yaml.YAMLToJSON(crd.NexusApps)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > most {
		t.Errorf("the CRD has %d bytes as JSON, at most %d are allowed: shorten descriptions", len(raw), most)
	}
	matches, err := filepath.Glob("../../config/crd/bases/*.yaml")
	if err != nil || len(matches) != 1 {
		t.Errorf("config/crd/bases holds %v, the binary embeds one CRD (%v)", matches, err)
	}
}
