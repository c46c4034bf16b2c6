package desired_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/desired"
	"github.com/nexus-operator/nexus-operator/runtime/compile"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

var update = flag.Bool("update", false, "rewrite testdata/*.out.yaml")

// goldenInput is what a testdata/*.in.yaml holds.
type goldenInput struct {
	App           v1alpha1.NexusApp     `json:"app"`
	Replicas      *int32                `json:"replicas"`
	SecretsDigest string                `json:"secretsDigest"`
	SecretsRecord string                `json:"secretsRecord"`
	RedisPorts    []uint16              `json:"redisPorts"`
	Cluster       *config.ClusterIssuer `json:"cluster"`
	PodIDs        desired.PodIDs        `json:"podIDs"`
	// ConfigMaps are texts by name and entry.
	ConfigMaps map[string]map[string]string `json:"configMaps"`
}

func readInput(t *testing.T, path string) desired.Input {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var g goldenInput
	if err := yaml.UnmarshalStrict(raw, &g); err != nil {
		t.Fatal(err)
	}
	asked := false
	document, errs := config.FromApp(&g.App, func(e config.Entry) (string, error) {
		asked = true
		return g.ConfigMaps[e.ConfigMap][e.Key], nil
	})
	if len(errs) > 0 {
		t.Fatalf("the app is refused: %v", errs.ToAggregate())
	}
	document.Cluster = g.Cluster
	rendered, err := document.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	in := desired.Input{
		App: &g.App, Generation: 7, Document: rendered, RuntimeImage: "ghcr.io/nexus-operator/runtime:v0.1.0",
		Replicas: v1alpha1.DefaultReplicas(g.App.Spec.Environment), PodIDs: g.PodIDs,
		SecretsDigest: g.SecretsDigest, SecretsRecord: g.SecretsRecord,
		RedisPorts: g.RedisPorts, OperatorNamespace: "nexus-system", Texts: asked,
	}
	if g.App.Spec.Replicas != nil {
		in.Replicas = *g.App.Spec.Replicas
	}
	if g.Replicas != nil {
		in.Replicas = *g.Replicas
	}
	return in
}

func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, path := range inputs {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".in.yaml"), func(t *testing.T) {
			in := readInput(t, path)
			before := in.App.DeepCopy()
			objects, err := desired.Build(in)
			if err != nil {
				t.Fatal(err)
			}
			if !equality.Semantic.DeepEqual(before, in.App) {
				t.Error("Build changed its input")
			}
			checkDocument(t, in, objects)
			compareGolden(t, strings.TrimSuffix(path, ".in.yaml")+".out.yaml", objects)
		})
	}
}

// checkDocument lets the consumer judge what was generated: the runtime's own loader
// reads the document that the pods are told to enforce, and its compiler every workflow.
func checkDocument(t *testing.T, in desired.Input, objects []desired.Object) {
	t.Helper()
	var data, hash, mounted string
	for _, object := range objects {
		switch o := object.(type) {
		case *corev1.ConfigMap:
			data, mounted = o.Data[desired.ConfigKey], o.Name
		case *appsv1.Deployment:
			args := o.Spec.Template.Spec.Containers[0].Args
			for i := range args {
				if args[i] == "--config-sha256" {
					hash = args[i+1]
				}
			}
			if name := o.Spec.Template.Spec.Volumes[0].ConfigMap.Name; name != mounted {
				t.Errorf("the Deployment mounts ConfigMap %q, the document is in %q", name, mounted)
			}
			if label := o.Spec.Template.Labels[v1alpha1.LabelDocument]; !strings.HasPrefix(hash, label) || len(label) != desired.HashLength {
				t.Errorf("label %s=%q is not the start of %s", v1alpha1.LabelDocument, label, hash)
			}
		}
	}
	document, err := config.Load([]byte(data), hash)
	if err != nil {
		t.Fatalf("the runtime refuses the document: %v", err)
	}
	if _, problems := compile.App(&document); len(problems) > 0 {
		t.Errorf("the workflows do not compile: %v", problems)
	}
	if document.Name != in.App.Name {
		t.Errorf("the document is of %q, want %q", document.Name, in.App.Name)
	}
}

