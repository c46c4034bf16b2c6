package status

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// maxPodMessage bounds what a pod says about itself, in bytes.
const maxPodMessage = 512

// pods is what a status needs to know of the pods.
type pods struct {
	// existing pods are those that run or are to run, and are not on their way out.
	existing int32
	// ready ones serve; others are those of them that run another document than the
	// one in force.
	ready, others int32
	// outdated ones are those ready pods that are of another template than the
	// Deployment's, whichever document they run.
	outdated int32
	// failure is what keeps the first pod that fails from being ready.
	failure string
}

func countPods(o Observed) pods {
	var out pods
	sorted := slices.SortedFunc(slices.Values(o.Pods), func(x, y corev1.Pod) int { return cmp.Compare(x.Name, y.Name) })
	for i := range sorted {
		pod := &sorted[i]
		if gone(pod) {
			continue
		}
		out.existing++
		if !isReady(pod) {
			if out.failure == "" {
				out.failure = failureOf(pod)
			}
			continue
		}
		out.ready++
		if o.InForce != nil && pod.Labels[v1alpha1.LabelDocument] != o.InForce.DocumentLabel {
			out.others++
		}
		if o.Deployment != nil && pod.Labels[v1alpha1.LabelTemplate] != o.Deployment.Spec.Template.Labels[v1alpha1.LabelTemplate] {
			out.outdated++
		}
	}
	return out
}

// gone says whether a pod has ended, or is about to.
func gone(pod *corev1.Pod) bool {
	return !pod.DeletionTimestamp.IsZero() || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// Serves says whether a pod is ready, and not on its way out.
func Serves(pod *corev1.Pod) bool { return !gone(pod) && isReady(pod) }

func isReady(pod *corev1.Pod) bool {
	c := podCondition(pod, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

func podCondition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// failureOf is the pod's own account of why it cannot run; empty for one that is just
// starting.
func failureOf(pod *corev1.Pod) string {
	if c := podCondition(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
		return fmt.Sprintf("pod %s cannot be scheduled: %s", pod.Name, bounded(c.Message, maxPodMessage))
	}
	for i := range pod.Status.ContainerStatuses {
		c := &pod.Status.ContainerStatuses[i]
		waiting := c.State.Waiting
		switch {
		case waiting != nil && waiting.Reason == "CrashLoopBackOff" && c.LastTerminationState.Terminated != nil:
			return fmt.Sprintf("pod %s: %s: %s", pod.Name, waiting.Reason, terminated(c.LastTerminationState.Terminated))
		case waiting != nil && waiting.Reason != "" && waiting.Reason != "ContainerCreating" && waiting.Reason != "PodInitializing":
			return fmt.Sprintf("pod %s: %s: %s", pod.Name, waiting.Reason, bounded(waiting.Message, maxPodMessage))
		case c.State.Terminated != nil:
			return fmt.Sprintf("pod %s: %s", pod.Name, terminated(c.State.Terminated))
		}
	}
	return ""
}

func terminated(t *corev1.ContainerStateTerminated) string {
	if message := bounded(t.Message, maxPodMessage); message != "" {
		return fmt.Sprintf("exit code %d: %s", t.ExitCode, message)
	}
	return fmt.Sprintf("exit code %d (%s)", t.ExitCode, t.Reason)
}
