package workflow

import (
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// How much memory runs may hold. Go cannot tell what a goroutine holds, so each line of
// control keeps a ledger of what it made and has not let go of, by estimates that err on
// the high side: what stands in two places counts twice. A megabyte of JSON can take
// thirty in memory, and a run may have hundreds of branches, so without this a few
// workflows could use up a pod.
const (
	// allowance is what a run may hold whatever the other runs do: small workflows keep
	// answering when large ones have taken all there is.
	allowance = 64 << 10
	// maxHeld is what one run may hold.
	maxHeld = 64 << 20
	// chunk is what a line of control claims at once. The first one is free.
	chunk = 16 << 10
	// lineBytes is what a branch takes by itself: a goroutine, its stack, the run.
	lineBytes = 8 << 10
	// taskBytes is the stack of a task that runs inside another one.
	taskBytes = 1 << 10
	// slotBytes is one value in an array.
	slotBytes = 16
	// defaultMemory stands in for the memory limit where there is none: that of a pod by
	// default.
	defaultMemory = 512 << 20
)

// runsMemory is what all runs of this process hold beyond their allowances.
var runsMemory atomic.Int64

// runsLimit bounds runsMemory: a quarter of the memory that Go may use. The rest is for
// bodies of requests, for jq at work, and for garbage.
var runsLimit = sync.OnceValue(func() int64 {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		limit = defaultMemory
	}
	return limit / 4
})

// ledger is what one line of control holds, in bytes.
type ledger struct {
	// held is what it made and has not let go of, but for $context.
	held, contextHeld int64
	// claimed is how much of the run's memory is this line's.
	claimed int64
	// size is that of the value that the last task put out.
	size int64
}

// hold counts bytes that the line of control keeps from now on.
func (r *run) hold(bytes int64) error {
	r.held += bytes
	return r.covered()
}

// covered claims memory for what is counted but not claimed yet.
func (r *run) covered() error {
	short := r.held + r.contextHeld - r.claimed - chunk
	if short <= 0 {
		return nil
	}
	short = (short + chunk - 1) / chunk * chunk
	if err := r.shared.claim(short); err != nil {
		return err
	}
	r.claimed += short
	return nil
}

// keep lets go of everything but so many bytes, which were held before. Claims are given
// back when they are much more than what is held, not each time.
func (r *run) keep(held int64) {
	r.held = held
	if spare := r.claimed - max(held+r.contextHeld-chunk, 0); spare > 4*chunk {
		spare -= spare % chunk
		r.claimed -= spare
		r.shared.release(spare)
	}
}

// join takes over what another line of control of the run holds, which has ended.
func (r *run) join(other *run) {
	r.held += other.held
	r.claimed += other.claimed
}

// claim reserves memory for a line of control.
func (s *shared) claim(bytes int64) error {
	held := s.held.Add(bytes)
	all := runsMemory.Add(beyond(held) - beyond(held-bytes))
	switch {
	case held > maxHeld:
		s.release(bytes)
		return exhausted("the run holds more than %d MiB of data at once: select what the next step needs, or use fewer branches", maxHeld>>20)
	case all > runsLimit() && held > allowance:
		s.release(bytes)
		return overloaded()
	}
	return nil
}

// overloaded is the failure of a run that found no memory: not its own fault, and no catch
// can help.
func overloaded() error {
	e := NewError(RuntimeError, nil, "the workflows that run now hold all the memory that there is for them: try again later")
	e.final, e.overloaded = true, true
	return e
}

// release gives back what was claimed.
func (s *shared) release(bytes int64) {
	held := s.held.Add(-bytes)
	runsMemory.Add(beyond(held) - beyond(held+bytes))
}

// settle gives back what a run that has ended still had claimed.
func (s *shared) settle() {
	if held := s.held.Load(); held > 0 {
		s.release(held)
	}
}

// beyond is how much of what a run holds is beyond its allowance. Each change of it moves
// runsMemory by the difference that it made, so that however the branches of a run
// interleave, the sum is right.
func beyond(held int64) int64 { return max(held-allowance, 0) }
