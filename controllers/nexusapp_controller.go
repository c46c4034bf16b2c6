// Package controllers reconciles NexusApps: it makes the cluster hold what a spec asks
// for and tells in the status what came of it.
package controllers

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/apply"
	"github.com/nexus-operator/nexus-operator/controllers/refs"
)

// The permissions of the operator, cluster-wide. Deleting what it owns is also what an
// API server that protects owner references asks for before it lets an orphan be adopted.
//
// +kubebuilder:rbac:groups=nexus.dev,resources=nexusapps,verbs=get;list;watch
// +kubebuilder:rbac:groups=nexus.dev,resources=nexusapps/status,verbs=patch
// +kubebuilder:rbac:groups=apps,resources=deployments;controllerrevisions,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=configmaps;services;serviceaccounts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=replicasets,verbs=list
// +kubebuilder:rbac:groups="",resources=pods,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
//
// And in its own namespace: the lease, the events about it, and the key of the digests.
//
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;create;update,namespace=nexus-system
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch,namespace=nexus-system
// +kubebuilder:rbac:groups="",resources=secrets,verbs=create,namespace=nexus-system

// Reconciler reconciles NexusApps.
type Reconciler struct {
	Options
	// Client reads from the cache and writes; its reads see its earlier writes.
	Client client.Client
	// Live reads from the API server.
	Live     client.Reader
	Applier  *apply.Applier
	Resolver *refs.Resolver
	Events   recorder.EventRecorder

	followed *followed
	cluster  *clusterIssuer
	redis    *redisHealth
	// wake has an app reconciled of which something is new that no watch tells of.
	wake chan event.TypedGenericEvent[types.NamespacedName]
}

// Reconcile brings one NexusApp closer to its spec. What a user has to know of it ends
// up in the status; an error returned here is the API server's and is tried again.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var app v1alpha1.NexusApp
	if err := r.Client.Get(ctx, request.NamespacedName, &app); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	if app.UID == "" || !app.DeletionTimestamp.IsZero() {
		r.followed.keep(request.NamespacedName, nil)
		return ctrl.Result{}, nil // the garbage collector removes what the app owned
	}
	s := newScope(&app)
	for _, phase := range []struct {
		name string
		run  func(context.Context, *scope) error
	}{
		{"reading the Deployment", r.read},
		{"accepting the spec", r.accept},
		{"resolving references", r.resolve},
		{"choosing what is in force", r.choose},
		{"building objects", r.build},
		{"applying objects", r.apply},
		{"pruning", r.prune},
		{"observing pods", r.observe},
		{"reporting status", r.report},
	} {
		if err := s.note(phase.run(ctx, s)); err != nil {
			if ending(err) {
				return ctrl.Result{}, nil
			}
			return ctrl.Result{}, fmt.Errorf("%s: %w", phase.name, err)
		}
	}
	r.followed.keep(request.NamespacedName, s.reading.ConfigMaps())
	return s.result(time.Now())
}

// ending says whether an error comes of an app or a namespace that is going away.
func ending(err error) bool {
	return apierrors.HasStatusCause(err, namespaceTerminating)
}
