package jwk

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/nexus-operator/nexus-operator/test/tokens"
)

var secret32 = []byte(strings.Repeat("s", 32))

// rsaKey takes a while to make.
var rsaKey = sync.OnceValue(func() *tokens.Signer { return tokens.NewRSA("rsa") })

func change(jwk map[string]any, changes map[string]any) map[string]any {
	jwk = maps.Clone(jwk)
	maps.Copy(jwk, changes)
	maps.DeleteFunc(jwk, func(_ string, v any) bool { return v == nil })
	return jwk
}

func TestJWKSet(t *testing.T) {
	type set = map[string]any
	rsa, ec, ed, hmac := rsaKey().JWK(), tokens.NewEC("ec", "ES256").JWK(), tokens.NewEd25519("ed").JWK(), tokens.NewHMAC("hs", "HS256", secret32).JWK()
	big512 := base64.RawURLEncoding.EncodeToString(append([]byte{0xff}, make([]byte, 1024)...))
	for _, c := range []struct {
		name string
		jwk  set
		// note is empty for a key that is used, "-" for one that is left out without a word.
		note string
	}{
		{"RSA", rsa, ""},
		{"EC", ec, ""},
		{"Ed25519", ed, ""},
		{"no use, no algorithm, no id", change(rsa, set{"use": nil, "alg": nil, "kid": nil}), ""},
		{"members that nobody knows", change(rsa, set{"x5c": []string{"?"}, "zzz": 1}), ""},
		{"key_ops", change(rsa, set{"use": nil, "key_ops": []string{"verify"}}), ""},
		{"Ed25519 by its new name", change(ed, set{"alg": "Ed25519"}), ""},

		{"for encryption", change(rsa, set{"use": "enc"}), "-"},
		{"for wrapping keys", change(rsa, set{"alg": "RSA-OAEP"}), "-"},
		{"key_ops without verify", change(rsa, set{"key_ops": []string{"encrypt"}}), "-"},
		{"no type", change(rsa, set{"kty": nil}), "-"},
		{"a type of the future", change(rsa, set{"kty": "AKP"}), "-"},

		{"a private key", change(rsa, set{"d": "AQAB"}), "private key"},
		{"a private key for signing", change(ec, set{"d": "AQAB", "key_ops": []string{"sign"}}), "private key"},
		{"a secret", hmac, "a secret does not belong among public keys: use hmacSecretRef"},
		{"RSA, 1024 bits", tokens.NewRSABits("small", 1024).JWK(), "2048 to 8192 bits, this one has 1024"},
		{"RSA, 8200 bits", change(rsa, set{"n": big512}), "2048 to 8192 bits, this one has 8200"},
		{"RSA, exponent 1", change(rsa, set{"e": "AQ"}), "exponent at least 3"},
		{"RSA, even exponent", change(rsa, set{"e": "BA"}), "must be odd"},
		{"RSA, long exponent", change(rsa, set{"e": "AQAAAAE"}), "at most 31 bits"},
		{"RSA without modulus", change(rsa, set{"n": nil}), "n must be base64url"},
		{"RSA with padding", change(rsa, set{"e": "AQAB=="}), "e must be base64url"},
		{"RSA for ES256", change(rsa, set{"alg": "ES256"}), "its algorithm is ES256, which a key of the kind RSA"},
		{"RSA for HS256", change(rsa, set{"alg": "HS256"}), "its algorithm is HS256"},
		{"EC for another curve", change(ec, set{"alg": "ES384"}), "its algorithm is ES384"},
		{"EC on another curve", change(ec, set{"crv": "secp256k1"}), "P-256, P-384 or P-521"},
		{"EC on the wrong curve", change(ec, set{"crv": "P-384", "alg": nil}), "no point of the curve P-384"},
		{"EC off the curve", change(ec, set{"y": ec["x"]}), "no point of the curve P-256"},
		{"EC, long x", change(ec, set{"x": "AAAA" + ec["x"].(string)}), "x and y must have 32 bytes"},
		{"X25519", change(ed, set{"crv": "X25519"}), "of the curve Ed25519"},
		{"Ed25519, short", change(ed, set{"x": "AAAA"}), "of the curve Ed25519"},
		{"a member of another type", change(rsa, set{"n": 1}), "it is no JWK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, skipped, err := ParseSet(tokens.SetOf(change(rsa, set{"kid": "other"}), c.jwk))
			want := 1
			if c.note == "" {
				want = 2
			}
			if err != nil || got.Len() != want {
				t.Fatalf("%d keys, %v, want %d: %s", got.Len(), err, want, skipped)
			}
			if note := skipped.String(); (note != "") != (want == 1 && c.note != "-") || !strings.Contains(note, strings.Trim(c.note, "-")) {
				t.Errorf("the note is %q, want %q", note, c.note)
			}
			for _, member := range []string{"n", "x", "k"} {
				if value, ok := c.jwk[member].(string); ok && strings.Contains(skipped.String(), value) {
					t.Errorf("the note quotes %s", member)
				}
			}
		})
	}
}

