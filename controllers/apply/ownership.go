package apply

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Owner is the NexusApp on whose behalf objects are written.
type Owner struct {
	Name      string
	Namespace string
	UID       types.UID
}

// NotOwnedError says that a name is taken by an object that is not the owner's.
type NotOwnedError struct {
	Kind, Namespace, Name string
	// Controller is who controls the object, "" when nobody does.
	Controller string
	// Predecessor says that the controller was a NexusApp of the same name: the garbage
	// collector is about to remove the object.
	Predecessor bool
}

// Error names the object and what to do.
func (e *NotOwnedError) Error() string {
	if e.Predecessor {
		return fmt.Sprintf("%s %q still belongs to an earlier NexusApp of the same name, which is being cleaned up: wait, or delete the %s", e.Kind, e.Name, e.Kind)
	}
	by := "is not controlled by this NexusApp"
	if e.Controller != "" {
		by = "is controlled by " + e.Controller
	}
	return fmt.Sprintf("%s %q exists already and %s: delete or rename it, or give the NexusApp another name", e.Kind, e.Name, by)
}

// controls says whether an object has our controller reference.
func (o Owner) controls(object metav1.Object) bool {
	controller := metav1.GetControllerOfNoCopy(object)
	return controller != nil && controller.UID == o.UID
}

// orphan says whether an object is our own that lost its reference: an app of the same
// name made it, and was deleted without its dependents.
func (o Owner) orphan(object metav1.Object) bool {
	labels := object.GetLabels()
	return metav1.GetControllerOfNoCopy(object) == nil &&
		labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy && labels[v1alpha1.LabelApp] == o.Name
}

// Owns says whether an object is the owner's to write.
func (o Owner) Owns(object metav1.Object) bool { return o.controls(object) || o.orphan(object) }

// check returns a *NotOwnedError unless the object is the owner's to write.
func (o Owner) check(kind string, object metav1.Object) error {
	if o.Owns(object) {
		return nil
	}
	err := &NotOwnedError{Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()}
	if controller := metav1.GetControllerOfNoCopy(object); controller != nil {
		err.Controller = fmt.Sprintf("%s %q", controller.Kind, controller.Name)
		err.Predecessor = controller.Kind == "NexusApp" && controller.Name == o.Name
	}
	return err
}

// readOwnership asks the API server who holds a name: the uid of an object that is the
// owner's to write, "" when the name is free, a *NotOwnedError when it is taken.
func (a *Applier) readOwnership(ctx context.Context, owner Owner, gvk schema.GroupVersionKind, key client.ObjectKey) (types.UID, error) {
	var object metav1.PartialObjectMetadata
	object.SetGroupVersionKind(gvk)
	if err := a.Live.Get(ctx, key, &object); err != nil {
		if apierrors.IsNotFound(err) {
			return "", nil
		}
		return "", fmt.Errorf("reading who owns %s %s: %w", gvk.Kind, key.Name, err)
	}
	if err := owner.check(gvk.Kind, &object); err != nil {
		return "", err
	}
	return object.GetUID(), nil
}
