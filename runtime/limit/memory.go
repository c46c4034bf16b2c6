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
	now := at.Sub(m.start).Microseconds()
	s := &m.shards[maphash.Comparable(m.seed, who)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.check(now, who, policies)
	if !v.Allowed {
		return v, nil
	}
	for i, p := range policies {
		full := s.bucket(bucketKey{who, p}, now, m.bound)
		next, _ := p.attempt(*full, now)
		*full = next
		if left := p.remaining(next, now); i == 0 || left < v.Remaining {
			v.Tightest, v.Remaining, v.Reset = i, left, p.sub(next, instant{micros: now}).ceil()
		}
	}
	return v, nil
}

// check looks at every bucket and changes none.
func (s *shard) check(now int64, who Caller, policies []*Policy) Verdict {
	v := Verdict{Allowed: true}
	for i, p := range policies {
		full, ok := s.buckets[bucketKey{who, p}]
		if !ok {
			continue // a full bucket passes at least one request
		}
		if _, wait := p.attempt(*full, now); wait > 0 {
			v.Allowed = false
			v.Violated |= 1 << i
			if wait > v.RetryAfter {
				v.RetryAfter, v.Reset, v.Tightest = wait, wait, i
			}
		}
	}
	return v
}

// bucket returns a bucket, a new one being full.
func (s *shard) bucket(key bucketKey, now int64, bound int) *instant {
	if full, ok := s.buckets[key]; ok {
		return full
	}
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
