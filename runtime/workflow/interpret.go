package workflow

import (
	"context"
	"runtime"
	"time"
)

// jqSlots bounds how many expressions jq evaluates at once: more than the CPUs can take
// only adds up their memory. Half of the places are for runs whose expressions have taken
// next to nothing so far, so that these need not queue behind those that use their time
// up.
var (
	jqSlots    = make(chan struct{}, 2*runtime.GOMAXPROCS(0))
	heavySlots = make(chan struct{}, runtime.GOMAXPROCS(0))
)

// lightTime is how much time the expressions of a run may have taken for it to be light.
const lightTime = expressionTime / 2

// enter takes one of the places, or returns why the run ended first.
func enter(ctx context.Context, slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	default:
	}
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// interpret evaluates the expression with jq, within what the run has left.
func (e *expression) interpret(r *run, data any) (any, error) {
	if time.Duration(r.shared.spent.Load()) > lightTime {
		if !enter(r.ctx, heavySlots) {
			return nil, r.ended()
		}
		defer func() { <-heavySlots }()
	}
	if !enter(r.ctx, jqSlots) {
		return nil, r.ended()
	}
	defer func() { <-jqSlots }()
	if err := r.startExpression(); err != nil {
		return nil, err
	}
	value, err := e.execute(r, data)
	used, intact := r.watch.stop()
	r.shared.spent.Add(int64(used))
	if !intact {
		r.watch = nil
		if r.expired() {
			return nil, r.ended()
		}
		return nil, NewError(RuntimeError, nil, "the expression at %s took more time than it may: 50 ms each, 2 s together", e.pointer)
	}
	if err != nil {
		return nil, err
	}
	value, size, err := r.weigh(value, maxOutputBytes, "the value of the expression at "+e.pointer)
	if err != nil {
		return nil, err
	}
	return value, r.hold(size)
}

// startExpression starts the stopwatch for one expression, which never takes longer
// than the run, its jq or its caller's deadline has left.
func (r *run) startExpression() error {
	if r.expired() {
		return r.ended()
	}
	most := min(maxStall, runTime-time.Duration(r.shared.spent.Load()))
	if most <= 0 {
		return outOfTime()
	}
	if deadline, ok := r.ctx.Deadline(); ok {
		most = min(most, time.Until(deadline))
	}
	if r.watch == nil {
		r.watch = stopwatches.Get().(*stopwatch)
	}
	r.watch.start(r.ctx, most)
	return nil
}

// execute runs jq.
func (e *expression) execute(r *run, data any) (any, error) {
	var few [8]any
	values := few[:0]
	for _, s := range e.slots {
		values = append(values, r.variable(s))
	}
	results := e.code.RunWithContext(r.watch, data, values...)
	value, ok := results.Next()
	if !ok {
		return nil, e.failed("gives no value; use // null where it may be empty", nil)
	}
	if err, isErr := value.(error); isErr {
		return nil, e.failed("cannot be evaluated with these inputs", err)
	}
	if more, ok := results.Next(); ok {
		if err, isErr := more.(error); isErr {
			return nil, e.failed("cannot be evaluated with these inputs", err)
		}
		return nil, e.failed("gives more than one value; collect them with [ ... ]", nil)
	}
	return value, nil
}

// failed is the error of an expression. What jq says of it may hold data, and is for
// the log.
func (e *expression) failed(how string, cause error) error {
	return NewError(ExpressionError, cause, "the expression at %s %s", e.pointer, how)
}
