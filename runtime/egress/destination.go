package egress

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Refused is a request that the guard does not make.
type Refused struct {
	// Host is the host and port, empty when the URL has none that can be read.
	Host string
	// Why goes on after the host, and says what to write where that helps.
	Why string
}

// Error names the host and the reason, never the rest of the URL.
func (r *Refused) Error() string {
	if r.Host == "" {
		return r.Why
	}
	return r.Host + " " + r.Why
}

// destination is where a request goes: a name or an address, and a port.
type destination struct {
	// name is in lower case and without a final dot, empty when addr is set.
	name string
	addr netip.Addr
	port uint16
}

func (d destination) String() string {
	host := d.name
	if d.addr.IsValid() {
		host = d.addr.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(d.port)))
}

// destinationOf reads where a URL leads. Only what is sure to mean the same to the
// resolver as to the rules passes.
func destinationOf(u *url.URL) (destination, error) {
	port := u.Port()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return destination{}, &Refused{Why: "the URL is neither http nor https"}
	case u.User != nil:
		return destination{}, &Refused{Why: "the URL has a user in it: send credentials in a header"}
	case u.Hostname() == "":
		return destination{}, &Refused{Why: "the URL names no host"}
	case port == "" && u.Scheme == "http":
		port = "80"
	case port == "":
		port = "443"
	}
	return parseDestination(u.Hostname(), port)
}

func parseDestination(host, portText string) (destination, error) {
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return destination{}, &Refused{Why: "the URL's port is not a number from 1 to 65535"}
	}
	d := destination{port: uint16(port)}
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return destination{}, &Refused{Why: "the URL's address has a zone"}
		}
		d.addr = addr.Unmap()
		return d, nil
	}
	d.name = strings.ToLower(strings.TrimSuffix(host, "."))
	if !isName(d.name) {
		return destination{}, &Refused{Why: "the URL's host is neither a name of letters, digits, dashes and dots nor an address in its usual form"}
	}
	return d, nil
}

// isName refuses what is no name in DNS, and what ends in a number: some resolvers take
// 127.1 and 0x7f000001 for addresses.
func isName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, nameCharacters) != "" {
			return false
		}
		last = label
	}
	return strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}

const nameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-_"

// covers says whether the rule is about the destination, as far as its text tells: the
// addresses of a name are judged when it is dialled.
func covers(rule v1alpha1.EgressRule, d destination) bool {
	switch {
	case rule.Port != d.port:
		return false
	case d.addr.IsValid():
		return rule.Network.Contains(d.addr)
	case rule.Below:
		return strings.HasSuffix(d.name, "."+rule.Host)
	default:
		return rule.Host == d.name
	}
}

// opens says whether the rule lets a request for the destination connect to addr.
func opens(rule v1alpha1.EgressRule, d destination, addr netip.Addr) bool {
	b := blockOf(addr)
	if rule.Network.IsValid() {
		named := b.prefix.Contains(rule.Network.Addr()) && rule.Network.Bits() >= b.prefix.Bits()
		return rule.Port == d.port && rule.Network.Contains(addr) && (b.kind == public || named)
	}
	if !covers(rule, d) {
		return false
	}
	switch b.kind {
	case public:
		return true
	case private:
		return !rule.Below
	case loopback:
		return rule.Host == "localhost" && !rule.Below
	default:
		return false
	}
}
