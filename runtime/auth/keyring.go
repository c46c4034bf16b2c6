package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

type keyID [v1alpha1.APIKeyIDLength]byte

// record is what a keyring knows of one key.
type record struct {
	digest    [sha256.Size]byte
	expires   time.Time
	principal *Principal
}

// Keyring holds the digests of the API keys. It is immutable and safe for concurrent
// use.
type Keyring struct {
	records map[keyID]*record
}

// nobody is compared with when no key has the id, so that an unknown id costs what a
// wrong secret costs. No key has an all-zero digest.
var nobody = &record{}

// Authenticate returns the principal of a key. It does the same work whatever the key
// is: parts are cut at fixed positions, the whole is hashed once and compared in
// constant time.
func (k *Keyring) Authenticate(key string, now time.Time) (*Principal, Reason) {
	if len(key) > maxTokenLength {
		return nil, Malformed
	}
	var id keyID
	if len(key) == keyLength {
		copy(id[:], key[idStart:idEnd])
	}
	r, known := k.records[id]
	if !known {
		r = nobody
	}
	digest := sha256.Sum256([]byte(key))
	same := subtle.ConstantTimeCompare(digest[:], r.digest[:]) == 1
	switch {
	case !same && !LooksLikeKey(key):
		return nil, Malformed
	case !same || !known:
		return nil, Unknown
	case !r.expires.IsZero() && !now.Before(r.expires):
		return nil, Expired
	}
	return r.principal, Accepted
}

// usable is the number of keys that have not expired.
func (k *Keyring) usable(now time.Time) int {
	n := 0
	for _, r := range k.records {
		if r.expires.IsZero() || now.Before(r.expires) {
			n++
		}
	}
	return n
}

// add takes in the entry called name; false when another entry has its id.
func (k *Keyring) add(name string, e v1alpha1.APIKeyEntry) bool {
	var id keyID
	copy(id[:], e.ID)
	if _, taken := k.records[id]; taken {
		return false
	}
	client := v1alpha1.APIKeyClient(name)
	r := &record{
		expires:   e.Expires,
		principal: &Principal{Subject: "key|" + client, Name: client, Roles: e.Roles, Expires: e.Expires},
	}
	// The parser of entries has checked that these are 32 bytes.
	if _, err := hex.Decode(r.digest[:], []byte(e.SHA256)); err != nil {
		return false
	}
	k.records[id] = r
	return true
}
