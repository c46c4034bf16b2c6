package host

import (
	"net/netip"
	"strings"
)

// maxNameservers is what resolv.conf(5) allows.
const maxNameservers = 3

// nameservers reads the IPv4 servers of a resolv.conf that are not on loopback; pods have no IPv6.
func nameservers(conf string) []string {
	var servers []string
	for line := range strings.Lines(conf) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" || len(servers) == maxNameservers {
			continue
		}
		addr, err := netip.ParseAddr(fields[1])
		if err == nil && addr.Is4() && !addr.IsLoopback() {
			servers = append(servers, addr.String())
		}
	}
	return servers
}
