package limit

import "sync/atomic"

// Budget bounds how many bytes are in use at once.
type Budget struct {
	free atomic.Int64
}

// NewBudget returns a budget of n bytes.
func NewBudget(n int64) *Budget {
	b := &Budget{}
	b.free.Store(n)
	return b
}

// Take takes n bytes, or none and returns false when fewer are free.
func (b *Budget) Take(n int64) bool {
	if b.free.Add(-n) >= 0 {
		return true
	}
	b.free.Add(n)
	return false
}

// Return gives n bytes back.
func (b *Budget) Return(n int64) { b.free.Add(n) }

// Free is how many bytes are not in use.
func (b *Budget) Free() int64 { return b.free.Load() }