func compareGolden(t *testing.T, path string, objects []desired.Object) {
	t.Helper()
	var got bytes.Buffer
	for _, object := range objects {
		raw, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString("---\n")
		got.Write(raw)
	}
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs; run the test with -update and review the diff. Got:\n%s", path, got.String())
	}
}

// Scaling is no change of policy and none of the pods: neither the document nor the
// pod template may follow the number of replicas.
func TestScalingChangesNoPod(t *testing.T) {
	templates := map[string]bool{}
	for _, replicas := range []int32{2, 9} {
		in := readInput(t, "testdata/production.in.yaml")
		in.App.Spec.Replicas, in.Replicas = &replicas, replicas
		document, errs := config.FromApp(in.App, nil)
		if len(errs) > 0 {
			t.Fatal(errs.ToAggregate())
		}
		var err error
		if in.Document, err = document.Marshal(); err != nil {
			t.Fatal(err)
		}
		objects, err := desired.Build(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if d, ok := o.(*appsv1.Deployment); ok {
				raw, err := yaml.Marshal(d.Spec.Template)
				if err != nil {
					t.Fatal(err)
				}
				templates[string(raw)] = true
			}
		}
	}
	if len(templates) != 1 {
		t.Errorf("scaling changes the pod template: it would roll the pods")
	}
}

func TestPodDisruptionBudgetFromTwoReplicas(t *testing.T) {
	for replicas, want := range map[int32]bool{0: false, 1: false, 2: true, 3: true} {
		in := readInput(t, "testdata/production.in.yaml")
		in.Replicas = replicas
		objects, err := desired.Build(in)
		if err != nil {
			t.Fatal(err)
		}
		got := false
		for _, o := range objects {
			got = got || o.GetObjectKind().GroupVersionKind().Kind == "PodDisruptionBudget"
		}
		if got != want {
			t.Errorf("%d replicas: PodDisruptionBudget = %v, want %v", replicas, got, want)
		}
	}
}

func TestReadRevisionReturnsTheSpec(t *testing.T) {
	in := readInput(t, "testdata/everything.in.yaml")
	objects, err := desired.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	last := len(objects) - 1
	revision, ok := objects[last].(*appsv1.ControllerRevision)
	if !ok {
		t.Fatalf("the last object is a %T, want the ControllerRevision", objects[last])
	}
	spec, err := desired.ReadRevision(revision)
	if err != nil {
		t.Fatal(err)
	}
	app := in.App.DeepCopy()
	app.Spec = spec
	in.App = app
	again, err := desired.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if again[last].GetName() != revision.Name {
		t.Errorf("the spec read back makes revision %s, want %s: something was lost", again[last].GetName(), revision.Name)
	}
}

func TestPullPolicy(t *testing.T) {
	for image, want := range map[string]corev1.PullPolicy{
		"runtime":                      corev1.PullAlways,
		"runtime:latest":               corev1.PullAlways,
		"registry:5000/runtime":        corev1.PullAlways,
		"registry:5000/runtime:v1":     corev1.PullIfNotPresent,
		"runtime@sha256:0123":          corev1.PullIfNotPresent,
		"runtime:latest@sha256:012345": corev1.PullIfNotPresent,
	} {
		in := readInput(t, "testdata/production.in.yaml")
		in.App.Spec.Image = image
		objects, err := desired.Build(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if d, ok := o.(*appsv1.Deployment); ok {
				if got := d.Spec.Template.Spec.Containers[0].ImagePullPolicy; got != want {
					t.Errorf("%s: %s, want %s", image, got, want)
				}
			}
		}
	}
}
