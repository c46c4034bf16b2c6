// Package status turns what was observed into the status of a NexusApp. It is pure:
// there is no client, logger or clock in it.
package status

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Observed is everything that a status follows from.
type Observed struct {
	// Now is the time of the observation, for lastTransitionTime.
	Now metav1.Time
	// Refused is why the current generation is not accepted; nil when it is.
	Refused *Problem
	// Unseen says that it cannot be judged, since ConfigMaps that it names of its workflows
	// and prompts cannot be read.
	Unseen bool
	// Unresolved is why its references cannot be used; nil when they can.
	Unresolved *Problem
	// References is the number of references of the current generation, and Note what is
	// odd about them.
	References int
	Note       string
	// Failed is why its objects could not be written; nil when they were.
	Failed *Problem
	// InForce is the state that the pods are to be in; nil when there is none yet.
	InForce *InForce
	// Deployment is nil when there is none.
	Deployment *appsv1.Deployment
	// Pods are all pods of the app.
	Pods []corev1.Pod
	// APIKeys are those in force; nil when there are none, or nothing is known of them.
	APIKeys *APIKeys
	// Redis is what the ready pods have told of it.
	Redis RedisAnswers
}

// Problem is something that keeps an app from being ready.
type Problem struct {
	Reason  string
	Message string
	// Remedy says who can end it.
	Remedy Remedy
}

// Remedy says who can end a problem.
type Remedy string

// The remedies.
const (
	// RemedyUser: nothing happens until somebody acts on it.
	RemedyUser Remedy = "User"
	// RemedyWait: it may end by itself, or by something that is usually on its way.
	RemedyWait Remedy = "Wait"
)

// InForce is the accepted state of an app: that of the current generation, or of an
// earlier one while the current one is refused.
type InForce struct {
	// Spec has its defaults filled in.
	Spec *v1alpha1.NexusAppSpec
	// Generation at which it was accepted.
	Generation int64
	// DocumentHash is the hexadecimal SHA-256 of its document, and DocumentLabel what
	// pods that run it have as v1alpha1.LabelDocument.
	DocumentHash  string
	DocumentLabel string
	// Workflows are what its pods serve.
	Workflows []v1alpha1.WorkflowStatus
	// Blocked says whether its pods mount something that is missing or cannot be used.
	Blocked bool
}

// MaxMessage bounds the message of a condition, in bytes.
const MaxMessage = 2048

// Summarize returns the status of an app. The app's own status is read only for the
// times of earlier transitions.
func Summarize(app *v1alpha1.NexusApp, o Observed) v1alpha1.NexusAppStatus {
	s := summary{Observed: o, app: app, pods: countPods(o)}
	s.spec = s.judged()
	s.status.ObservedGeneration = app.Generation
	s.status.Conditions = slices.Clone(app.Status.Conditions)
	s.setAccepted()
	s.setReferencesResolved()
	s.setAvailable()
	s.setEnforced()
	s.setSecurityPosture()
	s.setCredentialsCurrent()
	s.setRedisReady()
	s.setReady()
	s.setReconciling()
	s.setStalled()
	s.setFacts()
	return s.status
}

// summary is a status in the making.
type summary struct {
	Observed
	app *v1alpha1.NexusApp
	// spec is the one in force, or, while none is, what is asked for.
	spec   *v1alpha1.NexusAppSpec
	pods   pods
	status v1alpha1.NexusAppStatus
}

// set writes a condition. Its time changes only with its status.
func (s *summary) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&s.status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: bounded(message, MaxMessage),
		ObservedGeneration: s.app.Generation, LastTransitionTime: s.Now,
	})
}

func (s *summary) isTrue(kind string) bool {
	return meta.IsStatusConditionTrue(s.status.Conditions, kind)
}

// replicas is how many pods there are to be.
func (s *summary) replicas() int32 {
	if s.Deployment == nil || s.Deployment.Spec.Replicas == nil {
		return 0
	}
	return *s.Deployment.Spec.Replicas
}

// setFacts writes what is no condition.
func (s *summary) setFacts() {
	existing, ready := s.pods.existing, s.pods.ready
	s.status.Replicas, s.status.ReadyReplicas = &existing, &ready
	s.status.Selector = labels.Set{v1alpha1.LabelApp: s.app.Name}.String()
	if s.InForce == nil || s.Deployment == nil {
		return
	}
	s.status.Endpoints.API = fmt.Sprintf("http://%s.%s.svc:8000", s.app.Name, s.app.Namespace)
	if s.InForce.Spec.ServesMCP() {
		s.status.Endpoints.MCP = fmt.Sprintf("http://%s.%s.svc:3001/mcp", s.app.Name, s.app.Namespace)
	}
	s.status.PolicyHash = s.InForce.DocumentHash
	s.status.Workflows = s.InForce.Workflows
}

// earlier is the end of a sentence that says which generation is in force when it is
// not the current one.
func (s *summary) earlier() string {
	switch {
	case s.Deployment == nil:
		return "nothing is deployed yet"
	case s.InForce != nil && s.InForce.Generation < s.app.Generation:
		return fmt.Sprintf("generation %d stays in force", s.InForce.Generation)
	default:
		return "what is deployed keeps serving"
	}
}

// bounded cuts a text to a number of bytes, at a rune, and drops control characters
// other than line feeds.
func bounded(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if r == '\n' || r >= ' ' && r != 0x7f {
			return r
		}
		return -1
	}, strings.ToValidUTF8(strings.TrimSpace(text), ""))
	if len(text) <= limit {
		return text
	}
	const ellipsis = "…"
	return strings.ToValidUTF8(text[:limit-len(ellipsis)], "") + ellipsis
}
