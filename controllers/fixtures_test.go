package controllers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/status"
)

// keysSecret is the Secret that the fixtures' specs name.
const keysSecret = "shop-api-keys"

// production is an app of three replicas with API keys.
func production(namespace string) *v1alpha1.NexusApp {
	return &v1alpha1.NexusApp{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop"},
		Spec: v1alpha1.NexusAppSpec{
			Environment:       v1alpha1.Production,
			Replicas:          ptr.To[int32](3),
			AcknowledgedRisks: []v1alpha1.AcknowledgedRisk{{Name: v1alpha1.RiskPerPodLimits, Reason: "limits are not shared yet"}},
			Auth:              v1alpha1.Auth{APIKeys: &v1alpha1.APIKeys{SecretRef: v1alpha1.LocalReference{Name: keysSecret}}},
			Workflows:         []v1alpha1.Workflow{workflowNamed("quote-order")},
		},
	}
}

// development is an app without credentials.
func development(namespace string) *v1alpha1.NexusApp {
	return &v1alpha1.NexusApp{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hello"},
		Spec:       v1alpha1.NexusAppSpec{Environment: v1alpha1.Development, Workflows: []v1alpha1.Workflow{workflowNamed("greet")}},
	}
}

// everything is the golden app with every field at something other than its default.
func everything(t *testing.T, namespace string) *v1alpha1.NexusApp {
	t.Helper()
	raw, err := os.ReadFile("desired/testdata/everything.in.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var in struct {
		App v1alpha1.NexusApp `json:"app"`
	}
	if err := yaml.Unmarshal(raw, &in); err != nil {
		t.Fatal(err)
	}
	in.App.Namespace, in.App.UID = namespace, ""
	return &in.App
}

func workflowNamed(name string) v1alpha1.Workflow {
	return v1alpha1.Workflow{Name: name, Definition: runtime.RawExtension{Raw: fmt.Appendf(nil,
		`{"document":{"dsl":"1.0.3","namespace":"team-a","name":%q,"version":"1.0.0"},"do":[{"answer":{"set":{"price":42}}}]}`, name)}}
}

// apiKeys is a Secret with one usable key.
func apiKeys(namespace, name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string][]byte{"web": keyEntry("first")}}
}

func keyEntry(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return fmt.Appendf(nil, `{"id":"abcd1234","sha256":%q,"roles":["buyer"]}`, hex.EncodeToString(sum[:]))
}

// readBack gets an app and checks what holds for every status.
func readBack(t *testing.T, app *v1alpha1.NexusApp) *v1alpha1.NexusApp {
	t.Helper()
	got := get(t, &v1alpha1.NexusApp{}, app.Namespace, app.Name)
	checkInvariants(t, got)
	return got
}

// checkInvariants is what holds for every status that was ever written.
func checkInvariants(t *testing.T, app *v1alpha1.NexusApp) {
	t.Helper()
	conditions := app.Status.Conditions
	for _, c := range conditions {
		if c.ObservedGeneration != app.Status.ObservedGeneration {
			t.Errorf("condition %s speaks of generation %d, the status of %d", c.Type, c.ObservedGeneration, app.Status.ObservedGeneration)
		}
		if c.Reason == "" || c.Message == "" || len(c.Message) > status.MaxMessage {
			t.Errorf("condition %s has reason %q and a message of %d bytes", c.Type, c.Reason, len(c.Message))
		}
	}
	known := []string{
		v1alpha1.ConditionAccepted, v1alpha1.ConditionReferencesResolved, v1alpha1.ConditionAvailable, v1alpha1.ConditionEnforced,
		v1alpha1.ConditionSecurityPosture, v1alpha1.ConditionCredentialsCurrent, v1alpha1.ConditionRedisReady, v1alpha1.ConditionReady,
		v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled,
	}
	if i := slices.IndexFunc(conditions, func(c metav1.Condition) bool { return !slices.Contains(known, c.Type) }); i >= 0 {
		t.Errorf("there is a condition %s", conditions[i].Type)
	}
	needed := []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionReferencesResolved, v1alpha1.ConditionAvailable, v1alpha1.ConditionEnforced}
	for _, kind := range append(needed, v1alpha1.ConditionSecurityPosture, v1alpha1.ConditionReady) {
		if meta.FindStatusCondition(conditions, kind) == nil {
			t.Errorf("there is no condition %s", kind)
		}
	}
	ready := meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady)
	for _, kind := range needed {
		if ready && !meta.IsStatusConditionTrue(conditions, kind) {
			t.Errorf("Ready is True although %s is not", kind)
		}
	}
	reconciling, stalled := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling), meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	if reconciling != nil && stalled != nil {
		t.Errorf("both Reconciling and Stalled are present")
	}
	for _, c := range []*metav1.Condition{reconciling, stalled} {
		if c != nil && (c.Status != metav1.ConditionTrue || ready) {
			t.Errorf("%s is present with status %s while Ready is %v", c.Type, c.Status, ready)
		}
	}
	if !ready && reconciling == nil && stalled == nil {
		t.Errorf("the app is not ready and neither Reconciling nor Stalled: %v", conditions)
	}
}

