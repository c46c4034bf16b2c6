package auth

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

const (
	// maxKeys and maxKeysBytes bound what one issuer's keys take.
	maxKeys      = 64
	maxKeysBytes = 256 << 10
	// maxTries bounds how many keys are tried for a token that does not say which one
	// signed it.
	maxTries = 4
)

// verifier is a key that signatures are verified with.
type verifier struct {
	// id is the key's own name (kid); empty when it has none.
	id string
	// only is the one algorithm that the key is meant for; empty when any of its kind.
	only v1alpha1.JWTAlgorithm
	kind kind
	key  any
	// print tells two keys apart.
	print [sha256.Size]byte
}

// newVerifier takes a public key or the bytes of an HMAC secret. The error says why
// the key is not used.
func newVerifier(id string, only v1alpha1.JWTAlgorithm, key any) (*verifier, error) {
	kind, err := kindOf(key)
	if err != nil {
		return nil, err
	}
	if only != "" && algorithms[only].kind != kind {
		return nil, fmt.Errorf("its algorithm is %s, which a key of the kind %s cannot be used with", only, kind)
	}
	raw, secret := key.([]byte)
	if !secret {
		if raw, err = x509.MarshalPKIXPublicKey(key); err != nil {
			return nil, errors.New("it cannot be encoded")
		}
	}
	v := &verifier{id: id, only: only, kind: kind, key: key}
	v.print = sha256.Sum256(fmt.Appendf(nil, "%q %s %s %x", id, only, kind, raw))
	return v, nil
}

// fits says whether a token of this algorithm may have been signed with the key.
func (v *verifier) fits(alg v1alpha1.JWTAlgorithm) bool {
	return algorithms[alg].kind == v.kind && (v.only == "" || v.only == alg)
}

// keySet are the keys of an issuer at one time. It is immutable; what was verified with
// one set is forgotten when another one takes its place. A nil set has no keys.
type keySet struct {
	keys []*verifier
	// named says that there are keys with an id, so a token cannot name another one.
	named bool
}

// add takes in a key, but for one that is there already. It is an error when the set is
// full.
func (s *keySet) add(v *verifier) error {
	for _, k := range s.keys {
		if k.print == v.print {
			return nil
		}
	}
	if len(s.keys) == maxKeys {
		return fmt.Errorf("only the first %d keys are used", maxKeys)
	}
	s.keys = append(s.keys, v)
	s.named = s.named || v.id != ""
	return nil
}

func (s *keySet) len() int {
	if s == nil {
		return 0
	}
	return len(s.keys)
}

// has says whether a key has the id.
func (s *keySet) has(id string) bool {
	for i := range s.len() {
		if s.keys[i].id == id {
			return true
		}
	}
	return false
}

// candidates are the keys that may have signed a token: those with the id that it
// names. A token that names none, and keys that have none, leave it to the attempt.
func (s *keySet) candidates(alg v1alpha1.JWTAlgorithm, id string) []*verifier {
	var out []*verifier
	for i := range s.len() {
		k := s.keys[i]
		if k.fits(alg) && (id == "" || !s.named || k.id == id) && len(out) < maxTries {
			out = append(out, k)
		}
	}
	return out
}

// same says whether both sets hold the same keys, in whatever order.
func (s *keySet) same(other *keySet) bool {
	if s.len() != other.len() {
		return false
	}
	prints := make(map[[sha256.Size]byte]bool, s.len())
	for i := range s.len() {
		prints[s.keys[i].print] = true
	}
	for i := range other.len() {
		if !prints[other.keys[i].print] {
			return false
		}
	}
	return true
}

// notes are why keys of a set are not used, without any part of them.
type notes []string

func (n *notes) add(format string, args ...any) { *n = append(*n, fmt.Sprintf(format, args...)) }

// String is one line, of a length that a status can bear.
func (n notes) String() string { return bounded(strings.Join(n, "; ")) }

// bounded makes one short line of what others may have written.
func bounded(text string) string {
	const most = 300
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
