package execution

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

const (
	// flushEvery is how long events wait for others to be stored with.
	flushEvery = 100 * time.Millisecond
	// beatEvery is how often the store is told that this pod is alive.
	beatEvery = 2 * time.Second
	// giveUpAfter is how long an output waits for a store that cannot be reached.
	giveUpAfter = time.Minute
	// maxWaiting bounds what waits for the store, in bytes.
	maxWaiting = 16 << 20
	// retrySoon is what callers are asked for when there is no room, or no store.
	retrySoon = time.Second
	// storePatience bounds what is still tried when there is no time left.
	storePatience = 2 * time.Second
)

// Why a run's context ended: its context.Cause.
var (
	// ErrCanceled is somebody's request.
	ErrCanceled = errors.New("the execution was canceled")
	// ErrShutDown is the end of the pod.
	ErrShutDown = errors.New("the pod is shut down")
	// ErrGivenUp is another pod that found this one gone and told the caller so.
	ErrGivenUp = errors.New("the pod was taken for gone")
)

// Options of a Manager. All are required.
type Options struct {
	Store Store
	// NewID makes ids: 32 hexadecimal digits that cannot be guessed.
	NewID func() string
	Now   func() time.Time
	// Log is told of what is lost.
	Log *slog.Logger
}

// Manager runs executions and answers for those of all pods that share its store. It is
// safe for concurrent use.
type Manager struct {
	o Options
	// dirty wakes Run: something is to be stored.
	dirty chan struct{}
	// waiting is the size of what is held until it is stored.
	waiting atomic.Int64

	mu       sync.Mutex
	runs     map[Ref]*run
	debts    []*debt
	draining bool
	// followers is how many there are, and followersOf how many of each subject.
	followers   int
	followersOf map[string]int
	// removed tells Drain that an execution is done with.
	removed chan struct{}
}

// NewManager returns a Manager. Without Run it stores nothing but beginnings and ends.
func NewManager(o Options) *Manager {
	return &Manager{o: o, dirty: make(chan struct{}, 1), runs: map[Ref]*run{}, followersOf: map[string]int{}, removed: make(chan struct{}, 1)}
}

// Run stores what happens and tells the store that this pod is alive, until the context
// ends.
func (m *Manager) Run(ctx context.Context) {
	var running sync.WaitGroup
	// It has a goroutine of its own, since a slow store must not take this pod for gone.
	running.Go(func() { m.beatLoop(ctx) })
	again := time.NewTicker(beatEvery)
	defer again.Stop()
	var flush <-chan time.Time
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-m.dirty:
			if flush == nil {
				flush = time.After(flushEvery)
			}
		case <-flush:
			flush = nil
			m.flush(ctx)
		case <-again.C: // what could not be stored
			m.flush(ctx)
			m.settleDebts(ctx)
		}
	}
	running.Wait()
}

func (m *Manager) beatLoop(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		m.beat(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// beat also brings the cancellations that other pods were asked for.
func (m *Manager) beat(ctx context.Context) {
	var runs []*run
	var refs []Ref
	for _, r := range m.all() {
		if r.going() {
			runs, refs = append(runs, r), append(refs, r.ref)
		}
	}
	marks, err := m.o.Store.Beat(ctx, refs)
	if err != nil {
		return // the next one may be heard
	}
	for i, r := range runs {
		r.heed(marks[i])
	}
}

// flush stores what happened. When one cannot be stored the others wait too.
func (m *Manager) flush(ctx context.Context) {
	var away error
	for _, r := range m.all() {
		if away != nil {
			r.lessen()
		} else if err := r.store(ctx); !errors.Is(err, errNoRoom) {
			away = err
		}
	}
}

func (m *Manager) wake() {
	select {
	case m.dirty <- struct{}{}:
	default:
	}
}

func (m *Manager) all() []*run {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]*run, 0, len(m.runs))
	for _, r := range m.runs {
		list = append(list, r)
	}
	return list
}

// own returns an execution of this pod that is not in the store as it is here.
func (m *Manager) own(ref Ref) *run {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.runs[ref]
	if r == nil || r.isGivenUp() {
		return nil
	}
	return r
}

