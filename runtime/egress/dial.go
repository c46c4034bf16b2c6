package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

const (
	// dialTimeout bounds a connection, the name's lookup included.
	dialTimeout = 3 * time.Second
	// dialStagger is how long an address has before the next one is tried besides it
	// (RFC 8305).
	dialStagger = 250 * time.Millisecond
	// maxAddresses is how many addresses of a name are tried.
	maxAddresses = 8
)

// dial connects to one of the addresses that the rules open. The addresses are looked
// up once: what is checked is what is dialled.
func (g *Guard) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, &Refused{Why: "the URL's host and port cannot be read"}
	}
	d, err := parseDestination(host, port)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addrs, err := g.addresses(ctx, d)
	if err != nil {
		return nil, err
	}
	conn, err := g.dialFirst(ctx, network, addrs, d.port)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", cause(err))
	}
	return conn, nil
}

// addresses returns the addresses of the destination that the rules open.
func (g *Guard) addresses(ctx context.Context, d destination) ([]netip.Addr, error) {
	found := []netip.Addr{d.addr}
	if !d.addr.IsValid() {
		var err error
		if found, err = g.resolve(ctx, d.name); err != nil {
			return nil, fmt.Errorf("looking its addresses up: %w", cause(err))
		}
		if len(found) == 0 {
			return nil, errors.New("looking its addresses up: there are none")
		}
	}
	var open []netip.Addr
	for _, addr := range found {
		addr = addr.Unmap().WithZone("")
		if slices.ContainsFunc(g.rules, func(r v1alpha1.EgressRule) bool { return opens(r, d, addr) }) {
			open = append(open, addr)
		}
	}
	if len(open) == 0 {
		return nil, shut(d, found[0])
	}
	return open[:min(len(open), maxAddresses)], nil
}

// shut says why an address is not dialled, and what would open it.
func shut(d destination, addr netip.Addr) error {
	b, verb := blockOf(addr), "resolves to "
	if d.addr.IsValid() {
		verb = "is "
	}
	fix := "if that is meant, add the address itself to spec.egress.allow"
	if b.kind == private {
		fix = "a name with a * does not open it, add " + d.String() + " itself to spec.egress.allow"
	}
	return &Refused{Host: d.String(), Why: verb + b.name + ": " + fix}
}

// cause is an error of the network without the addresses in it.
func cause(err error) error {
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		err = failed.Err
	}
	if failed, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New(failed.Err)
	}
	return err
}

// dialFirst dials the addresses one after the other, the next one when one has failed
// or is slow, and returns the first connection.
func (g *Guard) dialFirst(ctx context.Context, network string, addrs []netip.Addr, port uint16) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		conn net.Conn
		err  error
	}
	outcomes := make(chan outcome)
	start := func(addr netip.Addr) {
		conn, err := g.connect(ctx, network, netip.AddrPortFrom(addr, port).String())
		select {
		case outcomes <- outcome{conn, err}:
		case <-ctx.Done(): // another one was first
			if conn != nil {
				_ = conn.Close()
			}
		}
	}
	next := time.NewTimer(0)
	defer next.Stop()
	var first error
	for failed, started := 0, 0; ; {
		select {
		case <-next.C:
			if started < len(addrs) {
				go start(addrs[started])
				started++
				next.Reset(dialStagger)
			}
		case o := <-outcomes:
			if o.err == nil {
				return o.conn, nil
			}
			if first == nil {
				first = o.err
			}
			if failed++; failed == len(addrs) {
				return nil, first
			}
			next.Reset(0)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
