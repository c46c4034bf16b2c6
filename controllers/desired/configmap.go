package desired

import (
	corev1 "k8s.io/api/core/v1"
)

// configMap holds the runtime document. It is immutable, so that what a pod was told
// to enforce cannot change underneath it.
func (b *builder) configMap() *corev1.ConfigMap {
	immutable := true
	return &corev1.ConfigMap{
		TypeMeta:   typeMeta(corev1.SchemeGroupVersion, "ConfigMap"),
		ObjectMeta: b.meta(b.names.ConfigMap),
		Immutable:  &immutable,
		Data:       map[string]string{ConfigKey: string(b.Document)},
	}
}
