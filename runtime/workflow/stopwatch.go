package workflow

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// stopwatch is the context that jq runs under. It goes off when an expression has used
// more than its share of CPU time, and not because the machine was busy with something
// else: a pod that is throttled, or has a thousand other things to do, must not refuse
// what takes a microsecond. It also goes off soon after the run has ended. One stopwatch
// serves all expressions of a run, and of later runs, so that a deadline costs no
// allocation. One that went off is not used again.
type stopwatch struct {
	timer *time.Timer
	done  chan struct{}
	// cpu is the CPU time that a thread of this process has used.
	cpu func(thread int) time.Duration

	mu       sync.Mutex
	outer    context.Context // that of the run
	running  bool
	ended    bool
	latest   time.Time
	thread   int
	usedThen time.Duration
}

var stopwatches = sync.Pool{New: func() any { return newStopwatch(threadTime) }}

// glance is how often a long expression is looked at.
const glance = 10 * time.Millisecond

func newStopwatch(cpu func(thread int) time.Duration) *stopwatch {
	w := &stopwatch{done: make(chan struct{}), cpu: cpu}
	w.timer = time.AfterFunc(time.Hour, w.due)
	w.timer.Stop()
	return w
}

// start lets the stopwatch go off once an expression has had its CPU time, at the latest
// after most, or when outer has ended. Until it is stopped, by the same goroutine, that
// has a thread of its own, whose CPU time is that of the expression.
func (w *stopwatch) start(outer context.Context, most time.Duration) {
	runtime.LockOSThread()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outer, w.running, w.thread = outer, true, thread()
	w.latest, w.usedThen = time.Now().Add(most), w.cpu(w.thread)
	w.timer.Reset(min(glance, most))
}

// due ends the expression, or looks again later.
func (w *stopwatch) due() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.running {
		return // stopped in the meantime
	}
	left, wait := time.Until(w.latest), expressionTime-(w.cpu(w.thread)-w.usedThen)
	if left > 0 && wait > 0 && w.outer.Err() == nil {
		w.timer.Reset(min(left, max(wait, time.Millisecond), glance))
		return
	}
	w.ended = true
	close(w.done)
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
	used := w.cpu(w.thread) - w.usedThen
	runtime.UnlockOSThread()
	w.running, w.outer = false, nil
	w.timer.Stop()
	return used, !w.ended
}

// release gives a stopwatch that did not go off back for the next run.
func (w *stopwatch) release() {
	if w != nil {
		stopwatches.Put(w)
	}
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
