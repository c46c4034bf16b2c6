package controllers

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/test/manifests"
)

// Every bad manifest that the API server stores is refused by a condition which names
// the field and the fix; nothing is deployed for it, and looking again writes nothing.
func TestBadManifestsAreRefusedByACondition(t *testing.T) {
	o := startOperator(t, byHand)
	for _, c := range manifests.Load(t) {
		if c.At == manifests.Admission {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			var app v1alpha1.NexusApp
			if err := yaml.Unmarshal(c.App, &app); err != nil {
				t.Fatal(err)
			}
			app.Namespace = namespace(t)
			for name, entries := range c.Secrets {
				o.create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: name}, StringData: entries})
			}
			for name, entries := range c.ConfigMaps {
				create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: name}, Data: entries})
			}
			o.create(t, &app)
			o.settle(t, &app)
			got := readBack(t, &app)
			refusedBy := v1alpha1.ConditionAccepted
			if c.At == manifests.References {
				refusedBy = v1alpha1.ConditionReferencesResolved
			}
			condition := meta.FindStatusCondition(got.Status.Conditions, refusedBy)
			if condition == nil || condition.Status != metav1.ConditionFalse {
				t.Fatalf("%s is %+v", refusedBy, condition)
			}
			if missing := manifests.Missing(c.WantOnline, condition.Message); len(missing) > 0 {
				t.Errorf("the condition does not say %q:\n%s", missing, condition.Message)
			}
			if writes := slices.DeleteFunc(o.reconcile(t, &app), isStatus); len(writes) > 0 {
				t.Errorf("a refused app causes %v", writes)
			}
		})
	}
}
