package auth

import (
	"crypto/sha256"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/jwk"
)

const (
	// maxVerified bounds the tokens that are remembered, and tokenShards spreads them
	// over locks.
	maxVerified = 10_000
	tokenShards = 16
	// remembered is how long a token counts as verified, and renewal the last part of
	// that, in which a caller who still uses it has it verified again.
	remembered = 60 * time.Second
	renewal    = 15 * time.Second
	// evictionSample is how many entries are looked at to find one that can go.
	evictionSample = 8
)

type tokenDigest [sha256.Size]byte

// buffers hold tokens while they are hashed, since a string would be copied to a new
// place each time.
var buffers = sync.Pool{New: func() any { return new([maxTokenLength]byte) }}

// digestOf is the digest of a token of at most maxTokenLength bytes.
func digestOf(token string) tokenDigest {
	buffer, _ := buffers.Get().(*[maxTokenLength]byte)
	defer buffers.Put(buffer)
	return sha256.Sum256(buffer[:copy(buffer[:], token)])
}

// verified is a token that was verified a moment ago.
type verified struct {
	digest    tokenDigest
	principal *Principal
	issuer    *issuer
	// set is the set of keys that it was verified with.
	set      *jwk.Set
	until    time.Time
	renewing atomic.Bool
}

// counts says whether the token still counts as verified: with keys that are in force.
func (v *verified) counts(now time.Time) bool {
	return now.Before(v.until) && v.issuer.usable(now) == v.set
}

// due says whether the token should be verified again, by the caller that is told so
// alone. Close to the token's own end there is nothing to gain.
func (v *verified) due(now time.Time) bool {
	return v.until.Sub(now) <= renewal && v.until.Before(v.principal.Expires) && v.renewing.CompareAndSwap(false, true)
}

// verifiedTokens remembers verified tokens by their digests. Its memory is bounded; a
// token that is refused is never in it. An entry is found by a hash that costs little, so
// that a flood of other tokens is not digested.
type verifiedTokens struct {
	seed   maphash.Seed
	shards [tokenShards]tokenShard
}

type tokenShard struct {
	mu     sync.RWMutex
	tokens map[uint64]*verified
	_      [32]byte // a cache line of its own
}

func newVerifiedTokens() *verifiedTokens {
	c := &verifiedTokens{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].tokens = map[uint64]*verified{}
	}
	return c
}

// find returns the place of a token: the shard, and the hash in it.
func (c *verifiedTokens) find(token string) (*tokenShard, uint64) {
	hash := maphash.String(c.seed, token)
	return &c.shards[hash%tokenShards], hash
}

func (c *verifiedTokens) get(token string) *verified {
	s, hash := c.find(token)
	s.mu.RLock()
	v := s.tokens[hash]
	s.mu.RUnlock()
	if v == nil || v.digest != digestOf(token) {
		return nil
	}
	return v
}

// put remembers a token. In a full shard it takes the place of the one that, of a
// sample, would be forgotten first.
func (c *verifiedTokens) put(token string, v *verified) {
	v.digest = digestOf(token)
	s, hash := c.find(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.tokens[hash]; !there && len(s.tokens) >= maxVerified/tokenShards {
		s.evict()
	}
	s.tokens[hash] = v
}

func (c *verifiedTokens) drop(token string) {
	s, hash := c.find(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, hash)
}

func (s *tokenShard) evict() {
	var victim uint64
	var until time.Time
	seen := 0
	for hash, v := range s.tokens {
		if seen == 0 || v.until.Before(until) {
			victim, until = hash, v.until
		}
		if seen++; seen == evictionSample {
			break
		}
	}
	delete(s.tokens, victim)
}
