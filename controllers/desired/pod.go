package desired

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// drainSeconds is what a pod gets beyond its longest run to leave the endpoints and
// to close its connections.
const drainSeconds = 15

func (b *builder) podSpec() corev1.PodSpec {
	volumes, mounts := b.volumes()
	return corev1.PodSpec{
		ServiceAccountName:            b.App.Name,
		AutomountServiceAccountToken:  ptr.To(false),
		EnableServiceLinks:            ptr.To(false),
		SecurityContext:               podSecurity(b.PodIDs),
		RestartPolicy:                 corev1.RestartPolicyAlways,
		TerminationGracePeriodSeconds: ptr.To(b.longestRunSeconds() + drainSeconds),
		ImagePullSecrets:              b.imagePullSecrets(),
		NodeSelector:                  b.spec.Scheduling.NodeSelector,
		Tolerations:                   b.spec.Scheduling.Tolerations,
		Affinity:                      b.spec.Scheduling.Affinity,
		PriorityClassName:             b.spec.Scheduling.PriorityClassName,
		TopologySpreadConstraints:     b.topologySpread(),
		Containers:                    []corev1.Container{b.container(mounts)},
		Volumes:                       volumes,
	}
}

func (b *builder) container(mounts []corev1.VolumeMount) corev1.Container {
	image := b.image()
	return corev1.Container{
		Name: ContainerName, Image: image, ImagePullPolicy: pullPolicy(image),
		Args: []string{
			"serve",
			"--config", ConfigDirectory + "/" + ConfigKey,
			"--config-sha256", b.names.DocumentHash,
			"--secrets-dir", SecretsRoot,
			"--api-addr", ":8000",
			"--admin-addr", ":9090",
		},
		Ports: []corev1.ContainerPort{
			{Name: "api", ContainerPort: PortAPI, Protocol: corev1.ProtocolTCP},
			{Name: "admin", ContainerPort: PortAdmin, Protocol: corev1.ProtocolTCP},
		},
		Env: []corev1.EnvVar{
			{Name: "NEXUS_ENV", Value: strings.ToLower(string(b.spec.Environment))},
			// The byte budget for bodies and Go's own memory limit follow from it.
			{Name: "NEXUS_MEMORY_LIMIT_BYTES", ValueFrom: &corev1.EnvVarSource{
				ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory"},
			}},
		},
		Resources:       corev1.ResourceRequirements{Requests: b.spec.Resources.Requests, Limits: b.spec.Resources.Limits},
		SecurityContext: containerSecurity(),
		VolumeMounts:    mounts,
		// The runtime is ready within a second; a slow node gets a minute.
		StartupProbe:   probe("/startupz", 1, 60),
		LivenessProbe:  probe("/livez", 10, 3),
		ReadinessProbe: probe("/readyz", 2, 2),
		// The last line of a runtime that cannot start says why: it becomes part of the
		// Available condition.
		TerminationMessagePath:   corev1.TerminationMessagePathDefault,
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
}

func probe(path string, periodSeconds, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: path, Port: intstr.FromString("admin"), Scheme: corev1.URISchemeHTTP,
		}},
		PeriodSeconds: periodSeconds, TimeoutSeconds: 2, SuccessThreshold: 1, FailureThreshold: failures,
	}
}

// volumes mounts the document and the Secrets. Each Secret is a volume of its own,
// at <root>/<secret>: one projected volume cannot put a Secret into a directory
// without listing its entries, and then adding or revoking a key would have to change
// the pod template. Neither is optional, so no pod starts without its credentials.
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
	return volumes, mounts
}

// MountedSecrets are the Secrets that the pods of a spec mount.
func MountedSecrets(spec *v1alpha1.NexusAppSpec) []string {
	if spec.Auth.APIKeys == nil {
		return nil
	}
	return []string{spec.Auth.APIKeys.SecretRef.Name}
}

// secretVolume names a volume: a Secret's own name may be longer than a volume's, and
// may have dots.
func secretVolume(secret string) string {
	return "secret-" + shortHash([]byte(secret))
}

func (b *builder) image() string {
	if b.spec.Image != "" {
		return b.spec.Image
	}
	return b.RuntimeImage
}

// pullPolicy is what the API server would choose for a new object; it does not choose
// again when the image of an existing one changes.
func pullPolicy(image string) corev1.PullPolicy {
	name, _, digest := strings.Cut(image, "@")
	last := name[strings.LastIndex(name, "/")+1:]
	_, tag, tagged := strings.Cut(last, ":")
	if !digest && (!tagged || tag == "latest") {
		return corev1.PullAlways
	}
	return corev1.PullIfNotPresent
}

func (b *builder) longestRunSeconds() int64 {
	longest := b.spec.Limits.RequestTimeoutSeconds
	for i := range b.spec.Workflows {
		longest = max(longest, b.spec.Workflows[i].TimeoutSeconds)
	}
	return int64(longest)
}

func (b *builder) imagePullSecrets() []corev1.LocalObjectReference {
	var out []corev1.LocalObjectReference
	for _, s := range b.spec.ImagePullSecrets {
		out = append(out, corev1.LocalObjectReference{Name: s.Name})
	}
	return out
}

// topologySpread spreads the pods over the nodes, each rollout by itself, unless the
// spec says how.
func (b *builder) topologySpread() []corev1.TopologySpreadConstraint {
	if own := b.spec.Scheduling.TopologySpreadConstraints; len(own) > 0 {
		out := make([]corev1.TopologySpreadConstraint, len(own))
		for i := range own {
			own[i].DeepCopyInto(&out[i])
			if out[i].LabelSelector == nil {
				out[i].LabelSelector = labelSelector(b.App.Name)
			}
		}
		return out
	}
	return []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector:  &metav1.LabelSelector{MatchLabels: Selector(b.App.Name)},
		MatchLabelKeys: []string{"pod-template-hash"},
	}}
}
