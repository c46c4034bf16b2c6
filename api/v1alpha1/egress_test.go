package v1alpha1

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestParseEgressRule(t *testing.T) {
	network := netip.MustParsePrefix
	for text, want := range map[string]EgressRule{
		"pricing.shop.svc:443":     {Host: "pricing.shop.svc", Port: 443},
		"Pricing.Shop.svc.:8443":   {Host: "pricing.shop.svc", Port: 8443},
		"*.example.com:443":        {Host: "example.com", Below: true, Port: 443},
		"localhost:1":              {Host: "localhost", Port: 1},
		"_dns.example.com:65535":   {Host: "_dns.example.com", Port: 65535},
		"10.20.0.0/16:8443":        {Network: network("10.20.0.0/16"), Port: 8443},
		"10.20.3.4/16:8443":        {Network: network("10.20.0.0/16"), Port: 8443},
		"192.0.2.7:443":            {Network: network("192.0.2.7/32"), Port: 443},
		"[2001:db8::1]:443":        {Network: network("2001:db8::1/128"), Port: 443},
		"[2001:db8::/32]:443":      {Network: network("2001:db8::/32"), Port: 443},
		"[::ffff:192.0.2.7]:443":   {Network: network("192.0.2.7/32"), Port: 443},
		"[::ffff:10.0.0.0/104]:80": {Network: network("10.0.0.0/8"), Port: 80},
	} {
		if got, err := ParseEgressRule(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", ":443", "host", "host:", "host:0", "host:65536", "host:-1", "host:https", "https://host:443", "host/path:443", "a b:443",
		"*:443", "*.:443", "a.*.com:443", "**.example.com:443", "-a.com:443", "a-.com:443", "a..com:443", "user@host:443",
		"10.0.0.0/33:443", "2001:db8::1:443:443", "[host]:443x", strings.Repeat("a", 64) + ".com:443", strings.Repeat("a.", 127) + "com:443",
	} {
		if got, err := ParseEgressRule(text); err == nil {
			t.Errorf("%q is taken as %+v", text, got)
		}
	}
}

func TestEgressRules(t *testing.T) {
	auth := Auth{JWT: []JWTIssuer{
		{Issuer: "https://id.example.com/realms/shop"},
		{Issuer: "https://other.example.com", JWKSURI: "https://keys.example.com:8443/jwks?tenant=1"},
		{Issuer: "http://127.0.0.1:9999"},
		{Issuer: "http://plain.example.com"},
		{Issuer: KubernetesIssuer},
		{Issuer: "https://file.example.com", PublicKeySecretRef: &SecretKeyReference{}},
		{Issuer: "login", HMACSecretRef: &SecretKeyReference{}},
	}}
	got := EgressRules(auth, Egress{Allow: []string{"pricing.shop.svc:443", "not valid"}}, Events{Sink: "http://broker.events.svc/team-a"})
	want := []EgressRule{
		{Host: "pricing.shop.svc", Port: 443}, {Host: "id.example.com", Port: 443}, {Host: "keys.example.com", Port: 8443},
		{Network: netip.MustParsePrefix("127.0.0.1/32"), Port: 9999}, {Host: "plain.example.com", Port: 80},
		{Host: "broker.events.svc", Port: 80},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if url := auth.JWT[0].FetchURL(); url != "https://id.example.com/realms/shop/.well-known/openid-configuration" {
		t.Errorf("the discovery document is looked for at %s", url)
	}
}