func TestJWKSetAsAWhole(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing": "", "HTML": "<html>", "a list": "[]", "no keys": `{}`, "null": `{"keys":null}`, "an object": `{"keys":{}}`,
		"cut": `{"keys":[`, "too large": `{"keys":[]}` + strings.Repeat(" ", MaxBytes),
	} {
		if _, _, err := ParseSet([]byte(raw)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if set, _, err := ParseSet([]byte(`{"keys":[]}`)); err != nil || set.Len() != 0 {
		t.Errorf("an empty set: %v", err)
	}
	many := make([]map[string]any, 0, maxKeys+2)
	jwk := tokens.NewEd25519("").JWK()
	for n := range cap(many) {
		many = append(many, change(jwk, map[string]any{"kid": fmt.Sprint(n)}))
	}
	set, skipped, err := ParseSet(tokens.SetOf(many...))
	if err != nil || set.Len() != maxKeys || skipped.String() != "only the first 64 keys are used" {
		t.Errorf("%d of %d keys: %v, %s", set.Len(), len(many), err, skipped)
	}
	set, _, err = ParseSet(tokens.SetOf(many[0], many[0], many[1]))
	if err != nil || set.Len() != 2 {
		t.Errorf("%d keys of two, one of them twice: %v", set.Len(), err)
	}
}

// Leading zeros that an issuer leaves out of a coordinate belong to it all the same.
func TestShortCoordinates(t *testing.T) {
	for {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		x, y := point[1:33], point[33:]
		if x[0] != 0 {
			continue
		}
		jwk := map[string]any{"kty": "EC", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(x[1:]), "y": base64.RawURLEncoding.EncodeToString(y)}
		set, skipped, err := ParseSet(tokens.SetOf(jwk))
		if err != nil || set.Len() != 1 || !key.PublicKey.Equal(set.keys[0].key) {
			t.Errorf("%v, %s", err, skipped)
		}
		return
	}
}

func TestPEM(t *testing.T) {
	rs, ec, ed := rsaKey(), tokens.NewEC("", "ES256"), tokens.NewEd25519("")
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "id"}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PublicKey(rs.Public().(*rsa.PublicKey))
	small := tokens.NewRSABits("", 1024).PEM()
	for _, c := range []struct {
		name, value string
		keys        int
		note        string
	}{
		{"one", string(rs.PEM()), 1, ""},
		{"several with text between", "first\n" + string(rs.PEM()) + "\nsecond\n" + string(ec.PEM()) + string(ed.PEM()), 3, ""},
		{"the same twice", string(rs.PEM()) + string(rs.PEM()), 1, ""},
		{"PKCS #1", block("RSA PUBLIC KEY", pkcs1), 1, ""},
		{"an outdated certificate", block("CERTIFICATE", certificate), 1, ""},
		{"JWK set", "\n" + string(tokens.Set(rs, ec)), 2, ""},
		{"a private key beside it", string(rs.PEM()) + block("EC PRIVATE KEY", der), 1, "PEM block 2 is not used: it is a private key"},
		{"a private key alone", block("EC PRIVATE KEY", der), 0, "put its public part there ('openssl pkey -pubout')"},
		{"a block of another kind", block("MESSAGE", der), 0, `it must be a "PUBLIC KEY"`},
		{"a small key beside it", string(small) + string(ec.PEM()), 1, "PEM block 1 is not used: an RSA key must have 2048"},
		{"a small key alone", string(small), 0, "an RSA key must have 2048"},
		{"broken", block("PUBLIC KEY", []byte("hunter2")), 0, "it cannot be parsed"},
		{"broken certificate", block("CERTIFICATE", []byte("hunter2")), 0, "it cannot be parsed"},
		{"the second is cut", string(rs.PEM()) + string(ec.PEM())[:80], 1, "1 of 2 PEM blocks are cut"},
		{"cut", string(ec.PEM())[:80], 0, "1 of 1 PEM blocks are cut"},
		{"text", "hunter2", 0, "neither PEM nor a JWK set: put the issuer's public keys there"},
		{"empty", "", 0, "neither PEM nor a JWK set"},
		{"a set without a key", string(tokens.SetOf()), 0, "the JWK set holds no key that can be used: add one"},
		{"too large", strings.Repeat(string(rs.PEM()), MaxBytes/len(rs.PEM())+1), 0, "more than 256 KiB"},
		{"many of which none can be used", strings.Repeat(block("MESSAGE", nil), 9), 0, `"CERTIFICATE"; and 6 more`},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, skipped, err := ParsePublic([]byte(c.value))
			said := skipped.String()
			if err != nil {
				said = err.Error()
			}
			if (err == nil) != (c.keys > 0) || err == nil && set.Len() != c.keys || !strings.Contains(said, c.note) || c.note == "" && said != "" {
				t.Errorf("%d keys, %q; want %d, %q", set.Len(), said, c.keys, c.note)
			}
		})
	}
}

