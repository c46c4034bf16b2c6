package limit

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

const (
	// shards spread the callers over locks; all buckets of a caller are in one shard,
	// so one lock serves a request whatever the number of its policies.
	shards = 64
	// maxBuckets bounds the memory: about 20 MiB when all are in use.
	maxBuckets = 128 << 10
	// sample is how many buckets are looked at to find one that can go.
	sample = 16
)

// Memory is the Store of one pod. It is safe for concurrent use. When it has
// maxBuckets, a full bucket makes room for a new one (a full bucket and none are the
// same thing), or else, of a sample, the one that will be full first.
type Memory struct {
	// start is what times are counted from; the monotonic clock cannot go back.
	start  time.Time
	seed   maphash.Seed
	bound  int
	shards [shards]shard
}

type shard struct {
	mu      sync.Mutex
	buckets map[bucketKey]*instant
	_       [40]byte // a cache line of its own
}

type bucketKey struct {
	who    Caller
	policy *Policy
}

// NewMemory returns an empty store. Times passed to Take may not be before start.
func NewMemory(start time.Time) *Memory {
	m := &Memory{start: start, seed: maphash.MakeSeed(), bound: maxBuckets / shards}
	for i := range m.shards {
		m.shards[i].buckets = map[bucketKey]*instant{}
	}
	return m
}

// Take implements Store; the error is always nil.
func (m *Memory) Take(_ context.Context, at time.Time, who Caller, policies []*Policy) (Verdict, error) {
	now := m.micros(at)
	var buckets [maxPolicies]*instant
	var full [maxPolicies]instant
	s := m.shard(who)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range policies {
		if b, ok := s.buckets[bucketKey{who, p}]; ok { // else it is full
			buckets[i], full[i] = b, *b
		}
	}
	v := judge(now, policies, full[:len(policies)])
	if !v.Allowed {
		return v, nil
	}
	for i, p := range policies {
		if buckets[i] == nil {
			buckets[i] = s.add(bucketKey{who, p}, now, m.bound)
		}
		*buckets[i] = full[i]
	}
	return v, nil
}

// Spent implements Store.
func (m *Memory) Spent(at time.Time, who Caller, policy *Policy) bool {
	return !m.look(at, who, []*Policy{policy}).Allowed
}

// look is what Take would say, were nothing consumed; the figures of a request that
// would pass are left out.
func (m *Memory) look(at time.Time, who Caller, policies []*Policy) Verdict {
	var full [maxPolicies]instant
	s := m.shard(who)
	s.mu.Lock()
	for i, p := range policies {
		if b, ok := s.buckets[bucketKey{who, p}]; ok {
			full[i] = *b
		}
	}
	s.mu.Unlock()
	v := judge(m.micros(at), policies, full[:len(policies)])
	if v.Allowed {
		return Verdict{Allowed: true}
	}
	return v
}

// set makes a bucket one that is full at an instant, on this store's clock.
func (m *Memory) set(at time.Time, who Caller, policy *Policy, full instant) {
	s := m.shard(who)
	s.mu.Lock()
	defer s.mu.Unlock()
	key := bucketKey{who, policy}
	b, ok := s.buckets[key]
	if !ok {
		b = s.add(key, m.micros(at), m.bound)
	}
	*b = full
}

// micros is a time on the clock of this store.
func (m *Memory) micros(at time.Time) int64 { return at.Sub(m.start).Microseconds() }

func (m *Memory) shard(who Caller) *shard {
	return &m.shards[maphash.Comparable(m.seed, who)%shards]
}

// add adds a bucket, and makes room for it when there is none.
func (s *shard) add(key bucketKey, now int64, bound int) *instant {
	if len(s.buckets) >= bound {
		s.evict(now)
	}
	full := &instant{}
	s.buckets[key] = full
	return full
}

func (s *shard) evict(now int64) {
	var victim bucketKey
	var soonest instant
	seen := 0
	for key, full := range s.buckets { // in random order
		if seen == 0 || full.before(soonest) {
			victim, soonest = key, *full
		}
		seen++
		if soonest.micros < now || seen == sample {
			break
		}
	}
	delete(s.buckets, victim)
}
