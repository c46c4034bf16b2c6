package execution

import (
	"context"
)

// Drain ends the executions of this pod. New ones are refused from now on. Those that run
// are waited for until the context ends, and then canceled; who asks for them later is
// told that the pod was shut down. Run has to go on meanwhile.
func (m *Manager) Drain(ctx context.Context) {
	m.mu.Lock()
	m.draining = true
	m.mu.Unlock()
	if !m.emptied(ctx) {
		m.cutShort(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
	defer cancel()
	m.flush(last)
	m.settleDebts(last)
	for _, r := range m.all() {
		m.o.Log.Error("Execution is lost: its end could not be stored before the pod ends", "execution", r.ref.ID, "workflow", r.look().Workflow)
	}
}

// cutShort cancels what runs, and waits for what comes to an end by that.
func (m *Manager) cutShort(ctx context.Context) {
	for _, r := range m.all() {
		if r.going() {
			r.cancel(ErrShutDown)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
	defer cancel()
	if m.emptied(last) {
		return
	}
	for _, r := range m.all() { // whoever does not listen
		r.mu.Lock()
		if r.x.Status == Running {
			r.end(Failed, nil, &failureShutDown)
			r.tell()
		}
		r.mu.Unlock()
	}
}

// emptied waits until all executions have ended and are stored, and says whether they are.
func (m *Manager) emptied(ctx context.Context) bool {
	for {
		m.mu.Lock()
		left := len(m.runs)
		m.mu.Unlock()
		if left == 0 {
			return true
		}
		select {
		case <-m.removed:
		case <-ctx.Done():
			return false
		}
	}
}
