package controllers

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// broken makes the API server accept what the operator refuses.
func broken(a *v1alpha1.NexusApp) {
	a.Spec.Workflows[0].Definition = runtime.RawExtension{Raw: []byte(
		`{"document":{"dsl":"1.0.3","namespace":"team-a","name":"quote-order","version":"2.0.0"},"do":[{"pay":{"call":"http","with":{}}}]}`)}
	a.Spec.RateLimit.RequestsPerMinute = 999
}

// A refused generation changes nothing, and what was accepted is still looked after.
func TestRefusedGenerationChangesNothing(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	before := deploymentOf(t, app)
	o.change(t, app, broken)
	if writes := slices.DeleteFunc(o.reconcile(t, app), isStatus); len(writes) > 0 {
		t.Errorf("a refused generation caused %v", writes)
	}
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorkflow,
		"spec.workflows[0].definition/do/0/pay", "generation 1 stays in force")
	expect(t, got, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidWorkflow)
	expect(t, got, v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonMinimumReplicasReady)
	expect(t, got, v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonAllPodsEnforce)
	expect(t, got, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorkflow)
	if !strings.HasPrefix(got.Status.PolicyHash, before.Spec.Template.Labels[v1alpha1.LabelDocument]) || got.Status.Workflows[0].Version != "1.0.0" {
		t.Errorf("the status is not that of what is in force: %+v", got.Status)
	}

	o.scaleByHand(t, app, 9)
	o.settle(t, app)
	if after := deploymentOf(t, app); *after.Spec.Replicas != 3 {
		t.Errorf("drift of the accepted generation stands: %d replicas", *after.Spec.Replicas)
	}
	secret := get(t, &corev1.Secret{}, app.Namespace, keysSecret)
	secret.Data["web"] = keyEntry("second")
	o.update(t, secret)
	o.settle(t, app)
	after := deploymentOf(t, app)
	if after.Spec.Template.Annotations[v1alpha1.AnnotationSecretsDigest] == before.Spec.Template.Annotations[v1alpha1.AnnotationSecretsDigest] {
		t.Error("a rotation is not followed while a generation is refused")
	}

	// The operator may be restarted meanwhile.
	o.stop()
	again := startOperator(t, byHand)
	if writes := again.reconcile(t, app); len(writes) > 0 {
		t.Errorf("after a restart, the refused generation caused %v", writes)
	}
	again.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Workflows[0] = workflowNamed("quote-order") })
	again.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	if configMapOf(t, app) == before.Spec.Template.Spec.Volumes[0].ConfigMap.Name {
		t.Error("the repaired generation is not in force")
	}
}

// Going back to an earlier spec makes its revision the newest again.
func TestGoingBackAfterARefusal(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	first := configMapOf(t, app)
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.RateLimit.RequestsPerMinute = 200 })
	o.settle(t, app)
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.RateLimit = v1alpha1.RateLimit{} })
	o.settle(t, app)
	if configMapOf(t, app) != first {
		t.Fatal("the same policy has another name")
	}
	o.change(t, app, broken)
	o.settle(t, app)
	if configMapOf(t, app) != first {
		t.Error("a refusal brought back a generation that was not the last accepted one")
	}
	expect(t, readBack(t, app), v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorkflow, "generation 3 stays in force")
}

// What only the API server refuses is told as well, tried again, and not taken for what
// is in force.
func TestObjectThatTheAPIServerRefuses(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	before := deploymentOf(t, app)
	o.change(t, app, func(a *v1alpha1.NexusApp) {
		a.Spec.Scheduling.Tolerations = []corev1.Toleration{{Key: "a", Operator: "Nonsense"}}
	})
	if _, err := o.tryReconcile(t, app); err == nil {
		t.Error("a refused object is not tried again")
	}
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed, "Deployment shop", "tolerations[0].operator")
	expect(t, got, v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForInput)
	expect(t, got, v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonMinimumReplicasReady)
	if after := deploymentOf(t, app); after.Generation != before.Generation {
		t.Error("the Deployment was changed")
	}
	if writes, err := o.tryReconcile(t, app); err == nil || len(writes) != 1 {
		t.Errorf("trying again wrote %v (%v), want one attempt", writes, err)
	}
	o.change(t, app, broken)
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorkflow, "generation 1 stays in force")
}

func TestRefusedFromTheStart(t *testing.T) {
	o := startOperator(t, byHand)
	app := production(namespace(t))
	broken(app)
	create(t, apiKeys(app.Namespace, keysSecret))
	o.create(t, app)
	if writes := slices.DeleteFunc(o.reconcile(t, app), isStatus); len(writes) > 0 {
		t.Errorf("a refused app caused %v", writes)
	}
	expect(t, readBack(t, app), v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorkflow, "nothing is deployed yet")
}

// A Secret of the accepted generation is followed although the refused one names another.
func TestSecretOfTheAcceptedGenerationIsWatched(t *testing.T) {
	o := startOperator(t, byWatches)
	app := production(namespace(t))
	create(t, apiKeys(app.Namespace, keysSecret), app)
	awaitCondition(t, app, v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodsNotReady)
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Auth.APIKeys.SecretRef.Name = "not-there" })
	app = awaitCondition(t, get(t, &v1alpha1.NexusApp{}, app.Namespace, app.Name), v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound)
	before := deploymentOf(t, app)
	secret := get(t, &corev1.Secret{}, app.Namespace, keysSecret)
	secret.Data["web"] = keyEntry("second")
	if err := k8s.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	awaitDeployment(t, before, "the rotation is followed", func(annotations map[string]string) bool {
		return annotations[v1alpha1.AnnotationSecretsDigest] != before.Spec.Template.Annotations[v1alpha1.AnnotationSecretsDigest]
	})
}
