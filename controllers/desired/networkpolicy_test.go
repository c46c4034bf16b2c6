package desired_test

import (
	"net/netip"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/desired"
)

// end is one end of a connection: a pod, or an address outside the cluster.
type end struct {
	address        string
	namespace, pod labels.Set
}

func pod(namespace string, of labels.Set) end {
	return end{namespace: labels.Set{"kubernetes.io/metadata.name": namespace}, pod: of}
}

// matches is what a network plugin makes of a peer.
func matches(t *testing.T, peer networkingv1.NetworkPolicyPeer, other end) bool {
	t.Helper()
	if peer.IPBlock != nil {
		if other.address == "" {
			return false
		}
		address := netip.MustParseAddr(other.address)
		for _, except := range peer.IPBlock.Except {
			if netip.MustParsePrefix(except).Contains(address) {
				return false
			}
		}
		return netip.MustParsePrefix(peer.IPBlock.CIDR).Contains(address)
	}
	return other.address == "" && selects(t, peer.NamespaceSelector, other.namespace) && (peer.PodSelector == nil || selects(t, peer.PodSelector, other.pod))
}

func selects(t *testing.T, selector *metav1.LabelSelector, set labels.Set) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(set)
}

func allows(t *testing.T, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort, other end, port int32) bool {
	t.Helper()
	open := len(peers) == 0
	for _, peer := range peers {
		open = open || matches(t, peer, other)
	}
	if len(ports) == 0 {
		return open
	}
	for _, p := range ports {
		if *p.Protocol == "TCP" && p.Port.IntVal == port {
			return open
		}
	}
	return false
}

func policyOf(t *testing.T, in desired.Input) *networkingv1.NetworkPolicy {
	t.Helper()
	objects, err := desired.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if policy, ok := o.(*networkingv1.NetworkPolicy); ok {
			return policy
		}
	}
	t.Fatal("there is no NetworkPolicy")
	return nil
}

