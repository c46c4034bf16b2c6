package status

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

func (s *summary) setAccepted() {
	if p := s.Refused; p != nil {
		s.set(v1alpha1.ConditionAccepted, metav1.ConditionFalse, p.Reason, p.Message+" ("+s.earlier()+")")
		return
	}
	if s.Unseen {
		s.set(v1alpha1.ConditionAccepted, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "some workflows or prompts cannot be read: see ReferencesResolved")
		return
	}
	s.set(v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted, "the spec is valid and every workflow compiles")
}

func (s *summary) setReferencesResolved() {
	switch {
	case s.Unresolved != nil:
		s.set(v1alpha1.ConditionReferencesResolved, metav1.ConditionFalse, s.Unresolved.Reason, s.Unresolved.Message+" ("+s.earlier()+s.fragile()+")")
	case s.References == 0:
		s.set(v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonNoReferences, "the spec names no Secret and no ConfigMap")
	case s.Note != "":
		s.set(v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved, s.Note)
	default:
		s.set(v1alpha1.ConditionReferencesResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved, "everything that the spec names can be used")
	}
}

// fragile warns of what the next eviction or drain would show.
func (s *summary) fragile() string {
	if s.Deployment == nil || s.InForce == nil || !s.InForce.Blocked {
		return ""
	}
	return ", but a pod that is replaced meanwhile cannot start"
}

// setAvailable counts ready pods, of any document. How many may be missing is what
// spec.disruption allows to be taken away: a node drain within that bound is no outage.
// The rollout itself takes none. One pod is always needed.
func (s *summary) setAvailable() {
	if s.Deployment == nil {
		s.set(v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonNotDeployed, "there is no Deployment yet")
		return
	}
	want := s.replicas()
	if want == 0 {
		s.set(v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero, "no replicas are asked for: nothing serves")
		return
	}
	need := want - s.maxUnavailable(want)
	found := fmt.Sprintf("%d of %d pods are ready", s.pods.ready, want)
	if s.pods.ready >= need {
		s.set(v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonMinimumReplicasReady, sentence(found, s.failure()))
		return
	}
	reason, failure := v1alpha1.ReasonPodsNotReady, s.failure()
	if failure != "" {
		reason = v1alpha1.ReasonPodFailing
	}
	s.set(v1alpha1.ConditionAvailable, metav1.ConditionFalse, reason, sentence(fmt.Sprintf("%s, at least %d must be", found, need), failure))
}

// maxUnavailable is how many of the pods may be missing, never all of them.
func (s *summary) maxUnavailable(want int32) int32 {
	if s.InForce == nil {
		return 0
	}
	allowed, err := intstr.GetScaledValueFromIntOrPercent(s.InForce.Spec.Disruption.MaxUnavailable, int(want), true)
	if err != nil {
		return 0
	}
	return min(int32(allowed), want-1) //nolint:gosec // at most 1000 replicas
}

// failure is what keeps pods from being there or from being ready, if that is known.
func (s *summary) failure() string {
	if c := deploymentCondition(s.Deployment, appsv1.DeploymentReplicaFailure); c != nil && c.Status == corev1.ConditionTrue {
		return "pods cannot be created: " + bounded(c.Message, maxPodMessage)
	}
	return s.pods.failure
}

// setEnforced judges the pods that serve: those that are ready and not on their way
// out. A surplus pod that is still starting serves nobody.
func (s *summary) setEnforced() {
	switch {
	case s.Deployment == nil:
		s.set(v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonNotDeployed, "there is no Deployment yet")
	case s.InForce == nil:
		s.set(v1alpha1.ConditionEnforced, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "what the pods are to enforce is not known at the moment: see Accepted and ReferencesResolved")
	case s.pods.others > 0:
		s.set(v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonRollingOut,
			sentence(fmt.Sprintf("%d of %d ready pods still run another document than %s", s.pods.others, s.pods.ready, s.InForce.DocumentLabel), s.failure()))
	case s.pods.ready > 0:
		s.set(v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonAllPodsEnforce,
			fmt.Sprintf("every ready pod runs document %s", s.InForce.DocumentLabel))
	case s.replicas() == 0:
		s.set(v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero, "no replicas are asked for: nothing serves")
	default:
		s.set(v1alpha1.ConditionEnforced, metav1.ConditionUnknown, v1alpha1.ReasonNoPodsReady, "no pod is ready, so none shows what it enforces")
	}
}

