package execution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// run is an execution of this pod, until its end is stored.
type run struct {
	m      *Manager
	ref    Ref
	keep   time.Duration
	began  time.Time
	cancel context.CancelCauseFunc
	// writing is held while it is written, so that the store sees one state after another.
	writing sync.Mutex

	mu sync.Mutex
	x  Execution
	// log has the events that are not stored and, before them, those of the same chunk.
	log []Event
	// held is how much of Manager.waiting is its: the data in the log, and the output.
	held int64
	// stored is the last event that is stored.
	stored int
	// rewrite says that the store lost it.
	rewrite bool
	// givenUp says that others settled it, tried that its end could not be stored at once,
	// and gone that it is.
	givenUp, tried, gone bool
	// more is closed with the next event, once somebody waits for it.
	more    chan struct{}
	watched bool
}

func newRun(m *Manager, s Start) *run {
	began := m.o.Now()
	r := &run{m: m, keep: s.Within, began: began, more: make(chan struct{})}
	r.x = Execution{
		ID: m.o.NewID(), Subject: s.Subject, Workflow: s.Workflow, Version: s.Version, Mode: s.Mode, Status: Running,
		Created: began.Truncate(time.Millisecond), // as it is stored
	}
	r.ref = Ref{s.Subject, r.x.ID}
	r.append(EventStart, nil)
	return r
}

// append adds an event to the log, which keeps no more than stores do.
func (r *run) append(t EventType, data json.RawMessage) {
	r.x.LastEvent++
	r.log = append(r.log, Event{ID: r.x.LastEvent, Type: t, Time: r.m.o.Now(), Data: data})
	r.hold(len(data))
	if old := len(r.log) - 1 - chunkEvents; old >= 0 && r.log[old].ID > headEvents {
		r.drop(old, old+1)
	}
}

func (r *run) drop(from, to int) {
	for _, e := range r.log[from:to] {
		r.hold(-len(e.Data))
	}
	r.log = slices.Delete(r.log, from, to)
}

// hold counts what is held.
func (r *run) hold(bytes int) {
	r.held += int64(bytes)
	r.m.waiting.Add(int64(bytes))
}

