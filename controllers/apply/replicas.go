package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// replicasManager is the field manager that holds a Deployment's replicas on behalf
// of whoever scales it: were the count merely left out of an apply, the API server
// would reset it to 1.
const replicasManager = v1alpha1.ManagedBy + "-initial-replicas"

// HandOverReplicas leaves the number of replicas to whoever scales the Deployment:
// it writes the live count, or for a new Deployment the initial one, under another
// field manager, once. It is called before and after a Deployment without replicas is
// applied: before, for the count that the operator owned so far; after, for a new one.
func (a *Applier) HandOverReplicas(ctx context.Context, owner Owner, key client.ObjectKey, initial int32) (Change, error) {
	unchanged := Change{Operation: Unchanged, Kind: "Deployment"}
	var live appsv1.Deployment
	if err := a.Client.Get(ctx, key, &live); err != nil {
		if apierrors.IsNotFound(err) {
			return unchanged, nil
		}
		return unchanged, fmt.Errorf("reading Deployment %s: %w", key.Name, err)
	}
	annotations := live.GetAnnotations()
	_, handed := annotations[v1alpha1.AnnotationInitialReplicas]
	if !owner.controls(&live) || handed && annotations[v1alpha1.AnnotationReplicas] == "" {
		return unchanged, nil
	}
	count := initial
	if live.Spec.Replicas != nil && (*live.Spec.Replicas != 1 || annotations[v1alpha1.AnnotationReplicas] != "") {
		count = *live.Spec.Replicas
	}
	raw, err := json.Marshal(map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{
			"name": key.Name, "namespace": key.Namespace, "uid": live.UID,
			"annotations": map[string]string{v1alpha1.AnnotationInitialReplicas: strconv.Itoa(int(count))},
		},
		"spec": map[string]any{"replicas": count},
	})
	if err != nil {
		return unchanged, fmt.Errorf("encoding: %w", err)
	}
	updated := &appsv1.Deployment{}
	updated.SetName(key.Name)
	updated.SetNamespace(key.Namespace)
	if err := a.Client.Patch(ctx, updated, client.RawPatch(types.ApplyPatchType, raw),
		client.ForceOwnership, client.FieldOwner(replicasManager)); err != nil {
		return unchanged, fmt.Errorf("handing over the replicas of Deployment %s: %w", key.Name, err)
	}
	return Change{Operation: Updated, Object: updated, Kind: "Deployment"}, nil
}
