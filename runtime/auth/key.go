package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// A key is nxs_<id>_<secret>: a public id by which it is found, and 43 base62
// characters, which hold 256 bits. A digest of that needs no slow hash: there is
// nothing to guess.
const (
	keyPrefix    = "nxs_"
	idStart      = len(keyPrefix)
	idEnd        = idStart + v1alpha1.APIKeyIDLength
	secretStart  = idEnd + 1
	secretLength = 43
	keyLength    = secretStart + secretLength

	// maxTokenLength bounds what is looked at; nothing longer is a credential.
	maxTokenLength = 8 << 10
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// MintedKey is a new API key. Key is shown once; ID and SHA256 are what is kept of it.
type MintedKey struct {
	Key    string
	ID     string
	SHA256 string
}

// NewKey makes a random API key.
func NewKey() (MintedKey, error) {
	id, err := randomBase62(v1alpha1.APIKeyIDLength)
	if err != nil {
		return MintedKey{}, err
	}
	secret, err := randomBase62(secretLength)
	if err != nil {
		return MintedKey{}, err
	}
	key := keyPrefix + id + "_" + secret
	sum := sha256.Sum256([]byte(key))
	return MintedKey{Key: key, ID: id, SHA256: hex.EncodeToString(sum[:])}, nil
}

// randomBase62 draws each character with the same probability: bytes that would
// favour the first characters are thrown away.
func randomBase62(n int) (string, error) {
	const fair = 256 - 256%len(base62)
	out := make([]byte, 0, n)
	buf := make([]byte, 2*n)
	for len(out) < n {
		if _, err := rand.Read(buf); err != nil {
			return "", fmt.Errorf("reading random bytes: %w", err)
		}
		for _, b := range buf {
			if int(b) < fair && len(out) < n {
				out = append(out, base62[int(b)%len(base62)])
			}
		}
	}
	return string(out), nil
}

// IsKey says whether a credential is meant to be an API key, and not a token: no token
// starts like one.
func IsKey(credential string) bool { return strings.HasPrefix(credential, keyPrefix) }

// LooksLikeKey says whether s holds something of the form of an API key, for refusing
// keys where they do not belong.
func LooksLikeKey(s string) bool {
	return len(s) == keyLength && s[:idStart] == keyPrefix && s[idEnd] == '_'
}
