package controllers

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/apply"
)

// The reasons of events. Each event tells of a transition; an app at rest has none.
const (
	// EventReady: the app became ready.
	EventReady = "Ready"
	// EventNotReady: the app is no longer ready.
	EventNotReady = "NotReady"
	// EventRefused: a generation was not accepted.
	EventRefused = "Refused"
	// EventReferenceUnusable: something that the spec names cannot be used.
	EventReferenceUnusable = "ReferenceUnusable"
	// EventCredentialsExpiring: API keys end soon, or have ended.
	EventCredentialsExpiring = "CredentialsExpiring"
	// EventRedisReady: every ready pod can use Redis, by its present settings.
	EventRedisReady = "RedisReady"
	// EventRedisNotReady: some pods cannot use Redis, or not by its present settings.
	EventRedisNotReady = "RedisNotReady"
	// EventApplyFailed: the API server refuses an object.
	EventApplyFailed = "ApplyFailed"
	// EventDriftCorrected: somebody had changed an object, and it was put back.
	EventDriftCorrected = "DriftCorrected"
	// EventContested: an admission webhook insists on another object than is wanted.
	EventContested = "Contested"
	// EventRiskAcknowledged: the app does what the security guide advises against.
	EventRiskAcknowledged = "RiskAcknowledged"
)

// maxNote bounds the note of an event, in bytes; the API allows 1024.
const maxNote = 1000

// tell records the transitions between two sets of conditions, and the drift that this
// reconcile has corrected.
func (r *Reconciler) tell(s *scope, before, after []metav1.Condition) {
	for _, c := range s.changes {
		if c.Contested {
			r.event(s, corev1.EventTypeWarning, EventContested, "Apply",
				c.Kind+" "+c.Object.GetName()+" is changed by an admission webhook as soon as it is written: it stays as the webhook wants it; exempt it there, or set the field in the NexusApp")
		}
		if c.Operation == apply.Corrected {
			r.event(s, corev1.EventTypeWarning, EventDriftCorrected, "Apply",
				c.Kind+" "+c.Object.GetName()+" had been changed and was put back to what the spec says")
		}
	}
	r.tellProblem(s, before, after, v1alpha1.ConditionAccepted, EventRefused)
	r.tellProblem(s, before, after, v1alpha1.ConditionReferencesResolved, EventReferenceUnusable)
	r.tellProblem(s, before, after, v1alpha1.ConditionCredentialsCurrent, EventCredentialsExpiring)
	if s.failed != nil && changed(before, after, v1alpha1.ConditionReady) {
		r.event(s, corev1.EventTypeWarning, EventApplyFailed, "Apply", s.failed.Message)
	}
	if changed(before, after, v1alpha1.ConditionSecurityPosture) && s.takesRisk() {
		r.event(s, corev1.EventTypeWarning, EventRiskAcknowledged, "Judge",
			meta.FindStatusCondition(after, v1alpha1.ConditionSecurityPosture).Message)
	}
	r.tellRedis(s, before, after)
	r.tellReadiness(s, before, after)
}

// tellProblem records that a condition became False, or is False for another reason.
func (r *Reconciler) tellProblem(s *scope, before, after []metav1.Condition, kind, reason string) {
	if meta.IsStatusConditionFalse(after, kind) && changed(before, after, kind) {
		r.event(s, corev1.EventTypeWarning, reason, "Reconcile", meta.FindStatusCondition(after, kind).Message)
	}
}

// tellRedis records that Redis came and went. How many pods meet it changes too often.
func (r *Reconciler) tellRedis(s *scope, before, after []metav1.Condition) {
	was, is := meta.FindStatusCondition(before, v1alpha1.ConditionRedisReady), meta.FindStatusCondition(after, v1alpha1.ConditionRedisReady)
	if is == nil || was != nil && was.Status == is.Status && was.Reason == is.Reason {
		return
	}
	if is.Status == metav1.ConditionFalse {
		r.event(s, corev1.EventTypeWarning, EventRedisNotReady, "Ask", is.Message)
	}
	if is.Status == metav1.ConditionTrue {
		r.event(s, corev1.EventTypeNormal, EventRedisReady, "Ask", is.Message)
	}
}

func (r *Reconciler) tellReadiness(s *scope, before, after []metav1.Condition) {
	was, is := meta.IsStatusConditionTrue(before, v1alpha1.ConditionReady), meta.IsStatusConditionTrue(after, v1alpha1.ConditionReady)
	message := meta.FindStatusCondition(after, v1alpha1.ConditionReady).Message
	switch {
	case is && !was:
		r.event(s, corev1.EventTypeNormal, EventReady, "Reconcile", message)
	case was && !is && meta.IsStatusConditionTrue(after, v1alpha1.ConditionReconciling):
		r.event(s, corev1.EventTypeNormal, EventNotReady, "Reconcile", message)
	case was && !is:
		r.event(s, corev1.EventTypeWarning, EventNotReady, "Reconcile", message)
	}
}

// changed says whether a condition says something else than before.
func changed(before, after []metav1.Condition, kind string) bool {
	was, is := meta.FindStatusCondition(before, kind), meta.FindStatusCondition(after, kind)
	if was == nil || is == nil {
		return was != is
	}
	return was.Status != is.Status || was.Reason != is.Reason || was.Message != is.Message
}

// takesRisk says whether a check fails that the spec acknowledges: the one in force, or
// the one that is asked for while there is none.
func (s *scope) takesRisk() bool {
	spec := s.app.Spec.DeepCopy()
	v1alpha1.SetDefaults(spec)
	if s.inForce != nil {
		spec = s.inForce.spec
	}
	for _, c := range v1alpha1.Posture(spec) {
		if _, acknowledged := spec.Acknowledged(c.Risk); !c.Passed && acknowledged {
			return true
		}
	}
	return false
}

func (r *Reconciler) event(s *scope, kind, reason, action, note string) {
	if len(note) > maxNote {
		note = note[:maxNote]
	}
	r.Events.Eventf(s.app, nil, kind, reason, action, "%s", note)
}
