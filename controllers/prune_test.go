package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Of what is named by its content, the last three stay, and whatever a pod or a
// ReplicaSet with replicas still names.
func TestPrune(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	var names []string
	for i := range int32(6) {
		o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.RateLimit.RequestsPerMinute = 200 + i })
		o.settle(t, app)
		names = append(names, configMapOf(t, app))
		switch i {
		case 0: // a pod that is still around
			o.startPod(t, deploymentOf(t, app), "straggler", ready)
		case 1: // a ReplicaSet whose pods cannot be created
			create(t, replicaSet(deploymentOf(t, app), "stuck", 1))
		case 2: // a ReplicaSet that is scaled down
			create(t, replicaSet(deploymentOf(t, app), "done", 0))
		}
	}
	// The last three, and those of the straggler and the stuck ReplicaSet.
	for i, name := range names {
		want := i != 2
		err := k8s.Get(t.Context(), client.ObjectKey{Namespace: app.Namespace, Name: name}, &corev1.ConfigMap{})
		if got := err == nil; got != want {
			t.Errorf("ConfigMap %d exists: %v (%v), want %v", i, got, err, want)
		}
	}
	var revisions appsv1.ControllerRevisionList
	if err := k8s.List(t.Context(), &revisions, client.InNamespace(app.Namespace)); err != nil {
		t.Fatal(err)
	}
	if len(revisions.Items) != 3 {
		t.Errorf("%d revisions are kept, want 3", len(revisions.Items))
	}
	for i := range revisions.Items {
		if revisions.Items[i].Revision < 5 {
			t.Errorf("revision %d is kept, want the last three of 7", revisions.Items[i].Revision)
		}
	}
}

func replicaSet(d *appsv1.Deployment, name string, replicas int32) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: name, Labels: d.Spec.Template.Labels},
		Spec:       appsv1.ReplicaSetSpec{Replicas: ptr.To(replicas), Selector: d.Spec.Selector, Template: d.Spec.Template},
	}
}

func TestUnwantedObjectsAreDeleted(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	o.change(t, app, func(a *v1alpha1.NexusApp) {
		a.Spec.NetworkPolicy.Mode = v1alpha1.NetworkPolicyDisabled
		a.Spec.AcknowledgedRisks = append(a.Spec.AcknowledgedRisks, v1alpha1.AcknowledgedRisk{Name: v1alpha1.RiskUnrestrictedEgress, Reason: "test"})
	})
	o.settle(t, app)
	if err := k8s.Get(t.Context(), client.ObjectKeyFromObject(app), &networkingv1.NetworkPolicy{}); !apierrors.IsNotFound(err) {
		t.Errorf("the NetworkPolicy is still there: %v", err)
	}
	// One that somebody else made is none of ours.
	foreign := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name}}
	create(t, foreign)
	o.settle(t, app)
	get(t, &networkingv1.NetworkPolicy{}, app.Namespace, app.Name)
}
