package auth

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/jwk"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

const (
	testIssuer   = "https://id.example.com"
	testAudience = "https://shop.example.com"
)

// noon is when the tests of verification take place.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// rsaKey takes a while to make.
var rsaKey = sync.OnceValue(func() *tokens.Signer { return tokens.NewRSA("rsa") })

// withDefaults returns issuers as a document has them.
func withDefaults(issuers ...v1alpha1.JWTIssuer) []v1alpha1.JWTIssuer {
	spec := v1alpha1.NexusAppSpec{Environment: v1alpha1.Production, Auth: v1alpha1.Auth{JWT: issuers}}
	v1alpha1.SetDefaults(&spec)
	return spec.Auth.JWT
}

// byPublicKey is an issuer whose public keys are the entry of a Secret.
func byPublicKey(change ...func(*v1alpha1.JWTIssuer)) v1alpha1.JWTIssuer {
	config := v1alpha1.JWTIssuer{
		Issuer: testIssuer, Audiences: []string{testAudience},
		PublicKeySecretRef: &v1alpha1.SecretKeyReference{Name: "keys", Key: "public"},
	}
	for _, c := range change {
		c(&config)
	}
	return config
}

func byHMAC(algorithms ...v1alpha1.JWTAlgorithm) v1alpha1.JWTIssuer {
	return byPublicKey(func(j *v1alpha1.JWTIssuer) {
		j.HMACSecretRef, j.PublicKeySecretRef, j.Algorithms = j.PublicKeySecretRef, nil, algorithms
	})
}

// secretsWith makes a directory of Secrets of which "keys" has one entry, "public".
func secretsWith(tb testing.TB, value []byte) string {
	tb.Helper()
	dir := tb.TempDir()
	writeSecret(tb, dir, "keys", value)
	return dir
}

// writeSecret writes the one entry of a Secret.
func writeSecret(tb testing.TB, dir, name string, value []byte) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name, "public"), value, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// trusting verifies the tokens of an issuer with keys from a Secret.
func trusting(tb testing.TB, config v1alpha1.JWTIssuer, keys []byte) *Tokens {
	tb.Helper()
	tokens, err := NewTokens(TokenOptions{
		Issuers: withDefaults(config), SecretsDir: secretsWith(tb, keys), Now: func() time.Time { return noon },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return tokens
}

// setOf are the keys of signers as they publish them.
func setOf(tb testing.TB, signers ...*tokens.Signer) *jwk.Set {
	tb.Helper()
	set, skipped, err := jwk.ParseSet(tokens.Set(signers...))
	if err != nil || len(skipped) > 0 {
		tb.Fatal(err, skipped)
	}
	return set
}

func claims(change ...map[string]any) map[string]any {
	c := tokens.Claims(testIssuer, testAudience, "alice", noon)
	for _, other := range change {
		for name, v := range other {
			if c[name] = v; v == nil {
				delete(c, name)
			}
		}
	}
	return c
}

func TestNewTokensNamesEachProblem(t *testing.T) {
	hmac := byHMAC()
	hmac.Issuer = "https://hmac.example.com"
	cluster := v1alpha1.JWTIssuer{Issuer: v1alpha1.KubernetesIssuer, Audiences: []string{testAudience}}
	remote := v1alpha1.JWTIssuer{Issuer: "https://remote.example.com", Audiences: []string{testAudience}}
	_, err := NewTokens(TokenOptions{Issuers: withDefaults(byPublicKey(), hmac, cluster, remote), SecretsDir: "/nowhere"})
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		`spec.auth.jwt[0].publicKeySecretRef: the entry "public" of the Secret "keys": it does not exist (looked in /nowhere/keys)`,
		`spec.auth.jwt[1].hmacSecretRef: the entry "public" of the Secret "keys": it does not exist (looked in /nowhere/keys)`,
		"spec.auth.jwt[2].issuer: the issuer 'kubernetes' needs the cluster's issuer and keys, which the operator puts into the document",
	}
	if got := strings.Split(err.Error(), "\n"); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", err)
	}
	for name, c := range map[string]struct {
		config v1alpha1.JWTIssuer
		value  string
		want   string
	}{
		"no key":        {byPublicKey(), "hunter2", "neither PEM nor a JWK set"},
		"short secret":  {byHMAC(), "hunter2", "at least 32 bytes, whatever the algorithm: make one with"},
		"other JSON":    {byHMAC(), `{"hunter2": "` + strings.Repeat("x", 32) + `"}`, "not a JWK set"},
		"cut JSON":      {byHMAC(), `{"keys": [{"k": "hunter2` + strings.Repeat("x", 32), "not a JWK set"},
		"empty set":     {byPublicKey(), `{"keys": []}`, "holds no key that can be used"},
		"a secret":      {byPublicKey(), `{"keys": [{"kty": "oct", "k": "hunter2"}]}`, "a secret does not belong among public keys: use hmacSecretRef"},
		"far too large": {byHMAC(), strings.Repeat("hunter2", jwk.MaxBytes), "more than 256 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewTokens(TokenOptions{Issuers: withDefaults(c.config), SecretsDir: secretsWith(t, []byte(c.value))})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, c.want)
			}
		})
	}
}

