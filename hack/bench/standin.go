package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func sortedKeys(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }

// playKubelet gives every Deployment its pods, ready at once, and the status that
// the built-in controllers would write.
func (p *plane) playKubelet(ctx context.Context) {
	w, err := p.client.Watch(ctx, &appsv1.DeploymentList{}, client.InNamespace(appsNamespace))
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: watching Deployments:", err)
		return
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		d, ok := event.Object.(*appsv1.Deployment)
		if !ok || event.Type == watch.Deleted || d.Status.ObservedGeneration == d.Generation {
			continue
		}
		if err := p.deploy(ctx, d); err != nil && ctx.Err() == nil {
			fmt.Fprintf(os.Stderr, "bench: standing in for the kubelet of %s: %v\n", d.Name, err)
		}
	}
}

func (p *plane) deploy(ctx context.Context, d *appsv1.Deployment) error {
	n := *d.Spec.Replicas
	for i := range n {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: fmt.Sprintf("%s-%d-%d", d.Name, d.Generation, i),
			Labels: d.Spec.Template.Labels, Annotations: d.Spec.Template.Annotations}, Spec: d.Spec.Template.Spec}
		if err := p.client.Create(ctx, pod); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
		pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
		if err := p.client.Status().Update(ctx, pod); err != nil {
			return err
		}
	}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicasAvailable"},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
		}}
	return p.client.Status().Update(ctx, d)
}
