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
// ended first makes room, and without any such there is none.
type Memory struct {
	retention time.Duration
	now       func() time.Time
	// max bounds used, in bytes, and bound the executions of a subject.
	max   int64
	bound int

	mu sync.Mutex
	// used is the size of all, and spare that of the ended.
	used, spare int64
	runs        map[Ref]*kept
	subjects    map[string]*list.List // of *kept, in the order of their beginnings
	claims      map[IdempotencyKey]*held
	// ended has, as *item, what can make room and will expire, in this order.
	ended *list.List
}

// item is what takes room.
type item struct {
	size int64
	end  time.Time
	// place is its place among the ended, nil before.
	place *list.Element
	drop  func()
}

// kept is an execution.
type kept struct {
	item
	Execution
	events []Event
	// among is its place among those of its subject.
	among *list.Element
}

// held is an idempotency key. It has an end when it is settled.
type held struct {
	item
	claim  Claim
	answer []byte
}

// NewMemory returns an empty store of at most maxBytes. What has ended is kept for the
// retention.
func NewMemory(maxBytes int64, retention time.Duration, now func() time.Time) *Memory {
	return &Memory{
		retention: retention, now: now, max: maxBytes, bound: MaxPerSubject,
		runs: map[Ref]*kept{}, subjects: map[string]*list.List{}, claims: map[IdempotencyKey]*held{}, ended: list.New(),
	}
}

// lock is held by every operation, which never sees what has expired.
func (m *Memory) lock() (unlock func()) {
	m.mu.Lock()
	for front := m.ended.Front(); front != nil; front = m.ended.Front() {
		i := front.Value.(*item)
		if m.now().Sub(i.end) < m.retention {
			break
		}
		m.remove(i)
	}
	return m.mu.Unlock
}

// room takes so many bytes for what has not ended, and has what ended go to get them.
func (m *Memory) room(i *item, bytes int64) bool {
	if m.used-m.spare+bytes > m.max {
		return false
	}
	m.take(i, bytes)
	return true
}

// take is room for what must have it.
func (m *Memory) take(i *item, bytes int64) {
	for m.used+bytes > m.max && m.ended.Len() > 0 {
		m.remove(m.ended.Front().Value.(*item))
	}
	i.size += bytes
	m.used += bytes
}

func (m *Memory) remove(i *item) {
	m.used -= i.size
	if i.place != nil {
		m.spare -= i.size
		m.ended.Remove(i.place)
	}
	i.drop()
}

func (m *Memory) end(i *item) {
	i.end = m.now()
	i.place = m.ended.PushBack(i)
	m.spare += i.size
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
	k := &kept{Execution: w.Execution, events: slices.Clone(w.Events)}
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
		old = &kept{}
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
		m.end(&old.item)
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

// Begin implements Store.
func (m *Memory) Begin(_ context.Context, c Claim) (Attempt, error) {
	defer m.lock()()
	if h := m.claims[c.key]; h != nil {
		switch {
		case h.claim.fingerprint != c.fingerprint:
			return Attempt{State: Mismatch}, nil
		case h.place == nil:
			return Attempt{State: InFlight}, nil
		case h.answer == nil:
			return Attempt{State: NotKept}, nil
		}
		return Attempt{State: Replay, Answer: slices.Clone(h.answer)}, nil
	}
	h := &held{claim: c}
	if !m.room(&h.item, claimCost+int64(len(c.key.Subject)+len(c.key.Workflow)+len(c.key.Key))) {
		return Attempt{}, errNoRoom
	}
	h.drop = func() { delete(m.claims, c.key) }
	m.claims[c.key] = h
	return Attempt{State: Fresh}, nil
}

// Settle implements Store. Without room the answer is not kept.
func (m *Memory) Settle(_ context.Context, c Claim, answer []byte) error {
	defer m.lock()()
	h := m.claims[c.key]
	if h == nil || h.claim.word != c.word || h.place != nil {
		return nil
	}
	if answer != nil && m.room(&h.item, int64(len(answer))) {
		h.answer = append([]byte{}, answer...)
	}
	m.end(&h.item)
	return nil
}

// Release implements Store.
func (m *Memory) Release(_ context.Context, c Claim) error {
	defer m.lock()()
	if h := m.claims[c.key]; h != nil && h.claim.word == c.word && h.place == nil {
		m.remove(&h.item)
	}
	return nil
}
