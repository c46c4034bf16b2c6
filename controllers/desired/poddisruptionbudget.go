package desired

import (
	policyv1 "k8s.io/api/policy/v1"
)

// podDisruptionBudget keeps a node drain from taking too many pods at once. It exists
// from two replicas on: with one, it would only block the drain.
func (b *builder) podDisruptionBudget() *policyv1.PodDisruptionBudget {
	// A pod that is not ready serves nobody, so evicting it disrupts nobody.
	evictUnhealthy := policyv1.AlwaysAllow
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   typeMeta(policyv1.SchemeGroupVersion, "PodDisruptionBudget"),
		ObjectMeta: b.meta(b.App.Name),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             b.spec.Disruption.MaxUnavailable,
			Selector:                   labelSelector(b.App.Name),
			UnhealthyPodEvictionPolicy: &evictUnhealthy,
		},
	}
}