// expect checks a condition; the message must hold every one of the texts.
func expect(t *testing.T, app *v1alpha1.NexusApp, kind string, want metav1.ConditionStatus, reason string, texts ...string) {
	t.Helper()
	c := meta.FindStatusCondition(app.Status.Conditions, kind)
	if c == nil {
		t.Fatalf("there is no condition %s in %v", kind, app.Status.Conditions)
	}
	if c.Status != want || c.Reason != reason {
		t.Errorf("%s is %s/%s (%s), want %s/%s", kind, c.Status, c.Reason, c.Message, want, reason)
	}
	for _, text := range texts {
		if !strings.Contains(c.Message, text) {
			t.Errorf("the message of %s does not hold %q: %s", kind, text, c.Message)
		}
	}
}

// deploymentOf is the live Deployment of an app.
func deploymentOf(t *testing.T, app *v1alpha1.NexusApp) *appsv1.Deployment {
	t.Helper()
	return get(t, &appsv1.Deployment{}, app.Namespace, app.Name)
}

// rollOut plays the Deployment controller and the kubelet: it replaces all pods of an
// app with ready ones of the current template.
func (o *operator) rollOut(t *testing.T, app *v1alpha1.NexusApp) {
	t.Helper()
	d := deploymentOf(t, app)
	o.deletePods(t, app)
	for i := range *d.Spec.Replicas {
		o.startPod(t, d, fmt.Sprintf("%s-%s-%d", d.Name, d.Spec.Template.Labels[v1alpha1.LabelDocument], i), ready)
	}
	o.deploymentStatus(t, d, func(s *appsv1.DeploymentStatus) {
		s.ObservedGeneration = d.Generation
		s.Replicas, s.UpdatedReplicas, s.ReadyReplicas, s.AvailableReplicas = *d.Spec.Replicas, *d.Spec.Replicas, *d.Spec.Replicas, *d.Spec.Replicas
	})
}

// ready makes a pod's status that of one that serves.
func ready(s *corev1.PodStatus) {
	s.Phase = corev1.PodRunning
	s.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
}

// startPod makes a pod of a Deployment's template.
func (o *operator) startPod(t *testing.T, d *appsv1.Deployment, name string, become func(*corev1.PodStatus)) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: *d.Spec.Template.ObjectMeta.DeepCopy(), Spec: *d.Spec.Template.Spec.DeepCopy()}
	pod.Namespace, pod.Name = d.Namespace, name
	pod.Spec.PriorityClassName = ""
	create(t, pod)
	become(&pod.Status)
	if err := k8s.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	o.sees(t, pod)
	return pod
}

func (o *operator) deletePods(t *testing.T, app *v1alpha1.NexusApp) {
	t.Helper()
	var pods corev1.PodList
	if err := k8s.List(t.Context(), &pods, client.InNamespace(app.Namespace), client.MatchingLabels{v1alpha1.LabelApp: app.Name}); err != nil {
		t.Fatal(err)
	}
	for i := range pods.Items {
		if err := k8s.Delete(t.Context(), &pods.Items[i], client.GracePeriodSeconds(0)); err != nil {
			t.Fatal(err)
		}
		o.sees(t, &pods.Items[i])
	}
}

func (o *operator) deploymentStatus(t *testing.T, d *appsv1.Deployment, become func(*appsv1.DeploymentStatus)) {
	t.Helper()
	become(&d.Status)
	if err := k8s.Status().Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	o.sees(t, d)
}

// change edits the spec of an app.
func (o *operator) change(t *testing.T, app *v1alpha1.NexusApp, edit func(*v1alpha1.NexusApp)) {
	t.Helper()
	fresh := get(t, &v1alpha1.NexusApp{}, app.Namespace, app.Name)
	edit(fresh)
	if err := k8s.Update(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	o.sees(t, fresh)
}

// create creates an object that the operator watches.
func (o *operator) create(t *testing.T, object client.Object) {
	t.Helper()
	create(t, object)
	o.sees(t, object)
}

// deployed creates an app with its Secret and brings it to rest, ready.
func (o *operator) deployed(t *testing.T, app *v1alpha1.NexusApp) *v1alpha1.NexusApp {
	t.Helper()
	if keys := app.Spec.Auth.APIKeys; keys != nil {
		create(t, apiKeys(app.Namespace, keys.SecretRef.Name))
	}
	for _, s := range app.Spec.ImagePullSecrets {
		create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: s.Name}})
	}
	o.create(t, app)
	o.settle(t, app)
	o.rollOut(t, app)
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	return got
}
