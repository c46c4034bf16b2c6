package mcp

import (
	"context"
	"sync"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// sessions are the connections that stay open.
type sessions struct {
	places chan struct{}
	// over is closed when the process drains.
	over  chan struct{}
	once  *sync.Once
	group *sync.WaitGroup
}

func newSessions(most int) sessions {
	return sessions{places: make(chan struct{}, most), over: make(chan struct{}), once: new(sync.Once), group: new(sync.WaitGroup)}
}

// session is one of them; its context ends when the process drains.
type session struct {
	ctx context.Context
	// end ends it, and leave gives its place back.
	end, leave func()
}

// begin takes a place until leave. The error is a *fault.Error.
func (s *sessions) begin(ctx context.Context) (session, error) {
	select {
	case <-s.over:
		return session{}, draining()
	default:
	}
	select {
	case s.places <- struct{}{}:
	default:
		f := fault.New(fault.Overloaded, "all places for connections that stay open are taken: try again shortly, or send single requests to /mcp")
		f.RetryAfter = retrySoon
		return session{}, f
	}
	s.group.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-s.over:
			cancel()
		case <-ctx.Done():
		}
	}()
	return session{ctx: ctx, end: cancel, leave: func() {
		cancel()
		<-s.places
		s.group.Done()
	}}, nil
}

// acceptedEvery is how often the caller's credential is looked at.
const acceptedEvery = 30 * time.Second

// whileAccepted ends the session once its caller's credential is not accepted any more.
func (s session) whileAccepted(accepted func(context.Context, time.Time) bool) {
	ticker := time.NewTicker(acceptedEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case now := <-ticker.C:
			if !accepted(s.ctx, now) {
				s.end()
				return
			}
		}
	}
}

func draining() error {
	f := fault.New(fault.Overloaded, "this pod is about to end: connect again")
	f.RetryAfter = retrySoon
	return f
}

func (s *sessions) drain() { s.once.Do(func() { close(s.over) }) }

func (s *sessions) wait(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		s.group.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
