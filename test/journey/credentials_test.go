package journey

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/server"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

// login is an app that takes every kind of credential. Its failures of authentication
// are not limited, so that each case is judged by itself.
const login = `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: shop, namespace: team-a}
spec:
  environment: Staging
  logging: {level: Debug}
  rateLimit: {requestsPerMinute: 1000000, authFailuresPerMinute: 1000000}
  auth:
    apiKeys: {secretRef: {name: keys}}
    jwt:
    - issuer: https://rsa.example.com
      audiences: [shop, shop-too]
      publicKeySecretRef: {name: login, key: rsa.pem}
      algorithms: [RS256, PS256]
      rolesClaim: realm_access.roles
    - issuer: https://set.example.com
      audiences: [shop]
      publicKeySecretRef: {name: login, key: set.json}
      algorithms: [ES256, EdDSA]
      subjects: [{name: ada, roles: [buyer]}, {name: bob}]
    - issuer: hmac
      audiences: [shop]
      hmacSecretRef: {name: login, key: hmac}
    - issuer: kubernetes
      audiences: [shop]
      subjects: [{name: "system:serviceaccount:team-a:front", roles: [buyer]}]
  workflows:
  - name: echo
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: echo, version: 1.0.0}
      do: [{reply: {set: "${ . }"}}]
  - name: secret
    authorization: {anyRole: [buyer]}
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: secret, version: 1.0.0}
      do: [{reply: {set: {ok: true}}}]
  - name: scoped
    authorization: {anyScope: ["orders:write", orders]}
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: scoped, version: 1.0.0}
      do: [{reply: {set: {ok: true}}}]
  - name: small
    authorization: {when: "size(input.items) <= 2 || 'bulk' in subject.roles && subject.issuer == 'https://rsa.example.com'"}
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: small, version: 1.0.0}
      do: [{reply: {set: {ok: true}}}]
`

// signers are the keys behind the issuers of login, and one that nobody trusts.
type signers struct {
	rsa, ec, ed, hmac, cluster, stranger, strangerEC *tokens.Signer
	hmacSecret                                       string
}

// issuerOf is the claim iss that goes with each of them.
const (
	rsaIssuer, setIssuer, hmacIssuer, clusterIssuer = "https://rsa.example.com", "https://set.example.com", "hmac", "https://cluster.example.com"
)

func serveLogin(t *testing.T) (*app, *keyring, *signers) {
	t.Helper()
	s := &signers{
		rsa: tokens.NewRSA("rsa-1"), ec: tokens.NewEC("ec-1", "ES256"), ed: tokens.NewEd25519("ed-1"),
		cluster: tokens.NewRSA("cluster-1"), stranger: tokens.NewRSA("rsa-1"), strangerEC: tokens.NewEC("ec-1", "ES256"),
		hmacSecret: strings.Repeat("0123456789abcdef", 2),
	}
	s.hmac = tokens.NewHMAC("", "HS256", []byte(s.hmacSecret))
	keys := newKeyring(t)
	keys.write("login", "rsa.pem", string(s.rsa.PEM()))
	keys.write("login", "set.json", string(tokens.Set(s.ec, s.ed)))
	keys.write("login", "hmac", s.hmacSecret+"\n")
	keys.mint("web.1", "buyer")
	keys.publish()
	cluster := &config.ClusterIssuer{Issuer: clusterIssuer, Keys: tokens.Set(s.cluster)}
	return serveWith(t, login, keys, server.Options{Document: config.Document{Cluster: cluster}}), keys, s
}

// claims are those of a good token, with some changed; nil removes one.
func claims(issuer string, changes ...map[string]any) map[string]any {
	out := tokens.Claims(issuer, "shop", "ada", time.Now())
	for _, change := range changes {
		maps.Copy(out, change)
	}
	maps.DeleteFunc(out, func(_ string, value any) bool { return value == nil })
	return out
}

type set = map[string]any

// forged is a token with any header and payload and signature.
func forged(header, payload, signature string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(payload)) + "." + encode([]byte(signature))
}

