package controllers

import (
	"context"
	"slices"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Something that changes an object on its way in, and changes it again whenever it is
// written, is not fought.
func TestMutatingAdmissionIsNotFought(t *testing.T) {
	o := startOperator(t, byHand)
	app := production(namespace(t))
	insistOnPullAlways(t, app.Namespace)
	create(t, apiKeys(app.Namespace, keysSecret))
	o.create(t, app)
	o.settle(t, app)
	d := deploymentOf(t, app)
	if d.Spec.Template.Spec.Containers[0].ImagePullPolicy != corev1.PullAlways {
		t.Fatal("the admission policy of this test does not work")
	}
	for range 2 {
		if writes := o.reconcile(t, app); len(writes) > 0 {
			t.Errorf("the operator fights: %v", writes)
		}
	}
	// Whatever else is changed is still drift.
	d.Spec.Template.Spec.Containers[0].Args[0] = "other"
	if err := k8s.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	o.sees(t, d)
	if writes := slices.DeleteFunc(o.reconcile(t, app), isStatus); len(writes) != 1 {
		t.Errorf("drift besides what is contested caused %v, want one write", writes)
	}
	if got := deploymentOf(t, app).Spec.Template.Spec.Containers[0].Args[0]; got != "serve" {
		t.Errorf("drift besides what is contested stands: %s", got)
	}
	o.settle(t, app)
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.RateLimit.RequestsPerMinute = 200 })
	before := configMapOf(t, app)
	o.settle(t, app)
	if configMapOf(t, app) == before {
		t.Error("a change of the spec is no longer followed")
	}
}

// insistOnPullAlways makes the API server change every Deployment of a namespace.
func insistOnPullAlways(t *testing.T, namespace string) {
	t.Helper()
	policy := &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			FailurePolicy:      ptr.To(admissionregistrationv1.Fail),
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
				}}},
			},
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch,
				JSONPatch: &admissionregistrationv1.JSONPatch{Expression: `[JSONPatch{op: "replace", path: "/spec/template/spec/containers/0/imagePullPolicy", value: "Always"}]`},
			}},
		},
	}
	binding := &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec:       admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: namespace},
	}
	create(t, policy, binding)
	t.Cleanup(func() {
		for _, o := range []client.Object{binding, policy} {
			if err := k8s.Delete(context.Background(), o); err != nil {
				t.Error(err)
			}
		}
	})
	// Nothing tells when the API server has taken a policy in: it has to be tried.
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, longEnough, true, func(ctx context.Context) (bool, error) {
		probe := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe"}, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "probe:v1"}}},
			},
		}}
		err := k8s.Create(ctx, probe, client.DryRunAll)
		return err == nil && probe.Spec.Template.Spec.Containers[0].ImagePullPolicy == corev1.PullAlways, err
	})
	if err != nil {
		t.Fatal(err)
	}
}
