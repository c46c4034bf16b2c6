package controllers

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

func TestFollowed(t *testing.T) {
	f := newFollowed()
	shop, other, elsewhere := types.NamespacedName{Namespace: "a", Name: "shop"}, types.NamespacedName{Namespace: "a", Name: "other"}, types.NamespacedName{Namespace: "b", Name: "shop"}
	f.add(shop, "flows")
	f.add(shop, "pets")
	f.add(other, "flows")
	f.add(elsewhere, "flows")
	count := func(name string, want int) {
		t.Helper()
		object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name}}
		if got := f.requests(t.Context(), object); len(got) != want {
			t.Errorf("%s matters to %v, want %d", name, got, want)
		}
	}
	count("flows", 2)
	count("pets", 1)
	count("nobody's", 0)
	f.keep(shop, []string{"pets"})
	count("flows", 1)
	count("pets", 1)
	f.keep(shop, nil)
	f.keep(other, nil)
	f.keep(elsewhere, nil)
	count("pets", 0)
	if len(f.apps) > 0 || len(f.configMaps) > 0 {
		t.Errorf("what nobody names is remembered: %v, %v", f.apps, f.configMaps)
	}
}

// An app that is gone is followed no more, nor is a ConfigMap that it no longer names.
func TestFollowedEnds(t *testing.T) {
	o := startOperator(t, byHand)
	app := referring(production(namespace(t)))
	create(t, flows(app.Namespace, definitionText(setsPrice)))
	o.deployed(t, app)
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: flowsConfigMap}}
	check := func(want int) {
		t.Helper()
		if got := o.followed.requests(t.Context(), object); len(got) != want {
			t.Errorf("the ConfigMap matters to %v, want %d", got, want)
		}
	}
	check(1)
	o.change(t, app, func(a *v1alpha1.NexusApp) { withDefinition(a) })
	o.settle(t, app)
	check(0)
	o.change(t, app, func(a *v1alpha1.NexusApp) { referring(a) })
	o.settle(t, app)
	check(1)
	if err := k8s.Delete(t.Context(), get(t, &v1alpha1.NexusApp{}, app.Namespace, app.Name), client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		t.Fatal(err)
	}
	o.seesGone(t, app)
	o.reconcile(t, app)
	check(0)
}

func TestOnlyVersionsAreCached(t *testing.T) {
	full := metav1.ObjectMeta{Namespace: "a", Name: "b", UID: "u", ResourceVersion: "1", Labels: map[string]string{"c": "d"},
		Annotations: map[string]string{"e": "f"}, ManagedFields: []metav1.ManagedFieldsEntry{{}}}
	for _, object := range []client.Object{
		&metav1.PartialObjectMetadata{ObjectMeta: full}, &corev1.Secret{ObjectMeta: full, Data: map[string][]byte{"g": nil}},
		&corev1.ConfigMap{ObjectMeta: full, Data: map[string]string{"g": ""}, BinaryData: map[string][]byte{"h": nil}},
	} {
		slim, err := slimToVersion(object)
		if err != nil {
			t.Fatal(err)
		}
		o := slim.(client.Object)
		if o.GetName() != "b" || o.GetResourceVersion() != "1" || len(o.GetLabels())+len(o.GetAnnotations())+len(o.GetManagedFields()) > 0 {
			t.Errorf("%T is cached as %+v", object, o)
		}
		switch o := slim.(type) {
		case *corev1.Secret:
			if o.Data != nil {
				t.Error("the data of a Secret is cached")
			}
		case *corev1.ConfigMap:
			if o.Data != nil || o.BinaryData != nil {
				t.Error("the data of a ConfigMap is cached")
			}
		}
	}
}
