package controllers

import (
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/apply"
	"github.com/nexus-operator/nexus-operator/controllers/desired"
	"github.com/nexus-operator/nexus-operator/controllers/refs"
	"github.com/nexus-operator/nexus-operator/controllers/status"
)

// scope is everything that one reconcile knows.
type scope struct {
	// app is the NexusApp as the cache has it. It is not changed.
	app   *v1alpha1.NexusApp
	owner apply.Owner

	// current is the current spec, rendered; nil when it is refused, or when it is unseen:
	// what it names of ConfigMaps cannot be read.
	current *rendered
	unseen  bool
	// reading is what this reconcile has read of what the specs refer to, and references
	// are those of the current spec.
	reading    *refs.Reading
	references refs.Resolved
	// inForce is what the pods are to enforce: current, or what was accepted before; nil
	// when nothing was.
	inForce *rendered
	// records are those of the Secrets of inForce, and blocked says whether its pods could
	// not start with what they mount.
	records refs.Records
	blocked bool

	// deployment is the live Deployment; nil when there is none.
	deployment *appsv1.Deployment
	pods       []corev1.Pod
	// redis is what the pods have said of Redis when they were last asked.
	redis   status.RedisAnswers
	objects []client.Object
	// names of the objects that are named by their content.
	configMap, revision string
	// changes are the writes made, and what was found to need none.
	changes []apply.Change

	// refused, unresolved and failed are what the user has to know.
	refused, unresolved, failed *Error
}

// rendered is a spec and what follows from it alone.
type rendered struct {
	// app has the spec as its owner wrote it; spec has the defaults filled in.
	app        *v1alpha1.NexusApp
	spec       *v1alpha1.NexusAppSpec
	generation int64
	document   []byte
	names      desired.Names
	workflows  []v1alpha1.WorkflowStatus
	// texts says whether the document holds what ConfigMaps of the user held.
	texts bool
}

func newScope(app *v1alpha1.NexusApp) *scope {
	return &scope{app: app, owner: apply.Owner{Name: app.Name, Namespace: app.Namespace, UID: app.UID}}
}

// note keeps an error that the user has to know of, so that the phases that follow can
// take it into account; any other is returned and ends the reconcile.
func (s *scope) note(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	switch e.Condition {
	case v1alpha1.ConditionAccepted:
		s.refused = e
	case v1alpha1.ConditionReferencesResolved:
		s.unresolved = s.unresolved.and(e)
	default:
		s.failed = e
	}
	return nil
}

// result is when to look again.
func (s *scope) result(now time.Time) (ctrl.Result, error) {
	var after time.Duration
	for _, e := range []*Error{s.refused, s.unresolved, s.failed} {
		switch {
		case e == nil:
		case e.Next == Retry:
			return ctrl.Result{}, e
		case e.After > 0 && (after == 0 || e.After < after):
			after = e.After
		}
	}
	if at := s.apiKeys().NextChange(now); !at.IsZero() && (after == 0 || at.Sub(now) < after) {
		after = at.Sub(now)
	}
	return ctrl.Result{RequeueAfter: after}, nil
}

// apiKeys are the API keys in force; nil when there are none, or nothing is known of them.
func (s *scope) apiKeys() *status.APIKeys {
	if s.inForce == nil {
		return nil
	}
	expires, known := s.records.Expiry(s.inForce.spec)
	if !known {
		return nil
	}
	return &status.APIKeys{Secret: s.inForce.spec.Auth.APIKeys.SecretRef.Name, Expires: expires}
}

// applied says whether the current spec is what the cluster now holds.
func (s *scope) applied() bool { return len(s.objects) > 0 && s.failed == nil && s.unresolved == nil }

// hasRedis says whether the pods have a Redis to tell of.
func (s *scope) hasRedis() bool {
	if s.inForce != nil {
		return s.inForce.spec.Redis != nil
	}
	return s.app.Spec.Redis != nil
}

// replicas is how many pods there are to be.
func (s *scope) replicas() int32 {
	switch {
	case s.inForce.spec.Replicas != nil:
		return *s.inForce.spec.Replicas
	case s.deployment != nil && s.deployment.Spec.Replicas != nil:
		return *s.deployment.Spec.Replicas
	default:
		return v1alpha1.DefaultReplicas(s.inForce.spec.Environment)
	}
}

// observed is the scope as the status package sees it.
func (s *scope) observed() status.Observed {
	o := status.Observed{
		Refused: problem(s.refused), Unseen: s.unseen, Unresolved: problem(s.unresolved), Failed: problem(s.failed),
		References: s.references.Count, Note: s.references.Note,
		Deployment: s.deployment, Pods: s.pods, APIKeys: s.apiKeys(), Redis: s.redis,
	}
	if s.inForce != nil {
		o.InForce = &status.InForce{
			Spec: s.inForce.spec, Generation: s.inForce.generation, Workflows: s.inForce.workflows, Blocked: s.blocked,
			DocumentHash: s.inForce.names.DocumentHash, DocumentLabel: s.inForce.names.Document,
		}
	}
	return o
}

func problem(e *Error) *status.Problem {
	if e == nil {
		return nil
	}
	remedy := status.RemedyWait
	if e.Next == Terminal {
		remedy = status.RemedyUser
	}
	return &status.Problem{Reason: e.Reason, Message: e.Message, Remedy: remedy}
}
