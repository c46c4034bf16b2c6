package auth

import (
	"context"
	"time"
)

// slotPatience is how long a verification waits for a place.
const slotPatience = 250 * time.Millisecond

// slots are the places for signature verifications, over all callers: a flood of tokens
// that look right leaves half of the CPUs to those who were verified before.
type slots chan struct{}

// take waits for a place; false when there is none for too long.
func (s slots) take(ctx context.Context) bool {
	select {
	case s <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(slotPatience)
	defer timer.Stop()
	select {
	case s <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (s slots) release() { <-s }
