package desired

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// publicRanges are the addresses that a host outside the cluster may have. A
// NetworkPolicy knows no names: which host it is, is checked by the runtime's egress
// guard. Private addresses are opened by naming their network.
func publicRanges() []networkingv1.NetworkPolicyPeer {
	return []networkingv1.NetworkPolicyPeer{
		{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0", Except: []string{
			"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
			"192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3",
		}}},
		// All that is assigned of IPv6, and the IPv4 addresses behind a NAT64.
		{IPBlock: &networkingv1.IPBlock{CIDR: "2000::/3"}},
		{IPBlock: &networkingv1.IPBlock{CIDR: "64:ff9b::/96"}},
	}
}

// egress is what the pods may reach: names, Redis, what spec.egress lists, the keys of
// issuers, and the sink of events. The same rules are always the same list, whatever their order.
func (b *builder) egress() []networkingv1.NetworkPolicyEgressRule {
	// 53 is DNS; 5353 is where OpenShift's DNS pods listen behind their Service.
	out := []networkingv1.NetworkPolicyEgressRule{{Ports: append(udp(53, 5353), tcp(53, 5353)...)}}
	if len(b.RedisPorts) > 0 {
		// Anywhere: only the Secret says where Redis is, and no policy may tell.
		out = append(out, networkingv1.NetworkPolicyEgressRule{Ports: tcpPorts(b.RedisPorts)})
	}
	var public []uint16
	namespaces, networks := map[string]bool{}, map[netip.Prefix][]uint16{}
	for _, rule := range v1alpha1.EgressRules(b.spec.Auth, b.spec.Egress, b.spec.Events) {
		namespace, inside := serviceNamespace(rule)
		switch {
		case ownMachine(rule): // within the pod, where no policy applies
		case rule.Network.IsValid():
			networks[rule.Network] = append(networks[rule.Network], rule.Port)
		case inside:
			namespaces[namespace] = true
		default:
			public = append(public, rule.Port)
		}
	}
	if len(namespaces) > 0 {
		// All ports: a policy sees the port of the pod, and a Service may map any other to it.
		out = append(out, networkingv1.NetworkPolicyEgressRule{To: namespacePeers(namespaces)})
	}
	for _, network := range slices.SortedFunc(maps.Keys(networks), netip.Prefix.Compare) {
		peer := networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: network.String()}}
		out = append(out, networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{peer}, Ports: tcpPorts(networks[network])})
	}
	if len(public) > 0 {
		out = append(out, networkingv1.NetworkPolicyEgressRule{To: publicRanges(), Ports: tcpPorts(public)})
	}
	return out
}

// ownMachine says whether a rule leads nowhere but to the pod itself.
func ownMachine(rule v1alpha1.EgressRule) bool {
	return rule.Host == "localhost" || strings.HasSuffix(rule.Host, ".localhost") ||
		rule.Network.IsValid() && rule.Network.Addr().IsLoopback()
}

// serviceNamespace is the namespace of a host that is a Service, or a pod behind one:
// shop of pricing.shop.svc and of *.shop.svc.cluster.local. It is empty for those of all
// namespaces: *.svc.
func serviceNamespace(rule v1alpha1.EgressRule) (namespace string, inside bool) {
	host := strings.TrimSuffix(rule.Host, ".cluster.local")
	if rule.Below && (host == "svc" || host == "cluster.local") {
		return "", true
	}
	host, inside = strings.CutSuffix(host, ".svc")
	return host[strings.LastIndexByte(host, '.')+1:], inside
}

func namespacePeers(namespaces map[string]bool) []networkingv1.NetworkPolicyPeer {
	if namespaces[""] {
		return []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}
	}
	var out []networkingv1.NetworkPolicyPeer
	for _, name := range slices.Sorted(maps.Keys(namespaces)) {
		out = append(out, networkingv1.NetworkPolicyPeer{NamespaceSelector: namespaceNamed(name)})
	}
	return out
}

// tcpPorts are the ports in order, each once.
func tcpPorts(ports []uint16) []networkingv1.NetworkPolicyPort {
	var out []int32
	for _, port := range slices.Compact(slices.Sorted(slices.Values(ports))) {
		out = append(out, int32(port))
	}
	return tcp(out...)
}
