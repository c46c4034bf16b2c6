package workflow

import (
	"context"
	"runtime"
	"slices"
	"sync"
)

// turnstile bounds how many expressions jq evaluates at once: more than the CPUs can take
// only adds up their memory. Those that have to wait go one workflow after the other, so
// that however many runs of one workflow use up their time, another one's next expression
// waits for one of them, and not for all.
type turnstile struct {
	mu   sync.Mutex
	free int
	// waiting are those of each workflow, the longest first; order are the workflows that
	// have any, the one whose turn it is first.
	waiting map[*Program][]chan struct{}
	order   []*Program
}

var interpreters = newTurnstile(runtime.GOMAXPROCS(0))

func newTurnstile(places int) *turnstile {
	return &turnstile{free: places, waiting: map[*Program][]chan struct{}{}}
}

// enter takes a place, or returns false when the context ends before there is one.
func (t *turnstile) enter(ctx context.Context, p *Program) bool {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	if len(t.waiting[p]) == 0 {
		t.order = append(t.order, p)
	}
	t.waiting[p] = append(t.waiting[p], turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
	}
	if !t.remove(p, turn) {
		t.leave() // its turn came at the same moment
	}
	return false
}

// remove takes one that waits out, and says whether it was still there.
func (t *turnstile) remove(p *Program, turn chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting[p], turn)
	if i < 0 {
		return false
	}
	t.waiting[p] = slices.Delete(t.waiting[p], i, i+1)
	if len(t.waiting[p]) == 0 {
		delete(t.waiting, p)
		t.order = slices.DeleteFunc(t.order, func(other *Program) bool { return other == p })
	}
	return true
}

// leave gives a place to the next one that waits.
func (t *turnstile) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.order) == 0 {
		t.free++
		return
	}
	p := t.order[0]
	t.order = t.order[1:]
	close(t.waiting[p][0])
	if t.waiting[p] = t.waiting[p][1:]; len(t.waiting[p]) == 0 {
		delete(t.waiting, p)
	} else {
		t.order = append(t.order, p)
	}
}
