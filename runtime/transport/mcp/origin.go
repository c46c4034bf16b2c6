package mcp

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// origins say from where browsers may call (the protocol's transports demand it, against
// DNS rebinding): from the app's own URL, and on one's own machine from pages of this
// machine. Programs send no Origin.
type origins struct {
	// public is the origin of spec.publicURL, and host its host.
	public, host string
	// open says that nobody has to log in, so that whoever gets a browser to call is in.
	open bool
}

func newOrigins(doc *config.Document) origins {
	o := origins{open: doc.Auth.Mode == v1alpha1.AuthDisabled}
	if u, err := url.Parse(doc.PublicURL); err == nil && u.Host != "" {
		o.public, o.host = strings.ToLower(u.Scheme+"://"+u.Host), strings.ToLower(u.Host)
	}
	return o
}

// check refuses a page of another site, and on a loopback address a name that somebody
// else had pointed at it.
func (o origins) check(r *http.Request) error {
	local := onLoopback(r)
	for _, origin := range r.Header["Origin"] {
		if !o.allows(origin, local) {
			return fault.New(fault.Forbidden, "this Origin may not call: only pages of spec.publicURL may, and pages of this machine on a loopback address")
		}
	}
	if local && o.open && !isLoopback(r.Host) && !strings.EqualFold(r.Host, o.host) {
		return fault.New(fault.Forbidden, "the Host header names neither this machine nor spec.publicURL: call it by one of them, or set spec.publicURL")
	}
	return nil
}

func (o origins) allows(origin string, local bool) bool {
	if o.public != "" && strings.EqualFold(origin, o.public) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && local && (u.Scheme == "http" || u.Scheme == "https") && isLoopback(u.Host)
}

// onLoopback says whether the request came to a loopback address.
func onLoopback(r *http.Request) bool {
	address, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return address != nil && isLoopback(address.String())
}

// isLoopback says whether a host, with or without a port, is this machine.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.Unmap().IsLoopback()
}
