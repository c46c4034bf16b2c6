package redis

import "sync/atomic"

// threshold is how many failures in a row open a breaker.
const threshold = 3

// breaker counts the failures in a row. While it is open nothing is sent but the
// question how Redis is, whose first answer closes it.
type breaker struct{ failures atomic.Int32 }

func (b *breaker) open() bool { return b.failures.Load() >= threshold }

// begin is called before a call, and its result is for failed.
func (b *breaker) begin() int32 { return b.failures.Load() }

// failed counts the failure of a call that began after so many and says whether the
// breaker is open. Calls that are under way together fail together, by one pause of the
// network or of a processor, and count as one.
func (b *breaker) failed(began int32) bool {
	if began < threshold {
		b.failures.CompareAndSwap(began, began+1)
	}
	return b.open()
}

// succeeded says whether the breaker was open.
func (b *breaker) succeeded() bool {
	// Nearly always there is nothing to reset, and a write would slow down all others.
	return b.failures.Load() != 0 && b.failures.Swap(0) >= threshold
}
