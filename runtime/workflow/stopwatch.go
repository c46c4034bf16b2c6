package workflow

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// stopwatch is the context that jq runs under. It goes off when an expression has used
// more than its share of CPU time, and not because the machine was busy with something
// else: a pod that is throttled, or has a thousand other things to do, must not refuse
// what takes a microsecond. It also goes off soon after the run has ended, and when memory gets short: what jq has at work is
// counted by nobody. One stopwatch
// serves all expressions of a line of control, so that most of them cost no allocation.
// One that went off is not used again.
type stopwatch struct {
	timer *time.Timer
	done  chan struct{}
	// cpu is the CPU time that a thread of this process has used.
	cpu func(thread int) time.Duration
	// full says whether memory gets short.
	full func() bool

	mu       sync.Mutex
	outer    context.Context // that of the run
	running  bool
	ended    bool
	short    bool          // of memory, which is why it ended
	share    time.Duration // of CPU time
	began    time.Time
	latest   time.Time
	thread   int
	usedThen time.Duration
}

// glance is how often a long expression is looked at. In that time jq can make some
// megabytes.
const glance = 2 * time.Millisecond

// heapFull says whether three quarters of the memory that Go may use are in use or not
// collected yet. An expression that has been running for a while then ends, rather than
// the process; one that takes less than a glance is never asked.
func heapFull() bool {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return false
	}
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64() > uint64(limit)/4*3 //nolint:gosec // a limit is not negative
}

func newStopwatch(cpu func(thread int) time.Duration) *stopwatch {
	w := &stopwatch{done: make(chan struct{}), cpu: cpu, full: heapFull}
	w.timer = time.AfterFunc(time.Hour, w.due)
	w.timer.Stop()
	return w
}

// start lets the stopwatch go off once an expression has had its share of CPU time, at the
// latest after most, or when outer has ended. Until it is stopped, by the same goroutine, that
// has a thread of its own, whose CPU time is that of the expression.
func (w *stopwatch) start(outer context.Context, share, most time.Duration) {
	runtime.LockOSThread()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outer, w.running, w.share, w.thread = outer, true, share, thread()
	w.began, w.usedThen = time.Now(), w.cpu(w.thread)
	w.latest = w.began.Add(most)
	w.timer.Reset(min(glance, share, most))
}

// due ends the expression, or looks again later.
func (w *stopwatch) due() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.running || w.ended {
		return // stopped in the meantime, or another alarm that waited for the lock was first
	}
	left, wait := time.Until(w.latest), w.share-w.used()
	w.short = w.full()
	if left > 0 && wait > 0 && w.outer.Err() == nil && !w.short {
		w.timer.Reset(min(left, max(wait, time.Millisecond), glance))
		return
	}
	w.ended = true
	close(w.done)
}

// used is the CPU time that the expression has had so far. To ask for it costs more than
// most expressions.
func (w *stopwatch) used() time.Duration {
	if elapsed := time.Since(w.began); elapsed < time.Millisecond {
		return elapsed
	}
	return w.cpu(w.thread) - w.usedThen
}

// stop returns the CPU time that the expression took, and whether the stopwatch was
// stopped before it went off. Stopping it twice, or one that was never needed, does
// nothing.
func (w *stopwatch) stop() (time.Duration, bool) {
	if w == nil {
		return 0, true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.running {
		return 0, !w.ended
	}
	used := w.used()
	runtime.UnlockOSThread()
	w.running, w.outer = false, nil
	w.timer.Stop()
	return used, !w.ended
}

// Deadline implements context.Context; jq does not ask for it.
func (w *stopwatch) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (w *stopwatch) Done() <-chan struct{} { return w.done }

// Err implements context.Context.
func (w *stopwatch) Err() error {
	select {
	case <-w.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// Value implements context.Context.
func (w *stopwatch) Value(any) any { return nil }
