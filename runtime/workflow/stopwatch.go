package workflow

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// stopwatch is the context that jq runs under. It goes off when an expression has used
// more than its share of CPU time, and not because the machine was busy with something
// else: a pod that is throttled must not refuse what takes a microsecond. One stopwatch
// serves all expressions of a run, and of later runs, so that a deadline costs no
// allocation. One that went off is not used again.
type stopwatch struct {
	timer *time.Timer
	done  chan struct{}
	// cpu is the CPU time that this process has used.
	cpu func() time.Duration

	mu       sync.Mutex
	running  bool
	ended    bool
	began    time.Time
	latest   time.Time
	usedThen time.Duration
}

var stopwatches = sync.Pool{New: func() any { return newStopwatch(processCPU) }}

// active is how many expressions run now, and share the CPU time of the process.
var active atomic.Int64

func newStopwatch(cpu func() time.Duration) *stopwatch {
	w := &stopwatch{done: make(chan struct{}), cpu: cpu}
	w.timer = time.AfterFunc(time.Hour, w.due)
	w.timer.Stop()
	return w
}

// start lets the stopwatch go off once an expression has had its CPU time, and at the
// latest after most.
func (w *stopwatch) start(most time.Duration) {
	active.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running, w.began, w.usedThen = true, time.Now(), w.cpu()
	w.latest = w.began.Add(most)
	w.timer.Reset(min(expressionTime, most))
}

// due ends the expression, or looks again later when it has been kept waiting.
func (w *stopwatch) due() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.running {
		return // stopped in the meantime
	}
	now := time.Now()
	left := w.latest.Sub(now)
	wait := expressionTime - now.Sub(w.began)
	if wait <= 0 {
		// Its own share is not known; all that run at once are taken to have had the same.
		wait = expressionTime - (w.cpu()-w.usedThen)/time.Duration(max(active.Load(), 1))
	}
	if left > 0 && wait > 0 {
		w.timer.Reset(min(left, max(wait, time.Millisecond)))
		return
	}
	w.ended = true
	close(w.done)
}

// stop says whether the stopwatch was stopped before it went off. Stopping it twice, or
// one that was never needed, does nothing.
func (w *stopwatch) stop() bool {
	if w == nil {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running {
		active.Add(-1)
		w.running = false
		w.timer.Stop()
	}
	return !w.ended
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