// task tells of a task. While too much waits for the store its data is left out.
func (r *run) task(data json.RawMessage) {
	if len(data) > MaxEventData || r.m.waiting.Load()+int64(len(data)) > maxWaiting || !json.Valid(data) {
		data = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.x.Status != Running {
		return // somebody was left behind by the run
	}
	r.append(EventTask, slices.Clone(data))
	r.tell()
	r.m.wake()
}

// tell wakes whoever follows. The end is told when it was stored, so that who asks another
// pod then is told the same; or when it cannot be.
func (r *run) tell() {
	if r.watched {
		close(r.more)
		r.more, r.watched = make(chan struct{}), false
	}
}

// run runs it to its end, and stores that.
func (r *run) run(ctx context.Context, do func(context.Context, string, func(json.RawMessage)) Outcome) {
	outcome := r.protect(ctx, do)
	cause := context.Cause(ctx)
	r.cancel(nil)
	r.settle(outcome, cause)
	_ = r.store(context.WithoutCancel(ctx)) // else Manager.flush tries again
	r.mu.Lock()
	r.tell()
	r.mu.Unlock()
}

func (r *run) protect(ctx context.Context, do func(context.Context, string, func(json.RawMessage)) Outcome) (o Outcome) {
	defer func() {
		if cause := recover(); cause != nil {
			r.m.o.Log.Error("Execution panicked", "execution", r.ref.ID, "workflow", r.x.Workflow, "cause", fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
			f := failurePanic
			o = Outcome{Failure: &f}
		}
	}()
	return do(ctx, r.ref.ID, r.task)
}

// settle makes it one that has ended. What came to its own end has not been ended by others
// even if they tried.
func (r *run) settle(o Outcome, cause error) {
	failure, status := o.Failure, Failed
	switch {
	case failure == nil && (len(o.Output) > MaxOutput || !json.Valid(o.Output)):
		failure = &failureTooLarge
	case failure == nil:
		status = Completed
	case errors.Is(cause, ErrCanceled):
		failure, status = &failureCanceled, Canceled
	case errors.Is(cause, ErrShutDown):
		failure = &failureShutDown
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.x.Status != Running {
		return // Drain did not wait for it
	}
	r.end(status, o.Output, failure)
}

func (r *run) end(status Status, output json.RawMessage, failure *Failure) {
	now := r.m.o.Now()
	r.x.Status, r.x.CancelRequested = status, false
	r.x.Finished, r.x.Took = now.Truncate(time.Millisecond), now.Sub(r.began).Truncate(time.Microsecond)
	if failure == nil {
		r.x.Output = output
		r.hold(len(output))
		r.append(EventComplete, nil)
		return
	}
	r.x.Failure = failure.bounded()
	r.append(EventError, nil)
}

// store writes it as it stands.
func (r *run) store(ctx context.Context) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if !r.unstored() {
		return nil
	}
	x, events := r.snapshot()
	mark, err := r.m.o.Store.Update(ctx, Write{Execution: x, Events: events, Keep: r.keep})
	if err != nil {
		r.forgo()
		return err
	}
	r.markStored(x.LastEvent)
	if x.Status == Running {
		r.heed(mark)
		return nil
	}
	if mark == Settled && !r.tried { // else by this pod, and the answer was lost
		r.m.o.Log.Warn("Execution ended after other pods had given up this one", "execution", r.ref.ID, "workflow", x.Workflow, "status", x.Status)
	}
	r.leave()
	return nil
}

// leave is the end of its life here.
func (r *run) leave() {
	r.mu.Lock()
	r.gone = true
	r.hold(int(-r.held))
	r.mu.Unlock()
	r.m.remove(r)
}

// snapshot returns it and its log.
func (r *run) snapshot() (Execution, []Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.x, slices.Clone(r.log)
}

// markStored drops from the log what needs not be written again.
func (r *run) markStored(last int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stored, r.rewrite = last, false
	n := 0
	for n < len(r.log) && chunkOf(r.log[n].ID) < chunkOf(last+1) {
		n++
	}
	r.drop(0, n)
}

// heed does what the store says.
func (r *run) heed(mark Mark) {
	switch mark {
	case Asked:
		r.ask()
	case Settled:
		r.mu.Lock()
		ended := r.x.Status != Running // by itself, in the meantime
		r.givenUp = r.givenUp || !ended
		r.tell()
		r.mu.Unlock()
		if !ended {
			r.cancel(ErrGivenUp)
		}
	case Missing:
		r.mu.Lock()
		r.rewrite = true
		r.mu.Unlock()
		r.m.wake()
	case Going:
	}
}

func (r *run) ask() {
	r.mu.Lock()
	if r.x.Status == Running {
		r.x.CancelRequested = true
	}
	r.mu.Unlock()
	r.cancel(ErrCanceled)
}

// lessen is store while the store is away.
func (r *run) lessen() {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.forgo()
}

// forgo gives up the output when it has waited too long, or when too much waits. The rest is
// small and waits on.
func (r *run) forgo() {
	r.mu.Lock()
	defer r.mu.Unlock()
	late := r.m.o.Now().Sub(r.x.Finished) >= giveUpAfter || r.m.waiting.Load() > maxWaiting
	r.tried = r.tried || r.x.Status != Running
	if r.gone || r.x.Status == Running || !late || r.x.Output == nil && (r.x.Failure == nil || r.x.Failure.Problem == nil) {
		return
	}
	r.m.o.Log.Error("Result of an execution is lost: it could not be stored in time", "execution", r.ref.ID, "workflow", r.x.Workflow, "status", r.x.Status)
	if r.x.Failure != nil {
		f := *r.x.Failure
		f.Problem = nil
		r.x.Failure = &f
		return
	}
	f := failureLost
	r.hold(-len(r.x.Output))
	r.x.Status, r.x.Output, r.x.Failure = Failed, nil, &f
	r.log[len(r.log)-1].Type = EventError
}

func (r *run) look() Execution {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.x
}

func (r *run) going() bool { return r.look().Status == Running }

func (r *run) isGivenUp() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.givenUp
}

// unstored says whether the store does not know how it stands.
func (r *run) unstored() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.gone && (r.rewrite || r.stored < r.x.LastEvent)
}
