package host

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/layout"
)

// HasBridge says whether the device that carries the node's address exists.
func HasBridge() bool {
	_, err := net.InterfaceByName(layout.Bridge)
	return err == nil
}

// CheckAddresses reports an interface of the machine that already uses the cluster's block of addresses.
func CheckAddresses() error {
	block := netip.MustParsePrefix(layout.Block)
	interfaces, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("listing network interfaces: %w", err)
	}
	for _, i := range interfaces {
		if i.Name == layout.Bridge {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // the interface went away meanwhile
		}
		for _, a := range addrs {
			prefix, err := netip.ParsePrefix(a.String())
			// A pod's own link carries an address of the block; it is ours if the bridge is there.
			if err == nil && block.Contains(prefix.Addr()) && !HasBridge() {
				return fmt.Errorf("interface %s has address %s inside %s, which the cluster needs for itself: "+
					"remove the address (or change Block and its neighbours in hack/cluster/internal/layout/network.go)",
					i.Name, a, layout.Block)
			}
		}
	}
	return nil
}

// EnsureBridge makes the device, its address, and the route that gives host programs NodeIP as their source when they
// call a Service address, with or without a default route.
func EnsureBridge(ctx context.Context) error {
	if !HasBridge() {
		if _, err := run(ctx, "", "ip", "link", "add", layout.Bridge, "type", "bridge"); err != nil {
			return err
		}
	}
	for _, args := range [][]string{
		{"link", "set", layout.Bridge, "up"},
		{"addr", "replace", layout.NodeIP + "/32", "dev", layout.Bridge},
		{"route", "replace", layout.ServiceCIDR, "dev", layout.Bridge, "src", layout.NodeIP},
	} {
		if _, err := run(ctx, "", "ip", args...); err != nil {
			return err
		}
	}
	return nil
}

// RemoveBridge removes the device, and with it its address and route.
func RemoveBridge(ctx context.Context) error {
	if !HasBridge() {
		return nil
	}
	_, err := run(ctx, "", "ip", "link", "delete", layout.Bridge)
	return err
}
