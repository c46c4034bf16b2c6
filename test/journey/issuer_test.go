package journey

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/server"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

// serveIssuer serves an app whose tokens come from an issuer with a private authority.
func serveIssuer(t *testing.T, issuer *tokens.Issuer, trust string) *app {
	t.Helper()
	keys := newKeyring(t)
	keys.write("corp-ca", "ca.crt", string(issuer.CA()))
	text := strings.NewReplacer(
		"auth: {apiKeys: {secretRef: {name: keys}}}", "auth: {jwt: [{issuer: "+issuer.URL+", audiences: [shop]}]}",
	).Replace(manifest(trust, echo))
	return serveWith(t, text, keys, server.Options{ConfigMapsDir: keys.root})
}

const trustCorp = "  trust: {caBundle: {configMapRef: {name: corp-ca, key: ca.crt}}}"

// TestIssuerOutage: while no key was ever had, tokens are answered with 503 and readiness
// stands; once the keys are there, tokens pass, also while the issuer is away again.
func TestIssuerOutage(t *testing.T) {
	signer := tokens.NewEC("one", "ES256")
	issuer := tokens.NewTLSIssuer(signer)
	t.Cleanup(issuer.Close)
	issuer.Fail(http.StatusInternalServerError)
	a := serveIssuer(t, issuer, trustCorp)
	token := signer.Sign(tokens.Claims(issuer.URL, "shop", "ada", time.Now()))

	a.log.await(t, "Cannot read the keys of an issuer")
	got := a.execute("echo", `{}`, "", bearer(token)...)
	a.wantProblem(got, http.StatusServiceUnavailable, "overloaded")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if a.ready() != http.StatusOK {
		t.Error("an issuer that cannot be reached took readiness away")
	}
	a.wantMetric(`nexus_jwks_keys{issuer="`+issuer.URL+`"}`, "0")

	issuer.Recover()
	a.log.await(t, "Keys of an issuer were read")
	a.wantOK(a.execute("echo", `{}`, "", bearer(token)...), `{}`)
	a.wantMetric(`nexus_jwks_keys{issuer="`+issuer.URL+`"}`, "1")

	issuer.Fail(http.StatusInternalServerError)
	other := signer.Sign(tokens.Claims(issuer.URL, "shop", "bob", time.Now()))
	a.wantOK(a.execute("echo", `{}`, "", bearer(other)...), `{}`)
	if status := a.status(); !strings.Contains(status, `"source": "discovery"`) || strings.Contains(status, token[:20]) {
		t.Errorf("/status tells of the issuer: %s", status)
	}
}

// TestIssuerIsNotTrusted: without the authority in spec.trust no key is taken, and the
// log says what to write.
func TestIssuerIsNotTrusted(t *testing.T) {
	signer := tokens.NewEC("one", "ES256")
	issuer := tokens.NewTLSIssuer(signer)
	t.Cleanup(issuer.Close)
	a := serveIssuer(t, issuer, "")
	a.log.await(t, "name a private authority in spec.trust.caBundle")
	token := signer.Sign(tokens.Claims(issuer.URL, "shop", "ada", time.Now()))
	a.wantProblem(a.execute("echo", `{}`, "", bearer(token)...), http.StatusServiceUnavailable, "overloaded")
}
