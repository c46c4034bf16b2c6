package egress

import (
	"net/netip"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// ruleOf reads a rule as a user writes it.
func ruleOf(t *testing.T, text string) v1alpha1.EgressRule {
	t.Helper()
	rule, err := v1alpha1.ParseEgressRule(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return rule
}

func rulesOf(t *testing.T, texts ...string) []v1alpha1.EgressRule {
	t.Helper()
	rules := make([]v1alpha1.EgressRule, 0, len(texts))
	for _, text := range texts {
		rules = append(rules, ruleOf(t, text))
	}
	return rules
}

// TestOpens judges addresses that a name resolves to: by the exact name, by a name with
// a *, by localhost, by a network around the address that is wider than its block, and
// by the address itself.
func TestOpens(t *testing.T) {
	const (
		exact = 1 << iota
		below
		localhost
		network
		itself

		isPublic   = exact | below | localhost | network | itself
		isPrivate  = exact | localhost | itself
		isLoopback = localhost | itself
		isSpecial  = itself
	)
	for address, want := range map[string]int{
		"8.8.8.8": isPublic, "1.1.1.1": isPublic, "9.255.255.255": isPublic, "11.0.0.0": isPublic,
		"100.63.255.255": isPublic, "100.128.0.0": isPublic, "126.255.255.255": isPublic, "128.0.0.0": isPublic,
		"169.253.255.255": isPublic, "169.255.0.0": isPublic, "172.15.255.255": isPublic, "172.32.0.0": isPublic,
		"192.0.1.0": isPublic, "192.167.255.255": isPublic, "192.169.0.0": isPublic, "198.17.255.255": isPublic,
		"198.20.0.0": isPublic, "223.255.255.255": isPublic, "168.63.129.17": isPublic,
		"2000::1": isPublic, "2001:200::1": isPublic, "2001:4860:4860::8888": isPublic, "2003::1": isPublic,
		"2606:4700::1111": isPublic, "3ffe::1": isPublic,
		"::ffff:8.8.8.8": isPublic, "64:ff9b::8.8.8.8": isPublic,

		"10.0.0.0": isPrivate, "10.255.255.255": isPrivate, "172.16.0.1": isPrivate, "172.31.255.255": isPrivate,
		"192.168.0.1": isPrivate, "192.168.255.255": isPrivate, "fc00::1": isPrivate, "fd12:3456::1": isPrivate,
		"::ffff:10.0.0.1": isPrivate, "::ffff:192.168.1.1": isPrivate,

		"127.0.0.1": isLoopback, "127.0.0.53": isLoopback, "127.255.255.255": isLoopback, "::1": isLoopback,
		"::ffff:127.0.0.1": isLoopback,

		"0.0.0.0": isSpecial, "0.1.2.3": isSpecial, "::": isSpecial, "::ffff:0.0.0.0": isSpecial,
		"100.64.0.1": isSpecial, "100.127.255.255": isSpecial,
		"169.254.0.1": isSpecial, "169.254.255.255": isSpecial, "fe80::1": isSpecial, "febf::1": isSpecial,
		"169.254.169.254": isSpecial, "::ffff:169.254.169.254": isSpecial, "100.100.100.200": isSpecial,
		"169.254.170.2": isSpecial, "168.63.129.16": isSpecial, "fd00:ec2::254": isSpecial, "fd20:ce::254": isSpecial,
		"192.0.0.1": isSpecial, "192.0.0.192": isSpecial, "192.0.2.1": isSpecial, "192.88.99.1": isSpecial,
		"198.18.0.1": isSpecial, "198.19.255.255": isSpecial, "198.51.100.1": isSpecial, "203.0.113.1": isSpecial,
		"224.0.0.1": isSpecial, "239.255.255.255": isSpecial, "240.0.0.1": isSpecial, "255.255.255.255": isSpecial,
		"ff02::1": isSpecial, "ff0e::1": isSpecial, "2001:db8::1": isSpecial, "3fff::1": isSpecial,
		"100::1": isSpecial, "5f00::1": isSpecial, "fec0::1": isSpecial, "2001:2::1": isSpecial, "2001:20::1": isSpecial,
		"4000::1": isSpecial, "e000::1": isSpecial,
		// An IPv4 address in an IPv6 address: compatible, local NAT64, 6to4, Teredo.
		"::127.0.0.1": isSpecial, "::8.8.8.8": isSpecial, "64:ff9b:1::127.0.0.1": isSpecial, "64:ff9b:1:7f00:0:100::": isSpecial,
		"2002:7f00:1::": isSpecial, "2002:a9fe:a9fe::1": isSpecial, "2001::1": isSpecial, "2001:0:808:808::80ff:fffe": isSpecial,
		// NAT64 of what is refused; a rule that names the address is about another one.
		"64:ff9b::10.0.0.1": exact | localhost, "64:ff9b::127.0.0.1": localhost, "64:ff9b::169.254.169.254": 0, "64:ff9b::100.64.0.1": 0, "64:ff9b::0.0.0.0": 0,
	} {
		addr := netip.MustParseAddr(address).Unmap()
		// The widest network but for everything, and everything.
		for text, bit := range map[string]int{
			"pay.example.com:443": exact, "*.example.com:443": below, "localhost:443": localhost,
			"0.0.0.0/0:443": network, "[::/0]:443": network, "[" + address + "]:443": itself,
		} {
			rule, d := ruleOf(t, text), destination{name: "pay.example.com", port: 443}
			if bit == localhost {
				d.name = "localhost"
			}
			expected := want&bit != 0
			if bit == network && addr.Is4() != rule.Network.Addr().Is4() {
				expected = false
			}
			if got := opens(rule, d, addr); got != expected {
				t.Errorf("%s opens %s (%s): %t, want %t", text, address, blockOf(addr).name, got, expected)
			}
		}
	}
}

// TestOpensNames: which networks name a block of addresses.
func TestOpensNames(t *testing.T) {
	for _, c := range []struct {
		rule, address string
		want          bool
	}{
		{"127.0.0.0/8:80", "127.0.0.1", true},
		{"127.0.0.0/30:80", "127.0.0.1", true},
		{"126.0.0.0/7:80", "127.0.0.1", false},
		{"169.254.0.0/16:80", "169.254.1.1", true},
		{"169.254.0.0/16:80", "169.254.169.254", false},
		{"169.254.169.254:80", "169.254.169.254", true},
		{"169.254.169.254:81", "169.254.169.254", false},
		{"100.64.0.0/10:80", "100.64.1.1", true},
		{"100.64.0.0/10:80", "100.100.100.200", false},
		{"10.20.0.0/16:80", "10.20.1.1", true},
		{"10.20.0.0/16:80", "10.21.1.1", false},
		{"[::ffff:10.20.0.0/112]:80", "10.20.1.1", true},
		{"[fd00::/8]:80", "fd12::1", true},
		{"[fd00::/8]:80", "fd00:ec2::254", false},
		{"[64:ff9b:1::/48]:80", "64:ff9b:1::10.0.0.1", true},
		{"[::1]:80", "::1", true},
	} {
		d := destination{name: "pay.example.com", port: 80}
		if got := opens(ruleOf(t, c.rule), d, netip.MustParseAddr(c.address)); got != c.want {
			t.Errorf("%s opens %s: %t, want %t", c.rule, c.address, got, c.want)
		}
	}
}
