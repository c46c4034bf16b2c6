package controllers

import (
	"context"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/apply"
	"github.com/nexus-operator/nexus-operator/controllers/refs"
)

// The cache indexes of NexusApps by what their spec names, and of Deployments by what the
// spec in force names: while a generation is refused, that of the accepted one is still
// followed.
const (
	// indexSecrets is by the name of a Secret.
	indexSecrets = "secrets"
	// indexCluster has all that use the cluster's own keys under one value.
	indexCluster = "cluster"
	usesCluster  = "Used"
)

func addIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		object client.Object
		name   string
		values client.IndexerFunc
	}{
		{&corev1.ConfigMap{}, apply.IndexApp, apply.AppOf},
		{&appsv1.ControllerRevision{}, apply.IndexApp, apply.AppOf},
		{&corev1.Pod{}, apply.IndexApp, apply.AppOf},
		{&v1alpha1.NexusApp{}, indexSecrets, secretsOfSpec},
		{&appsv1.Deployment{}, indexSecrets, secretsInForce},
		{&v1alpha1.NexusApp{}, indexCluster, clusterOfSpec},
		{&appsv1.Deployment{}, indexCluster, clusterInForce},
	} {
		if err := indexer.IndexField(ctx, index.object, index.name, index.values); err != nil {
			return err
		}
	}
	return nil
}

func secretsOfSpec(app client.Object) []string {
	return refs.SecretNames(&app.(*v1alpha1.NexusApp).Spec)
}

func secretsInForce(deployment client.Object) []string {
	return slices.Sorted(maps.Keys(refs.ParseRecords(deployment.GetAnnotations()[v1alpha1.AnnotationSecrets])))
}

func clusterOfSpec(app client.Object) []string {
	issuers := app.(*v1alpha1.NexusApp).Spec.Auth.JWT
	if slices.ContainsFunc(issuers, func(j v1alpha1.JWTIssuer) bool { return j.Issuer == v1alpha1.KubernetesIssuer }) {
		return []string{usesCluster}
	}
	return nil
}

func clusterInForce(deployment client.Object) []string {
	if deployment.GetAnnotations()[v1alpha1.AnnotationClusterIssuer] != "" {
		return []string{usesCluster}
	}
	return nil
}

// appsOfSecret finds the apps that a Secret matters to.
func (r *Reconciler) appsOfSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, app := range r.appsIn(ctx, client.InNamespace(secret.GetNamespace()), client.MatchingFields{indexSecrets: secret.GetName()}) {
		requests = append(requests, reconcile.Request{NamespacedName: app})
	}
	return requests
}

// appsOfCluster finds the apps that the cluster's own keys matter to.
func (r *Reconciler) appsOfCluster(ctx context.Context) []types.NamespacedName {
	return r.appsIn(ctx, client.MatchingFields{indexCluster: usesCluster})
}

// appsIn finds the apps that an index leads to by their current spec, or by the Deployment
// of the one in force.
func (r *Reconciler) appsIn(ctx context.Context, of ...client.ListOption) []types.NamespacedName {
	of = append(of, client.DisableReadYourWritesConsistency)
	found := map[types.NamespacedName]bool{}
	var apps v1alpha1.NexusAppList
	if err := r.Client.List(ctx, &apps, of...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Finding NexusApps by an index")
	}
	for i := range apps.Items {
		found[client.ObjectKeyFromObject(&apps.Items[i])] = true
	}
	var deployments appsv1.DeploymentList
	if err := r.Client.List(ctx, &deployments, of...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Finding Deployments by an index")
	}
	for i := range deployments.Items {
		found[client.ObjectKeyFromObject(&deployments.Items[i])] = true
	}
	return slices.Collect(maps.Keys(found))
}
