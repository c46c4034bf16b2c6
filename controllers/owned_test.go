package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ownedLists are the kinds that the operator writes.
func ownedLists() []client.ObjectList {
	return []client.ObjectList{
		&appsv1.DeploymentList{}, &appsv1.ControllerRevisionList{}, &corev1.ConfigMapList{}, &corev1.ServiceList{},
		&corev1.ServiceAccountList{}, &networkingv1.NetworkPolicyList{}, &policyv1.PodDisruptionBudgetList{},
	}
}

func itemsOf(t *testing.T, list client.ObjectList) []client.Object {
	t.Helper()
	raw, err := meta.ExtractList(list)
	if err != nil {
		t.Fatal(err)
	}
	items := make([]client.Object, 0, len(raw))
	for _, r := range raw {
		items = append(items, r.(client.Object))
	}
	return items
}
