package controllers

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/apply"
)

// Scheme returns the kinds that the operator knows.
func Scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// CacheOptions keep in memory only what the operator looks at: objects with its labels,
// without what nobody compares, and of Secrets nothing but their versions. For other
// ConfigMaps see watchConfigMaps.
func CacheOptions() cache.Options {
	ours := labels.SelectorFromSet(labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy})
	owned := cache.ByObject{Label: ours, Transform: apply.Slim}
	return cache.Options{
		// Nothing that comes from the cache is ever changed: status and desired state are
		// made from copies.
		DefaultUnsafeDisableDeepCopy: ptr.To(true),
		DefaultTransform:             cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&appsv1.Deployment{}:            owned,
			&appsv1.ControllerRevision{}:    owned,
			&corev1.ConfigMap{}:             owned,
			&corev1.Service{}:               owned,
			&corev1.ServiceAccount{}:        owned,
			&networkingv1.NetworkPolicy{}:   owned,
			&policyv1.PodDisruptionBudget{}: owned,
			&corev1.Pod{}:                   {Label: ours, Transform: slimPod},
			&corev1.Secret{}:                {Transform: slimToVersion},
		},
	}
}

// ClientOptions make a client that reads from the cache, whose reads see its earlier
// writes, and that never caches a Secret.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{
		DisableFor:                      []client.Object{&corev1.Secret{}},
		EnableReadYourWritesConsistency: ptr.To(true),
	}}
}

// slimToVersion keeps of a Secret, or of a ConfigMap of somebody else, what tells one
// version from another. Only metadata is ever watched; were that to change by mistake, no
// value would stay in memory.
func slimToVersion(object any) (any, error) {
	switch o := object.(type) {
	case *metav1.PartialObjectMetadata:
		return &metav1.PartialObjectMetadata{TypeMeta: o.TypeMeta, ObjectMeta: versionMeta(o)}, nil
	case *corev1.Secret:
		return &corev1.Secret{ObjectMeta: versionMeta(o)}, nil
	case *corev1.ConfigMap:
		return &corev1.ConfigMap{ObjectMeta: versionMeta(o)}, nil
	}
	return object, nil
}

func versionMeta(o metav1.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: o.GetName(), Namespace: o.GetNamespace(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion()}
}

// slimPod keeps of a pod what the status tells of it.
func slimPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	slim := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
			Labels:            map[string]string{},
			DeletionTimestamp: pod.DeletionTimestamp,
		},
		Status: corev1.PodStatus{Phase: pod.Status.Phase},
	}
	for _, label := range []string{v1alpha1.LabelApp, v1alpha1.LabelManagedBy, v1alpha1.LabelDocument, v1alpha1.LabelTemplate} {
		if value, ok := pod.Labels[label]; ok {
			slim.Labels[label] = value
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			slim.Status.PodIP = pod.Status.PodIP // one that is ready may be asked about Redis
		}
		if c.Type == corev1.PodReady || c.Type == corev1.PodScheduled {
			slim.Status.Conditions = append(slim.Status.Conditions, corev1.PodCondition{Type: c.Type, Status: c.Status, Message: c.Message})
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		slim.Status.ContainerStatuses = append(slim.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, State: slimState(c.State), LastTerminationState: slimState(c.LastTerminationState),
		})
	}
	return slim, nil
}

func slimState(s corev1.ContainerState) corev1.ContainerState {
	var out corev1.ContainerState
	if s.Waiting != nil {
		out.Waiting = s.Waiting
	}
	if t := s.Terminated; t != nil {
		out.Terminated = &corev1.ContainerStateTerminated{ExitCode: t.ExitCode, Reason: t.Reason, Message: t.Message}
	}
	return out
}
