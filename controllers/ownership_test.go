package controllers

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// A name that somebody else holds is not touched, and neither is any other.
func TestForeignObjectIsNotTouched(t *testing.T) {
	for name, foreign := range map[string]func(*corev1.Service){
		"plain": func(*corev1.Service) {},
		"with our labels and another controller": func(s *corev1.Service) {
			s.Labels = map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelApp: "shop"}
			s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "other", UID: "other", Controller: new(true)}}
		},
		"of another app": func(s *corev1.Service) {
			s.Labels = map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelApp: "another"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := startOperator(t, byHand)
			app := production(namespace(t))
			service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name},
				Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
			foreign(service)
			create(t, apiKeys(app.Namespace, keysSecret), service)
			if service.Labels != nil {
				o.sees(t, service)
			}
			o.create(t, app)
			if writes := slices.DeleteFunc(o.reconcile(t, app), isStatus); len(writes) > 0 {
				t.Errorf("although a name is taken, the operator wrote %v", writes)
			}
			got := readBack(t, app)
			expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonNotOwned, `Service "shop"`, "delete or rename it")
			expect(t, got, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNotOwned)
			if after := get(t, &corev1.Service{}, app.Namespace, app.Name); after.ResourceVersion != service.ResourceVersion {
				t.Error("the foreign Service was changed")
			}

			if err := k8s.Delete(t.Context(), service); err != nil {
				t.Fatal(err)
			}
			o.sees(t, service)
			o.settle(t, app)
			expect(t, readBack(t, app), v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved)
		})
	}
}

// What a deleted app of the same name has left behind is taken over, without a restart
// of the pods and without resetting their number.
func TestOrphansAreAdopted(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	before := deploymentOf(t, app)
	if err := k8s.Delete(t.Context(), app, client.PropagationPolicy(metav1.DeletePropagationOrphan)); err != nil {
		t.Fatal(err)
	}
	// The garbage collector removes the finalizer and the references.
	for _, list := range ownedLists() {
		if err := k8s.List(t.Context(), list, client.InNamespace(app.Namespace), client.MatchingLabels{v1alpha1.LabelApp: app.Name}); err != nil {
			t.Fatal(err)
		}
		for _, object := range itemsOf(t, list) {
			object.SetOwnerReferences(nil)
			if err := k8s.Update(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			o.sees(t, object)
		}
	}
	old := get(t, &v1alpha1.NexusApp{}, app.Namespace, app.Name)
	old.Finalizers = nil
	if err := k8s.Update(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	o.sees(t, old)

	again := production(app.Namespace)
	again.Spec.Replicas = nil
	o.create(t, again)
	o.settle(t, again)
	after := deploymentOf(t, again)
	if after.UID != before.UID || !sameJSON(t, after.Spec.Template, before.Spec.Template) || *after.Spec.Replicas != 3 {
		t.Errorf("adopting restarts pods: %+v", after)
	}
	for _, list := range ownedLists() {
		if err := k8s.List(t.Context(), list, client.InNamespace(app.Namespace), client.MatchingLabels{v1alpha1.LabelApp: app.Name}); err != nil {
			t.Fatal(err)
		}
		for _, object := range itemsOf(t, list) {
			if _, isRevision := object.(*appsv1.ControllerRevision); !isRevision && !metav1.IsControlledBy(object, again) {
				t.Errorf("%T %s was not adopted: %v", object, object.GetName(), object.GetOwnerReferences())
			}
		}
	}
	expect(t, readBack(t, again), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

// What the garbage collector is about to remove with an earlier app is waited for.
func TestRemainsOfAPredecessorAreWaitedFor(t *testing.T) {
	o := startOperator(t, byHand)
	app := production(namespace(t))
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name,
			Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelApp: app.Name},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "NexusApp", Name: app.Name,
				UID: types.UID("earlier"), Controller: new(true)}}},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}
	create(t, apiKeys(app.Namespace, keysSecret))
	o.create(t, service)
	o.create(t, app)
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, v1alpha1.ReasonNotOwned, "earlier NexusApp of the same name", "wait")
	expect(t, got, v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForInput)
}
