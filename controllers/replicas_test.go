package controllers

import (
	"strconv"
	"testing"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

func itoa(n int32) string { return strconv.Itoa(int(n)) }

func TestReplicas(t *testing.T) {
	o := startOperator(t, byHand)
	app := production(namespace(t))
	app.Spec.Replicas = nil
	o.deployed(t, app)
	replicas := func(want int32, why string) {
		t.Helper()
		o.settle(t, app)
		if got := *deploymentOf(t, app).Spec.Replicas; got != want {
			t.Errorf("%s: %d replicas, want %d", why, got, want)
		}
	}
	replicas(3, "unset in Production")

	o.scaleByHand(t, app, 5)
	replicas(5, "scaled by hand while unset")
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.RateLimit.RequestsPerMinute = 200 })
	replicas(5, "after another change of the spec")

	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Replicas = ptr.To[int32](4) })
	replicas(4, "set")
	o.scaleByHand(t, app, 9)
	replicas(4, "scaled by hand while set")

	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Replicas = nil })
	replicas(4, "no longer set")
	o.scaleByHand(t, app, 2)
	replicas(2, "scaled by hand once it is no longer set")

	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Replicas = ptr.To[int32](6) })
	replicas(6, "set again")
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Replicas = nil })
	replicas(6, "no longer set again")
}

func TestDefaultReplicasByEnvironment(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, development(namespace(t)))
	if got := *deploymentOf(t, app).Spec.Replicas; got != 1 {
		t.Errorf("Development starts with %d replicas, want 1", got)
	}
	o.scaleByHand(t, app, 2)
	o.settle(t, app)
	if got := *deploymentOf(t, app).Spec.Replicas; got != 2 {
		t.Errorf("a scaled Development app has %d replicas, want 2", got)
	}
	o.scaleByHand(t, app, 1)
	o.settle(t, app)
	if got := *deploymentOf(t, app).Spec.Replicas; got != 1 {
		t.Errorf("an app scaled back to 1 has %d replicas", got)
	}
}

// An operator that is stopped between creating the Deployment and handing over its
// replicas does so when it is back.
func TestHandOverSurvivesARestart(t *testing.T) {
	o := startOperator(t, byHand)
	app := production(namespace(t))
	app.Spec.Replicas = nil
	o.deployed(t, app)
	d := deploymentOf(t, app)
	if err := k8s.Patch(t.Context(), d, client.RawPatch("application/merge-patch+json",
		[]byte(`{"metadata":{"annotations":{"nexus.dev/initial-replicas":null}},"spec":{"replicas":1}}`))); err != nil {
		t.Fatal(err)
	}
	o.sees(t, d)
	o.settle(t, app)
	if got := *deploymentOf(t, app).Spec.Replicas; got != 3 {
		t.Errorf("%d replicas, want the default of 3", got)
	}
}

func TestScaledToZero(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Replicas = ptr.To[int32](0) })
	o.settle(t, app)
	o.rollOut(t, app)
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero)
	expect(t, got, v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero)
	expect(t, got, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if err := k8s.Get(t.Context(), client.ObjectKeyFromObject(app), &policyv1.PodDisruptionBudget{}); !apierrors.IsNotFound(err) {
		t.Errorf("the PodDisruptionBudget of no pods is still there: %v", err)
	}
}
