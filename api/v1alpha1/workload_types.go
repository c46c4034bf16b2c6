package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// NetworkPolicy says which traffic may reach and leave the pods.
type NetworkPolicy struct {
	// mode is Managed (the operator keeps a NetworkPolicy) or Disabled, which
	// in Production needs the acknowledged risk UnrestrictedEgress. Default:
	// Managed.
	// +optional
	Mode NetworkPolicyMode `json:"mode,omitempty"`

	// ingressFrom narrows who may connect.
	// +optional
	IngressFrom IngressFrom `json:"ingressFrom,omitzero"`
}

// NetworkPolicyMode says whether the operator keeps a NetworkPolicy.
// +kubebuilder:validation:Enum=Managed;Disabled
type NetworkPolicyMode string

// The NetworkPolicy modes.
const (
	NetworkPolicyManaged  NetworkPolicyMode = "Managed"
	NetworkPolicyDisabled NetworkPolicyMode = "Disabled"
)

// IngressFrom names the peers that may connect to each port.
type IngressFrom struct {
	// api lists who may reach the API port. Default: anyone.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	API []networkingv1.NetworkPolicyPeer `json:"api,omitempty"`

	// metrics lists who may reach the admin port (/metrics, /status). Default:
	// nobody but the kubelet.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Metrics []networkingv1.NetworkPolicyPeer `json:"metrics,omitempty"`
}

// Disruption bounds voluntary disruptions.
type Disruption struct {
	// maxUnavailable is how many pods (a number or a percentage) may be taken
	// away at once. Default: 1.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 : string(self).matches('^(100|[0-9]{1,2})%$')",message="maxUnavailable is a number of pods (1) or a percentage (25%)"
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
}

// Resources are the requests and limits of the runtime container.
type Resources struct {
	// requests is what the scheduler sets aside. Default: 100m CPU, 128Mi
	// memory.
	// +optional
	Requests corev1.ResourceList `json:"requests,omitempty"`

	// limits is the most that the container may use. Default: 2 CPU, 512Mi
	// memory.
	// +optional
	Limits corev1.ResourceList `json:"limits,omitempty"`
}

// Scheduling says where the pods may run.
type Scheduling struct {
	// nodeSelector lists labels that a node must have.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations let the pods onto tainted nodes.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity attracts the pods to nodes or keeps them apart.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// topologySpreadConstraints spread the pods. Those without a labelSelector
	// get the app's own. Default: spread over the nodes where that is
	// possible.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`

	// priorityClassName is the priority of the pods.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`
}

// PodMetadata adds labels and annotations to the pods.
// +kubebuilder:validation:XValidation:rule="!has(self.labels) || self.labels.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('nexus.dev/'))",message="labels under app.kubernetes.io/ and nexus.dev/ belong to the operator: choose another prefix"
// +kubebuilder:validation:XValidation:rule="!has(self.annotations) || self.annotations.all(k, !k.startsWith('nexus.dev/'))",message="annotations under nexus.dev/ belong to the operator: choose another prefix"
type PodMetadata struct {
	// labels are added to the pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Labels map[string]string `json:"labels,omitempty"`

	// annotations are added to the pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Rollout says how a change reaches the pods.
type Rollout struct {
	// progressDeadlineSeconds is how long a rollout may take without progress
	// before it is reported as stuck. Default: 300.
	// +optional
	// +kubebuilder:validation:Minimum=15
	// +kubebuilder:validation:Maximum=86400
	ProgressDeadlineSeconds int32 `json:"progressDeadlineSeconds,omitempty"`
}
