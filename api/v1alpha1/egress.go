package v1alpha1

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// EgressRule is a destination that the pods may reach: a host, every host below a
// name, or a network; always with a port. The runtime's egress guard and the
// NetworkPolicy are both made of it.
//
// +kubebuilder:object:generate=false
type EgressRule struct {
	// Host is a name in lower case; with Below, any name that ends in "."+Host matches
	// and Host itself does not. Empty when Network is set.
	Host  string
	Below bool
	// Network is a network or, with all bits set, one address.
	Network netip.Prefix
	Port    uint16
}

var (
	hostName        = regexp.MustCompile(`^([a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?$`)
	errEgressFormat = errors.New("write host:port, *.domain:port or network:port, for example pricing.shop.svc:443, *.example.com:443 or 10.20.0.0/16:8443")
)

// ParseEgressRule reads an entry of spec.egress.allow.
func ParseEgressRule(text string) (EgressRule, error) {
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return EgressRule{}, errEgressFormat
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return EgressRule{}, errors.New("the port is a number from 1 to 65535: write for example " + host + ":443")
	}
	rule := EgressRule{Port: uint16(port)}
	if network, err := netip.ParsePrefix(host); err == nil {
		rule.Network = unmapped(network).Masked()
		return rule, nil
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		rule.Network = unmapped(netip.PrefixFrom(addr.WithZone(""), addr.BitLen()))
		return rule, nil
	}
	rule.Host = strings.ToLower(strings.TrimSuffix(host, "."))
	rule.Host, rule.Below = strings.CutPrefix(rule.Host, "*.")
	if len(rule.Host) > 253 || !hostName.MatchString(rule.Host) {
		return EgressRule{}, errEgressFormat
	}
	return rule, nil
}

// unmapped makes an IPv4 network of one that is written as IPv4-mapped IPv6.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// EgressRules are what the pods may reach: by spec.egress, for the keys of the issuers,
// and to post events. The entries have been validated: one that is not valid is left out.
func EgressRules(auth Auth, egress Egress, events Events) []EgressRule {
	var rules []EgressRule
	for _, text := range egress.Allow {
		if rule, err := ParseEgressRule(text); err == nil {
			rules = append(rules, rule)
		}
	}
	for i := range auth.JWT {
		if rule, ok := ruleOfURL(auth.JWT[i].FetchURL()); ok {
			rules = append(rules, rule)
		}
	}
	if rule, ok := ruleOfURL(events.Sink); ok {
		rules = append(rules, rule)
	}
	return rules
}

// FetchURL is the first URL at which the keys of the issuer are looked for: that of
// its keys, or of its discovery document. It is empty when nothing is fetched.
func (j *JWTIssuer) FetchURL() string {
	switch {
	case j.Issuer == KubernetesIssuer, j.PublicKeySecretRef != nil, j.HMACSecretRef != nil:
		return ""
	case j.JWKSURI != "":
		return j.JWKSURI
	default:
		return strings.TrimSuffix(j.Issuer, "/") + "/.well-known/openid-configuration"
	}
}

func ruleOfURL(text string) (EgressRule, bool) {
	u, err := url.Parse(text)
	if text == "" || err != nil || u.Hostname() == "" {
		return EgressRule{}, false
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http":
		port = "80"
	default:
		port = "443"
	}
	rule, err := ParseEgressRule(net.JoinHostPort(u.Hostname(), port))
	return rule, err == nil
}
