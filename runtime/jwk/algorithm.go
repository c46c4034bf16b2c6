package jwk

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// kind is the type of a key, with its curve. An algorithm works with keys of one kind
// only: a public RSA key is never taken for the secret of an HMAC.
type kind string

const (
	rsaKind    kind = "RSA"
	p256Kind   kind = "EC P-256"
	p384Kind   kind = "EC P-384"
	p521Kind   kind = "EC P-521"
	edKind     kind = "Ed25519"
	secretKind kind = "secret"
)

// algorithms are all that a token may name. There is no "none" among them.
var algorithms = map[v1alpha1.JWTAlgorithm]struct {
	kind   kind
	method jwt.SigningMethod
}{
	"RS256": {rsaKind, jwt.SigningMethodRS256},
	"RS384": {rsaKind, jwt.SigningMethodRS384},
	"RS512": {rsaKind, jwt.SigningMethodRS512},
	"PS256": {rsaKind, jwt.SigningMethodPS256},
	"PS384": {rsaKind, jwt.SigningMethodPS384},
	"PS512": {rsaKind, jwt.SigningMethodPS512},
	"ES256": {p256Kind, jwt.SigningMethodES256},
	"ES384": {p384Kind, jwt.SigningMethodES384},
	"ES512": {p521Kind, jwt.SigningMethodES512},
	"EdDSA": {edKind, jwt.SigningMethodEdDSA},
	"HS256": {secretKind, jwt.SigningMethodHS256},
	"HS384": {secretKind, jwt.SigningMethodHS384},
	"HS512": {secretKind, jwt.SigningMethodHS512},
}

// Known says whether signatures of an algorithm can be verified.
func Known(alg v1alpha1.JWTAlgorithm) bool {
	_, known := algorithms[alg]
	return known
}

const (
	minRSABits = 2048
	// maxRSABits bounds what one verification costs.
	maxRSABits = 8192
	// minSecretBytes holds for every HMAC: 256 bits cannot be guessed, and a longer
	// digest does not make them easier to guess.
	minSecretBytes = 32
)

// kindOf returns the kind of a key. The error says why the key is not used.
func kindOf(key any) (kind, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return rsaKind, checkRSA(k)
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return p256Kind, nil
		case elliptic.P384():
			return p384Kind, nil
		case elliptic.P521():
			return p521Kind, nil
		}
	case ed25519.PublicKey:
		return edKind, nil
	case []byte:
		if len(k) < minSecretBytes {
			return "", fmt.Errorf("an HMAC secret must have at least %d bytes, whatever the algorithm: make one with 'openssl rand -base64 48'", minSecretBytes)
		}
		return secretKind, nil
	}
	return "", errors.New("a key must be RSA, EC (P-256, P-384, P-521) or Ed25519")
}

func checkRSA(k *rsa.PublicKey) error {
	if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return fmt.Errorf("an RSA key must have %d to %d bits, this one has %d: let the issuer make another", minRSABits, maxRSABits, bits)
	}
	if k.E < 3 || k.E%2 == 0 || k.N.Bit(0) == 0 {
		return errors.New("the RSA key is none: its modulus and exponent must be odd, and the exponent at least 3")
	}
	return nil
}