func inSeconds(d int64) int64 { return time.Now().Unix() + d }

// credentialCase is a request for the workflow, echo if empty, and what it comes to.
type credentialCase struct {
	name     string
	header   []string
	workflow string
	input    string
	status   int
	// reason is the one of a 401, for whoever guards the app.
	reason string
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// TestCredentials is the table of credentials. Whatever is wrong with one, the caller
// learns no more than the code.
func TestCredentials(t *testing.T) {
	a, keys, s := serveLogin(t)
	key, other, gone := keys.mint("app.2"), keys.mint("app.3", "buyer"), keys.mint("gone")
	keys.publish()
	a.log.await(t, `"entries":4`)
	delete(keys.entries, "gone")
	keys.publish()
	a.log.await(t, `"entries":3`)

	cases := append(apiKeyCases(key, other, gone), tokenFormCases(s)...)
	cases = append(append(cases, tokenKeyCases(s)...), tokenClaimCases(s)...)
	cases = append(cases, authorizationCases(s, other)...)
	if len(cases) < 60 {
		t.Errorf("only %d cases", len(cases))
	}
	said := map[string]string{} // the body of a refusal, by how much of a credential there was
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a.judge(t, c, said)
		})
	}
	if len(said) != 3 { // no credential, two of them, one that is not accepted
		t.Errorf("refusals differ: %v", said)
	}
	a.noSecrets(t, s, key, other, gone)
}

// judge sends a case and checks what came of it and what of it was told.
func (a *app) judge(t *testing.T, c credentialCase, said map[string]string) {
	t.Helper()
	workflow, input := "echo", c.input
	if c.workflow != "" {
		workflow = c.workflow
	}
	if input == "" {
		input = "{}"
	}
	before := a.metric(`nexus_auth_failures_total{reason="` + c.reason + `"}`)
	got := a.send(http.MethodPost, "/workflows/"+workflow+"/execute", `{"inputs":`+input+`}`, append([]string{"Content-Type", "application/json"}, c.header...)...)
	if got.status != c.status {
		t.Fatalf("got %d %s, want %d", got.status, got.body, c.status)
	}
	if c.status == http.StatusForbidden {
		a.wantProblem(got, c.status, "forbidden")
	}
	if c.status != http.StatusUnauthorized {
		return
	}
	p := a.wantProblem(got, c.status, "unauthenticated")
	if after := a.metric(`nexus_auth_failures_total{reason="` + c.reason + `"}`); after == before {
		t.Errorf("no failure was counted with the reason %s", c.reason)
	}
	if !strings.HasPrefix(got.header.Get("WWW-Authenticate"), `Bearer realm="shop"`) {
		t.Errorf("WWW-Authenticate is %q", got.header.Get("WWW-Authenticate"))
	}
	said[p.Detail] = c.name
}

// noSecrets checks that nothing that was sent or configured stands in the log.
func (a *app) noSecrets(t *testing.T, s *signers, keys ...string) {
	t.Helper()
	text := a.log.String()
	for _, secret := range append(keys, s.hmacSecret) {
		if strings.Contains(text, secret) || strings.Contains(text, secret[len(secret)-20:]) {
			t.Error("the log holds a secret")
		}
	}
	if strings.Contains(text, "eyJ") {
		t.Error("the log holds a token")
	}
}

