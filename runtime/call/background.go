package call

import (
	"context"
	"sync"
)

// background is what a Caller does besides the calls, until it is closed.
type background struct {
	mu     sync.Mutex
	ctx    context.Context
	stop   context.CancelFunc
	closed bool
	work   sync.WaitGroup
}

// start does some work in a goroutine of its own. Its context ends when the Caller is
// closed; then nothing more is started, which it says.
func (b *background) start(work func(ctx context.Context)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	if b.ctx == nil {
		b.ctx, b.stop = context.WithCancel(context.Background())
	}
	ctx := b.ctx
	b.work.Go(func() { work(ctx) })
	return true
}

// Close ends what the Caller does in the background, and waits until it has ended: for
// servers that are slow to let a session go, 2 s at most. Calls that are made later still
// work, but leave the sessions of MCP servers to expire.
func (c *Caller) Close() {
	b := &c.background
	b.mu.Lock()
	b.closed = true
	if b.stop != nil {
		b.stop()
	}
	b.mu.Unlock()
	b.work.Wait()
}
