package limit

import (
	"context"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Fallback is the Redis store of an app and what is done while that cannot be used, as
// spec.rateLimit.onStoreError says.
type Fallback struct {
	shared   *Redis
	local    *Memory
	mode     v1alpha1.StoreErrorMode
	degraded func()
}

// NewFallback returns a store that goes on with the Memory, or as the mode says, for each
// request for which Redis cannot be used, and calls degraded for it. Several may share
// both stores.
func NewFallback(shared *Redis, local *Memory, mode v1alpha1.StoreErrorMode, degraded func()) *Fallback {
	return &Fallback{shared: shared, local: local, mode: mode, degraded: degraded}
}

// Take implements Store. It is an error only in the mode Deny.
func (f *Fallback) Take(ctx context.Context, now time.Time, who Caller, policies []*Policy) (Verdict, error) {
	v, err := f.shared.Take(ctx, now, who, policies)
	if err == nil {
		return v, nil
	}
	f.degraded()
	switch f.mode {
	case v1alpha1.StoreErrorAllow:
		return Verdict{Allowed: true, Unlimited: true}, nil
	case v1alpha1.StoreErrorDeny:
		return Verdict{}, err
	default:
		return f.local.Take(ctx, now, who, policies)
	}
}

// Spent implements Store. A bucket that this pod counted by itself is spent as long as
// it would be without Redis.
func (f *Fallback) Spent(now time.Time, who Caller, policy *Policy) bool {
	return f.shared.Spent(now, who, policy) || f.mode == v1alpha1.StoreErrorLocal && f.local.Spent(now, who, policy)
}
