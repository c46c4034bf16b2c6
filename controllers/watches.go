package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/apply"
	"github.com/nexus-operator/nexus-operator/controllers/desired"
	"github.com/nexus-operator/nexus-operator/controllers/refs"
)

const (
	// workers is how many apps are reconciled at once.
	workers = 4
	// settle is how long pods and Deployments may change before the status follows: a
	// rollout changes them in bursts, and each status is a write.
	settle = 250 * time.Millisecond
	// patience ends a reconcile that hangs.
	patience = 2 * time.Minute
)

// Options configure the operator.
type Options struct {
	// RuntimeImage is the image of apps that name none. Required.
	RuntimeImage string
	// Namespace is the operator's own. Required.
	Namespace string
	// PodIDs says who chooses the ids of the pods.
	PodIDs desired.PodIDs

	// askPod and getPath are how tests answer for pods, and for paths of the API server;
	// nil asks the real ones.
	askPod  askPod
	getPath getPath
	// askEvery is how often tests have pods asked; zero is the usual.
	askEvery time.Duration
}

// Setup adds the controller, and what happens beside it, to a manager that was made with
// Scheme, CacheOptions and ClientOptions.
func Setup(ctx context.Context, mgr ctrl.Manager, options Options) error {
	_, err := setup(ctx, mgr, options)
	return err
}

func setup(ctx context.Context, mgr ctrl.Manager, options Options) (*Reconciler, error) {
	if options.RuntimeImage == "" || options.Namespace == "" {
		return nil, errors.New("setting up the controller: the runtime image and the operator's namespace are required")
	}
	if err := addIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, fmt.Errorf("indexing the cache: %w", err)
	}
	r, err := newReconciler(mgr, options)
	if err != nil {
		return nil, err
	}
	for _, beside := range []manager.RunnableFunc{r.followCluster, r.followRedis} {
		if err := mgr.Add(beside); err != nil {
			return nil, fmt.Errorf("adding what happens beside the controller: %w", err)
		}
	}
	return r, r.watch(mgr)
}

// watch adds the controller, with all that has an app reconciled.
func (r *Reconciler) watch(mgr ctrl.Manager) error {
	configMaps, err := r.watchConfigMaps(mgr)
	if err != nil {
		return err
	}
	owned := builder.WithPredicates(changedByAnyone())
	return ctrl.NewControllerManagedBy(mgr).
		Named("nexusapp").
		For(&v1alpha1.NexusApp{}, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Owns(&appsv1.ControllerRevision{}, owned).
		Owns(&corev1.ServiceAccount{}, owned).
		Owns(&corev1.ConfigMap{}, owned).
		Owns(&corev1.Service{}, owned).
		Owns(&networkingv1.NetworkPolicy{}, owned).
		Owns(&policyv1.PodDisruptionBudget{}, owned).
		Watches(&appsv1.Deployment{}, settled(appOfLabel), builder.WithPredicates(deploymentChanged())).
		Watches(&corev1.Pod{}, settled(appOfLabel), builder.WithPredicates(podChanged())).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.appsOfSecret)).
		WatchesRawSource(configMaps).
		WatchesRawSource(source.Channel(r.wake, woken())).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, ReconciliationTimeout: patience}).
		Complete(r)
}

func newReconciler(mgr ctrl.Manager, options Options) (*Reconciler, error) {
	if options.askPod == nil {
		options.askPod = askOverHTTP()
	}
	if options.getPath == nil {
		var err error
		if options.getPath, err = getFromAPIServer(mgr.GetConfig(), mgr.GetHTTPClient()); err != nil {
			return nil, fmt.Errorf("making a client: %w", err)
		}
	}
	live, followed := mgr.GetAPIReader(), newFollowed()
	return &Reconciler{
		Options: options,
		Client:  mgr.GetClient(),
		Live:    live,
		Applier: &apply.Applier{Client: mgr.GetClient(), Live: live},
		Resolver: &refs.Resolver{Metadata: mgr.GetCache(), Live: live, Follow: followed.add,
			Key: &refs.DigestKey{Live: live, Writer: mgr.GetClient(), Namespace: options.Namespace}},
		Events:   mgr.GetEventRecorder("nexus.dev/operator"),
		followed: followed,
		cluster:  &clusterIssuer{get: options.getPath, own: func() []string { return tokenAudiences(mgr.GetConfig()) }},
		redis:    &redisHealth{cache: mgr.GetCache(), ask: options.askPod, every: cmp.Or(options.askEvery, askEvery), unasked: make(chan struct{}, 1)},
		wake:     make(chan event.TypedGenericEvent[types.NamespacedName]),
	}, nil
}

// RegisterMetrics adds the metrics that are read from the cache. They exist once in a
// process.
func RegisterMetrics(mgr ctrl.Manager) error {
	return metrics.Registry.Register(newFleet(mgr.GetCache()))
}

// appOfLabel is the app whose label an object carries.
func appOfLabel(object client.Object) (reconcile.Request, bool) {
	app := object.GetLabels()[v1alpha1.LabelApp]
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: app}}, app != ""
}

// settled enqueues the app of an object a moment later, so that a burst of events is
// one reconcile.
func settled(appOf func(client.Object) (reconcile.Request, bool)) handler.EventHandler {
	enqueue := func(object client.Object, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		if request, ok := appOf(object); ok {
			q.AddAfter(request, settle)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(e.Object, q)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(e.ObjectNew, q)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(e.Object, q)
		},
	}
}

// changedByAnyone lets through what may be drift. What the operator creates is as it
// should be; a status that a controller of the cluster keeps is nobody's drift.
func changedByAnyone() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, after := e.ObjectOld, e.ObjectNew
			return after.GetGeneration() == 0 || before.GetGeneration() != after.GetGeneration() || metadataChanged(before, after)
		},
	}
}

func metadataChanged(before, after client.Object) bool {
	return !maps.Equal(before.GetLabels(), after.GetLabels()) || !maps.Equal(before.GetAnnotations(), after.GetAnnotations()) ||
		!reflect.DeepEqual(before.GetOwnerReferences(), after.GetOwnerReferences())
}

// deploymentChanged lets through what the status tells of, besides drift.
func deploymentChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok1 := e.ObjectOld.(*appsv1.Deployment)
			after, ok2 := e.ObjectNew.(*appsv1.Deployment)
			return !ok1 || !ok2 || before.ResourceVersion != after.ResourceVersion
		},
	}
}

// podChanged lets through what slimPod has left.
func podChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok1 := e.ObjectOld.(*corev1.Pod)
		after, ok2 := e.ObjectNew.(*corev1.Pod)
		return !ok1 || !ok2 || !reflect.DeepEqual(before.Status, after.Status) || !maps.Equal(before.Labels, after.Labels) ||
			before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero()
	}}
}