func apiKeyCases(key, other, gone string) []credentialCase {
	flip := func(s string, i int) string {
		b := []byte(s)
		b[i] ^= 1
		return string(b)
	}
	return []credentialCase{
		{name: "no credential", status: 401, reason: "missing"},
		{name: "an empty X-API-Key", header: []string{"X-API-Key", ""}, status: 401, reason: "missing"},
		{name: "a key", header: []string{"X-API-Key", key}, status: 200},
		{name: "a key as bearer", header: bearer(key), status: 200},
		{name: "bearer in capitals", header: []string{"Authorization", "BEARER " + key}, status: 200},
		{name: "the same key twice", header: append(bearer(key), "X-API-Key", key), status: 200},
		{name: "another live key of the client", header: bearer(other), status: 200},
		{name: "two keys", header: append(bearer(key), "X-API-Key", other), status: 401, reason: "ambiguous"},
		{name: "two headers with a key", header: []string{"X-API-Key", key, "X-API-Key", key}, status: 401, reason: "ambiguous"},
		{name: "two Authorization headers", header: append(bearer(key), bearer(key)...), status: 401, reason: "ambiguous"},
		{name: "basic", header: []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("a:"+key))}, status: 401, reason: "malformed"},
		{name: "no scheme", header: []string{"Authorization", key}, status: 401, reason: "malformed"},
		{name: "scheme alone", header: []string{"Authorization", "Bearer"}, status: 401, reason: "malformed"},
		{name: "a revoked key", header: bearer(gone), status: 401, reason: "unknown"},
		{name: "a key with a wrong secret", header: bearer(flip(key, len(key)-1)), status: 401, reason: "unknown"},
		{name: "a key with a wrong id", header: bearer(flip(key, 5)), status: 401, reason: "unknown"},
		{name: "a key cut short", header: bearer(key[:len(key)-1]), status: 401, reason: "malformed"},
		{name: "a key and more", header: bearer(key + "x"), status: 401, reason: "malformed"},
		{name: "a key's id alone", header: bearer(key[:13]), status: 401, reason: "malformed"},
		{name: "a key and a space", header: bearer(key + " x"), status: 401, reason: "malformed"},
		{name: "no ASCII", header: bearer("nxs_äöü"), status: 401, reason: "malformed"},
		{name: "10 KiB", header: bearer(strings.Repeat("x", 10<<10)), status: 401, reason: "malformed"},
	}
}

func tokenFormCases(s *signers) []credentialCase {
	good := s.rsa.Sign(claims(rsaIssuer))
	parts := strings.Split(good, ".")
	payload, _ := json.Marshal(claims(rsaIssuer))
	return []credentialCase{
		{name: "a token", header: bearer(good), status: 200},
		{name: "a token seen before", header: bearer(good), status: 200},
		{name: "a token as X-API-Key", header: []string{"X-API-Key", good}, status: 200},
		{name: "two parts", header: bearer(parts[0] + "." + parts[1]), status: 401, reason: "malformed"},
		{name: "four parts", header: bearer(good + ".x"), status: 401, reason: "malformed"},
		{name: "no signature", header: bearer(parts[0] + "." + parts[1] + "."), status: 401, reason: "malformed"},
		{name: "no base64", header: bearer(parts[0] + "." + parts[1] + ".%%%"), status: 401, reason: "malformed"},
		{name: "padded base64", header: bearer(good + "=="), status: 401, reason: "malformed"},
		{name: "a header that is no JSON", header: bearer(forged("{", string(payload), "x")), status: 401, reason: "malformed"},
		{name: "a header that is a list", header: bearer(forged("[]", string(payload), "x")), status: 401, reason: "malformed"},
		{name: "a payload that is no JSON", header: bearer(s.rsa.SignRaw([]byte(`{"alg":"RS256"}`), []byte("x"))), status: 401, reason: "malformed"},
		{name: "a member twice", header: bearer(s.rsa.SignRaw([]byte(`{"alg":"RS256"}`), []byte(strings.Replace(string(payload), "{", `{"iss":"`+rsaIssuer+`",`, 1)))), status: 401, reason: "malformed"},
		{name: "alg twice", header: bearer(s.rsa.SignRaw([]byte(`{"alg":"none","alg":"RS256"}`), payload)), status: 401, reason: "malformed"},
		{name: "crit", header: bearer(s.rsa.Sign(claims(rsaIssuer), set{"crit": []string{"exp"}})), status: 401, reason: "malformed"},
		{name: "more than 8 KiB", header: bearer(s.rsa.Sign(claims(rsaIssuer, set{"pad": strings.Repeat("x", 8<<10)}))), status: 401, reason: "malformed"},
		{name: "the last character changed", header: bearer(good[:len(good)-8] + "AAAAAAAA"), status: 401, reason: "bad_signature"},
		{name: "the payload of another token", header: bearer(parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), `"ada"`, `"eve"`, 1))) + "." + parts[2]), status: 401, reason: "bad_signature"},
	}
}

