package refs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"unicode/utf8"
)

// These checks keep a mistake from reaching the pods. The runtime reads the same values
// more strictly, and uses of a set only the keys that it can; one such key is enough.

const (
	minRSABits   = 2048
	minHMACBytes = 32
)

// jwk is what is looked at of a key of a JWK set (RFC 7517).
type jwk struct {
	Type    string `json:"kty"`
	Curve   string `json:"crv"`
	N       string `json:"n"`
	E       string `json:"e"`
	X       string `json:"x"`
	Y       string `json:"y"`
	Private string `json:"d"`
	Secret  string `json:"k"`
}

// checkPublicKeys wants a public key in PEM or in a JWK set. The error never quotes the
// value, which may be a private key that was put there by mistake.
func checkPublicKeys(value []byte) error {
	if looksLikeJSON(value) {
		return checkJWKSet(value, (*jwk).checkPublic)
	}
	problem := errors.New("neither PEM nor a JWK set: put the issuer's public keys there, from BEGIN PUBLIC KEY on, or {\"keys\": [...]}")
	for block, rest := pem.Decode(value); block != nil; block, rest = pem.Decode(rest) {
		key, err := publicKey(block)
		if err == nil {
			err = checkPublicKey(key)
		}
		if err == nil {
			return nil
		}
		problem = err
	}
	return problem
}

func publicKey(block *pem.Block) (any, error) {
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = certificate.PublicKey
		}
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("it is a private key, which the app must not have: replace it by the public one ('openssl pkey -pubout')")
	default:
		return nil, errors.New("a PEM block is no key: use PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE")
	}
	if err != nil {
		return nil, errors.New("a PEM block does not parse: copy the public key again, whole")
	}
	return key, nil
}

func checkPublicKey(key any) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSABits {
			return fmt.Errorf("the RSA key has %d bits, at least %d are needed: let the issuer make a longer one", k.N.BitLen(), minRSABits)
		}
		return nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
	case ed25519.PublicKey:
		return nil
	}
	return errors.New("the key is of no kind that can be used: RSA, EC (P-256, P-384, P-521) or Ed25519")
}

// checkHMACKeys wants a secret that cannot be guessed: the value as it is, or a JWK set.
func checkHMACKeys(value []byte) error {
	if looksLikeJSON(value) {
		return checkJWKSet(value, (*jwk).checkSecret)
	}
	// An editor ends a file with a line feed, which is no part of the secret.
	return checkSecret(bytes.TrimSuffix(value, []byte("\n")))
}

func checkSecret(secret []byte) error {
	if len(secret) < minHMACBytes {
		return fmt.Errorf("has fewer than %d bytes: make it with 'openssl rand -base64 48'", minHMACBytes)
	}
	return nil
}

// looksLikeJSON says whether a value is meant to be JSON. Random bytes are not text.
func looksLikeJSON(value []byte) bool {
	text := bytes.TrimLeft(value, " \t\r\n")
	return len(text) > 0 && text[0] == '{' && utf8.Valid(text)
}

// checkJWKSet wants one key that passes.
func checkJWKSet(value []byte, check func(*jwk) error) error {
	var set struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	// The decoder's own message may quote the value.
	if json.Unmarshal(value, &set) != nil || set.Keys == nil {
		return errors.New(`looks like JSON and is no JWK set: write {"keys": [...]}`)
	}
	problem := errors.New("the JWK set has no key: add one")
	for i, raw := range *set.Keys {
		var k jwk
		err := errors.New("it is no JWK")
		if json.Unmarshal(raw, &k) == nil {
			err = check(&k)
		}
		if err == nil {
			return nil
		}
		problem = fmt.Errorf("key %d of the JWK set: %w", i+1, err)
	}
	return problem
}

func (k *jwk) checkSecret() error {
	if k.Type != "oct" {
		return errors.New(`it is no secret: write {"kty": "oct", "k": ...}, or use publicKeySecretRef for public keys`)
	}
	secret, err := base64.RawURLEncoding.DecodeString(k.Secret)
	if err != nil {
		return errors.New("k must be base64url without padding")
	}
	return checkSecret(secret)
}

func (k *jwk) checkPublic() error {
	switch {
	case k.Type == "oct":
		return errors.New("it is a secret: use hmacSecretRef")
	case k.Private != "":
		return errors.New("it is a private key, which the app must not have: replace it by its public part")
	}
	members := []string{k.X}
	switch k.Type {
	case "RSA":
		members = []string{k.N, k.E}
	case "EC":
		members = append(members, k.Y)
	}
	var first []byte
	for i, member := range members {
		raw, err := base64.RawURLEncoding.DecodeString(member)
		if err != nil || len(raw) == 0 {
			return errors.New("a member is missing or not base64url without padding")
		}
		if i == 0 {
			first = raw
		}
	}
	switch k.Type + " " + k.Curve {
	case "RSA ":
		return checkPublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(first)})
	case "EC P-256", "EC P-384", "EC P-521", "OKP Ed25519":
		return nil
	}
	return checkPublicKey(nil)
}
