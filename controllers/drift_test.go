package controllers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// leaf is a field of an object that the operator manages, by its path.
type leaf struct {
	path  []string
	value any
}

// leaves lists every field that an applied object states. What the API server lets
// nobody change is left out, and so are the items of lists, which are tried as wholes.
func leaves(object map[string]any) []leaf {
	var out []leaf
	var walk func(path []string, value any)
	walk = func(path []string, value any) {
		if m, ok := value.(map[string]any); ok && len(m) > 0 {
			for key, v := range m {
				walk(append(slices.Clone(path), key), v)
			}
			return
		}
		out = append(out, leaf{path, value})
	}
	for _, part := range []string{"spec", "automountServiceAccountToken"} {
		if value, ok := object[part]; ok {
			walk([]string{part}, value)
		}
	}
	metadata, _ := object["metadata"].(map[string]any)
	for _, part := range []string{"labels", "annotations", "ownerReferences"} {
		walk([]string{"metadata", part}, metadata[part])
	}
	return out
}

// another returns a value that a field may have instead, or nil to remove it.
func another(l leaf) any {
	switch last := l.path[len(l.path)-1]; last {
	case "maxUnavailable", "maxSurge":
		return 7
	case "serviceAccountName", "serviceAccount":
		return "default"
	case "type":
		if l.path[1] == "strategy" {
			return nil
		}
		return "NodePort"
	case "priorityClassName":
		return "system-node-critical"
	}
	switch v := l.value.(type) {
	case bool:
		return !v
	case float64:
		return v + 1
	case string:
		return "changed"
	default:
		return nil
	}
}

// Every field that the operator states is put back when somebody changes it.
func TestDriftOfAnyFieldIsCorrected(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, everything(t, namespace(t)))
	tried := 0
	for _, list := range ownedLists() {
		if err := k8s.List(t.Context(), list, client.InNamespace(app.Namespace), client.MatchingLabels{v1alpha1.LabelApp: app.Name}); err != nil {
			t.Fatal(err)
		}
		for _, object := range itemsOf(t, list) {
			for _, l := range leaves(appliedFields(t, object)) {
				if o.drift(t, app, object, l) {
					tried++
				}
			}
		}
	}
	// As many as there are fields that can be changed at all: see that the walk found them.
	t.Logf("%d fields tried", tried)
	if tried < 60 {
		t.Errorf("only %d fields could be changed", tried)
	}
}

// appliedFields is the object reduced to what the operator's field manager owns.
func appliedFields(t *testing.T, object client.Object) map[string]any {
	t.Helper()
	var live, owned map[string]any
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &live); err != nil {
		t.Fatal(err)
	}
	for _, f := range object.GetManagedFields() {
		if f.Manager == v1alpha1.ManagedBy && f.Subresource == "" {
			if err := json.Unmarshal(f.FieldsV1.GetRawBytes(), &owned); err != nil {
				t.Fatal(err)
			}
		}
	}
	if owned == nil {
		t.Fatalf("the operator owns nothing of %T %s: %v", object, object.GetName(), object.GetManagedFields())
	}
	return restrict(live, owned)
}

// restrict keeps the fields of an object that a FieldsV1 names; lists are kept whole.
func restrict(live, owned map[string]any) map[string]any {
	out := map[string]any{}
	for key, below := range owned {
		name, isField := strings.CutPrefix(key, "f:")
		value, present := live[name]
		if !isField || !present {
			continue
		}
		m, isMap := value.(map[string]any)
		b, _ := below.(map[string]any)
		if isMap && len(b) > 0 {
			value = restrict(m, b)
		}
		out[name] = value
	}
	return out
}

