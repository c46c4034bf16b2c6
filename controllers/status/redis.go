package status

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// RedisAnswers are what the ready pods of an app have told of Redis. Pods that were not
// asked yet are not counted.
type RedisAnswers struct {
	// Up says whether any of them can use it. Down cannot, and Silent did not answer.
	Up           bool
	Down, Silent int
	// Problem is the class of what those that are down have met.
	Problem string
}

// setRedisReady tells what the pods say of Redis: it is present only while the app has
// one. It never gates Ready: pods serve without.
func (s *summary) setRedisReady() {
	if s.spec.Redis == nil {
		meta.RemoveStatusCondition(&s.status.Conditions, v1alpha1.ConditionRedisReady)
		return
	}
	switch {
	case s.pods.ready == 0:
		s.set(v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "no pod is ready, so none can tell")
	case s.Redis.Down > 0:
		s.set(v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonPodsDisconnected,
			fmt.Sprintf("%d of %d ready pods cannot use Redis: %s; %s", s.Redis.Down, s.pods.ready, s.Redis.Problem, meanwhile(&s.spec.RateLimit)))
	case s.Redis.Silent > 0:
		s.set(v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved,
			fmt.Sprintf("%d of %d ready pods do not answer the operator on port 9090: let its pods reach them", s.Redis.Silent, s.pods.ready))
	case s.Redis.Up:
		s.set(v1alpha1.ConditionRedisReady, metav1.ConditionTrue, v1alpha1.ReasonAllPodsConnected, "every ready pod can use Redis")
	default:
		s.keepRedisReady()
	}
}

// keepRedisReady lets stand what was told last, until the pods have been asked: after a
// restart of the operator, or at the end of a rollout.
func (s *summary) keepRedisReady() {
	last := meta.FindStatusCondition(s.app.Status.Conditions, v1alpha1.ConditionRedisReady)
	if last == nil || last.Status == metav1.ConditionUnknown {
		s.set(v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "the pods have not been asked yet")
		return
	}
	s.set(v1alpha1.ConditionRedisReady, last.Status, last.Reason, last.Message)
}

// meanwhile is what happens to the limits in the pods that cannot use Redis.
func meanwhile(limit *v1alpha1.RateLimit) string {
	switch {
	case limit.Mode == v1alpha1.RateLimitDisabled:
		return "spec.rateLimit.mode is Disabled, so nothing else changes"
	case limit.Mode == v1alpha1.RateLimitShadow:
		return "spec.rateLimit.mode is Shadow, so nobody is refused"
	case limit.OnStoreError == v1alpha1.StoreErrorDeny:
		return "meanwhile they answer 503 (spec.rateLimit.onStoreError is Deny)"
	case limit.OnStoreError == v1alpha1.StoreErrorAllow:
		return "meanwhile they limit nobody (spec.rateLimit.onStoreError is Allow)"
	default:
		return "meanwhile each counts its limits by itself (spec.rateLimit.onStoreError is Local)"
	}
}
