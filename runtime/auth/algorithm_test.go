package auth

import (
	"crypto/ed25519"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

var secret32 = []byte(strings.Repeat("s", 32))

// everyKey is a signer for each algorithm.
func everyKey() map[v1alpha1.JWTAlgorithm]*tokens.Signer {
	all := map[v1alpha1.JWTAlgorithm]*tokens.Signer{"EdDSA": tokens.NewEd25519("ed")}
	for _, bits := range []string{"256", "384", "512"} {
		all[v1alpha1.JWTAlgorithm("RS"+bits)] = rsaKey().With("RS" + bits)
		all[v1alpha1.JWTAlgorithm("PS"+bits)] = rsaKey().With("PS" + bits)
		all[v1alpha1.JWTAlgorithm("ES"+bits)] = tokens.NewEC("es"+bits, "ES"+bits)
		all[v1alpha1.JWTAlgorithm("HS"+bits)] = tokens.NewHMAC("hs", "HS"+bits, secret32)
	}
	return all
}

func isHMAC(a v1alpha1.JWTAlgorithm) bool { return strings.HasPrefix(string(a), "HS") }

// TestAlgorithms verifies a token of each algorithm by an issuer that accepts exactly one
// of them, with the key in every form that it can be had in.
func TestAlgorithms(t *testing.T) {
	all := everyKey()
	for accepted, signer := range all {
		config := byPublicKey(func(j *v1alpha1.JWTIssuer) { j.Algorithms = []v1alpha1.JWTAlgorithm{accepted} })
		plain := []byte(string(secret32) + "\n")
		if isHMAC(accepted) {
			config = byHMAC(accepted)
		} else {
			plain = signer.PEM()
		}
		for form, keys := range map[string][]byte{"JWK set": tokens.Set(signer), "plain": plain} {
			v := trusting(t, config, keys)
			for alg, other := range all {
				want := Malformed
				if alg == accepted {
					want = Accepted
				}
				if _, reason := v.Verify(t.Context(), other.Named(signer.KID).Sign(claims()), noon); reason != want {
					t.Errorf("%s where %s is accepted (%s): %q, want %q", alg, accepted, form, reason, want)
				}
			}
		}
	}
}

// TestAlgorithmConfusion: whatever algorithm a token names, it works only with a key of
// its kind, and nobody verifies "none".
func TestAlgorithmConfusion(t *testing.T) {
	all := slices.Collect(maps.Keys(everyKey()))
	public := slices.DeleteFunc(slices.Clone(all), isHMAC)
	everything := func(j *v1alpha1.JWTIssuer) { j.Algorithms = public }
	// The API refuses HMAC beside public keys. Here it is let through.
	careless := func(j *v1alpha1.JWTIssuer) { j.Algorithms = all }
	rs, es256, es384, ed := rsaKey(), tokens.NewEC("ec", "ES256"), tokens.NewEC("ec", "ES384"), tokens.NewEd25519("ed")
	hmacWith := func(secret []byte, alg string) string { return tokens.NewHMAC("", alg, secret).Sign(claims()) }
	for _, c := range []struct {
		name   string
		change func(*v1alpha1.JWTIssuer)
		keys   []byte
		token  string
		want   Reason
	}{
		{"HMAC with the RSA key's PEM as secret", everything, rs.PEM(), hmacWith(rs.PEM(), "HS256"), Malformed},
		{"the same, where HMAC is let through", careless, rs.PEM(), hmacWith(rs.PEM(), "HS256"), UnknownKey},
		{"HMAC with the EC key's PEM as secret", careless, es256.PEM(), hmacWith(es256.PEM(), "HS512"), UnknownKey},
		{"HMAC with the Ed25519 key as secret", careless, ed.PEM(), hmacWith(ed.Public().(ed25519.PublicKey), "HS256"), UnknownKey},
		{"RS256 as PS256", everything, rs.PEM(), rs.With("RS256").Sign(claims(), map[string]any{"alg": "PS256"}), BadSignature},
		{"PS256 as RS256", everything, rs.PEM(), rs.With("PS256").Sign(claims(), map[string]any{"alg": "RS256"}), BadSignature},
		{"RS256 as RS512", everything, rs.PEM(), rs.With("RS256").Sign(claims(), map[string]any{"alg": "RS512"}), BadSignature},
		{"ES256 as ES384", everything, tokens.Set(es256), es256.Sign(claims(), map[string]any{"alg": "ES384"}), UnknownKey},
		{"ES256 with a key on P-384", everything, es384.PEM(), es256.Named("").Sign(claims()), UnknownKey},
		{"EdDSA with an RSA key", everything, rs.PEM(), ed.Named("").Sign(claims()), UnknownKey},
		{"RS256 with a key meant for PS256", everything, tokens.Set(rs.With("PS256")), rs.Sign(claims()), UnknownKey},
		{"PS256 with a key meant for it", everything, tokens.Set(rs.With("PS256")), rs.With("PS256").Sign(claims()), Accepted},
		{"PS256 with a key for anything", everything, rs.PEM(), rs.With("PS256").Sign(claims()), Accepted},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := trusting(t, byPublicKey(c.change), c.keys)
			if _, reason := v.Verify(t.Context(), c.token, noon); reason != c.want {
				t.Errorf("got %q, want %q", reason, c.want)
			}
		})
	}
}

func TestNone(t *testing.T) {
	signer := tokens.NewEd25519("")
	v := trusting(t, byPublicKey(func(j *v1alpha1.JWTIssuer) { j.Algorithms = append(j.Algorithms, "none", "EdDSA") }), signer.PEM())
	for _, alg := range []any{"none", "None", "NONE", "nOnE", "none ", "\u0000none", "", nil, []string{"none"}, 0} {
		token := signer.Sign(claims(), map[string]any{"alg": alg})
		for _, token := range []string{token, token[:strings.LastIndexByte(token, '.')+1]} {
			if _, reason := v.Verify(t.Context(), token, noon); reason != Malformed {
				t.Errorf("%v: %q", alg, reason)
			}
		}
	}
}
