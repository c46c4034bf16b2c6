package workflow

import "time"

// interpret evaluates the expression with jq, within what the run has left.
func (e *expression) interpret(r *run, data any) (any, error) {
	if !interpreters.enter(r.ctx, r.program) {
		return nil, r.ended()
	}
	defer interpreters.leave()
	if err := r.startExpression(); err != nil {
		return nil, err
	}
	value, err := e.execute(r, data)
	used, intact := r.watch.stop()
	r.shared.spent.Add(int64(used))
	if !intact {
		short := r.watch.short
		r.watch = nil
		switch {
		case r.expired():
			return nil, r.ended()
		case short:
			return nil, overloaded()
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
// than the run or its caller's deadline has left.
func (r *run) startExpression() error {
	if r.expired() {
		return r.ended()
	}
	share, most := min(expressionTime, runTime-time.Duration(r.shared.spent.Load())), maxStall
	if share <= 0 {
		return outOfTime()
	}
	if deadline, ok := r.ctx.Deadline(); ok {
		most = min(most, time.Until(deadline))
	}
	if r.watch == nil {
		r.watch = newStopwatch(threadTime)
	}
	r.watch.start(r.ctx, share, most)
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
		return nil, e.failed("cannot be evaluated with these inputs", reason(err))
	}
	if more, ok := results.Next(); ok {
		if err, isErr := more.(error); isErr {
			return nil, e.failed("cannot be evaluated with these inputs", reason(err))
		}
		return nil, e.failed("gives more than one value; collect them with [ ... ]", nil)
	}
	return value, nil
}

// failed is the error of an expression. The cause is for the log.
func (e *expression) failed(how string, cause error) error {
	return NewError(ExpressionError, cause, "the expression at %s %s", e.pointer, how)
}
