package controllers

import (
	"context"
	"errors"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/desired"
)

// choose decides what is in force: the current spec when it is accepted and its
// references can be used, else the one that was accepted last. Its drift and its
// Secrets are still followed; what ConfigMaps held of its workflows and
// prompts stays as it was.
func (r *Reconciler) choose(ctx context.Context, s *scope) error {
	if s.current != nil && s.unresolved == nil {
		s.inForce, s.records, s.blocked = s.current, s.references.Records, s.references.Blocked
		return nil
	}
	newest, err := r.Applier.Newest(ctx, s.owner)
	if err != nil || newest == nil {
		return err
	}
	// The cache holds only a digest of the data.
	var revision appsv1.ControllerRevision
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(newest), &revision); err != nil {
		return client.IgnoreNotFound(err)
	}
	accepted := s.app.DeepCopy()
	if accepted.Spec, err = desired.ReadRevision(&revision); err != nil {
		return err
	}
	kept, err := r.keptWith(ctx, &revision, accepted)
	if err != nil || kept == nil {
		return err
	}
	// What an older operator accepted and this one does not is left as it is, and so is
	// what cannot be rendered again: the pods keep serving, untouched.
	inForce, refused := r.render(ctx, accepted, revision.Revision, kept)
	if e, ok := errors.AsType[*Error](refused); ok && (e.Condition == v1alpha1.ConditionAccepted || e.Reason == v1alpha1.ReasonConfigMapInvalid) {
		return nil
	} else if refused != nil {
		return refused
	}
	resolved, err := s.reading.Resolve(ctx, &accepted.Spec)
	if err != nil {
		return err
	}
	s.inForce, s.records, s.blocked = inForce, resolved.Records, resolved.Blocked
	return nil
}

// keptWith returns what ConfigMaps held when a revision was accepted: its document has
// it. It is nil when that is gone.
func (r *Reconciler) keptWith(ctx context.Context, revision *appsv1.ControllerRevision, accepted *v1alpha1.NexusApp) (*texts, error) {
	name := revision.Annotations[v1alpha1.AnnotationDocument]
	if name == "" {
		return noTexts(), nil
	}
	var object corev1.ConfigMap
	if err := r.Live.Get(ctx, client.ObjectKey{Namespace: revision.Namespace, Name: name}, &object); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	document := []byte(object.Data[desired.ConfigKey])
	if desired.NamesOf(accepted, document).ConfigMap != name {
		return nil, nil // somebody has put another one in its place
	}
	return keptTexts(accepted, document)
}
