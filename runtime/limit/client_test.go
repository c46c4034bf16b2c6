package limit

import (
	"net/netip"
	"testing"
)

func TestClient(t *testing.T) {
	proxies, err := NewProxies([]string{"10.0.0.0/8", "2001:db8:f::/48", "::ffff:172.16.0.0/108"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
		ignored      bool
	}{
		{name: "direct", remote: "192.0.2.1:4711", want: "192.0.2.1"},
		{name: "untrusted peer", remote: "192.0.2.1:4711", forwarded: []string{"203.0.113.9"}, want: "192.0.2.1", ignored: true},
		{name: "proxy without a header", remote: "10.1.1.1:80", want: "10.1.1.1"},
		{name: "through a proxy", remote: "10.1.1.1:80", forwarded: []string{"203.0.113.9"}, want: "203.0.113.9"},
		{name: "what the caller wrote is not believed", remote: "10.1.1.1:80", forwarded: []string{"1.1.1.1, 203.0.113.9"}, want: "203.0.113.9"},
		{name: "through two proxies", remote: "10.1.1.1:80", forwarded: []string{"1.1.1.1, 203.0.113.9, 10.2.2.2"}, want: "203.0.113.9"},
		{name: "several headers", remote: "10.1.1.1:80", forwarded: []string{"1.1.1.1", "203.0.113.9", "10.2.2.2"}, want: "203.0.113.9"},
		{name: "only proxies", remote: "10.1.1.1:80", forwarded: []string{"10.3.3.3, 10.2.2.2"}, want: "10.3.3.3"},
		{name: "garbage", remote: "10.1.1.1:80", forwarded: []string{"203.0.113.9, unknown"}, want: "10.1.1.1"},
		{name: "garbage left of the client", remote: "10.1.1.1:80", forwarded: []string{"<script>, 203.0.113.9"}, want: "203.0.113.9"},
		{name: "empty", remote: "10.1.1.1:80", forwarded: []string{""}, want: "10.1.1.1"},
		{name: "with a port", remote: "10.1.1.1:80", forwarded: []string{"203.0.113.9:1234"}, want: "203.0.113.9"},
		{name: "IPv6 with a port", remote: "10.1.1.1:80", forwarded: []string{"[2001:db8::1]:1234"}, want: "2001:db8::1"},
		{name: "IPv6 in brackets", remote: "10.1.1.1:80", forwarded: []string{"[2001:db8::1]"}, want: "2001:db8::1"},
		{name: "IPv6 proxy", remote: "[2001:db8:f::1]:80", forwarded: []string{"203.0.113.9"}, want: "203.0.113.9"},
		{name: "IPv4-mapped peer", remote: "[::ffff:10.1.1.1]:80", forwarded: []string{"203.0.113.9"}, want: "203.0.113.9"},
		{name: "IPv4-mapped network", remote: "172.16.0.1:80", forwarded: []string{"203.0.113.9"}, want: "203.0.113.9"},
		{name: "zone", remote: "[fe80::1%eth0]:80", want: "fe80::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ignored := proxies.Client(c.remote, c.forwarded)
			if got.Addr != netip.MustParseAddr(c.want) || ignored != c.ignored {
				t.Errorf("got %v, ignored %v; want %s, %v", got.Addr, ignored, c.want, c.ignored)
			}
		})
	}
	if c, _ := proxies.Client("@", nil); c.Addr.IsValid() {
		t.Errorf("a peer without an address became %v", c.Addr)
	}
	if _, err := NewProxies([]string{"10.0.0.0"}); err == nil {
		t.Error("an address without a prefix length passed")
	}
}

func TestClientKey(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::",
	} {
		if got := (Client{Addr: netip.MustParseAddr(addr)}).Key(); got.Addr != netip.MustParseAddr(want) {
			t.Errorf("%s shares the bucket of %s, want %s", addr, got.Addr, want)
		}
	}
}

func TestBudget(t *testing.T) {
	b := NewBudget(10)
	if !b.Take(6) || b.Take(5) || !b.Take(4) || b.Take(1) {
		t.Error("a budget of 10 holds 6 and 4, and nothing more")
	}
	b.Return(6)
	if b.Free() != 6 || !b.Take(6) {
		t.Error("what is returned can be taken again")
	}
}
