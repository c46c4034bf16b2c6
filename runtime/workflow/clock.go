package workflow

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"math/rand/v2"
	"time"
)

// systemClock is the clock of the machine.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}

func (r *run) now() time.Time { return r.shared.clock.Now() }

func (r *run) random() float64 {
	if r.shared.host.Random == nil {
		return rand.Float64() //nolint:gosec // it spreads retries out and protects nothing
	}
	return r.shared.host.Random()
}

func (r *run) newID() string {
	if r.shared.host.NewID == nil {
		return cryptorand.Text()
	}
	return r.shared.host.NewID()
}

// sleep waits, or returns why the run ended first.
func (r *run) sleep(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	done := make(chan struct{})
	stop := r.shared.clock.AfterFunc(d, func() { close(done) })
	select {
	case <-done:
		return nil
	case <-r.ctx.Done():
		stop()
		return r.ended()
	}
}

// overrun is why the context of something with a timeout ended.
type overrun struct{ limit time.Duration }

func (o *overrun) Error() string { return "it took more than " + o.limit.String() }

// within runs something that may take no longer than a limit. When the limit is what
// ended it, the error is the specification's timeout.
func (r *run) within(limit time.Duration, do func() error) error {
	outer, late := r.ctx, &overrun{limit}
	ctx, cancel := context.WithCancelCause(outer)
	stop := func() bool { return true }
	if limit > 0 {
		stop = r.shared.clock.AfterFunc(limit, func() { cancel(late) })
	} else {
		cancel(late)
	}
	r.ctx = ctx
	err := do()
	r.ctx = outer
	stop()
	expired := context.Cause(ctx) == error(late) //nolint:errorlint // it is this one, not one like it
	cancel(nil)
	// An error of another kind was there first. That the run as a whole has ended is for
	// whoever ended it.
	if expired && errors.Is(err, errEnded) && outer.Err() == nil {
		return NewError(TimeoutError, late, "it did not finish within its %v", limit)
	}
	return err
}
