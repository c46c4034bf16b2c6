package execution

import (
	"context"
	"time"
)

// maxDebts bounds the debts. When there are more, the oldest is forgotten.
const maxDebts = 1000

// owed is what the store is still to be told.
type owed int

const (
	owedForget owed = iota
	owedRelease
	owedSettle
)

// debt is something that the store could not be told, which it is told when it is back.
type debt struct {
	kind   owed
	ref    Ref
	claim  Claim
	answer []byte
	since  time.Time
	// doubtful says that nothing may be owed: what failed may not have come to pass.
	doubtful bool
}

// owe remembers a debt. Doubtful ones come with every call while the store is away, and may
// not displace others.
func (m *Manager) owe(d *debt) {
	d.since = m.o.Now()
	if m.waiting.Add(int64(len(d.answer))) > maxWaiting {
		m.forgo(d)
	}
	var lost *debt
	m.mu.Lock()
	switch n := len(m.debts); {
	case d.doubtful && n >= maxDebts/2:
	case n >= maxDebts:
		lost = m.debts[0]
		m.debts = append(m.debts[1:], d)
	default:
		m.debts = append(m.debts, d)
	}
	m.mu.Unlock()
	if lost != nil {
		m.waiting.Add(int64(-len(lost.answer)))
		m.o.Log.Error("Too much waits for the store of executions: an idempotency key stays taken until it expires")
	}
}

// forgo gives up an answer: only that there was one will be kept.
func (m *Manager) forgo(d *debt) {
	if d.answer == nil {
		return
	}
	m.waiting.Add(int64(-len(d.answer)))
	d.answer = nil
	m.o.Log.Error("Answer to an idempotency key is lost: it could not be stored in time", "workflow", d.claim.key.Workflow)
}

// settleDebts pays what can be paid.
func (m *Manager) settleDebts(ctx context.Context) {
	m.mu.Lock()
	debts := m.debts
	m.debts = nil
	m.mu.Unlock()
	for i, d := range debts {
		if m.o.Now().Sub(d.since) >= giveUpAfter {
			m.forgo(d)
		}
		if err := m.pay(ctx, d); err != nil {
			m.mu.Lock()
			m.debts = append(debts[i:], m.debts...)
			m.mu.Unlock()
			return
		}
		m.waiting.Add(int64(-len(d.answer)))
	}
}

func (m *Manager) pay(ctx context.Context, d *debt) error {
	switch d.kind {
	case owedForget:
		return m.o.Store.Forget(ctx, d.ref.Subject, d.ref.ID)
	case owedRelease:
		return m.o.Store.Release(ctx, d.claim)
	case owedSettle:
		return m.o.Store.Settle(ctx, d.claim, d.answer)
	}
	return nil
}
