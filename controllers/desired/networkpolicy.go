package desired

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// networkPolicy lets callers in on the ports of the API and of MCP, and scrapers on the admin port, and
// lets the pods reach what the spec names. The kubelet's probes come from the node and
// need no rule.
func (b *builder) networkPolicy() *networkingv1.NetworkPolicy {
	// A rule without peers lets in anyone.
	served := tcp(PortAPI)
	if b.spec.ServesMCP() {
		served = tcp(PortAPI, PortMCP)
	}
	ingress := []networkingv1.NetworkPolicyIngressRule{{From: b.spec.NetworkPolicy.IngressFrom.API, Ports: served}}
	if admins := b.admins(); len(admins) > 0 {
		ingress = append(ingress, networkingv1.NetworkPolicyIngressRule{From: admins, Ports: tcp(PortAdmin)})
	}
	return &networkingv1.NetworkPolicy{
		TypeMeta:   typeMeta(networkingv1.SchemeGroupVersion, "NetworkPolicy"),
		ObjectMeta: b.meta(b.App.Name),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: *labelSelector(b.App.Name),
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress:     ingress,
			Egress:      b.egress(),
		},
	}
}

// admins may reach the admin port: scrapers, and the operator, which asks the pods of an
// app with Redis whether they can use it.
func (b *builder) admins() []networkingv1.NetworkPolicyPeer {
	admins := b.spec.NetworkPolicy.IngressFrom.Metrics
	if b.spec.Redis == nil {
		return admins
	}
	return append(slices.Clone(admins), networkingv1.NetworkPolicyPeer{
		NamespaceSelector: namespaceNamed(b.OperatorNamespace),
		PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": "nexus-operator"}},
	})
}

func namespaceNamed(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: name}}
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
