package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// deadline is a context with a deadline that costs a timer only for whom waits on
// Done. Most runs finish without waiting for anything and only ask for Err.
type deadline struct {
	context.Context
	at time.Time
	// stopped says that stop was called. It is for Err, which is asked often.
	stopped atomic.Bool

	mu     sync.Mutex
	full   context.Context
	cancel context.CancelFunc
}

func newDeadline(parent context.Context, at time.Time) *deadline {
	return &deadline{Context: parent, at: at}
}

// Deadline implements context.Context.
func (d *deadline) Deadline() (time.Time, bool) {
	if at, ok := d.Context.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full == nil {
		d.full, d.cancel = context.WithDeadline(d.Context, d.at)
		if d.stopped.Load() {
			d.cancel()
		}
	}
	return d.full.Done()
}

// Err implements context.Context. Whoever finds Done closed finds an error: without one,
// contexts that are made of this one panic.
func (d *deadline) Err() error {
	if err := d.Context.Err(); err != nil {
		return err
	}
	if !time.Now().Before(d.at) {
		return context.DeadlineExceeded
	}
	if d.stopped.Load() {
		return context.Canceled
	}
	return nil
}

// stop ends the context, and the timer, if there is one.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped.Store(true)
	if d.cancel != nil {
		d.cancel()
	}
}