func tokenKeyCases(s *signers) []credentialCase {
	payload, _ := json.Marshal(claims(rsaIssuer))
	// The classic confusion: the public key, which anybody may have, as an HMAC secret.
	confused := tokens.NewHMAC("", "HS256", s.rsa.PEM())
	jwk, _ := json.Marshal(s.stranger.JWK())
	return []credentialCase{
		{name: "alg none", header: bearer(forged(`{"alg":"none"}`, string(payload), "")), status: 401, reason: "malformed"},
		{name: "alg None", header: bearer(forged(`{"alg":"None"}`, string(payload), "")), status: 401, reason: "malformed"},
		{name: "alg none with a signature", header: bearer(forged(`{"alg":"nOnE"}`, string(payload), "x")), status: 401, reason: "malformed"},
		{name: "no alg", header: bearer(forged(`{}`, string(payload), "x")), status: 401, reason: "malformed"},
		{name: "HS256 with the public key", header: bearer(confused.Sign(claims(rsaIssuer))), status: 401, reason: "malformed"},
		{name: "another algorithm of the same key", header: bearer(s.rsa.With("RS512").Sign(claims(rsaIssuer))), status: 401, reason: "malformed"},
		{name: "PS256", header: bearer(s.rsa.With("PS256").Sign(claims(rsaIssuer))), status: 200},
		{name: "somebody else's key", header: bearer(s.stranger.Sign(claims(rsaIssuer))), status: 401, reason: "bad_signature"},
		{name: "somebody else's key, brought along", header: bearer(s.stranger.Sign(claims(rsaIssuer), set{"jwk": json.RawMessage(jwk)})), status: 401, reason: "bad_signature"},
		{name: "somebody else's key, with a place", header: bearer(s.stranger.Sign(claims(rsaIssuer), set{"jku": "https://evil.example.com/keys", "x5u": "https://evil.example.com/cert"})), status: 401, reason: "bad_signature"},
		{name: "ES256", header: bearer(s.ec.Sign(claims(setIssuer))), status: 200},
		{name: "EdDSA", header: bearer(s.ed.Sign(claims(setIssuer))), status: 200},
		{name: "somebody else's EC key", header: bearer(s.strangerEC.Sign(claims(setIssuer))), status: 401, reason: "bad_signature"},
		{name: "an unknown kid", header: bearer(s.ec.Named("ec-2").Sign(claims(setIssuer))), status: 401, reason: "unknown_key"},
		{name: "a kid of a key of another kind", header: bearer(s.ec.Named("ed-1").Sign(claims(setIssuer))), status: 401, reason: "unknown_key"},
		{name: "a kid that is a path", header: bearer(s.ec.Named("../../../../dev/null").Sign(claims(setIssuer))), status: 401, reason: "unknown_key"},
		{name: "a kid that is a number", header: bearer(s.ec.Sign(claims(setIssuer), set{"kid": 1})), status: 401, reason: "malformed"},
		{name: "the key of one issuer for another", header: bearer(s.ec.Sign(claims(hmacIssuer))), status: 401, reason: "malformed"},
		{name: "an algorithm that the issuer does not take", header: bearer(forged(`{"alg":"HS512"}`, string(payload), "x")), status: 401, reason: "malformed"},
		{name: "HMAC", header: bearer(s.hmac.Sign(claims(hmacIssuer))), status: 200},
		{name: "HMAC with a guessed secret", header: bearer(tokens.NewHMAC("", "HS256", []byte(strings.Repeat("x", 32))).Sign(claims(hmacIssuer))), status: 401, reason: "bad_signature"},
		{name: "HMAC with an empty secret", header: bearer(tokens.NewHMAC("", "HS256", nil).Sign(claims(hmacIssuer))), status: 401, reason: "bad_signature"},
	}
}

