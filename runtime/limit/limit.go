// Package limit bounds how often callers may do something. The algorithm is GCRA (the
// generic cell rate algorithm): a bucket is one point in time, a burst and a rate are
// exact, and a refusal knows when the next request will pass.
package limit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math/bits"
	"net/netip"
	"strconv"
	"time"
)

// Caller is who shares a bucket: a subject, a client address, or, as the zero value,
// everybody. It is comparable, so that a lookup allocates nothing.
type Caller struct {
	Subject string
	Addr    netip.Addr
}

// Store holds the buckets of all callers.
type Store interface {
	// Take consumes one from the caller's bucket of every policy, or from none when one
	// of them is spent. The policies have no duplicates and there are at most maxPolicies.
	Take(ctx context.Context, now time.Time, who Caller, policies []*Policy) (Verdict, error)
	// Spent says whether the caller's bucket is known here to be spent now. It asks
	// nobody and consumes nothing.
	Spent(now time.Time, who Caller, policy *Policy) bool
}

// maxPolicies is how many buckets one request can have.
const maxPolicies = 8

// Verdict is what a Store says of one request.
type Verdict struct {
	// Allowed says whether the request passed every bucket.
	Allowed bool
	// RetryAfter, of a refusal, is when every violated bucket will pass one request.
	RetryAfter time.Duration
	// Tightest is the index of the policy with the fewest requests left; of a refusal,
	// of the violated one that takes longest.
	Tightest int
	// Remaining is how many more requests the tightest bucket would pass at once.
	Remaining int64
	// Reset is how long until the tightest bucket is full again; of a refusal, RetryAfter.
	Reset time.Duration
	// Violated has a bit for the index of each violated policy.
	Violated uint32
	// Unlimited says that nothing was counted, so the figures say nothing.
	Unlimited bool
}

// Names returns the names of the violated policies; the result is not to be changed.
func (v Verdict) Names(policies []*Policy) []string {
	if names, ok := v.oneName(policies); ok {
		return names
	}
	var names []string
	for i, p := range policies {
		if v.Violated&(1<<i) != 0 {
			names = append(names, p.Name)
		}
	}
	return names
}

// oneName spares the usual refusal, by one policy, an allocation.
func (v Verdict) oneName(policies []*Policy) ([]string, bool) {
	if bits.OnesCount32(v.Violated) != 1 {
		return nil, false
	}
	return policies[bits.TrailingZeros32(v.Violated)].names[:], true
}

// minute is the window that rates are given in, in microseconds.
const minute = 60_000_000

// Policy is a rate and a burst. Times are exact: where a minute is no whole number of
// microseconds for each request, the remainder is carried as a fraction whose
// denominator is the rate.
type Policy struct {
	// Name is what callers see in headers; unique among the policies of a store.
	Name string
	// PerMinute is the sustained rate and Burst how many pass at once; both at least 1.
	PerMinute, Burst int64
	names            [1]string
	// id is the hash of the name, rate and burst the numbers as text: what a Redis sees.
	id, rate, burst string
	// step is the time that one request costs, span that of a burst.
	step, span instant
}

// NewPolicy returns a policy; both numbers are from 1 to 1,000,000.
func NewPolicy(name string, perMinute, burst int32) *Policy {
	hash := sha256.Sum256([]byte(name))
	p := &Policy{
		Name: name, names: [1]string{name}, PerMinute: int64(perMinute), Burst: int64(burst),
		id: hex.EncodeToString(hash[:8]), rate: strconv.Itoa(int(perMinute)), burst: strconv.Itoa(int(burst)),
	}
	p.step = instant{minute / p.PerMinute, minute % p.PerMinute}
	p.span = instant{minute * p.Burst / p.PerMinute, minute * p.Burst % p.PerMinute}
	return p
}

// Header is the policy's item of a RateLimit-Policy header, as a structured field
// (draft-ietf-httpapi-ratelimit-headers-11): a quota in a window of seconds.
func (p *Policy) Header() string {
	return strconv.Quote(p.Name) + ";q=" + strconv.FormatInt(p.PerMinute, 10) + ";w=60"
}

// instant is a time in microseconds and a fraction with the policy's rate as its
// denominator, 0 <= frac < PerMinute.
type instant struct{ micros, frac int64 }

func (p *Policy) add(a, b instant) instant {
	sum := instant{a.micros + b.micros, a.frac + b.frac}
	if sum.frac >= p.PerMinute {
		sum.micros++
		sum.frac -= p.PerMinute
	}
	return sum
}

func (p *Policy) sub(a, b instant) instant {
	diff := instant{a.micros - b.micros, a.frac - b.frac}
	if diff.frac < 0 {
		diff.micros--
		diff.frac += p.PerMinute
	}
	return diff
}

func (a instant) before(b instant) bool {
	return a.micros < b.micros || a.micros == b.micros && a.frac < b.frac
}

// ceil is the instant as a duration, rounded up to a microsecond.
func (a instant) ceil() time.Duration {
	if a.frac > 0 {
		a.micros++
	}
	return time.Duration(a.micros) * time.Microsecond
}

// attempt is what one more request would do to a bucket that is full at the instant
// full: the instant at which it would be full then, and, when that is more than a
// burst ahead, how long to wait.
func (p *Policy) attempt(full instant, now int64) (next instant, wait time.Duration) {
	if full.micros < now {
		full = instant{micros: now}
	}
	next = p.add(full, p.step)
	earliest := p.sub(next, p.span)
	if !(instant{micros: now}).before(earliest) {
		return next, 0
	}
	return next, p.sub(earliest, instant{micros: now}).ceil()
}

// judge says what one more request gets from buckets that are full at the instants
// full. When it passes, full holds afterwards when each bucket will be full again.
func judge(now int64, policies []*Policy, full []instant) Verdict {
	v := Verdict{Allowed: true}
	for i, p := range policies {
		if _, wait := p.attempt(full[i], now); wait > 0 {
			v.Allowed = false
			v.Violated |= 1 << i
			if wait > v.RetryAfter {
				v.RetryAfter, v.Reset, v.Tightest = wait, wait, i
			}
		}
	}
	if !v.Allowed {
		return v
	}
	for i, p := range policies {
		full[i], _ = p.attempt(full[i], now)
		if left := p.remaining(full[i], now); i == 0 || left < v.Remaining {
			v.Tightest, v.Remaining, v.Reset = i, left, p.sub(full[i], instant{micros: now}).ceil()
		}
	}
	return v
}

// remaining is how many requests would still pass a bucket that is full at the
// instant next.
func (p *Policy) remaining(next instant, now int64) int64 {
	left := p.sub(p.span, p.sub(next, instant{micros: now}))
	return (left.micros*p.PerMinute + left.frac) / minute
}
