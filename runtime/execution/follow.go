package execution

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"
)

const (
	// MaxFollowers is how many follow executions on one pod at once.
	MaxFollowers = 1000
	// MaxSubjectFollowers is how many of them may be of one subject. Callers who do not log
	// in are no subject.
	MaxSubjectFollowers = 100
	// pollFirst is how soon the store is asked again for events of another pod's execution,
	// and pollLast how late while there are none.
	pollFirst, pollLast = 250 * time.Millisecond, time.Second
	// followPatience is how long the store may be away before followers are turned away.
	followPatience = 30 * time.Second
)

// Follower reads the events of an execution as they happen, on whichever pod. It is for one
// goroutine, and has to be closed.
type Follower struct {
	m   *Manager
	ref Ref
	// last is the last event that was read, and ready are those to be read next.
	last  int
	ready []Event
	// over says that there are no more.
	over, closed bool
	poll         time.Duration
	// failing is since when the store cannot be reached; zero when it can.
	failing time.Time
}

// Follow returns a Follower of the events after one: 0 for all. Errors are as those of Get,
// and Overloaded when there are MaxFollowers, or MaxSubjectFollowers of the subject.
func (m *Manager) Follow(ctx context.Context, subject, id string, after int) (*Follower, error) {
	f := &Follower{m: m, ref: Ref{subject, id}, last: max(after, 0), poll: pollFirst}
	if err := m.seat(subject); err != nil {
		return nil, err
	}
	if m.own(f.ref) == nil {
		if err := f.load(ctx); err != nil {
			f.Close()
			return nil, m.visible(err)
		}
	}
	return f, nil
}

// Close ends the following.
func (f *Follower) Close() {
	if !f.closed {
		f.closed = true
		f.m.unseat(f.ref.Subject)
	}
}

// seat counts a follower of a subject, if there may be another one.
func (m *Manager) seat(subject string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.followers >= MaxFollowers:
		return overloaded("too many executions are being followed: try again shortly", nil)
	case subject != "" && m.followersOf[subject] >= MaxSubjectFollowers:
		return overloaded("you follow too many executions at once: stop following one, or ask for them now and then", nil)
	}
	m.followers++
	m.followersOf[subject]++
	return nil
}

func (m *Manager) unseat(subject string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.followers--
	if m.followersOf[subject]--; m.followersOf[subject] == 0 {
		delete(m.followersOf, subject)
	}
}

// Next waits for events and returns one or more, in their order. After the last one it is
// io.EOF: then Get tells how the execution ended. It is the context's error when that ends
// first, which loses nothing: Next may be called again. Anything else is a *fault.Error.
func (f *Follower) Next(ctx context.Context) ([]Event, error) {
	for {
		if len(f.ready) > 0 {
			return f.deliver(), nil
		}
		if f.over {
			return nil, io.EOF
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := f.wait(ctx); err != nil {
			return nil, err
		}
	}
}

func (f *Follower) deliver() []Event {
	events := slices.Clone(f.ready)
	f.ready = nil
	for i := range events {
		e := &events[i]
		e.Dropped = max(0, e.ID-f.last-1)
		f.last = e.ID
		f.over = f.over || e.Type.ends()
	}
	return events
}

// wait waits until it is worth while to look again.
func (f *Follower) wait(ctx context.Context) error {
	if r := f.m.own(f.ref); r != nil {
		return f.waitHere(ctx, r)
	}
	switch err := f.load(ctx); {
	case err != nil && (errors.Is(err, errNotFound) || errors.Is(err, errFormat) || f.m.o.Now().Sub(f.failing) >= followPatience):
		return f.m.visible(err)
	case err == nil && (len(f.ready) > 0 || f.over):
		f.poll = pollFirst
		return nil
	}
	timer := time.NewTimer(f.poll)
	defer timer.Stop()
	f.poll = min(2*f.poll, pollLast)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// waitHere is wait for an execution of this pod.
func (f *Follower) waitHere(ctx context.Context, r *run) error {
	n := r.after(f.last)
	if n.earlier { // they are in the store; when that is away there will be a gap
		if err := f.load(ctx); err == nil && len(f.ready) > 0 {
			return nil
		}
	}
	f.ready, f.over = n.events, n.over
	if len(f.ready) > 0 || f.over {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-n.more:
		return nil
	}
}

// load reads from the store.
func (f *Follower) load(ctx context.Context) error {
	x, events, err := f.m.o.Store.Events(ctx, f.ref.Subject, f.ref.ID, f.last)
	if err != nil {
		if f.failing.IsZero() {
			f.failing = f.m.o.Now()
		}
		return err
	}
	f.failing, f.ready = time.Time{}, events
	f.over = x.Status != Running && len(events) == 0
	return nil
}

// news are the events of an execution after one that are here.
type news struct {
	events []Event
	// earlier says that there are some before them, which only the store has.
	earlier bool
	// over says that there are no more; else more is closed when there are.
	over bool
	more <-chan struct{}
}

func (r *run) after(last int) news {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watched = true
	return news{
		events:  slices.Clone(after(r.log, last)),
		earlier: len(r.log) > 0 && r.log[0].ID > last+1 && r.stored > last,
		over:    r.x.Status != Running && last >= r.x.LastEvent,
		more:    r.more,
	}
}
