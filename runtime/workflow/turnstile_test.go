package workflow

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
)

// TestTurnstileTakesTurns: with one queue for all, the neighbour would be the last.
func TestTurnstileTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy, neighbour := &Program{name: "busy"}, &Program{name: "neighbour"}
		gate := newTurnstile(1)
		gate.enter(t.Context(), busy)
		var order []string
		for _, p := range []*Program{busy, busy, busy, neighbour, busy, neighbour} {
			go func() {
				if gate.enter(t.Context(), p) {
					order = append(order, p.name) // one at a time is in here
					gate.leave()
				}
			}()
			synctest.Wait()
		}
		gate.leave()
		synctest.Wait()
		if want := []string{"busy", "neighbour", "busy", "neighbour", "busy", "busy"}; !slices.Equal(order, want) {
			t.Errorf("the order was %v", order)
		}
		if gate.free != 1 || len(gate.waiting) != 0 || len(gate.order) != 0 {
			t.Errorf("left over: %+v", gate)
		}
	})
}

// TestTurnstileLetsGo: one that goes away while it waits is passed over, also when its
// turn comes at that moment.
func TestTurnstileLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, gate := &Program{}, newTurnstile(1)
		gate.enter(t.Context(), p)
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan bool, 3)
		for range 2 {
			go func() { results <- gate.enter(ctx, p) }()
		}
		go func() { results <- gate.enter(t.Context(), &Program{}) }()
		synctest.Wait()
		cancel()
		gate.leave()
		entered := 0
		for range 3 {
			if <-results {
				entered++
				gate.leave()
			}
		}
		if entered == 0 || gate.free != 1 || len(gate.waiting) != 0 || len(gate.order) != 0 {
			t.Errorf("%d entered, left over: %+v", entered, gate)
		}
	})
}
