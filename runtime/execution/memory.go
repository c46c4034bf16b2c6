package execution

import (
	"container/list"
	"context"
	"slices"
	"sync"
	"time"
)

// What things cost besides the texts in them, in bytes, rounded up.
const (
	executionCost = 2 << 10
	eventCost     = 128
	claimCost     = 1 << 10
)

// Memory is the Store of one pod. It is safe for concurrent use. Its size is bounded: what
// has ended makes room, as yield says, and without any such there is none.
type Memory struct {
	retention time.Duration
	now       func() time.Time
	// max bounds used, in bytes, and bound the executions of a subject.
	max   int64
	bound int

	mu sync.Mutex
	// used is the size of all, and spare what of it makes room for anybody.
	used, spare int64
	runs        map[Ref]*kept
	subjects    map[string]*list.List // of *kept, in the order of their beginnings
	claims      map[IdempotencyKey]*held
	// ended has, as *item, what will expire, in this order.
	ended  *list.List
	shares map[string]*share
}

// kept is an execution.
type kept struct {
	item
	Execution
	events []Event
	// among is its place among those of its subject.
	among *list.Element
}

// NewMemory returns an empty store of at most maxBytes. What has ended is kept for the
// retention.
func NewMemory(maxBytes int64, retention time.Duration, now func() time.Time) *Memory {
	return &Memory{
		retention: retention, now: now, max: maxBytes, bound: MaxPerSubject,
		runs: map[Ref]*kept{}, subjects: map[string]*list.List{}, claims: map[IdempotencyKey]*held{},
		ended: list.New(), shares: map[string]*share{},
	}
}

// Create implements Store.
func (m *Memory) Create(_ context.Context, w Write) error {
	defer m.lock()()
	if all := m.subjects[w.Subject]; all != nil && all.Len() >= m.bound {
		victim := firstEnded(all)
		if victim == nil {
			return errTooMany
		}
		m.remove(&victim.item)
	}
	k := &kept{item: item{subject: w.Subject}, Execution: w.Execution, events: slices.Clone(w.Events)}
	if !m.room(&k.item, k.cost()) {
		return errNoRoom
	}
	m.add(k)
	return nil
}

// replace returns events of which those in the chunks of others are those others.
func replace(events, others []Event) []Event {
	if len(others) == 0 {
		return events
	}
	first := chunkOf(others[0].ID)
	n := slices.IndexFunc(events, func(e Event) bool { return chunkOf(e.ID) >= first })
	if n < 0 {
		n = len(events)
	}
	return slices.Concat(events[:n], others)
}

func firstEnded(all *list.List) *kept {
	for e := all.Front(); e != nil; e = e.Next() {
		if k := e.Value.(*kept); k.place != nil {
			return k
		}
	}
	return nil
}

func (m *Memory) add(k *kept) {
	ref, subject := Ref{k.Subject, k.ID}, k.Subject
	if m.subjects[subject] == nil {
		m.subjects[subject] = list.New()
	}
	all := m.subjects[subject]
	k.among = all.PushBack(k)
	m.runs[ref] = k
	k.drop = func() {
		delete(m.runs, ref)
		if all.Remove(k.among); all.Len() == 0 {
			delete(m.subjects, subject)
		}
	}
	k.shed = func() { m.remove(&k.item) }
}

func (k *kept) cost() int64 {
	n := executionCost + len(k.Subject) + len(k.Workflow) + len(k.Version) + len(k.Output)
	if k.Failure != nil {
		n += len(k.Failure.Detail) + len(k.Failure.Problem)
	}
	for _, e := range k.events {
		n += eventCost + len(e.Data)
	}
	return int64(n)
}

// Update implements Store.
func (m *Memory) Update(_ context.Context, w Write) (Mark, error) {
	defer m.lock()()
	old, known := m.runs[Ref{w.Subject, w.ID}]
	if !known {
		old = &kept{item: item{subject: w.Subject}}
	}
	if old.place != nil {
		return Settled, nil
	}
	mark := Going
	next := kept{Execution: w.Execution, events: replace(old.events, w.Events)}
	if old.CancelRequested {
		mark, next.CancelRequested = Asked, w.Status == Running
	}
	if grown := next.cost() - old.size; grown <= 0 {
		m.take(&old.item, grown)
	} else if !m.room(&old.item, grown) {
		if w.Status == Running || w.Output != nil || w.Failure != nil && w.Failure.Problem != nil {
			return 0, errNoRoom
		}
		// An end that tells no more than that it is one is never refused.
		next.events = slices.Concat(old.events, w.Events[len(w.Events)-1:])
		m.take(&old.item, next.cost()-old.size)
	}
	old.Execution, old.events = next.Execution, next.events
	if !known {
		m.add(old)
	}
	if w.Status != Running {
		m.end(&old.item, old.size)
	}
	return mark, nil
}

// Forget implements Store.
func (m *Memory) Forget(_ context.Context, subject, id string) error {
	defer m.lock()()
	if k := m.runs[Ref{subject, id}]; k != nil {
		m.remove(&k.item)
	}
	return nil
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, subject, id string) (Execution, error) {
	defer m.lock()()
	k := m.runs[Ref{subject, id}]
	if k == nil {
		return Execution{}, errNotFound
	}
	return k.Execution, nil
}

// List implements Store.
func (m *Memory) List(_ context.Context, subject string, limit int) ([]Execution, error) {
	defer m.lock()()
	all := m.subjects[subject]
	if all == nil {
		return nil, nil
	}
	var list []Execution
	for e := all.Back(); e != nil && len(list) < limit; e = e.Prev() {
		x := e.Value.(*kept).Execution
		x.Output = nil
		list = append(list, x)
	}
	return list, nil
}

// Events implements Store.
func (m *Memory) Events(_ context.Context, subject, id string, last int) (Execution, []Event, error) {
	defer m.lock()()
	k := m.runs[Ref{subject, id}]
	if k == nil {
		return Execution{}, nil, errNotFound
	}
	x := k.Execution
	x.Output = nil
	return x, after(k.events, last), nil
}

// Cancel implements Store.
func (m *Memory) Cancel(_ context.Context, subject, id string) (Execution, error) {
	defer m.lock()()
	k := m.runs[Ref{subject, id}]
	if k == nil {
		return Execution{}, errNotFound
	}
	k.CancelRequested = k.place == nil
	return k.Execution, nil
}

// Beat implements Store.
func (m *Memory) Beat(_ context.Context, refs []Ref) ([]Mark, error) {
	defer m.lock()()
	marks := make([]Mark, len(refs))
	for i, ref := range refs {
		switch k := m.runs[ref]; {
		case k == nil:
			marks[i] = Missing
		case k.place != nil:
			marks[i] = Settled
		case k.CancelRequested:
			marks[i] = Asked
		default:
			marks[i] = Going
		}
	}
	return marks, nil
}