func TestSecrets(t *testing.T) {
	text := func(n int) string { return strings.Repeat("s", n) }
	for _, c := range []struct {
		name, value string
		want        string // the one secret; empty when there is none
		problem     string
	}{
		{"32 bytes", text(32), text(32), ""},
		{"31 bytes", text(31), "", "at least 32 bytes, whatever the algorithm: make one with 'openssl rand -base64 48'"},
		{"31 bytes and a newline", text(31) + "\n", "", "at least 32 bytes"},
		{"one newline is cut off", text(32) + "\n", text(32), ""},
		{"and no more than one", text(32) + "\n\n", text(32) + "\n", ""},
		{"spaces belong to it", " " + text(32) + " ", " " + text(32) + " ", ""},
		{"any bytes", "{\xff\x00" + text(32), "{\xff\x00" + text(32), ""},
		{"JWK set", string(tokens.Set(tokens.NewHMAC("a", "HS384", []byte(text(40))))), text(40), ""},
		{"JWK set with a short secret", string(tokens.Set(tokens.NewHMAC("a", "HS256", []byte(text(31))))), "", "openssl rand"},
		{"JWK set of public keys", string(tokens.Set(rsaKey())), "", "use publicKeySecretRef"},
		{"a public key in PEM", string(rsaKey().PEM()), "", "use publicKeySecretRef"},
		{"too large", strings.Repeat(text(32), MaxBytes/32+1), "", "more than 256 KiB"},
		{"empty", "", "", "at least 32 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, skipped, err := ParseSecrets([]byte(c.value))
			if c.want == "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) || strings.Contains(err.Error(), "sss") {
					t.Errorf("got %v, want %q, without the value", err, c.problem)
				}
				return
			}
			if err != nil || set.Len() != 1 || string(set.keys[0].key.([]byte)) != c.want {
				t.Errorf("got %v, %v, %s", set, err, skipped)
			}
		})
	}
}
