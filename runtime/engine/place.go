package engine

import "context"

// place is what a run holds: one of the places for workflows that run at once, and the
// part of the budget for bodies that its inputs take.
type place struct {
	entered bool
	held    int64
}

// enter takes one of the places for workflows that run at once.
func (e *Engine) enter(_ context.Context, c *Call) error {
	if !e.takePlace() {
		return noPlace()
	}
	c.entered = true
	return nil
}

func (e *Engine) takePlace() bool {
	if e.running.Add(1) <= e.capacity {
		return true
	}
	e.running.Add(-1)
	return false
}

func noPlace() error {
	return overloaded("all places for running workflows are taken: try again shortly")
}

// handOver takes from a call what it holds.
func (c *Call) handOver() place {
	p := place{c.entered, c.held}
	c.entered, c.held = false, 0
	return p
}

func (e *Engine) giveBack(p place) {
	if p.entered {
		e.running.Add(-1)
	}
	if p.held > 0 {
		e.Bodies.Return(p.held)
	}
}

// Running is how many workflows run now, and Started how many of them go on without the
// call that started them.
func (e *Engine) Running() int64 { return e.running.Load() }

// Started is part of Running.
func (e *Engine) Started() int64 { return e.started.Load() }
