package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

func awaitDeployment(t *testing.T, d *appsv1.Deployment, what string, want func(podAnnotations map[string]string) bool) {
	t.Helper()
	await(t, d, &appsv1.DeploymentList{}, what, func(d *appsv1.Deployment) bool { return want(d.Spec.Template.Annotations) })
}

// A change of policy is enforced when no ready pod runs the old document, and a pod
// that fails tells why.
func TestRolloutOfAPolicy(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.RateLimit.RequestsPerMinute = 200 })
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonMinimumReplicasReady)
	expect(t, got, v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "3 of 3 ready pods")
	expect(t, got, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRollingOut)

	d := deploymentOf(t, app)
	o.startPod(t, d, "new", func(s *corev1.PodStatus) {
		s.Phase = corev1.PodPending
		s.ContainerStatuses = []corev1.ContainerStatus{{Name: "runtime", Image: "runtime",
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "auth.apiKeys: no key can be used\x00"}}}}
	})
	o.deploymentStatus(t, d, func(s *appsv1.DeploymentStatus) {
		s.ObservedGeneration, s.Replicas, s.UpdatedReplicas, s.ReadyReplicas = d.Generation, 4, 1, 3
		s.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"}}
	})
	o.settle(t, app)
	got = readBack(t, app)
	expect(t, got, v1alpha1.ConditionEnforced, metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "pod new: CrashLoopBackOff: exit code 1: auth.apiKeys: no key can be used")
	expect(t, got, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonDeadlineExceeded, "keep serving", "CrashLoopBackOff")
	expect(t, got, v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonMinimumReplicasReady)

	o.rollOut(t, app)
	o.deploymentStatus(t, deploymentOf(t, app), func(s *appsv1.DeploymentStatus) { s.Conditions = nil })
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

// A rollout that changes no policy is not hidden behind the old pods either.
func TestRolloutOfAnImageIsNotReadyUntilDone(t *testing.T) {
	o := startOperator(t, byHand)
	app := o.deployed(t, production(namespace(t)))
	o.change(t, app, func(a *v1alpha1.NexusApp) { a.Spec.Image = "registry.example.com/broken:v2" })
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing)

	d := deploymentOf(t, app)
	o.startPod(t, d, "new", func(s *corev1.PodStatus) {
		s.Phase = corev1.PodPending
		s.ContainerStatuses = []corev1.ContainerStatus{{Name: "runtime", Image: "runtime",
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}}}
	})
	o.deploymentStatus(t, d, func(s *appsv1.DeploymentStatus) {
		s.ObservedGeneration, s.Replicas, s.UpdatedReplicas, s.ReadyReplicas = d.Generation, 4, 1, 3
	})
	o.settle(t, app)
	got := readBack(t, app)
	expect(t, got, v1alpha1.ConditionEnforced, metav1.ConditionTrue, v1alpha1.ReasonAllPodsEnforce)
	expect(t, got, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "3 of 3 ready pods", "ImagePullBackOff: no such image")
}

func TestPodsThatCannotBeScheduledOrCreated(t *testing.T) {
	o := startOperator(t, byHand)
	app := production(namespace(t))
	create(t, apiKeys(app.Namespace, keysSecret))
	o.create(t, app)
	o.settle(t, app)
	d := deploymentOf(t, app)
	o.startPod(t, d, "pending", func(s *corev1.PodStatus) {
		s.Phase = corev1.PodPending
		s.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available"}}
	})
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodFailing, "pod pending cannot be scheduled: 0/3 nodes")

	o.deploymentStatus(t, d, func(s *appsv1.DeploymentStatus) {
		s.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota"}}
	})
	o.settle(t, app)
	expect(t, readBack(t, app), v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodFailing, "pods cannot be created: exceeded quota")
}