// What the pods of an app may reach is what its spec names, and no more.
func TestEgress(t *testing.T) {
	policy := policyOf(t, readInput(t, "testdata/connections.in.yaml"))
	for name, c := range map[string]struct {
		to   end
		port int32
		want bool
	}{
		"a Service, at its pods' port":         {pod("shop", nil), 8080, true},
		"a namespace of a *":                   {pod("tools", nil), 443, true},
		"the namespace of an issuer":           {pod("team-a", nil), 8443, true},
		"another namespace":                    {pod("team-z", nil), 443, false},
		"Redis in the cluster":                 {pod("team-z", nil), 6379, true},
		"Redis outside":                        {end{address: "10.9.9.9"}, 26379, true},
		"another port of Redis's host":         {end{address: "10.9.9.9"}, 6380, false},
		"DNS":                                  {pod("kube-system", nil), 53, true},
		"a public host":                        {end{address: "198.51.100.7"}, 443, true},
		"a public host of a *":                 {end{address: "198.51.100.7"}, 8443, true},
		"another port of a public host":        {end{address: "198.51.100.7"}, 80, false},
		"a public host on IPv6":                {end{address: "2606:4700::1"}, 443, true},
		"a private host":                       {end{address: "10.9.9.9"}, 443, false},
		"a private host on IPv6":               {end{address: "fd00::1"}, 443, false},
		"link-local":                           {end{address: "169.254.169.254"}, 443, false},
		"link-local on IPv6":                   {end{address: "fe80::1"}, 443, false},
		"carrier-grade NAT":                    {end{address: "100.100.100.200"}, 443, false},
		"loopback":                             {end{address: "127.0.0.1"}, 443, false},
		"loopback on IPv6":                     {end{address: "::1"}, 443, false},
		"multicast":                            {end{address: "239.1.1.1"}, 443, false},
		"a network":                            {end{address: "10.20.3.4"}, 8443, true},
		"another port of a network":            {end{address: "10.20.3.4"}, 80, false},
		"outside a network":                    {end{address: "10.21.0.1"}, 8443, false},
		"an address":                           {end{address: "192.0.2.7"}, 443, true},
		"another port of an address":           {end{address: "192.0.2.7"}, 80, false},
		"an address on IPv6":                   {end{address: "2001:db8::1"}, 443, true},
		"the API server, which is not in spec": {end{address: "10.96.0.1"}, 443, false},
	} {
		got := false
		for _, rule := range policy.Spec.Egress {
			got = got || allows(t, rule.To, rule.Ports, c.to, c.port)
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// The admin port is open to scrapers that the spec names, and to the operator where it
// has something to ask.
func TestIngressToTheAdminPort(t *testing.T) {
	operator := pod("nexus-system", labels.Set{"app.kubernetes.io/name": "nexus-operator", "app.kubernetes.io/component": "manager"})
	scraper := end{namespace: labels.Set{"team": "monitoring"}}
	for name, c := range map[string]struct {
		path string
		from end
		want bool
	}{
		"the operator, with Redis":               {"testdata/connections.in.yaml", operator, true},
		"a scraper, with Redis":                  {"testdata/connections.in.yaml", scraper, true},
		"another pod of the operator's":          {"testdata/connections.in.yaml", pod("nexus-system", nil), false},
		"a pod that says that it is an operator": {"testdata/connections.in.yaml", pod("team-z", operator.pod), false},
		"an address":                             {"testdata/connections.in.yaml", end{address: "10.0.0.1"}, false},
		"the operator, without Redis":            {"testdata/production.in.yaml", operator, false},
	} {
		got := false
		for _, rule := range policyOf(t, readInput(t, c.path)).Spec.Ingress {
			got = got || allows(t, rule.From, rule.Ports, c.from, desired.PortAdmin)
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// The order in which a spec lists what it allows changes no object.
func TestEgressIsInOneOrder(t *testing.T) {
	in := readInput(t, "testdata/connections.in.yaml")
	want := policyOf(t, in)
	allow := in.App.Spec.Egress.Allow
	for i, j := 0, len(allow)-1; i < j; i, j = i+1, j-1 {
		allow[i], allow[j] = allow[j], allow[i]
	}
	if got := policyOf(t, in); got.Spec.String() != want.Spec.String() {
		t.Errorf("another order makes\n%v\nwant\n%v", got.Spec, want.Spec)
	}
}

func TestNamesOfServices(t *testing.T) {
	for host, want := range map[string]string{
		"pricing.shop.svc:443":                    "shop",
		"pricing.shop.svc.cluster.local:443":      "shop",
		"db-0.db.shop.svc:443":                    "shop",
		"*.shop.svc:443":                          "shop",
		"shop.svc:443":                            "shop",
		"*.svc:443":                               "any",
		"*.svc.cluster.local:443":                 "any",
		"*.cluster.local:443":                     "any",
		"svc.example.com:443":                     "none",
		"pricing.shop.svc.cluster.example.com:80": "none",
		"mysvc:443":                               "none",
		"pricing.notsvc:443":                      "none",
	} {
		in := readInput(t, "testdata/production.in.yaml")
		in.App.Spec.Egress = v1alpha1.Egress{Allow: []string{host}}
		got := "none"
		for _, rule := range policyOf(t, in).Spec.Egress {
			for _, peer := range rule.To {
				if peer.NamespaceSelector == nil {
					continue
				}
				if len(rule.Ports) > 0 {
					t.Errorf("%s: only the ports %v are open, although a Service may map any other", host, rule.Ports)
				}
				if got = "any"; len(peer.NamespaceSelector.MatchLabels) > 0 {
					got = peer.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]
				}
			}
		}
		if got != want {
			t.Errorf("%s opens namespace %s, want %s", host, got, want)
		}
	}
}

// What never leaves the pod opens nothing.
func TestLoopbackOpensNothing(t *testing.T) {
	in := readInput(t, "testdata/production.in.yaml")
	in.App.Spec.Egress = v1alpha1.Egress{}
	want := len(policyOf(t, in).Spec.Egress)
	for _, host := range []string{"localhost:80", "LOCALHOST.:80", "app.localhost:80", "*.localhost:80", "127.0.0.1:80", "127.0.0.0/8:80", "[::1]:80", "[::ffff:127.0.0.1]:80"} {
		in.App.Spec.Egress.Allow = []string{host}
		if got := policyOf(t, in).Spec.Egress; len(got) != want {
			t.Errorf("%s opens %v", host, got)
		}
	}
	in.App.Spec.Egress.Allow = []string{"localhost.example.com:80"}
	if got := policyOf(t, in).Spec.Egress; len(got) == want {
		t.Error("a public host opens nothing")
	}
}
