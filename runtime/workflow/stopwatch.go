package workflow

import (
	"context"
	"sync"
	"time"
)

// stopwatch is the context that jq runs under. One timer serves all expressions of a
// run, and of later runs, so that a deadline costs no allocation. A stopwatch that
// went off is not used again.
type stopwatch struct {
	timer *time.Timer
	done  chan struct{}
}

var stopwatches = sync.Pool{New: func() any {
	w := &stopwatch{done: make(chan struct{})}
	w.timer = time.AfterFunc(time.Hour, func() { close(w.done) })
	w.timer.Stop()
	return w
}}

// start lets the stopwatch go off after d.
func (w *stopwatch) start(d time.Duration) { w.timer.Reset(d) }

// stop says whether the stopwatch was stopped before it went off.
func (w *stopwatch) stop() bool { return w.timer.Stop() }

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
