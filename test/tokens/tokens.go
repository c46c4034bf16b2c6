// Package tokens makes what the tests of authentication need: keys of every kind, tokens
// signed with them, also such that no honest issuer makes, and an issuer that publishes
// its keys on the loopback interface.
package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Signer signs tokens with one key.
type Signer struct {
	// KID is the id of the key; empty when it has none.
	KID string
	// Algorithm of the signatures, such as RS256.
	Algorithm string
	// key is an *rsa.PrivateKey, an *ecdsa.PrivateKey, an ed25519.PrivateKey, or the
	// []byte of a secret.
	key any
}

// NewRSA makes an RSA key for RS256; algorithms of RSA are set by the field.
func NewRSA(kid string) *Signer { return NewRSABits(kid, 2048) }

// NewRSABits makes an RSA key of a size, for RS256.
func NewRSABits(kid string, bits int) *Signer {
	return &Signer{KID: kid, Algorithm: "RS256", key: must(rsa.GenerateKey(rand.Reader, bits))}
}

// NewEC makes a key on the curve of an algorithm: ES256, ES384 or ES512.
func NewEC(kid, algorithm string) *Signer {
	curves := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
	return &Signer{KID: kid, Algorithm: algorithm, key: must(ecdsa.GenerateKey(curves[algorithm], rand.Reader))}
}

// NewEd25519 makes a key for EdDSA.
func NewEd25519(kid string) *Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return &Signer{KID: kid, Algorithm: "EdDSA", key: must(key, err)}
}

// NewHMAC takes a secret for HS256, HS384 or HS512.
func NewHMAC(kid, algorithm string, secret []byte) *Signer {
	return &Signer{KID: kid, Algorithm: algorithm, key: secret}
}

// With returns the same key for another algorithm.
func (s *Signer) With(algorithm string) *Signer {
	return &Signer{KID: s.KID, Algorithm: algorithm, key: s.key}
}

// Named returns the same key with another id.
func (s *Signer) Named(kid string) *Signer {
	return &Signer{KID: kid, Algorithm: s.Algorithm, key: s.key}
}

// Claims are those of a token that is valid for five minutes from now.
func Claims(issuer, audience, subject string, now time.Time) map[string]any {
	return map[string]any{
		"iss": issuer, "aud": audience, "sub": subject,
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
}

// Sign makes a token. The header names the algorithm and the key, but for what header
// says otherwise; a nil value takes a member out.
func (s *Signer) Sign(claims map[string]any, header ...map[string]any) string {
	h := map[string]any{"typ": "JWT", "alg": s.Algorithm}
	if s.KID != "" {
		h["kid"] = s.KID
	}
	for _, other := range header {
		maps.Copy(h, other)
	}
	maps.DeleteFunc(h, func(_ string, v any) bool { return v == nil })
	return s.SignRaw(must(json.Marshal(h)), must(json.Marshal(claims)))
}

// SignRaw makes a token of a header and a payload as they are, which need not be JSON.
func (s *Signer) SignRaw(header, payload []byte) string {
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature := must(jwt.GetSigningMethod(s.Algorithm).Sign(signed, s.key))
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Public is the key that others verify with: of a secret, the secret.
func (s *Signer) Public() any {
	if key, ok := s.key.(crypto.Signer); ok {
		return key.Public()
	}
	return s.key
}

// JWK is the key as others may have it: of a secret, the secret.
func (s *Signer) JWK() map[string]any {
	jwk := map[string]any{"use": "sig", "alg": s.Algorithm}
	if s.KID != "" {
		jwk["kid"] = s.KID
	}
	encode := base64.RawURLEncoding.EncodeToString
	switch key := s.Public().(type) {
	case *rsa.PublicKey:
		jwk["kty"], jwk["n"], jwk["e"] = "RSA", encode(key.N.Bytes()), encode([]byte{byte(key.E >> 16), byte(key.E >> 8), byte(key.E)})
	case *ecdsa.PublicKey:
		point := must(key.Bytes())[1:]
		jwk["kty"], jwk["crv"] = "EC", key.Curve.Params().Name
		jwk["x"], jwk["y"] = encode(point[:len(point)/2]), encode(point[len(point)/2:])
	case ed25519.PublicKey:
		jwk["kty"], jwk["crv"], jwk["x"] = "OKP", "Ed25519", encode(key)
	case []byte:
		jwk["kty"], jwk["k"] = "oct", encode(key)
	}
	return jwk
}

// PEM is the public key in a block "PUBLIC KEY".
func (s *Signer) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(s.Public()))})
}

// Set is the JWK set of the keys.
func Set(signers ...*Signer) []byte {
	keys := make([]map[string]any, 0, len(signers))
	for _, s := range signers {
		keys = append(keys, s.JWK())
	}
	return SetOf(keys...)
}

// SetOf is a JWK set of keys as they are.
func SetOf(keys ...map[string]any) []byte {
	if keys == nil {
		keys = []map[string]any{}
	}
	return must(json.Marshal(map[string]any{"keys": keys}))
}

// must is for what fails only without random bytes or with a wrong test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("tokens: %v", err))
	}
	return v
}
