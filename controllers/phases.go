package controllers

import (
	"context"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/apply"
	"github.com/nexus-operator/nexus-operator/controllers/desired"
	"github.com/nexus-operator/nexus-operator/controllers/refs"
	"github.com/nexus-operator/nexus-operator/controllers/status"
	"github.com/nexus-operator/nexus-operator/runtime/compile"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

// read gets the live Deployment: it records what was read of Secrets, and how many
// replicas somebody else has set.
func (r *Reconciler) read(ctx context.Context, s *scope) error {
	var deployment appsv1.Deployment
	if err := r.Client.Get(ctx, client.ObjectKeyFromObject(s.app), &deployment); client.IgnoreNotFound(err) != nil {
		return err
	}
	if s.owner.Owns(&deployment) {
		s.deployment = &deployment
	}
	s.reading = r.Resolver.Read(s.app, s.recorded())
	return nil
}

// accept renders the current spec, or says why it is refused, or cannot be judged.
func (r *Reconciler) accept(ctx context.Context, s *scope) error {
	live := liveTexts(ctx, s.reading)
	current, err := r.render(ctx, s.app, s.app.Generation, live)
	s.current, s.unseen = current, len(live.problems) > 0
	return err
}

// render validates a spec, compiles its workflows and prompts, and makes its document.
func (r *Reconciler) render(ctx context.Context, app *v1alpha1.NexusApp, generation int64, of *texts) (*rendered, error) {
	document, errs := config.FromApp(app, of.source)
	if err := of.judge(errs); err != nil {
		return nil, err
	}
	out := &rendered{app: app, spec: app.Spec.DeepCopy(), generation: generation, texts: of.asked}
	v1alpha1.SetDefaults(out.spec)
	compiled, problems := compile.App(&document)
	if len(problems) > 0 {
		return nil, refuse(reasonOfCompiling(problems), joined(config.Located(app, problems)))
	}
	for i, w := range compiled {
		out.workflows = append(out.workflows, v1alpha1.WorkflowStatus{
			Name: document.Workflows[i].Name, Version: w.Program.Version(), Hash: first(w.Program.Hash(), 16),
			Tool: document.Workflows[i].MCP.ToolName,
		})
	}
	if err := r.addCluster(ctx, &document); err != nil {
		return nil, err
	}
	raw, err := document.Marshal()
	if err != nil {
		return nil, refuse(v1alpha1.ReasonDocumentTooLarge, err.Error())
	}
	out.document, out.names = raw, desired.NamesOf(app, raw)
	return out, nil
}

func refuse(reason, message string) *Error {
	return &Error{Condition: v1alpha1.ConditionAccepted, Reason: reason, Message: message, Next: Terminal}
}

// joined says the problems as the command line does.
func joined(problems []config.Problem) string {
	var lines []string
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "; ")
}

func first(s string, n int) string { return s[:min(n, len(s))] }

// resolve looks at everything that the current spec refers to.
func (r *Reconciler) resolve(ctx context.Context, s *scope) error {
	resolved, err := s.reading.Resolve(ctx, &s.app.Spec)
	if err != nil {
		return err
	}
	s.references = resolved
	var e *Error
	for _, p := range resolved.Problems {
		e = e.and(unresolved(p))
	}
	if e == nil {
		return nil
	}
	return e
}

// recorded is what is remembered of Secrets.
func (s *scope) recorded() refs.Records {
	if s.deployment == nil {
		return nil
	}
	return refs.ParseRecords(s.deployment.Annotations[v1alpha1.AnnotationSecrets])
}

