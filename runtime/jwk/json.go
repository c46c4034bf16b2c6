package jwk

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// material says what a set of keys may hold.
type material string

const (
	publicKeys  material = "public"
	hmacSecrets material = "secret"
)

// webKey is one key of a JWK set (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).
type webKey struct {
	Type       string   `json:"kty"`
	ID         string   `json:"kid"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Algorithm  string   `json:"alg"`
	Curve      string   `json:"crv"`
	Modulus    string   `json:"n"`
	Exponent   string   `json:"e"`
	X          string   `json:"x"`
	Y          string   `json:"y"`
	Private    string   `json:"d"`
	Secret     string   `json:"k"`
}

// parseSet returns the keys of a JWK set that can be used. Keys that are meant for
// something else are left out, and those that are wrong are left out with a note. It is
// an error when raw is no JWK set.
func parseSet(raw []byte, holds material) (*Set, Notes, error) {
	if len(raw) > MaxBytes {
		return nil, nil, errTooLarge
	}
	var document struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &document); err != nil || document.Keys == nil {
		return nil, nil, errors.New(`not a JWK set: it must be {"keys": [...]}`)
	}
	set, skipped := &Set{}, Notes{}
	for i, raw := range *document.Keys {
		var k webKey
		if err := json.Unmarshal(raw, &k); err != nil {
			skipped.add("key %d of the set is not used: it is no JWK", i+1)
			continue
		}
		if !k.verifies() {
			continue
		}
		key, err := k.usable(holds)
		if err != nil {
			skipped.add("key %d of the set is not used: %v", i+1, err)
			continue
		}
		if err := set.add(key); err != nil {
			skipped.add("%v", err)
			break
		}
	}
	return set, skipped, nil
}

// verifies says whether a key is meant for signatures that can be verified here. RFC
// 7517 section 5 has others ignored.
func (k *webKey) verifies() bool {
	if k.Use != "" && k.Use != "sig" {
		return false
	}
	if len(k.Operations) > 0 && !slices.Contains(k.Operations, "verify") && !slices.Contains(k.Operations, "sign") {
		return false // "sign" stands with a private key, which is told of
	}
	if k.Algorithm != "" && !Known(k.only()) {
		return false
	}
	return slices.Contains([]string{"RSA", "EC", "OKP", "oct"}, k.Type)
}

// only is the algorithm that the key is meant for; RFC 9864 calls EdDSA by its curve.
func (k *webKey) only() v1alpha1.JWTAlgorithm {
	if k.Algorithm == "Ed25519" {
		return v1alpha1.EdDSA
	}
	return v1alpha1.JWTAlgorithm(k.Algorithm)
}

// usable is the key as signatures are verified with it. The error says why it is not used.
func (k *webKey) usable(holds material) (*Key, error) {
	switch {
	case holds == hmacSecrets && k.Type != "oct":
		return nil, errors.New(`only HMAC secrets (kty "oct") belong here: use publicKeySecretRef for public keys`)
	case holds == publicKeys && k.Type == "oct":
		return nil, errors.New("a secret does not belong among public keys: use hmacSecretRef for secrets")
	case holds == publicKeys && k.Private != "":
		return nil, errors.New("it is a private key, which nobody else may know: replace it, and publish its public part only")
	}
	key, err := k.key()
	if err != nil {
		return nil, err
	}
	return newKey(k.ID, k.only(), key)
}

// key is the key itself.
func (k *webKey) key() (any, error) {
	switch k.Type {
	case "RSA":
		return k.rsa()
	case "EC":
		return k.ec()
	case "OKP":
		x, err := decode("x", k.X)
		if err != nil || k.Curve != "Ed25519" || len(x) != ed25519.PublicKeySize {
			return nil, errors.New("an OKP key must be of the curve Ed25519, with x of 32 bytes")
		}
		return ed25519.PublicKey(x), nil
	default:
		return decode("k", k.Secret)
	}
}

func (k *webKey) rsa() (any, error) {
	n, err := decode("n", k.Modulus)
	if err != nil {
		return nil, err
	}
	e, err := decode("e", k.Exponent)
	if err != nil {
		return nil, err
	}
	exponent := new(big.Int).SetBytes(e)
	if exponent.BitLen() > 31 {
		return nil, errors.New("e must have at most 31 bits")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, nil
}

// ec refuses a point that is not on the curve.
func (k *webKey) ec() (any, error) {
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	curve, known := curves[k.Curve]
	if !known {
		return nil, errors.New("an EC key must be on the curve P-256, P-384 or P-521")
	}
	x, err := decode("x", k.X)
	if err != nil {
		return nil, err
	}
	y, err := decode("y", k.Y)
	if err != nil {
		return nil, err
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) > size || len(y) > size {
		return nil, fmt.Errorf("x and y must have %d bytes", size)
	}
	point := make([]byte, 1+2*size)
	point[0] = 4 // uncompressed
	// Some issuers leave out leading zeros.
	copy(point[1+size-len(x):], x)
	copy(point[1+2*size-len(y):], y)
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, fmt.Errorf("x and y are no point of the curve %s", k.Curve)
	}
	return key, nil
}

// decode decodes one member of a key. The error does not quote it.
func decode(name, value string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(raw) == 0 {
		return nil, fmt.Errorf("%s must be base64url without padding, and not empty", name)
	}
	return raw, nil
}