// The subject jwt|a|b|c could be b|c of the issuer a or c of the issuer a|b.
func TestIssuersThatCannotBeToldApart(t *testing.T) {
	dir := secretsWith(t, rsaKey().PEM())
	first, second := byPublicKey(), byPublicKey()
	for name, want := range map[string]bool{
		testIssuer: true, testIssuer + "|x": true, testIssuer + "/x": false, testIssuer + "x|": false,
	} {
		second.Issuer = name
		for _, issuers := range [][]v1alpha1.JWTIssuer{{first, second}, {second, first}} {
			_, err := NewTokens(TokenOptions{Issuers: withDefaults(issuers...), SecretsDir: dir})
			if (err != nil) != want {
				t.Errorf("%s beside %s: %v", testIssuer, name, err)
			}
		}
	}
}

func TestClusterTokens(t *testing.T) {
	config := v1alpha1.JWTIssuer{
		Issuer: v1alpha1.KubernetesIssuer, Audiences: []string{testAudience},
		Subjects: []v1alpha1.JWTSubject{{Name: "system:serviceaccount:team-a:front", Roles: []string{"buyer"}}},
	}
	const issuer = "https://kubernetes.default.svc.cluster.local"
	signer := tokens.NewRSA("one")
	v, err := NewTokens(TokenOptions{
		Issuers: withDefaults(config), Cluster: &ClusterKeys{Issuer: issuer, Keys: tokens.Set(signer)},
		Now: func() time.Time { return noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	if h := v.Health(); len(h) != 1 || h[0] != (IssuerHealth{Issuer: issuer, Source: "cluster", Keys: 1, LastSuccess: noon}) {
		t.Errorf("health %+v", h)
	}
	for sub, want := range map[string]Reason{
		"system:serviceaccount:team-a:front": Accepted, "system:serviceaccount:team-b:front": UnlistedSubject,
	} {
		p, reason := v.Verify(t.Context(), signer.Sign(tokens.Claims(issuer, testAudience, sub, noon)), noon)
		if reason != want || p != nil && (p.Subject != "jwt|"+issuer+"|"+sub || !p.HasAnyRole([]string{"buyer"})) {
			t.Errorf("%s: %+v, %q", sub, p, reason)
		}
	}
	_, reason := v.Verify(t.Context(), signer.Sign(tokens.Claims("kubernetes", testAudience, "system:serviceaccount:team-a:front", noon)), noon)
	if reason != UntrustedIssuer {
		t.Errorf("the word kubernetes as issuer: %q", reason)
	}
}

// A cluster without usable keys refuses to start, as a Secret without them does.
func TestClusterWithoutKeys(t *testing.T) {
	config := v1alpha1.JWTIssuer{Issuer: v1alpha1.KubernetesIssuer, Audiences: []string{testAudience}}
	for keys, want := range map[string]string{"": "not a JWK set", `{"keys":[]}`: "no key that can be used"} {
		_, err := NewTokens(TokenOptions{Issuers: withDefaults(config), Cluster: &ClusterKeys{Issuer: "x", Keys: []byte(keys)}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", keys, err)
		}
	}
}

// A token that names no key is tried with four of them and no more.
func TestKeysWithoutID(t *testing.T) {
	var signers []*tokens.Signer
	var keys []byte
	for n := range 6 {
		signers = append(signers, tokens.NewEd25519(fmt.Sprint(n)))
		keys = append(keys, signers[n].PEM()...)
	}
	plain, named := trusting(t, byPublicKey(), keys), trusting(t, byPublicKey(), tokens.Set(signers...))
	for n, signer := range signers {
		want := Accepted
		if n >= 4 {
			want = BadSignature
		}
		for _, c := range []struct {
			how  string
			v    *Tokens
			kid  string
			want Reason
		}{
			{"neither names a key", plain, "", want},
			{"only the token does", plain, signer.KID, want},
			{"only the keys do", named, "", want},
			{"both do", named, signer.KID, Accepted},
			{"the token names another one", named, "x", UnknownKey},
		} {
			if _, reason := c.v.Verify(t.Context(), signer.Named(c.kid).Sign(claims()), noon); reason != c.want {
				t.Errorf("key %d, %s: got %q, want %q", n, c.how, reason, c.want)
			}
		}
	}
	// A key without an id in a set where others have one belongs to no other id.
	mixed := trusting(t, byPublicKey(), tokens.Set(signers[0], signers[1].Named("")))
	if _, reason := mixed.Verify(t.Context(), signers[1].Sign(claims()), noon); reason != UnknownKey {
		t.Errorf("got %q", reason)
	}
}

// While all places are taken, a token waits for one a quarter of a second, and a token
// that was verified before does not wait at all.
func TestVerificationsAreBounded(t *testing.T) {
	signer := tokens.NewEd25519("")
	v := trusting(t, byPublicKey(), signer.PEM())
	known, fresh := signer.Sign(claims()), signer.Sign(claims(map[string]any{"sub": "bob"}))
	if _, reason := v.Verify(t.Context(), known, noon); reason != Accepted {
		t.Fatal(reason)
	}
	if cap(v.slots) != max(1, runtime.GOMAXPROCS(0)/2) {
		t.Errorf("%d places", cap(v.slots))
	}
	synctest.Test(t, func(t *testing.T) {
		v.slots = make(slots, 1)
		v.slots <- struct{}{}
		began := time.Now()
		if _, reason := v.Verify(t.Context(), fresh, noon); reason != Busy || time.Since(began) != slotPatience {
			t.Errorf("%q after %s", reason, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began = time.Now()
		if _, reason := v.Verify(ctx, fresh, noon); reason != Busy || time.Since(began) != 0 {
			t.Errorf("a caller that is gone: %q after %s", reason, time.Since(began))
		}
		if _, ok := v.Cached(known, noon.Add(remembered-time.Second)); !ok {
			t.Error("a known token was not renewed while all places were taken")
		}
		go func() {
			<-time.After(slotPatience / 2)
			v.slots.release()
		}()
		if _, reason := v.Verify(t.Context(), fresh, noon); reason != Accepted || len(v.slots) != 0 {
			t.Errorf("%q when a place got free; %d are taken", reason, len(v.slots))
		}
	})
}

// Nothing that is wrong with a token before its signature costs a verification.
func TestCheapChecksComeFirst(t *testing.T) {
	signer := tokens.NewEd25519("a")
	v := trusting(t, byPublicKey(), tokens.Set(signer))
	v.slots = nil // whoever wants a place does not get one
	for token, want := range map[string]Reason{
		signer.Sign(claims(map[string]any{"iss": "https://evil.example.com"})):              UntrustedIssuer,
		signer.Named("b").Sign(claims()):                                                    UnknownKey,
		tokens.NewEC("a", "ES256").Sign(claims()):                                           UnknownKey,
		tokens.NewHMAC("a", "HS256", []byte(strings.Repeat("x", 32))).Sign(claims()):        Malformed,
		signer.Sign(claims(), map[string]any{"crit": []string{"exp"}}):                      Malformed,
		signer.Sign(claims(map[string]any{"iss": nil})):                                     Malformed,
		signer.Sign(claims(map[string]any{"padding": strings.Repeat("x", maxTokenLength)})): Malformed,
	} {
		if _, reason := v.Verify(t.Context(), token, noon); reason != want {
			t.Errorf("got %q, want %q", reason, want)
		}
	}
}

func TestConcurrentVerification(t *testing.T) {
	a, b := tokens.NewEd25519("a"), tokens.NewEd25519("b")
	v := trusting(t, byPublicKey(), tokens.Set(a, b))
	i := v.issuers[0]
	sets := []*jwk.Set{i.keys.Load().set, setOf(t, a)}
	all := []string{a.Sign(claims()), b.Sign(claims())}
	var running sync.WaitGroup
	for n := range 8 {
		running.Go(func() {
			for round := range 200 {
				switch token := all[(n+round)%2]; {
				case n == 0:
					i.install(sets[round%2], noon)
				case n == 1:
					v.Health()
				case n%2 == 0:
					v.Cached(token, noon.Add(remembered-time.Second))
				default:
					v.Verify(t.Context(), token, noon)
				}
			}
		})
	}
	running.Wait()
	i.install(sets[1], noon)
	if _, ok := v.Cached(all[1], noon); ok {
		t.Error("a token counts whose key is gone")
	}
	if _, reason := v.Verify(t.Context(), all[1], noon); reason != UnknownKey {
		t.Errorf("a token whose key is gone: %q", reason)
	}
}

func BenchmarkCached(b *testing.B) {
	v := trusting(b, byPublicKey(), rsaKey().PEM())
	token := rsaKey().Sign(claims())
	if _, reason := v.Verify(b.Context(), token, noon); reason != Accepted {
		b.Fatal(reason)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := v.Cached(token, noon); !ok {
			b.Fatal("not in the cache")
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	v := trusting(b, byPublicKey(), rsaKey().PEM())
	i := v.issuers[0]
	sets := [2]*jwk.Set{setOf(b, rsaKey().Named("")), setOf(b, rsaKey().Named(""))}
	for name, token := range map[string]string{
		"RS256":           rsaKey().Sign(claims()),
		"UntrustedIssuer": rsaKey().Sign(claims(map[string]any{"iss": "https://evil.example.com"})),
		"Nested":          rsaKey().SignRaw([]byte(`{"alg":"RS256"}`), []byte(`{"iss":"x","a":[`+strings.Repeat(`[],`, 1800)+`[]]}`)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				i.keys.Store(&snapshot{set: sets[n%2], at: noon}) // nothing is remembered
				v.Verify(b.Context(), token, noon)
			}
		})
	}
}