// drift changes one field, if the API server allows it, and expects the operator to put
// it back with the first reconcile and to write nothing with the second.
func (o *operator) drift(t *testing.T, app *v1alpha1.NexusApp, object client.Object, l leaf) bool {
	t.Helper()
	name := fmt.Sprintf("%T %s", object, strings.Join(l.path, "."))
	patch := another(l)
	for _, key := range slices.Backward(l.path) {
		patch = map[string]any{key: patch}
	}
	raw, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	changed := object.DeepCopyObject().(client.Object)
	if err := k8s.Patch(t.Context(), changed, client.RawPatch(types.MergePatchType, raw)); err != nil {
		if apierrors.IsInvalid(err) {
			return false
		}
		t.Fatalf("%s: %v", name, err)
	}
	if changed.GetResourceVersion() == object.GetResourceVersion() {
		return false // the API server has put its default there: nothing changed
	}
	if l.path[0] == "metadata" && l.path[len(l.path)-1] == v1alpha1.LabelManagedBy {
		o.seesGone(t, changed) // the cache follows the label
	} else {
		o.sees(t, changed)
	}
	if writes := o.reconcile(t, app); len(writes) == 0 {
		t.Errorf("%s: the drift was not corrected", name)
		return true
	}
	again := get(t, object.DeepCopyObject().(client.Object), object.GetNamespace(), object.GetName())
	if want, got := appliedFields(t, object), appliedFields(t, again); !sameJSON(t, want, got) {
		t.Errorf("%s: after the correction\n%v\nwant\n%v", name, got, want)
	}
	if writes := o.reconcile(t, app); len(writes) > 0 {
		t.Errorf("%s: after the correction, another reconcile wrote %v", name, writes)
	}
	o.sees(t, again)
	object.SetResourceVersion(again.GetResourceVersion())
	return true
}

func sameJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return string(x) == string(y)
}

// The items of lists, which the walk above does not reach.
func TestDriftInTheContainerIsCorrected(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	for name, edit := range map[string]func(*corev1.PodSpec, *corev1.Container){
		"image":       func(_ *corev1.PodSpec, c *corev1.Container) { c.Image = "evil" },
		"pull policy": func(_ *corev1.PodSpec, c *corev1.Container) { c.ImagePullPolicy = corev1.PullNever },
		"argument":    func(_ *corev1.PodSpec, c *corev1.Container) { c.Args[2] = "/tmp/other.json" },
		"arguments":   func(_ *corev1.PodSpec, c *corev1.Container) { c.Args = append(c.Args, "--anything") },
		"variable":    func(_ *corev1.PodSpec, c *corev1.Container) { c.Env[0].Value = "development" },
		"variables":   func(_ *corev1.PodSpec, c *corev1.Container) { c.Env = c.Env[1:] },
		"port":        func(_ *corev1.PodSpec, c *corev1.Container) { c.Ports[0].Name = "other" },
		"probe":       func(_ *corev1.PodSpec, c *corev1.Container) { c.ReadinessProbe = nil },
		"probe path":  func(_ *corev1.PodSpec, c *corev1.Container) { c.LivenessProbe.HTTPGet.Path = "/" },
		"limit":       func(_ *corev1.PodSpec, c *corev1.Container) { delete(c.Resources.Limits, corev1.ResourceMemory) },
		"privileged": func(_ *corev1.PodSpec, c *corev1.Container) {
			*c.SecurityContext.Privileged = true
			*c.SecurityContext.AllowPrivilegeEscalation = true
		},
		"capability": func(_ *corev1.PodSpec, c *corev1.Container) {
			c.SecurityContext.Capabilities.Drop = []corev1.Capability{"NET_RAW"}
		},
		"mount":    func(_ *corev1.PodSpec, c *corev1.Container) { c.VolumeMounts[1].ReadOnly = false },
		"volume":   func(p *corev1.PodSpec, _ *corev1.Container) { p.Volumes[1].Secret.Optional = new(true) },
		"document": func(p *corev1.PodSpec, _ *corev1.Container) { p.Volumes[0].ConfigMap.Name = "other" },
		"spread":   func(p *corev1.PodSpec, _ *corev1.Container) { p.TopologySpreadConstraints[0].MaxSkew = 5 },
	} {
		before := deploymentOf(t, app)
		changed := before.DeepCopy()
		edit(&changed.Spec.Template.Spec, &changed.Spec.Template.Spec.Containers[0])
		if err := k8s.Update(t.Context(), changed); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		o.sees(t, changed)
		o.settle(t, app)
		if after := deploymentOf(t, app); !sameJSON(t, before.Spec.Template, after.Spec.Template) {
			t.Errorf("%s: the drift was not corrected", name)
		}
	}
}

