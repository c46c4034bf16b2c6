package desired

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// volumes mounts the document, the Secrets and the authorities. Each Secret is a volume
// of its own, at <root>/<secret>: one projected volume cannot put a Secret into a
// directory without listing its entries, and then adding or revoking a key would have to
// change the pod template. None is optional, so no pod starts without its credentials.
func (b *builder) volumes() ([]corev1.Volume, []corev1.VolumeMount) {
	volumes := []corev1.Volume{{
		Name: "config",
		VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: b.names.ConfigMap},
			DefaultMode:          ptr.To[int32](0o444),
			Optional:             ptr.To(false),
		}},
	}}
	mounts := []corev1.VolumeMount{{Name: "config", MountPath: ConfigDirectory, ReadOnly: true}}
	for _, secret := range MountedSecrets(b.spec) {
		name := secretVolume(secret)
		volumes = append(volumes, corev1.Volume{
			Name: name,
			VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
				SecretName: secret, DefaultMode: ptr.To[int32](0o440), Optional: ptr.To(false),
			}},
		})
		mounts = append(mounts, corev1.VolumeMount{Name: name, MountPath: SecretsRoot + "/" + secret, ReadOnly: true})
	}
	if bundle := b.spec.Trust.CABundle; bundle != nil {
		volumes = append(volumes, trustVolume(bundle.ConfigMapRef))
		mounts = append(mounts, corev1.VolumeMount{Name: "trust", MountPath: ConfigMapsRoot + "/" + bundle.ConfigMapRef.Name, ReadOnly: true})
	}
	return volumes, mounts
}

// trustVolume is the one entry of the ConfigMap that holds the authorities. The runtime
// reads it again when it changes.
func trustVolume(ref v1alpha1.ConfigMapKeyReference) corev1.Volume {
	return corev1.Volume{Name: "trust", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: ref.Name},
		Items:                []corev1.KeyToPath{{Key: ref.Key, Path: ref.Key}},
		DefaultMode:          ptr.To[int32](0o444),
		Optional:             ptr.To(false),
	}}}
}

// MountedSecrets are the Secrets that the pods of a spec mount, each once.
func MountedSecrets(spec *v1alpha1.NexusAppSpec) []string {
	var names []string
	mount := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	entry := func(ref *v1alpha1.SecretKeyReference) {
		if ref != nil {
			mount(ref.Name)
		}
	}
	if spec.Auth.APIKeys != nil {
		mount(spec.Auth.APIKeys.SecretRef.Name)
	}
	for i := range spec.Auth.JWT {
		entry(spec.Auth.JWT[i].PublicKeySecretRef)
		entry(spec.Auth.JWT[i].HMACSecretRef)
	}
	if spec.Redis != nil {
		entry(&spec.Redis.URLSecretRef)
		entry(spec.Redis.CASecretRef)
	}
	for i := range spec.Secrets {
		mount(spec.Secrets[i].SecretRef.Name)
	}
	return names
}

// secretVolume names a volume: a Secret's own name may be longer than a volume's, and
// may have dots.
func secretVolume(secret string) string {
	return "secret-" + shortHash([]byte(secret))
}