// build works out the objects. Without a record of each mounted Secret there are none:
// no pod starts without its credentials.
func (r *Reconciler) build(_ context.Context, s *scope) error {
	if s.inForce == nil || !s.records.Complete(s.inForce.spec) {
		return nil
	}
	objects, err := desired.Build(desired.Input{
		App: s.inForce.app, Generation: s.inForce.generation, Document: s.inForce.document,
		RuntimeImage: r.RuntimeImage, PodIDs: r.PodIDs, Replicas: s.replicas(),
		SecretsDigest: s.records.Digest(s.inForce.spec), SecretsRecord: s.records.String(),
		RedisPorts: s.records.RedisPorts(s.inForce.spec), OperatorNamespace: r.Namespace, Texts: s.inForce.texts,
	})
	if err != nil {
		return err
	}
	s.configMap = s.inForce.names.ConfigMap
	for _, object := range objects {
		s.objects = append(s.objects, object)
		if _, ok := object.(*appsv1.ControllerRevision); ok {
			s.revision = object.GetName()
		}
	}
	return nil
}

// apply writes what differs and deletes what is no longer wanted.
func (r *Reconciler) apply(ctx context.Context, s *scope) error {
	if len(s.objects) == 0 {
		return nil
	}
	defer func() { r.recordWrites(s) }()
	if s.inForce.spec.Replicas == nil && s.deployment != nil {
		if err := r.handOver(ctx, s); err != nil {
			return err
		}
	}
	created := s.deployment == nil
	changes, err := r.Applier.Apply(ctx, s.owner, s.objects)
	s.changes = append(s.changes, changes...)
	if err != nil {
		return applyError(err)
	}
	for _, c := range changes {
		if d, ok := c.Object.(*appsv1.Deployment); ok {
			s.deployment = d
		}
	}
	if s.inForce.spec.Replicas == nil && created {
		if err := r.handOver(ctx, s); err != nil {
			return err
		}
	}
	return r.deleteUnwanted(ctx, s)
}

// handOver leaves the number of replicas to whoever scales the Deployment.
func (r *Reconciler) handOver(ctx context.Context, s *scope) error {
	change, err := r.Applier.HandOverReplicas(ctx, s.owner, s.deployment, v1alpha1.DefaultReplicas(s.inForce.spec.Environment))
	if err != nil {
		return applyError(err)
	}
	if change.Operation != apply.Unchanged {
		s.changes = append(s.changes, change)
		s.deployment = change.Object.(*appsv1.Deployment)
	}
	return nil
}

func (r *Reconciler) deleteUnwanted(ctx context.Context, s *scope) error {
	for _, optional := range desired.Optional(s.app) {
		kind := optional.GetObjectKind().GroupVersionKind()
		if slices.ContainsFunc(s.objects, func(o client.Object) bool { return o.GetObjectKind().GroupVersionKind() == kind }) {
			continue
		}
		change, err := r.Applier.Delete(ctx, s.owner, optional)
		if err != nil {
			return err
		}
		s.changes = append(s.changes, change)
	}
	return nil
}

// prune deletes the ConfigMaps and ControllerRevisions that are out of use.
func (r *Reconciler) prune(ctx context.Context, s *scope) error {
	if !s.applied() {
		return nil
	}
	changes, err := r.Applier.Prune(ctx, s.owner, s.configMap, s.revision)
	r.countWrites(changes)
	return err
}

// observe lists the pods.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, client.InNamespace(s.app.Namespace), client.MatchingFields{apply.IndexApp: s.app.Name}); err != nil {
		return err
	}
	s.pods = pods.Items
	s.redis = r.redis.of(s.pods)
	if s.redis.Unasked > 0 && s.hasRedis() {
		r.redis.wake()
	}
	return nil
}

// report writes the status, once and only when it differs, and tells of transitions.
func (r *Reconciler) report(ctx context.Context, s *scope) error {
	observed := s.observed()
	observed.Now = metav1.Now()
	updated := s.app.DeepCopy()
	updated.Status = status.Summarize(s.app, observed)
	if !equality.Semantic.DeepEqual(s.app.Status, updated.Status) {
		wanted := updated.Status
		if err := r.Client.Status().Patch(ctx, updated, client.MergeFrom(s.app)); err != nil {
			if apierrors.IsNotFound(err) {
				return nil // deleted meanwhile
			}
			return err
		}
		updated.Status = wanted
		r.countStatusWrite()
	}
	r.tell(s, s.app.Status.Conditions, updated.Status.Conditions)
	return nil
}
