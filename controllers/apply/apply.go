// Package apply makes the cluster hold the objects that an app needs, with
// server-side apply and one field manager. It writes only what differs: applying the
// same objects twice writes nothing the second time, also after a restart.
package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Applier applies objects and deletes those that are no longer wanted.
type Applier struct {
	// Client reads from the cache, which holds only objects with the operator's labels,
	// and writes. A read must see the writes that went before it.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader

	contested contested
}

// Operation says what was done to an object.
type Operation string

// The operations.
const (
	// Unchanged: the object is as it should be; nothing was written.
	Unchanged Operation = "unchanged"
	// Created: there was no object.
	Created Operation = "created"
	// Updated: something else is wanted than before.
	Updated Operation = "updated"
	// Corrected: the same is wanted as before, and somebody had changed it.
	Corrected Operation = "corrected"
	// Deleted: the object is no longer wanted.
	Deleted Operation = "deleted"
)

// Change is what was done to one object.
type Change struct {
	Operation Operation
	// Object is the object as the API server has it after the operation, or as the
	// cache has it when nothing was written.
	Object client.Object
	Kind   string
	// Contested says that the object came back other than it was sent: an admission
	// webhook insists on something else. It is not sent again until either side changes.
	Contested bool
}

// Apply makes the cluster hold the objects, in their order. Who owns each name is
// settled for all of them before the first write. The changes made are returned also
// when an error ended the work: a *NotOwnedError, or what the API server said.
func (a *Applier) Apply(ctx context.Context, owner Owner, objects []client.Object) ([]Change, error) {
	steps := make([]step, 0, len(objects))
	for _, object := range objects {
		s, err := a.plan(ctx, owner, object)
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	changes := make([]Change, 0, len(steps))
	for _, s := range steps {
		change, err := a.perform(ctx, s)
		if err != nil {
			return changes, err
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// step is one object and what is to be done about it.
type step struct {
	operation Operation
	gvk       schema.GroupVersionKind
	// wanted is the object as it is sent.
	wanted map[string]any
	// live is the object in the cache; nil when it is not there.
	live client.Object
	// uid is the uid of the object that exists, empty when none does.
	uid types.UID
}

// plan compares an object with what the cluster has of it.
func (a *Applier) plan(ctx context.Context, owner Owner, object client.Object) (step, error) {
	wanted, err := toApply(object)
	if err != nil {
		return step{}, err
	}
	s := step{operation: Created, gvk: object.GetObjectKind().GroupVersionKind(), wanted: wanted}
	live, err := a.cached(ctx, s.gvk, client.ObjectKeyFromObject(object))
	if err != nil {
		return step{}, err
	}
	if live == nil {
		// The cache shows only what carries our labels: somebody else may hold the name.
		if s.uid, err = a.readOwnership(ctx, owner, s.gvk, client.ObjectKeyFromObject(object)); err != nil {
			return step{}, err
		}
		if s.uid != "" {
			s.operation = Corrected
		}
		return s, nil
	}
	if err := owner.check(s.gvk.Kind, live); err != nil {
		return step{}, err
	}
	s.live, s.uid = live, live.GetUID()
	covered, err := covers(live, wanted)
	if err != nil {
		return step{}, err
	}
	settled := false
	if !covered {
		if settled, err = a.contested.settled(wanted, live); err != nil {
			return step{}, err
		}
	}
	switch {
	case covered, settled:
		s.operation = Unchanged
	case live.GetAnnotations()[v1alpha1.AnnotationApplied] == digestOf(wanted):
		s.operation = Corrected
	default:
		s.operation = Updated
	}
	return s, nil
}

// cached returns an object from the cache, nil when it is not there.
func (a *Applier) cached(ctx context.Context, gvk schema.GroupVersionKind, key client.ObjectKey) (client.Object, error) {
	made, err := a.Client.Scheme().New(gvk)
	if err != nil {
		return nil, fmt.Errorf("making a %s: %w", gvk.Kind, err)
	}
	object := made.(client.Object)
	if err := a.Client.Get(ctx, key, object); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("reading %s %s: %w", gvk.Kind, key.Name, err)
	}
	return object, nil
}

func (a *Applier) perform(ctx context.Context, s step) (Change, error) {
	if s.operation == Unchanged {
		return Change{Operation: Unchanged, Object: s.live, Kind: s.gvk.Kind}, nil
	}
	object, err := a.patch(ctx, s)
	if apierrors.IsInvalid(err) && s.uid != "" && immutable(s.gvk.Kind) {
		// What cannot be changed is made again: somebody has replaced it.
		if err := a.remove(ctx, s.gvk, namespacedName(s.wanted), s.uid); err != nil {
			return Change{}, err
		}
		s.uid = ""
		object, err = a.patch(ctx, s)
	}
	if err != nil {
		return Change{}, fmt.Errorf("applying %s %s: %w", s.gvk.Kind, namespacedName(s.wanted).Name, err)
	}
	change := Change{Operation: s.operation, Object: object, Kind: s.gvk.Kind}
	if s.operation == Corrected { // the same was sent before: did it come back the same now?
		if change.Contested, err = a.contested.remember(s.wanted, object); err != nil {
			return Change{}, err
		}
	}
	return change, nil
}

// patch sends one object and returns what the API server made of it.
func (a *Applier) patch(ctx context.Context, s step) (client.Object, error) {
	if s.uid != "" {
		// Only the object that was looked at: not one that has taken its name since.
		s.wanted = withUID(s.wanted, s.uid)
	}
	raw, err := json.Marshal(s.wanted)
	if err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	made, err := a.Client.Scheme().New(s.gvk)
	if err != nil {
		return nil, err
	}
	object := made.(client.Object)
	key := namespacedName(s.wanted)
	object.SetName(key.Name)
	object.SetNamespace(key.Namespace)
	err = a.Client.Patch(ctx, object, client.RawPatch(types.ApplyPatchType, raw),
		client.ForceOwnership, client.FieldOwner(v1alpha1.ManagedBy))
	return object, err
}

// Delete deletes an object that is no longer wanted, if the cache has it and it is
// the owner's to write.
func (a *Applier) Delete(ctx context.Context, owner Owner, object client.Object) (Change, error) {
	gvk := object.GetObjectKind().GroupVersionKind()
	live, err := a.cached(ctx, gvk, client.ObjectKeyFromObject(object))
	if err != nil {
		return Change{}, err
	}
	if live == nil || !owner.Owns(live) || !live.GetDeletionTimestamp().IsZero() {
		return Change{Operation: Unchanged, Object: object, Kind: gvk.Kind}, nil
	}
	if err := a.remove(ctx, gvk, client.ObjectKeyFromObject(live), live.GetUID()); err != nil {
		return Change{}, err
	}
	return Change{Operation: Deleted, Object: live, Kind: gvk.Kind}, nil
}

// remove deletes the object that has this uid; one that is gone already is no error.
func (a *Applier) remove(ctx context.Context, gvk schema.GroupVersionKind, key client.ObjectKey, uid types.UID) error {
	made, err := a.Client.Scheme().New(gvk)
	if err != nil {
		return err
	}
	object := made.(client.Object)
	object.SetName(key.Name)
	object.SetNamespace(key.Namespace)
	err = a.Client.Delete(ctx, object, client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting %s %s: %w", gvk.Kind, key.Name, err)
	}
	return nil
}

// immutable says whether the objects of a kind are made again rather than changed.
func immutable(kind string) bool { return kind == "ConfigMap" || kind == "ControllerRevision" }

// toApply is an object as it is sent: without what only the API server writes, and
// with a digest of itself, which makes fields visible that are no longer wanted.
func toApply(object client.Object) (map[string]any, error) {
	wanted, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("encoding %T %s: %w", object, object.GetName(), err)
	}
	delete(wanted, "status")
	metadata := child(wanted, "metadata")
	delete(metadata, "creationTimestamp")
	if template := child(child(wanted, "spec"), "template"); len(template) > 0 {
		delete(child(template, "metadata"), "creationTimestamp")
	}
	digest, err := digest(wanted)
	if err != nil {
		return nil, fmt.Errorf("encoding %T %s: %w", object, object.GetName(), err)
	}
	annotations, ok := metadata["annotations"].(map[string]any)
	if !ok {
		annotations = map[string]any{}
		metadata["annotations"] = annotations
	}
	annotations[v1alpha1.AnnotationApplied] = digest
	return wanted, nil
}

func withUID(wanted map[string]any, uid types.UID) map[string]any {
	out, metadata := maps.Clone(wanted), maps.Clone(child(wanted, "metadata"))
	metadata["uid"] = string(uid)
	out["metadata"] = metadata
	return out
}

func namespacedName(wanted map[string]any) client.ObjectKey {
	metadata := child(wanted, "metadata")
	name, _ := metadata["name"].(string)
	namespace, _ := metadata["namespace"].(string)
	return client.ObjectKey{Namespace: namespace, Name: name}
}

// Slim is the cache's transform for the kinds that are applied: what nobody compares
// is dropped, and the contents of a ConfigMap or ControllerRevision are replaced with
// their digest, which is all that comparing needs.
//
// An informer may transform an object twice. One that was never transformed has managed
// fields, since the API server records at least our own apply.
func Slim(object any) (any, error) {
	o, ok := object.(client.Object)
	if !ok || len(o.GetManagedFields()) == 0 {
		return object, nil
	}
	o.SetManagedFields(nil)
	switch o := object.(type) {
	case *corev1.ConfigMap:
		slimConfigMap(o)
	case *appsv1.ControllerRevision:
		return object, slimRevision(o)
	}
	return object, nil
}
