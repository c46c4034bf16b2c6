package limit

import (
	"context"
	"sync/atomic"
	"time"
)

// deadlines hands out contexts that end when a time has passed, or up to a tenth of it
// earlier: calls that begin at about the same time share one, since a context of its own
// costs a call more than all the rest.
type deadlines struct {
	length  time.Duration
	current atomic.Pointer[deadline]
}

type deadline struct {
	ctx context.Context
	// fresh is until when it is handed out.
	fresh time.Time
	// cancel is not called: the context ends by itself, soon.
	cancel context.CancelFunc
}

func (d *deadlines) context() context.Context {
	now := time.Now()
	if c := d.current.Load(); c != nil && now.Before(c.fresh) {
		return c.ctx
	}
	next := &deadline{fresh: now.Add(d.length / 10)}
	next.ctx, next.cancel = context.WithDeadline(context.Background(), now.Add(d.length)) //nolint:gosec // G118: see cancel
	d.current.Store(next)
	return next.ctx
}
