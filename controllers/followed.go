package controllers

import (
	"context"
	"fmt"
	"maps"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// followed knows which apps the ConfigMaps of users matter to. No index can tell: a
// definition in one ConfigMap may name another.
type followed struct {
	mu         sync.Mutex
	apps       map[types.NamespacedName]map[types.NamespacedName]bool // by ConfigMap
	configMaps map[types.NamespacedName]map[types.NamespacedName]bool // by app
}

func newFollowed() *followed {
	return &followed{
		apps:       map[types.NamespacedName]map[types.NamespacedName]bool{},
		configMaps: map[types.NamespacedName]map[types.NamespacedName]bool{},
	}
}

// add notes that a ConfigMap of the app's namespace matters to an app. It comes before
// the ConfigMap is read, so that no change goes unnoticed.
func (f *followed) add(app types.NamespacedName, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	configMap := types.NamespacedName{Namespace: app.Namespace, Name: name}
	put(f.apps, configMap, app)
	put(f.configMaps, app, configMap)
}

func put(in map[types.NamespacedName]map[types.NamespacedName]bool, key, value types.NamespacedName) {
	if in[key] == nil {
		in[key] = map[types.NamespacedName]bool{}
	}
	in[key][value] = true
}

// keep notes that no other ConfigMaps than these matter to an app any more.
func (f *followed) keep(app types.NamespacedName, names []string) {
	wanted := map[types.NamespacedName]bool{}
	for _, name := range names {
		wanted[types.NamespacedName{Namespace: app.Namespace, Name: name}] = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for configMap := range maps.Clone(f.configMaps[app]) {
		if wanted[configMap] {
			continue
		}
		delete(f.configMaps[app], configMap)
		if delete(f.apps[configMap], app); len(f.apps[configMap]) == 0 {
			delete(f.apps, configMap)
		}
	}
	if len(f.configMaps[app]) == 0 {
		delete(f.configMaps, app)
	}
}

// requests are for the apps that a ConfigMap matters to.
func (f *followed) requests(_ context.Context, configMap *metav1.PartialObjectMetadata) []reconcile.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []reconcile.Request
	for app := range f.apps[client.ObjectKeyFromObject(configMap)] {
		out = append(out, reconcile.Request{NamespacedName: app})
	}
	return out
}

// watchConfigMaps tells of the ConfigMaps that are not the operator's own. They have a
// cache to themselves, since one cache selects the objects of a kind only once; of each
// it holds the version.
func (r *Reconciler) watchConfigMaps(mgr ctrl.Manager) (source.Source, error) {
	notOurs, err := labels.NewRequirement(v1alpha1.LabelManagedBy, selection.NotEquals, []string{v1alpha1.ManagedBy})
	if err != nil {
		return nil, fmt.Errorf("selecting ConfigMaps: %w", err)
	}
	versions, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		DefaultUnsafeDisableDeepCopy: ptr.To(true),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.ConfigMap{}: {Label: labels.NewSelector().Add(*notOurs), Transform: slimToVersion},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("making the cache of ConfigMaps: %w", err)
	}
	if err := mgr.Add(versions); err != nil {
		return nil, fmt.Errorf("adding the cache of ConfigMaps: %w", err)
	}
	kind := &metav1.PartialObjectMetadata{}
	kind.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	return source.Kind(versions, kind, handler.TypedEnqueueRequestsFromMapFunc(r.followed.requests)), nil
}