func tokenClaimCases(s *signers) []credentialCase {
	sign := func(changes set) []string { return bearer(s.rsa.Sign(claims(rsaIssuer, changes))) }
	front := "system:serviceaccount:team-a:front"
	return []credentialCase{
		{name: "no iss", header: sign(set{"iss": nil}), status: 401, reason: "malformed"},
		{name: "an unknown iss", header: sign(set{"iss": "https://evil.example.com"}), status: 401, reason: "untrusted_issuer"},
		{name: "iss with a slash more", header: sign(set{"iss": rsaIssuer + "/"}), status: 401, reason: "untrusted_issuer"},
		{name: "iss in capitals", header: sign(set{"iss": strings.ToUpper(rsaIssuer)}), status: 401, reason: "untrusted_issuer"},
		{name: "iss kubernetes", header: sign(set{"iss": "kubernetes"}), status: 401, reason: "untrusted_issuer"},
		{name: "no aud", header: sign(set{"aud": nil}), status: 401, reason: "malformed"},
		{name: "another aud", header: sign(set{"aud": "other"}), status: 401, reason: "wrong_audience"},
		{name: "an empty aud", header: sign(set{"aud": []string{}}), status: 401, reason: "wrong_audience"},
		{name: "part of the aud", header: sign(set{"aud": "sho"}), status: 401, reason: "wrong_audience"},
		{name: "one of several aud", header: sign(set{"aud": []string{"other", "shop-too"}}), status: 200},
		{name: "no exp", header: sign(set{"exp": nil}), status: 401, reason: "malformed"},
		{name: "exp as text", header: sign(set{"exp": fmt.Sprint(inSeconds(60))}), status: 401, reason: "malformed"},
		{name: "expired within the leeway", header: sign(set{"exp": inSeconds(-20)}), status: 200},
		{name: "expired", header: sign(set{"exp": inSeconds(-31)}), status: 401, reason: "expired"},
		{name: "exp beyond time", header: sign(set{"exp": 1e300}), status: 401, reason: "malformed"},
		{name: "nbf within the leeway", header: sign(set{"nbf": inSeconds(20)}), status: 200},
		{name: "nbf in the future", header: sign(set{"nbf": inSeconds(60)}), status: 401, reason: "not_yet_valid"},
		{name: "iat in the future", header: sign(set{"iat": inSeconds(60)}), status: 401, reason: "not_yet_valid"},
		{name: "no sub", header: sign(set{"sub": nil}), status: 401, reason: "malformed"},
		{name: "an empty sub", header: sign(set{"sub": ""}), status: 401, reason: "malformed"},
		{name: "a sub with a line feed", header: sign(set{"sub": "ada\nadmin"}), status: 401, reason: "malformed"},
		{name: "a listed subject", header: bearer(s.ec.Sign(claims(setIssuer, set{"sub": "bob"}))), status: 200},
		{name: "a subject that is not listed", header: bearer(s.ec.Sign(claims(setIssuer, set{"sub": "eve"}))), status: 401, reason: "unlisted_subject"},
		{name: "a ServiceAccount", header: bearer(s.cluster.Sign(claims(clusterIssuer, set{"sub": front}))), workflow: "secret", status: 200},
		{name: "another ServiceAccount", header: bearer(s.cluster.Sign(claims(clusterIssuer, set{"sub": front + "2"}))), status: 401, reason: "unlisted_subject"},
		{name: "a ServiceAccount's token for another app", header: bearer(s.cluster.Sign(claims(clusterIssuer, set{"sub": front, "aud": "other"}))), status: 401, reason: "wrong_audience"},
	}
}