func TestDriftIsCorrectedByItself(t *testing.T) {
	o := startOperator(t, byWatches)
	app := production(namespace(t))
	create(t, apiKeys(app.Namespace, keysSecret), app)
	awaitCondition(t, app, v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady)
	o.rollOut(t, app)
	awaitCondition(t, app, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)

	d := deploymentOf(t, app)
	d.Spec.Template.Spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem = new(bool)
	if err := k8s.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	await(t, d, &appsv1.DeploymentList{}, "the root file system is read-only again", func(d *appsv1.Deployment) bool {
		return *d.Spec.Template.Spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem
	})

	service := get(t, &corev1.Service{}, app.Namespace, app.Name)
	if err := k8s.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	await(t, service, &corev1.ServiceList{}, "the Service is back", func(s *corev1.Service) bool { return s.UID != service.UID })
}

// What others add where the operator has no opinion is theirs: a restart annotation, a
// sidecar that an injector put there.
func TestAdditionsOfOthersStay(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	d := deploymentOf(t, app)
	d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] = "2026-01-01T00:00:00Z"
	d.Spec.Template.Spec.Containers = append([]corev1.Container{{Name: "sidecar", Image: "sidecar"}}, d.Spec.Template.Spec.Containers...)
	d.Labels["team"] = "web"
	if err := k8s.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	o.sees(t, d)
	if writes := slices.DeleteFunc(o.reconcile(t, app), isStatus); len(writes) > 0 {
		t.Errorf("the additions were fought: %v", writes)
	}
	// They outlive a change of the spec, too.
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.RateLimit.RequestsPerMinute = 200 })
	o.settle(t, app)
	after := deploymentOf(t, app)
	if after.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] == "" || len(after.Spec.Template.Spec.Containers) != 2 || after.Labels["team"] != "web" {
		t.Errorf("the additions are gone: %+v", after.Spec.Template)
	}
}

func isStatus(write string) bool { return strings.HasSuffix(write, "/status") }

// A field that is no longer wanted is removed.
func TestRemovedFieldsAreRemoved(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, everything(t, namespace(t)))
	o.change(t, app, func(a *v1alpha1.NexusApp) {
		a.Spec.PodMetadata = v1alpha1.PodMetadata{}
		a.Spec.Scheduling = v1alpha1.Scheduling{}
		a.Spec.NetworkPolicy.IngressFrom = v1alpha1.IngressFrom{}
	})
	o.settle(t, app)
	pod := deploymentOf(t, app).Spec.Template
	if pod.Labels["team"] != "" || pod.Annotations["example.com/owner"] != "" || len(pod.Spec.NodeSelector) > 0 || len(pod.Spec.Tolerations) > 0 || pod.Spec.Affinity != nil {
		t.Errorf("what was removed from the spec is still in the pod template: %+v", pod)
	}
}

// An immutable ConfigMap that somebody replaced is made again.
func TestReplacedConfigMapIsMadeAgain(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	name := configMapOf(t, app)
	original := get(t, &corev1.ConfigMap{}, app.Namespace, name)
	if err := k8s.Delete(t.Context(), original.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	forged := original.DeepCopy()
	forged.ResourceVersion, forged.UID = "", ""
	forged.Data["config.json"] = strings.ReplaceAll(forged.Data["config.json"], `"Required"`, `"Disabled"`)
	o.create(t, forged)
	o.settle(t, app)
	got := get(t, &corev1.ConfigMap{}, app.Namespace, name)
	if got.Data["config.json"] != original.Data["config.json"] || got.Immutable == nil || !*got.Immutable || got.UID == forged.UID {
		t.Errorf("the forged ConfigMap stands: %+v", got)
	}
}

func configMapOf(t *testing.T, app *v1alpha1.NexusApp) string {
	t.Helper()
	return deploymentOf(t, app).Spec.Template.Spec.Volumes[0].ConfigMap.Name
}
