package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

func TestForm(t *testing.T) {
	signer := tokens.NewEd25519("")
	v := trusting(t, byPublicKey(), signer.PEM())
	payload, err := json.Marshal(claims())
	if err != nil {
		t.Fatal(err)
	}
	raw := func(header string, payload []byte) string { return signer.SignRaw([]byte(header), payload) }
	with := func(member string) []byte { return append(payload[:len(payload)-1:len(payload)-1], ","+member+"}"...) }
	const header = `{"alg":"EdDSA"}`
	good := raw(header, payload)
	parts := strings.Split(good, ".")
	last := parts[2]
	// 64 bytes leave four bits of the last character unused.
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	strayBit := last[:len(last)-1] + string(alphabet[strings.IndexByte(alphabet, last[len(last)-1])|1])
	padding := bytes.Repeat([]byte("x"), maxTokenLength)
	fill := func(length int) string { // a token of about that length
		n := (length - len(raw(header, with(`"x":""`)))) * 3 / 4
		return raw(header, with(`"x":"`+string(padding[:n])+`"`))
	}
	for _, c := range []struct {
		name, token string
		want        Reason
	}{
		{"good", good, Accepted},
		{"empty", "", Malformed},
		{"dots", "..", Malformed},
		{"one part", parts[0], Malformed},
		{"two parts", parts[0] + "." + parts[1], Malformed},
		{"four parts", good + ".", Malformed},
		{"no signature", parts[0] + "." + parts[1] + ".", Malformed},
		{"cut", good[:len(good)-1], Malformed},
		{"a byte short", parts[0] + "." + parts[1] + "." + last[:84], BadSignature},
		{"stray bits in the signature", parts[0] + "." + parts[1] + "." + strayBit, Malformed},
		{"padding", good + "==", Malformed},
		{"a line break in it", parts[0] + "." + parts[1][:8] + "\n" + parts[1][8:] + "." + last, Malformed},
		{"a line break after it", good + "\r\n", Malformed},
		{"a space in front", " " + good, Malformed},
		{"non-ASCII", "ü" + good, Malformed},
		{"standard base64", parts[0] + "." + parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(last) + "+", Malformed},
		{"other signature", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86), BadSignature},
		{"other payload", parts[0] + "." + base64.RawURLEncoding.EncodeToString(with(`"admin":true`)) + "." + last, BadSignature},
		{"nearly too long", fill(maxTokenLength), Accepted},
		{"too long", fill(maxTokenLength + 4), Malformed},
		{"far too long", good + strings.Repeat("A", 1<<20), Malformed},

		{"header is a list", raw(`["alg"]`, payload), Malformed},
		{"header is cut", raw(`{"alg":"EdDSA"`, payload), Malformed},
		{"two headers", raw(header+header, payload), Malformed},
		{"no algorithm", raw(`{}`, payload), Malformed},
		{"algorithm is a list", raw(`{"alg":["EdDSA"]}`, payload), Malformed},
		{"algorithm in other case", raw(`{"alg":"eddsa"}`, payload), Malformed},
		{"algorithm under another name", raw(`{"ALG":"EdDSA"}`, payload), Malformed},
		{"algorithm twice", raw(`{"alg":"EdDSA","alg":"EdDSA"}`, payload), Malformed},
		{"algorithm twice, once escaped", raw(`{"alg":"EdDSA","\u0061lg":"EdDSA"}`, payload), Malformed},
		{"key id is a number", raw(`{"alg":"EdDSA","kid":1}`, payload), Malformed},
		{"key id is null", raw(`{"alg":"EdDSA","kid":null}`, payload), Malformed},
		{"critical extensions", raw(`{"alg":"EdDSA","crit":["b64"],"b64":false}`, payload), Malformed},
		{"no critical extensions", raw(`{"alg":"EdDSA","crit":[]}`, payload), Malformed},
		{"other type", raw(`{"alg":"EdDSA","typ":"at+jwt","cty":"x","zip":"DEF"}`, payload), Accepted},
		{"a header that is not UTF-8", raw("{\"alg\":\"EdDSA\",\"x\":\"\xff\"}", payload), Malformed},

		{"payload is empty", raw(header, nil), Malformed},
		{"payload is a string", raw(header, []byte(`"x"`)), Malformed},
		{"payload is null", raw(header, []byte(`null`)), Malformed},
		{"payload is cut", raw(header, payload[:len(payload)-1]), Malformed},
		{"something after the payload", raw(header, append(slices.Clip(payload), "{}"...)), Malformed},
		{"subject twice", raw(header, with(`"sub":"alice"`)), Malformed},
		{"a name twice, far inside", raw(header, with(`"a":[{"b":{"c":1,"c":2}}]`)), Malformed},
		{"the same name in two objects", raw(header, with(`"a":{"sub":"x"},"b":[{"sub":"x"},{"sub":"x"}]`)), Accepted},
		{"subject in other case", raw(header, with(`"SUB":"mallory"`)), Accepted},
		{"not UTF-8", raw(header, with("\"x\":\"\xff\"")), Malformed},
		{"lone surrogate in the subject", raw(header, bytes.Replace(payload, []byte(`"alice"`), []byte(`"\ud800"`), 1)), Malformed},
		{"deep", raw(header, with(`"x":`+strings.Repeat("[", maxDepth-2)+strings.Repeat("]", maxDepth-2))), Accepted},
		{"too deep", raw(header, with(`"x":`+strings.Repeat("[", maxDepth)+strings.Repeat("]", maxDepth))), Malformed},
		{"far too deep", raw(header, with(`"x":`+strings.Repeat("[", 2500)+strings.Repeat("]", 2500))), Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, reason := v.Verify(t.Context(), c.token, noon)
			if reason != c.want || p != nil && p.Name != "alice" {
				t.Errorf("got %+v, %q; want %q", p, reason, c.want)
			}
		})
	}
}