func authorizationCases(s *signers, buyerKey string) []credentialCase {
	sign := func(changes set) []string { return bearer(s.rsa.Sign(claims(rsaIssuer, changes))) }
	three := `{"items":[1,2,3]}`
	return []credentialCase{
		{name: "a role of a key", header: bearer(buyerKey), workflow: "secret", status: 200},
		{name: "a role by its path", header: sign(set{"realm_access": set{"roles": []string{"x", "buyer"}}}), workflow: "secret", status: 200},
		{name: "a role by the claim's literal name", header: sign(set{"realm_access.roles": "buyer", "realm_access": set{"roles": []string{"x"}}}), workflow: "secret", status: 200},
		{name: "a role in another claim", header: sign(set{"roles": []string{"buyer"}}), workflow: "secret", status: 403},
		{name: "a role that is no text", header: sign(set{"realm_access": set{"roles": []any{1, set{}}}}), workflow: "secret", status: 403},
		{name: "a role of the list of subjects", header: bearer(s.ec.Sign(claims(setIssuer))), workflow: "secret", status: 200},
		{name: "a subject without a role", header: bearer(s.ec.Sign(claims(setIssuer, set{"sub": "bob"}))), workflow: "secret", status: 403},
		{name: "a scope", header: sign(set{"scope": "openid orders:write"}), workflow: "scoped", status: 200},
		{name: "a list of scopes", header: sign(set{"scope": []string{"orders"}}), workflow: "scoped", status: 200},
		{name: "part of a scope", header: sign(set{"scope": "orders:writer order"}), workflow: "scoped", status: 403},
		{name: "a scope of a key", header: bearer(buyerKey), workflow: "scoped", status: 403},
		{name: "a small input", header: sign(nil), workflow: "small", input: `{"items":[1]}`, status: 200},
		{name: "a large input", header: sign(nil), workflow: "small", input: three, status: 403},
		{name: "a large input with the role for it", header: sign(set{"realm_access": set{"roles": []string{"bulk"}}}), workflow: "small", input: three, status: 200},
		{name: "an input that the condition is not about", header: sign(nil), workflow: "small", input: `{"items":1}`, status: 403},
		{name: "an unknown workflow", header: sign(nil), workflow: "absent", status: 404},
		{name: "an unknown workflow without a credential", workflow: "absent", status: 401, reason: "missing"},
	}
}

// TestInsufficientScope: the refusal says what the caller has to ask for.
func TestInsufficientScope(t *testing.T) {
	a, _, s := serveLogin(t)
	got := a.execute("scoped", `{}`, "", bearer(s.rsa.Sign(claims(rsaIssuer)))...)
	a.wantProblem(got, http.StatusForbidden, "forbidden")
	if want := `Bearer realm="shop", error="insufficient_scope", scope="orders:write orders"`; got.header.Get("WWW-Authenticate") != want {
		t.Errorf("WWW-Authenticate is %q, want %q", got.header.Get("WWW-Authenticate"), want)
	}
	a.wantMetric(`nexus_access_denied_total{workflow="scoped"}`, "1")
	a.log.await(t, `"reason":"scope"`)
}

// TestTokenKeyRotation: tokens of the old and the new key pass while both are there, and
// those of the old one end with it, also when they were seen a moment ago.
func TestTokenKeyRotation(t *testing.T) {
	a, keys, s := serveLogin(t)
	fresh := tokens.NewEC("ec-2", "ES256")
	old, next := s.ec.Sign(claims(setIssuer)), fresh.Sign(claims(setIssuer))
	a.wantOK(a.execute("echo", `{}`, "", bearer(old)...), `{}`)
	a.wantProblem(a.execute("echo", `{}`, "", bearer(next)...), http.StatusUnauthorized, "unauthenticated")

	keys.write("login", "set.json", string(tokens.Set(s.ec, s.ed, fresh)))
	a.log.await(t, `"source":"publicKey","keys":3`)
	for _, token := range []string{old, next} {
		a.wantOK(a.execute("echo", `{}`, "", bearer(token)...), `{}`)
	}
	keys.write("login", "set.json", string(tokens.Set(fresh)))
	a.log.await(t, `"source":"publicKey","keys":1`)
	a.wantProblem(a.execute("echo", `{}`, "", bearer(old)...), http.StatusUnauthorized, "unauthenticated")
	a.wantOK(a.execute("echo", `{}`, "", bearer(next)...), `{}`)

	keys.write("login", "set.json", "broken")
	a.log.await(t, "Cannot read the keys of an issuer")
	a.wantOK(a.execute("echo", `{}`, "", bearer(next)...), `{}`)
}
