package desired

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// podUser is the user and group that the pods run as; the image declares the same.
const podUser = 1000

// podSecurity meets the Pod Security Standard "restricted" and goes beyond it: fixed
// ids, and a group that makes mounted Secrets readable without making them public.
func podSecurity(ids PodIDs) *corev1.PodSecurityContext {
	security := &corev1.PodSecurityContext{
		RunAsNonRoot:   ptr.To(true),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if ids != PodIDsPlatform {
		security.RunAsUser = ptr.To[int64](podUser)
		security.RunAsGroup = ptr.To[int64](podUser)
		security.FSGroup = ptr.To[int64](podUser)
	}
	return security
}

// containerSecurity leaves the container nothing that it does not need. Fields that
// are off by default are written all the same, so that switching one on is drift.
func containerSecurity() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false),
		Privileged:               ptr.To(false),
		ReadOnlyRootFilesystem:   ptr.To(true),
		RunAsNonRoot:             ptr.To(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}
