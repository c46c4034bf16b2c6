package egress

import "net/netip"

// kind says how much it takes to open a block of addresses.
type kind int

const (
	// public is what any rule that covers the destination opens.
	public kind = iota
	// private is opened by an exact name, or as special is.
	private
	// loopback is opened by the name localhost, or as special is.
	loopback
	// special is opened only by a rule that names the block, or a part of it.
	special
)

// block is a range of addresses and what it is called.
type block struct {
	prefix netip.Prefix
	kind   kind
	name   string
}

// blocks are the ranges that are not public, the narrow ones first: what the IANA
// registries of special-purpose addresses list as not globally reachable (RFC 6890),
// multicast, retired tunnels, whose ends nobody knows, and where clouds serve the
// credentials of a machine. IPv6 outside 2000::/3 is not assigned to anybody.
var blocks = []block{
	{netip.MustParsePrefix("169.254.169.254/32"), special, "a cloud metadata address"},
	{netip.MustParsePrefix("169.254.170.0/24"), special, "a cloud metadata address"},
	{netip.MustParsePrefix("100.100.100.200/32"), special, "a cloud metadata address"},
	{netip.MustParsePrefix("168.63.129.16/32"), special, "a cloud metadata address"},
	{netip.MustParsePrefix("fd00:ec2::/32"), special, "a cloud metadata address"},
	{netip.MustParsePrefix("fd20:ce::254/128"), special, "a cloud metadata address"},

	{netip.MustParsePrefix("127.0.0.0/8"), loopback, "a loopback address"},
	{netip.MustParsePrefix("::1/128"), loopback, "a loopback address"},

	{netip.MustParsePrefix("10.0.0.0/8"), private, "a private address"},
	{netip.MustParsePrefix("172.16.0.0/12"), private, "a private address"},
	{netip.MustParsePrefix("192.168.0.0/16"), private, "a private address"},
	{netip.MustParsePrefix("fc00::/7"), private, "a private address"},

	{netip.MustParsePrefix("0.0.0.0/8"), special, "an unspecified address"},
	{netip.MustParsePrefix("100.64.0.0/10"), special, "a shared address of a provider (RFC 6598)"},
	{netip.MustParsePrefix("169.254.0.0/16"), special, "a link-local address"},
	{netip.MustParsePrefix("192.0.0.0/24"), special, "a reserved address"},
	{netip.MustParsePrefix("192.0.2.0/24"), special, "a documentation address"},
	{netip.MustParsePrefix("192.88.99.0/24"), special, "an address of a retired tunnel"},
	{netip.MustParsePrefix("198.18.0.0/15"), special, "a benchmarking address"},
	{netip.MustParsePrefix("198.51.100.0/24"), special, "a documentation address"},
	{netip.MustParsePrefix("203.0.113.0/24"), special, "a documentation address"},
	{netip.MustParsePrefix("224.0.0.0/4"), special, "a multicast address"},
	{netip.MustParsePrefix("255.255.255.255/32"), special, "a broadcast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), special, "a reserved address"},

	{netip.MustParsePrefix("::/128"), special, "an unspecified address"},
	{netip.MustParsePrefix("fe80::/10"), special, "a link-local address"},
	{netip.MustParsePrefix("ff00::/8"), special, "a multicast address"},
	{netip.MustParsePrefix("2001:db8::/32"), special, "a documentation address"},
	{netip.MustParsePrefix("3fff::/20"), special, "a documentation address"},
	{netip.MustParsePrefix("2001::/32"), special, "an address of a retired tunnel"}, // Teredo
	{netip.MustParsePrefix("2001::/23"), special, "a reserved address"},
	{netip.MustParsePrefix("2002::/16"), special, "an address of a retired tunnel"}, // 6to4
	{netip.MustParsePrefix("::/3"), special, "a reserved address"},                  // IPv4-compatible and local NAT64 too
	{netip.MustParsePrefix("4000::/2"), special, "a reserved address"},
	{netip.MustParsePrefix("8000::/1"), special, "a reserved address"},
}

// nat64 holds the IPv4 addresses that a gateway translates to (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// blockOf returns the block that an address is in. An address that stands for another
// one is judged as that one.
func blockOf(addr netip.Addr) block {
	addr = addr.Unmap()
	if nat64.Contains(addr) {
		bytes := addr.As16()
		addr = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	for _, b := range blocks {
		if b.prefix.Contains(addr) {
			return b
		}
	}
	return block{kind: public, name: "a public address"}
}
