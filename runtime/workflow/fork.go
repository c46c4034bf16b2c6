package workflow

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/itchyny/gojq"
)

// maxBranches is how many branches a fork may have.
const maxBranches = 32

// forkTask runs tasks side by side. Its output is that of all branches, in their order;
// or, when they compete, that of the first one that succeeds, and the others are ended.
type forkTask struct {
	branches []task
	compete  bool
}

// branch is one branch under way, and what came of it.
type branch struct {
	run    *run
	output any
	next   flow
	err    error
}

// errLost is why the branches that are not needed any more are ended.
var errLost = errors.New("another branch was faster, failed, or ended the workflow")

func (t *forkTask) perform(r *run, input any) (any, flow, error) {
	n, held := int64(len(t.branches)), r.held
	defer r.shared.live.Add(-n)
	if r.shared.live.Add(n) > maxLive {
		return nil, flow{}, exhausted("more than %d branches of the run are under way at once: nest fewer forks", maxLive)
	}
	if err := r.move(n); err != nil {
		return nil, flow{}, err
	}
	if err := r.hold(n * (lineBytes + slotBytes*int64(len(r.declared)))); err != nil {
		return nil, flow{}, err
	}
	branches, first := t.race(r, input)
	for i := range branches {
		r.join(branches[i].run)
	}
	if r.ctx.Err() != nil {
		return nil, flow{}, r.ended()
	}
	if first != nil {
		if first.err == nil {
			r.context, r.contextHeld = first.run.context, first.run.contextHeld
		}
		return first.output, first.next, first.err
	}
	outputs, start := make([]any, n), r.context
	for i := range branches {
		outputs[i] = branches[i].output
	}
	r.keep(max(held, r.held-n*lineBytes))
	return outputs, flow{}, r.mergeContexts(start, branches)
}

// race runs the branches until it is decided what becomes of the fork: by the first one
// that ends the workflow; when they compete, by the first that succeeds or else the last
// that fails; when not, by the first that fails. Without such a branch all have
// succeeded. When it returns, none is under way any more.
func (t *forkTask) race(r *run, input any) (branches []branch, first *branch) {
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	branches = make([]branch, len(t.branches))
	decided := make(chan *branch, len(branches))
	var running sync.WaitGroup
	for i := range branches {
		b := &branches[i]
		b.run = r.fork(ctx)
		running.Go(func() {
			b.output, b.err = b.run.guarded(func() (output any, err error) {
				output, b.next, err = t.branches[i].run(b.run, input)
				return output, err
			})
			decided <- b
		})
	}
	first = t.decide(decided)
	cancel(errLost)
	running.Wait()
	return branches, first
}

// decide returns the branch that decides, nil when all have succeeded.
func (t *forkTask) decide(decided <-chan *branch) *branch {
	var last *branch
	for range t.branches {
		b := <-decided
		switch {
		case b.err == nil && b.next.kind == flowOver:
			return b
		case b.err == nil && t.compete:
			b.next = flow{} // a branch is over after its task, wherever its then goes
			return b
		case b.err == nil:
			continue
		}
		last = b
		if e, ok := errors.AsType[*Error](b.err); !t.compete || ok && e.final {
			return b
		}
	}
	return last
}

// fork returns a line of control for a branch, which sees what this one sees now.
func (r *run) fork(ctx context.Context) *run {
	next := *r
	next.ctx, next.watch, next.ledger = ctx, nil, ledger{}
	next.declared = append([]any(nil), r.declared...)
	return &next
}

// mergeContexts makes $context after a fork, about which the specification is silent: what
// each branch changed in it, in their order. Of two branches that changed the same, the
// later one in the list counts, and not the one that was slower.
func (r *run) mergeContexts(start any, branches []branch) error {
	merged := start
	for i := range branches {
		b := branches[i].run
		if identical(b.context, start) {
			continue
		}
		if err := r.spend(time.Duration(count(b.context, maxContextBytes)) * compareTime); err != nil {
			return err
		}
		merged = mergeContext(start, merged, b.context)
	}
	return r.setContext(merged)
}

// compareTime is about how long it takes to compare one value.
const compareTime = 100 * time.Nanosecond

// mergeContext adds to the context what a branch changed in it since the fork: the
// members that are new or different, or else the whole of it.
func mergeContext(start, now, branch any) any {
	before, ok1 := start.(map[string]any)
	after, ok2 := branch.(map[string]any)
	current, ok3 := now.(map[string]any)
	if !ok1 || !ok2 || !ok3 {
		if same(start, branch) {
			return now
		}
		return branch
	}
	merged := maps.Clone(current)
	for key, value := range after {
		if old, had := before[key]; !had || !same(old, value) {
			merged[key] = value
		}
	}
	for key := range before {
		if _, has := after[key]; !has {
			delete(merged, key)
		}
	}
	return merged
}

// same says whether two values are equal as jq compares them: 1 and 1.0 are.
func same(a, b any) bool { return identical(a, b) || gojq.Compare(a, b) == 0 }

// forked compiles a fork task.
func (c *compiler) forked(at pointer, definition map[string]any) action {
	fork, ok := c.object(at, definition, "fork")
	if !ok {
		return nil
	}
	at = at.child("fork")
	c.fields(at, fork, forkFields)
	t := &forkTask{compete: c.boolean(at, fork, "compete")}
	if branches, ok := fork["branches"].([]any); ok && len(branches) > maxBranches {
		c.problem(at.child("branches"), "has %d branches, at most %d fit: put some of them behind one another", len(branches), maxBranches)
	}
	t.branches = c.alone(at.child("branches"), fork["branches"])
	return t
}
