package desired

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// networkPolicy lets callers in on the API port and scrapers on the admin port, and
// lets the pods ask for names. The kubelet's probes come from the node and need no rule.
func (b *builder) networkPolicy() *networkingv1.NetworkPolicy {
	from := b.spec.NetworkPolicy.IngressFrom
	// A rule without peers lets in anyone.
	ingress := []networkingv1.NetworkPolicyIngressRule{{From: from.API, Ports: tcp(PortAPI)}}
	if len(from.Metrics) > 0 {
		ingress = append(ingress, networkingv1.NetworkPolicyIngressRule{From: from.Metrics, Ports: tcp(PortAdmin)})
	}
	return &networkingv1.NetworkPolicy{
		TypeMeta:   typeMeta(networkingv1.SchemeGroupVersion, "NetworkPolicy"),
		ObjectMeta: b.meta(b.App.Name),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: *labelSelector(b.App.Name),
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress:     ingress,
			// 53 is DNS; 5353 is where OpenShift's DNS pods listen behind their Service.
			Egress: []networkingv1.NetworkPolicyEgressRule{{Ports: append(udp(53, 5353), tcp(53, 5353)...)}},
		},
	}
}

func tcp(ports ...int32) []networkingv1.NetworkPolicyPort {
	return policyPorts(corev1.ProtocolTCP, ports)
}

func udp(ports ...int32) []networkingv1.NetworkPolicyPort {
	return policyPorts(corev1.ProtocolUDP, ports)
}

func policyPorts(protocol corev1.Protocol, ports []int32) []networkingv1.NetworkPolicyPort {
	out := make([]networkingv1.NetworkPolicyPort, 0, len(ports))
	for _, p := range ports {
		port := intstr.FromInt32(p)
		out = append(out, networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &port})
	}
	return out
}
