// Package chart renders charts/nexus-operator with Helm and judges what it rendered.
// Run it with 'make chart', which sets HELM.
package chart

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

const (
	folder    = "../../charts/nexus-operator"
	release   = "nexus-operator"
	namespace = "nexus-system"
)

// helm renders the chart and returns the manifests, or the message with which Helm
// refused.
func helm(t *testing.T, args ...string) (manifests []byte, refusal string) {
	t.Helper()
	binary := os.Getenv("HELM")
	if binary == "" {
		t.Fatal("HELM is not set: run 'make chart', which sets it")
	}
	args = append([]string{"template", release, folder, "--namespace", namespace}, args...)
	cmd := exec.CommandContext(t.Context(), binary, args...)
	// No configuration or plugin of the user's has a say.
	home := t.TempDir()
	cmd.Env = []string{"HOME=" + home, "XDG_CACHE_HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_DATA_HOME=" + home}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if errs.Len() == 0 {
			t.Fatalf("running Helm: %v", err)
		}
		return nil, errs.String()
	}
	return out.Bytes(), ""
}

// objects are what the chart renders to.
type objects []*unstructured.Unstructured

func render(t *testing.T, args ...string) objects {
	t.Helper()
	out, refusal := helm(t, args...)
	if refusal != "" {
		t.Fatalf("rendering the chart: %s", refusal)
	}
	var all objects
	for document := range bytes.SplitSeq(out, []byte("\n---\n")) {
		object := map[string]any{}
		// Strict: a key that stands twice is a template's mistake.
		if err := yaml.UnmarshalStrict(document, &object); err != nil {
			t.Fatalf("parsing what the chart renders: %v\n%s", err, document)
		}
		if len(object) > 0 {
			all = append(all, &unstructured.Unstructured{Object: object})
		}
	}
	return all
}

func (o objects) find(kind, name string) *unstructured.Unstructured {
	for _, object := range o {
		if object.GetKind() == kind && object.GetName() == name {
			return object
		}
	}
	return nil
}

// into reads the object of a kind and name into its type, and refuses a field that
// the type does not have.
func (o objects) into(t *testing.T, kind, name string, typed any) {
	t.Helper()
	object := o.find(kind, name)
	if object == nil {
		t.Fatalf("the chart renders no %s %s", kind, name)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, typed, true); err != nil {
		t.Fatalf("reading %s %s: %v", kind, name, err)
	}
}

// manager returns the operator's Deployment and its only container.
func (o objects) manager(t *testing.T) (*appsv1.Deployment, *corev1.Container) {
	t.Helper()
	deployment := &appsv1.Deployment{}
	o.into(t, "Deployment", release, deployment)
	pod := &deployment.Spec.Template.Spec
	if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 {
		t.Fatalf("the Deployment has %d containers and %d init containers, want 1 and 0", len(pod.Containers), len(pod.InitContainers))
	}
	return deployment, &pod.Containers[0]
}
