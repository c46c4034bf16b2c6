package desired

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
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
		Args: b.args(), Ports: b.ports(),
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

func (b *builder) ports() []corev1.ContainerPort {
	ports := []corev1.ContainerPort{{Name: "api", ContainerPort: PortAPI, Protocol: corev1.ProtocolTCP}}
	if b.spec.ServesMCP() {
		ports = append(ports, corev1.ContainerPort{Name: "mcp", ContainerPort: PortMCP, Protocol: corev1.ProtocolTCP})
	}
	return append(ports, corev1.ContainerPort{Name: "admin", ContainerPort: PortAdmin, Protocol: corev1.ProtocolTCP})
}

func (b *builder) args() []string {
	args := []string{
		"serve",
		"--config", ConfigDirectory + "/" + ConfigKey,
		"--config-sha256", b.names.DocumentHash,
		"--secrets-dir", SecretsRoot,
		"--api-addr", ":8000",
		"--admin-addr", ":9090",
	}
	if b.spec.Trust.CABundle != nil {
		args = append(args, "--configmaps-dir", ConfigMapsRoot)
	}
	return args
}

func probe(path string, periodSeconds, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: path, Port: intstr.FromString("admin"), Scheme: corev1.URISchemeHTTP,
		}},
		PeriodSeconds: periodSeconds, TimeoutSeconds: 2, SuccessThreshold: 1, FailureThreshold: failures,
	}
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