// setReady is computed last, from the others.
func (s *summary) setReady() {
	for _, kind := range []string{
		v1alpha1.ConditionAccepted, v1alpha1.ConditionReferencesResolved, v1alpha1.ConditionAvailable, v1alpha1.ConditionEnforced,
	} {
		if kind == v1alpha1.ConditionAvailable && s.Failed != nil {
			s.set(v1alpha1.ConditionReady, metav1.ConditionFalse, s.Failed.Reason, s.Failed.Message)
			return
		}
		c := meta.FindStatusCondition(s.status.Conditions, kind)
		if kind == v1alpha1.ConditionAccepted && c.Status == metav1.ConditionUnknown && s.Unresolved != nil {
			continue // the references are why
		}
		if c.Status != metav1.ConditionTrue {
			s.set(v1alpha1.ConditionReady, metav1.ConditionFalse, c.Reason, c.Message)
			return
		}
	}
	// Pods of an earlier template may enforce the same document, and yet are not what the
	// current generation asks for.
	if s.pods.outdated > 0 {
		reason := v1alpha1.ReasonProgressing
		if s.deadlineExceeded() {
			reason = v1alpha1.ReasonDeadlineExceeded
		}
		s.set(v1alpha1.ConditionReady, metav1.ConditionFalse, reason,
			sentence(fmt.Sprintf("a rollout is under way: %d of %d ready pods are still of an earlier pod template", s.pods.outdated, s.pods.ready), s.failure()))
		return
	}
	s.set(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "the spec is enforced by every ready pod")
}

func (s *summary) deadlineExceeded() bool {
	c := deploymentCondition(s.Deployment, appsv1.DeploymentProgressing)
	return c != nil && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded" &&
		s.Deployment.Status.ObservedGeneration >= s.Deployment.Generation
}

// stalled is what nobody but a user ends.
func (s *summary) stalled() *Problem {
	for _, p := range []*Problem{s.Refused, s.Unresolved, s.Failed} {
		if p != nil && p.Remedy == RemedyUser {
			return p
		}
	}
	if s.deadlineExceeded() && !s.isTrue(v1alpha1.ConditionReady) {
		return &Problem{Reason: v1alpha1.ReasonDeadlineExceeded,
			Message: sentence("the rollout made no progress within spec.rollout.progressDeadlineSeconds; the pods that serve keep serving", s.failure())}
	}
	return nil
}

// setReconciling is half of the kstatus pair: present only while true.
func (s *summary) setReconciling() {
	ready := meta.FindStatusCondition(s.status.Conditions, v1alpha1.ConditionReady)
	if ready.Status == metav1.ConditionTrue || s.stalled() != nil {
		meta.RemoveStatusCondition(&s.status.Conditions, v1alpha1.ConditionReconciling)
		return
	}
	reason := v1alpha1.ReasonProgressing
	if s.Unresolved != nil || s.Failed != nil {
		reason = v1alpha1.ReasonWaitingForInput
	}
	s.set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, reason, ready.Message)
}

// setStalled is the other half.
func (s *summary) setStalled() {
	p := s.stalled()
	if p == nil {
		meta.RemoveStatusCondition(&s.status.Conditions, v1alpha1.ConditionStalled)
		return
	}
	s.set(v1alpha1.ConditionStalled, metav1.ConditionTrue, p.Reason, p.Message)
}

func deploymentCondition(d *appsv1.Deployment, kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	if d == nil {
		return nil
	}
	for i := range d.Status.Conditions {
		if d.Status.Conditions[i].Type == kind {
			return &d.Status.Conditions[i]
		}
	}
	return nil
}

func sentence(found, failure string) string {
	if failure == "" {
		return found
	}
	return found + "; " + failure
}