func (m *Manager) remove(r *run) {
	m.mu.Lock()
	delete(m.runs, r.ref)
	m.mu.Unlock()
	select {
	case m.removed <- struct{}{}:
	default:
	}
}

// Start says what is to be run.
type Start struct {
	Subject, Workflow, Version string
	Mode                       Mode
	// Within is how long it may take. Should the pod be gone and nobody ask, it is
	// forgotten after that and the retention.
	Within time.Duration
}

// Start runs something in a goroutine of its own. Its context has the values of ctx and
// ends by Cancel, Drain, or when other pods have given up this one; task tells of a task,
// with JSON as data, and returns at once. The error is a *fault.Error with the code
// Overloaded: then nothing was run.
func (m *Manager) Start(ctx context.Context, s Start, do func(ctx context.Context, id string, task func(data json.RawMessage)) Outcome) (Execution, error) {
	m.mu.Lock()
	draining := m.draining
	m.mu.Unlock()
	if draining {
		return Execution{}, overloaded("the pod is being shut down: try again shortly", nil)
	}
	r := newRun(m, s)
	x, events := r.snapshot()
	if err := m.o.Store.Create(ctx, Write{Execution: x, Events: events, Keep: s.Within}); err != nil {
		if !errors.Is(err, errNoRoom) && !errors.Is(err, errTooMany) {
			m.owe(&debt{kind: owedForget, ref: r.ref, doubtful: true}) // it may have come to pass all the same
		}
		return Execution{}, m.visible(err)
	}
	ctx, r.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	r.markStored(x.LastEvent)
	m.mu.Lock()
	if m.draining { // since then
		r.cancel(ErrShutDown)
	}
	m.runs[r.ref] = r
	m.mu.Unlock()
	go r.run(ctx, do)
	return x, nil
}

// Get returns an execution of the subject. The error is a *fault.Error: NotFound, also for
// everybody else's, or Overloaded when the store cannot be reached.
func (m *Manager) Get(ctx context.Context, subject, id string) (Execution, error) {
	if r := m.own(Ref{subject, id}); r != nil {
		return r.look(), nil
	}
	x, err := m.o.Store.Get(ctx, subject, id)
	if err != nil {
		return Execution{}, m.visible(err)
	}
	return x, nil
}

// List returns the subject's last executions, the newest first, without their outputs. The
// limit is from 1 to 100. Errors are as those of Get.
func (m *Manager) List(ctx context.Context, subject string, limit int) ([]Execution, error) {
	list, err := m.o.Store.List(ctx, subject, max(1, min(limit, maxList)))
	if err != nil {
		return nil, m.visible(err)
	}
	for i := range list {
		if r := m.own(Ref{subject, list[i].ID}); r != nil {
			list[i] = r.look()
			list[i].Output = nil
		}
	}
	return list, nil
}

const maxList = 100

// Cancel has an execution canceled, soon, and returns it; one that has ended stays as it
// is. Errors are as those of Get.
func (m *Manager) Cancel(ctx context.Context, subject, id string) (Execution, error) {
	if r := m.own(Ref{subject, id}); r != nil {
		r.ask()
		return r.look(), nil
	}
	x, err := m.o.Store.Cancel(ctx, subject, id)
	if err != nil {
		return Execution{}, m.visible(err)
	}
	return x, nil
}

// visible is an error of the store as callers see it.
func (m *Manager) visible(err error) error {
	switch {
	case errors.Is(err, errNotFound):
		return fault.New(fault.NotFound, "there is no such execution: check the id; an execution that has ended is forgotten after a while")
	case errors.Is(err, errTooMany):
		return overloaded("too many of your executions are running: wait for one to end, or cancel one", err)
	case errors.Is(err, errNoRoom):
		return overloaded("there is no room for another execution: try again shortly", err)
	case errors.Is(err, errFormat):
		f := fault.As(err)
		f.Detail = "what is stored of it cannot be read: it was written by another version, or is damaged"
		return f
	}
	return overloaded("what is kept of executions cannot be reached just now: try again shortly", err)
}

func overloaded(detail string, cause error) error {
	return &fault.Error{Code: fault.Overloaded, Detail: detail, RetryAfter: retrySoon, Cause: cause}
}
