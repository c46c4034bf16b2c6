package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
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
// field manager, once. It is called before a Deployment without replicas is applied,
// while the operator may still own the count, and after a new one was.
func (a *Applier) HandOverReplicas(ctx context.Context, owner Owner, live *appsv1.Deployment, initial int32) (Change, error) {
	annotations := live.GetAnnotations()
	_, handed := annotations[v1alpha1.AnnotationInitialReplicas]
	set := annotations[v1alpha1.AnnotationReplicas] != ""
	if !owner.Owns(live) || handed && !set {
		return Change{Operation: Unchanged, Object: live, Kind: "Deployment"}, nil
	}
	// 1 is what the API server fills in; anything else was somebody's choice.
	count := initial
	if live.Spec.Replicas != nil && (*live.Spec.Replicas != 1 || set) {
		count = *live.Spec.Replicas
	}
	raw, err := json.Marshal(map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{
			"name": live.Name, "namespace": live.Namespace, "uid": live.UID,
			"annotations": map[string]string{v1alpha1.AnnotationInitialReplicas: strconv.Itoa(int(count))},
		},
		"spec": map[string]any{"replicas": count},
	})
	if err != nil {
		return Change{}, fmt.Errorf("encoding: %w", err)
	}
	updated := &appsv1.Deployment{}
	updated.SetName(live.Name)
	updated.SetNamespace(live.Namespace)
	if err := a.Client.Patch(ctx, updated, client.RawPatch(types.ApplyPatchType, raw),
		client.ForceOwnership, client.FieldOwner(replicasManager)); err != nil {
		return Change{}, fmt.Errorf("handing over the replicas of Deployment %s: %w", live.Name, err)
	}
	return Change{Operation: Updated, Object: updated, Kind: "Deployment"}, nil
}
