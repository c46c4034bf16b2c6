package limit

import (
	"fmt"
	"net/netip"
	"strings"
)

// Proxies are the networks whose forwarding headers are believed.
type Proxies struct{ trusted []netip.Prefix }

// NewProxies parses networks in CIDR notation.
func NewProxies(cidrs []string) (Proxies, error) {
	var p Proxies
	for _, cidr := range cidrs {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			return Proxies{}, fmt.Errorf("rateLimit.trustedProxies: %q is no network in CIDR notation: %w", cidr, err)
		}
		p.trusted = append(p.trusted, unmap(prefix))
	}
	return p, nil
}

// unmap makes an IPv4 network of one that is written as IPv4-mapped IPv6.
func unmap(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

func (p Proxies) trusts(addr netip.Addr) bool {
	for _, prefix := range p.trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Client is where a request comes from.
type Client struct {
	// Addr is the client's address; invalid when the peer has none.
	Addr netip.Addr
	// PeerTrusted says that the peer is a trusted proxy.
	PeerTrusted bool
}

// Client finds the client of a request: the peer's address or, when the peer is a
// trusted proxy, the last address of X-Forwarded-For that is not one. Anything to the
// left of that could have been written by the caller. The second result says that
// forwarding headers came from a peer that is not trusted and were ignored.
func (p Proxies) Client(remote string, forwardedFor []string) (c Client, ignored bool) {
	c.Addr = parseAddr(remote)
	c.PeerTrusted = len(p.trusted) > 0 && p.trusts(c.Addr)
	if len(forwardedFor) == 0 || !c.PeerTrusted {
		return c, len(forwardedFor) > 0
	}
	hops := strings.Join(forwardedFor, ",")
	for hops != "" && p.trusts(c.Addr) {
		comma := strings.LastIndexByte(hops, ',')
		addr := parseAddr(strings.TrimSpace(hops[comma+1:]))
		if !addr.IsValid() {
			break // what a trusted proxy wrote is no address: the proxy is all we know
		}
		c.Addr = addr
		hops = hops[:max(comma, 0)]
	}
	return c, false
}

// parseAddr reads an address with or without a port; the result has no zone and is
// never IPv4-mapped.
func parseAddr(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// Key is the caller that shares a bucket with this client: an IPv4 address by itself,
// and an IPv6 address with its /64, all of which one customer is usually given.
func (c Client) Key() Caller {
	if c.Addr.Is6() {
		if prefix, err := c.Addr.Prefix(64); err == nil {
			return Caller{Addr: prefix.Addr()}
		}
	}
	return Caller{Addr: c.Addr}
}
