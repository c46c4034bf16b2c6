package mcp

import (
	"context"
	"sync"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
)

// sessions are the connections that stay open.
type sessions struct {
	most, mostOfOne int
	// over is closed when the process drains.
	over  chan struct{}
	group sync.WaitGroup

	mu    sync.Mutex
	all   int
	of    map[limit.Caller]int
	ended bool
}

func newSessions(most, mostOfOne int) *sessions {
	return &sessions{most: most, mostOfOne: mostOfOne, over: make(chan struct{}), of: map[limit.Caller]int{}}
}

// session is one of them; its context ends when the process drains.
type session struct {
	ctx context.Context
	// end ends it, and leave gives its place back.
	end, leave func()
}

// begin takes a place of the caller's until leave. The error is a *fault.Error.
func (s *sessions) begin(ctx context.Context, who limit.Caller) (session, error) {
	if err := s.enter(who); err != nil {
		return session{}, err
	}
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
		s.leave(who)
	}}, nil
}

func (s *sessions) enter(who limit.Caller) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return draining()
	case s.all >= s.most:
		return noSession("all places for connections that stay open are taken: try again shortly, or send single requests to /mcp")
	case s.of[who] >= s.mostOfOne:
		return noSession("you have as many connections open as one caller may: close one, or send single requests to /mcp")
	}
	s.all++
	s.of[who]++
	s.group.Add(1)
	return nil
}

func noSession(detail string) error {
	return &fault.Error{Code: fault.Overloaded, Detail: detail, RetryAfter: retrySoon}
}

func (s *sessions) leave(who limit.Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.of[who]--; s.of[who] == 0 {
		delete(s.of, who)
	}
	s.group.Done()
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

func draining() error { return noSession("this pod is about to end: connect again") }

func (s *sessions) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended = true
		close(s.over)
	}
}

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
