package apply

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// kept is how many ConfigMaps and ControllerRevisions of an app stay, used or not.
const kept = 3

// IndexApp is the cache index by the app that an object belongs to.
const IndexApp = "app"

// AppOf is the index function of IndexApp.
func AppOf(object client.Object) []string {
	if app := object.GetLabels()[v1alpha1.LabelApp]; app != "" {
		return []string{app}
	}
	return nil
}

// Prune deletes the ConfigMaps and ControllerRevisions of an app that are out of use:
// all but the last three, the current ones, and the ConfigMaps that a pod, or a
// ReplicaSet that has pods, names. The names of the current ones are given.
func (a *Applier) Prune(ctx context.Context, owner Owner, configMap, revision string) ([]Change, error) {
	old, err := a.oldConfigMaps(ctx, owner, configMap)
	if err != nil {
		return nil, err
	}
	if len(old) > 0 {
		used, err := a.configMapsInUse(ctx, owner)
		if err != nil {
			return nil, err
		}
		old = slices.DeleteFunc(old, func(o client.Object) bool { return used[o.GetName()] })
	}
	revisions, err := a.oldRevisions(ctx, owner, revision)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for _, object := range append(old, revisions...) {
		change, err := a.Delete(ctx, owner, object)
		if err != nil {
			return changes, err
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// Newest returns the ControllerRevision of an app with the highest number, nil when it
// has none. Its data is what Slim leaves of it.
func (a *Applier) Newest(ctx context.Context, owner Owner) (*appsv1.ControllerRevision, error) {
	// This one has to see a revision written a moment ago.
	items, err := a.revisions(ctx, owner, client.InNamespace(owner.Namespace), client.MatchingFields{IndexApp: owner.Name})
	if err != nil || len(items) == 0 || !owner.controls(&items[0]) {
		return nil, err
	}
	return &items[0], nil
}

// revisions lists an app's revisions: its own first, the highest number first, and then
// those of an earlier app of the same name.
func (a *Applier) revisions(ctx context.Context, owner Owner, options ...client.ListOption) ([]appsv1.ControllerRevision, error) {
	var list appsv1.ControllerRevisionList
	if err := a.Client.List(ctx, &list, options...); err != nil {
		return nil, fmt.Errorf("listing ControllerRevisions: %w", err)
	}
	items := slices.DeleteFunc(list.Items, func(r appsv1.ControllerRevision) bool { return !owner.Owns(&r) })
	slices.SortFunc(items, func(x, y appsv1.ControllerRevision) int {
		return cmp.Or(ownFirst(owner, &x, &y), cmp.Compare(y.Revision, x.Revision), cmp.Compare(x.Name, y.Name))
	})
	return items, nil
}

func ownFirst(owner Owner, x, y metav1.Object) int {
	switch mine, theirs := owner.controls(x), owner.controls(y); {
	case mine == theirs:
		return 0
	case mine:
		return -1
	default:
		return 1
	}
}

func (a *Applier) oldRevisions(ctx context.Context, owner Owner, current string) ([]client.Object, error) {
	items, err := a.revisions(ctx, owner, ofApp(owner)...)
	if err != nil {
		return nil, err
	}
	var old []client.Object
	for i := range items {
		if i >= kept && items[i].Name != current {
			items[i].SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ControllerRevision"))
			old = append(old, &items[i])
		}
	}
	return old, nil
}

func (a *Applier) oldConfigMaps(ctx context.Context, owner Owner, current string) ([]client.Object, error) {
	var list corev1.ConfigMapList
	if err := a.Client.List(ctx, &list, ofApp(owner)...); err != nil {
		return nil, fmt.Errorf("listing ConfigMaps: %w", err)
	}
	items := slices.DeleteFunc(list.Items, func(c corev1.ConfigMap) bool { return c.Name == current || !owner.Owns(&c) })
	slices.SortFunc(items, func(x, y corev1.ConfigMap) int {
		return cmp.Or(ownFirst(owner, &x, &y), y.CreationTimestamp.Compare(x.CreationTimestamp.Time), newer(&x, &y), cmp.Compare(x.Name, y.Name))
	})
	var old []client.Object
	for i := range items {
		if i >= kept-1 {
			items[i].SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
			old = append(old, &items[i])
		}
	}
	return old, nil
}

// newer orders what was created within the same second.
func newer(x, y metav1.Object) int {
	order, err := resourceversion.CompareResourceVersion(y.GetResourceVersion(), x.GetResourceVersion())
	if err != nil {
		return 0
	}
	return order
}

// configMapsInUse asks the API server, since a rollout may have just begun.
func (a *Applier) configMapsInUse(ctx context.Context, owner Owner) (map[string]bool, error) {
	used := map[string]bool{}
	note := func(spec *corev1.PodSpec) {
		for _, v := range spec.Volumes {
			if v.ConfigMap != nil {
				used[v.ConfigMap.Name] = true
			}
		}
	}
	selector := []client.ListOption{client.InNamespace(owner.Namespace), client.MatchingLabels{v1alpha1.LabelApp: owner.Name}}
	var sets appsv1.ReplicaSetList
	if err := a.Live.List(ctx, &sets, selector...); err != nil {
		return nil, fmt.Errorf("listing ReplicaSets: %w", err)
	}
	for i := range sets.Items {
		if s := &sets.Items[i]; s.Spec.Replicas == nil || *s.Spec.Replicas > 0 {
			note(&s.Spec.Template.Spec)
		}
	}
	var pods corev1.PodList
	if err := a.Live.List(ctx, &pods, selector...); err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	for i := range pods.Items {
		note(&pods.Items[i].Spec)
	}
	return used, nil
}

// ofApp selects an app's objects from the cache. Whether a list shows a write that was
// made a moment ago does not matter here, and waiting for the writes of every other
// app would be slow.
func ofApp(owner Owner) []client.ListOption {
	return []client.ListOption{
		client.InNamespace(owner.Namespace), client.MatchingFields{IndexApp: owner.Name},
		client.DisableReadYourWritesConsistency,
	}
}