// Headers that say where the key is are not read: they are the sender's word.
func TestKeysInTheHeaderAreIgnored(t *testing.T) {
	signer, mallory := tokens.NewEd25519("a"), tokens.NewEd25519("a")
	v := trusting(t, byPublicKey(), tokens.Set(signer))
	for name, value := range map[string]any{
		"jwk": mallory.JWK(), "jku": "https://evil.example.com/keys", "x5u": "https://evil.example.com/cert", "x5c": []string{"MIIB"},
	} {
		header := map[string]any{name: value}
		if _, reason := v.Verify(t.Context(), mallory.Sign(claims(), header), noon); reason != BadSignature {
			t.Errorf("%s of a stranger: %q", name, reason)
		}
		if _, reason := v.Verify(t.Context(), signer.Sign(claims(), header), noon); reason != Accepted {
			t.Errorf("%s of the issuer: %q", name, reason)
		}
	}
}

// FuzzVerify: whatever the token, Verify does not panic, and accepts none but those that
// were signed.
func FuzzVerify(f *testing.F) {
	secret := tokens.NewHMAC("", "HS256", bytes.Repeat([]byte("s"), 32))
	signers := map[string]*tokens.Signer{"https://ed.example.com": tokens.NewEd25519("a"), "https://hs.example.com": secret, testIssuer: rsaKey()}
	dir := f.TempDir()
	ed, hs, rs := byPublicKey(), byHMAC(), byPublicKey()
	ed.Issuer, hs.Issuer = "https://ed.example.com", "https://hs.example.com"
	ed.PublicKeySecretRef = &v1alpha1.SecretKeyReference{Name: "ed", Key: "public"}
	hs.HMACSecretRef = &v1alpha1.SecretKeyReference{Name: "hs", Key: "public"}
	for name, value := range map[string][]byte{"ed": tokens.Set(signers[ed.Issuer]), "hs": bytes.Repeat([]byte("s"), 32), "keys": rsaKey().PEM()} {
		writeSecret(f, dir, name, value)
	}
	v, err := NewTokens(TokenOptions{Issuers: withDefaults(ed, hs, rs), SecretsDir: dir})
	if err != nil {
		f.Fatal(err)
	}
	signed := map[string]bool{}
	for issuer, signer := range signers {
		token := signer.Sign(claims(map[string]any{"iss": issuer}))
		signed[token] = true
		f.Add(token)
		parts := strings.Split(token, ".")
		f.Add(parts[0] + "." + parts[1] + ".")
		f.Add(signer.Sign(claims(map[string]any{"iss": issuer, "exp": 0})))
		f.Add(signer.SignRaw([]byte(fmt.Sprintf(`{"alg":%q,"kid":"b"}`, signer.Algorithm)), []byte(`{"iss":"`+issuer+`"}`)))
	}
	f.Fuzz(func(t *testing.T, token string) {
		p, reason := v.Verify(t.Context(), token, noon)
		if (p != nil) != (reason == Accepted) || p != nil && !signed[token] {
			t.Errorf("%q: %+v, %q", token, p, reason)
		}
		if cached, ok := v.Cached(token, noon); ok != (p != nil) || cached != p {
			t.Errorf("%q: cached is %+v, %v", token, cached, ok)
		}
	})
}
