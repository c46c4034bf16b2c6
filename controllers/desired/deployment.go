package desired

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// deployment runs the pods. A rollout never takes a serving pod away before its
// successor is ready, so a document that does not load replaces nothing.
func (b *builder) deployment() (*appsv1.Deployment, error) {
	template, err := b.podTemplate()
	if err != nil {
		return nil, err
	}
	meta := b.meta(b.App.Name)
	meta.Annotations = b.deploymentAnnotations()
	return &appsv1.Deployment{
		TypeMeta:   typeMeta(appsv1.SchemeGroupVersion, "Deployment"),
		ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{
			Replicas: b.spec.Replicas,
			Selector: labelSelector(b.App.Name),
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxUnavailable: ptr.To(intstr.FromInt32(0)),
					// A percentage is rounded up: it is at least one pod.
					MaxSurge: ptr.To(intstr.FromString("25%")),
				},
			},
			RevisionHistoryLimit:    ptr.To[int32](3),
			ProgressDeadlineSeconds: ptr.To(b.spec.Rollout.ProgressDeadlineSeconds),
			Template:                template,
		},
	}, nil
}

// podTemplate carries a digest of itself: a pod that does not is of another template,
// although it may run the same document.
func (b *builder) podTemplate() (corev1.PodTemplateSpec, error) {
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: b.podLabels(), Annotations: b.podAnnotations()},
		Spec:       b.podSpec(),
	}
	raw, err := canonicalJSON(template)
	if err != nil {
		return template, err
	}
	template.Labels[v1alpha1.LabelTemplate] = shortHash(raw)
	return template, nil
}

func (b *builder) deploymentAnnotations() map[string]string {
	annotations := map[string]string{}
	if b.SecretsRecord != "" {
		annotations[v1alpha1.AnnotationSecrets] = b.SecretsRecord
	}
	if b.spec.Replicas != nil {
		annotations[v1alpha1.AnnotationReplicas] = "Set"
	}
	if slices.ContainsFunc(b.spec.Auth.JWT, func(j v1alpha1.JWTIssuer) bool { return j.Issuer == v1alpha1.KubernetesIssuer }) {
		annotations[v1alpha1.AnnotationClusterIssuer] = "Used"
	}
	return annotations
}

func (b *builder) podLabels() map[string]string {
	return merged(b.spec.PodMetadata.Labels, merged(Labels(b.App.Name), map[string]string{v1alpha1.LabelDocument: b.names.Document}))
}

func (b *builder) podAnnotations() map[string]string {
	if b.SecretsDigest == "" {
		return b.spec.PodMetadata.Annotations
	}
	return merged(b.spec.PodMetadata.Annotations, map[string]string{v1alpha1.AnnotationSecretsDigest: b.SecretsDigest})
}
