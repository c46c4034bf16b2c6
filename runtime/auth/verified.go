package auth

import (
	"crypto/sha256"
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
// token that is refused is never in it.
type verifiedTokens struct{ shards [tokenShards]tokenShard }

type tokenShard struct {
	mu     sync.RWMutex
	tokens map[tokenDigest]*verified
	_      [32]byte // a cache line of its own
}

func newVerifiedTokens() *verifiedTokens {
	c := &verifiedTokens{}
	for i := range c.shards {
		c.shards[i].tokens = map[tokenDigest]*verified{}
	}
	return c
}

func (c *verifiedTokens) shard(d tokenDigest) *tokenShard { return &c.shards[d[0]%tokenShards] }

func (c *verifiedTokens) get(d tokenDigest) *verified {
	s := c.shard(d)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tokens[d]
}

// put remembers a token. In a full shard it takes the place of the one that, of a
// sample, would be forgotten first.
func (c *verifiedTokens) put(d tokenDigest, v *verified) {
	s := c.shard(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.tokens[d]; !there && len(s.tokens) >= maxVerified/tokenShards {
		s.evict()
	}
	s.tokens[d] = v
}

func (c *verifiedTokens) drop(d tokenDigest) {
	s := c.shard(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, d)
}

func (s *tokenShard) evict() {
	var victim tokenDigest
	var until time.Time
	seen := 0
	for d, v := range s.tokens {
		if seen == 0 || v.until.Before(until) {
			victim, until = d, v.until
		}
		if seen++; seen == evictionSample {
			break
		}
	}
	delete(s.tokens, victim)
}
