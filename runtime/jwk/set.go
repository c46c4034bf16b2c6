package jwk

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

const (
	// maxKeys bounds what one issuer's keys take.
	maxKeys = 64
	// maxTries bounds how many keys are tried for a token that does not say which one
	// signed it.
	maxTries = 4
)

// Key is a key that signatures are verified with.
type Key struct {
	// id is the key's own name (kid); empty when it has none.
	id string
	// only is the one algorithm that the key is meant for; empty when any of its kind.
	only v1alpha1.JWTAlgorithm
	kind kind
	key  any
	// print tells two keys apart.
	print [sha256.Size]byte
}

// newKey takes a public key or the bytes of an HMAC secret. The error says why the key
// is not used.
func newKey(id string, only v1alpha1.JWTAlgorithm, key any) (*Key, error) {
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
	k := &Key{id: id, only: only, kind: kind, key: key}
	k.print = sha256.Sum256(fmt.Appendf(nil, "%q %s %s %x", id, only, kind, raw))
	return k, nil
}

// fits says whether a token of this algorithm may have been signed with the key.
func (k *Key) fits(alg v1alpha1.JWTAlgorithm) bool {
	return algorithms[alg].kind == k.kind && (k.only == "" || k.only == alg)
}

// Verify says whether the signature over signed is of this key, by an algorithm that the
// key may be used with.
func (k *Key) Verify(alg v1alpha1.JWTAlgorithm, signed string, signature []byte) bool {
	return k.fits(alg) && algorithms[alg].method.Verify(signed, signature, k.key) == nil
}

// Set are the keys of an issuer at one time. It is immutable once it was parsed. The zero
// value has no keys, and nor has a nil set.
type Set struct {
	keys []*Key
	// named says that there are keys with an id.
	named bool
}

// add takes in a key, but for one that is there already. It is an error when the set is
// full.
func (s *Set) add(key *Key) error {
	for _, k := range s.keys {
		if k.print == key.print {
			return nil
		}
	}
	if len(s.keys) == maxKeys {
		return fmt.Errorf("only the first %d keys are used", maxKeys)
	}
	s.keys = append(s.keys, key)
	s.named = s.named || key.id != ""
	return nil
}

// Len is the number of keys.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.keys)
}

// Named says whether there are keys with an id, so that a token cannot name another one.
func (s *Set) Named() bool { return s != nil && s.named }

// Has says whether a key has the id.
func (s *Set) Has(id string) bool {
	for i := range s.Len() {
		if s.keys[i].id == id {
			return true
		}
	}
	return false
}

// Candidates are the keys that may have signed a token: those with the id that it
// names. A token that names none, and keys that have none, leave it to the attempt.
func (s *Set) Candidates(alg v1alpha1.JWTAlgorithm, id string) []*Key {
	var out []*Key
	for i := range s.Len() {
		k := s.keys[i]
		if k.fits(alg) && (id == "" || !s.named || k.id == id) && len(out) < maxTries {
			out = append(out, k)
		}
	}
	return out
}

// Same says whether both sets hold the same keys, in whatever order.
func (s *Set) Same(other *Set) bool {
	if s.Len() != other.Len() {
		return false
	}
	prints := make(map[[sha256.Size]byte]bool, s.Len())
	for i := range s.Len() {
		prints[s.keys[i].print] = true
	}
	for i := range other.Len() {
		if !prints[other.keys[i].print] {
			return false
		}
	}
	return true
}

// Notes are why keys of a set are not used, without any part of them.
type Notes []string

func (n *Notes) add(format string, args ...any) { *n = append(*n, fmt.Sprintf(format, args...)) }

// String is one line, of a length that a status can bear: the first notes.
func (n Notes) String() string {
	const most = 3
	if len(n) <= most {
		return strings.Join(n, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(n[:most], "; "), len(n)-most)
}
