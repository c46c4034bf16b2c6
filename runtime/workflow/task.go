package workflow

import "errors"

// task is a compiled task of a list.
type task struct {
	name string
	// pointer is the task's JSON pointer in the definition.
	pointer string
	// kind is the task's keyword, and for calls also what is called.
	kind string
	// definition is the task as expressions see it in $task.
	definition any

	condition    *expression
	inputSchema  *schema
	from         *template
	action       action
	as           *template
	outputSchema *schema
	export       *template
	exportSchema *schema
	timeout      *duration
	then         flow
	// watched says that an expression of the task uses $task: reading the clock costs more
	// than a simple task.
	watched bool
}

// action is what a task does between input.from and output.as. The flow, unless it is
// flowNone, goes before the task's own then.
type action interface {
	perform(r *run, input any) (any, flow, error)
}

// run runs the task, or hands its input on when it is not to be run. Of what it makes the
// line of control then holds the output, of r.size bytes, and nothing else.
func (t *task) run(r *run, input any) (any, flow, error) {
	outer, held, size := r.frame, r.held, r.size
	r.frame = frame{task: t, rawInput: input}
	output, next, err := t.attempt(r, input)
	r.frame = outer
	if err != nil {
		r.keep(held)
		return nil, flow{}, err
	}
	if identical(output, input) {
		r.size = size // whoever holds the input holds the output
		r.keep(held)
		return output, next, nil
	}
	r.keep(held + r.size)
	return output, next, r.covered()
}

// attempt looks at the task's condition, runs it within its timeout, and tells of all
// that.
func (t *task) attempt(r *run, input any) (any, flow, error) {
	tracing := r.shared.options.Trace != nil
	if t.watched || tracing {
		r.frame.started = r.now()
	}
	if t.condition != nil {
		holds, err := t.condition.evaluate(r, input)
		if err != nil {
			return nil, flow{}, t.failed(r, err)
		}
		if !truthy(holds) {
			if tracing {
				r.trace(t, TaskSkipped, nil)
			}
			return input, flow{}, nil
		}
	}
	if tracing {
		r.trace(t, TaskStarted, nil)
	}
	output, next, err := t.timed(r, input)
	if err != nil {
		return nil, flow{}, t.failed(r, err)
	}
	if tracing {
		r.trace(t, TaskCompleted, nil)
	}
	if next.kind == flowNone {
		next = t.then
	}
	if next.kind == flowEnd {
		next = flow{kind: flowOver}
	}
	return output, next, nil
}

// failed says which task an error comes from, if nobody inside of it was named before.
func (t *task) failed(r *run, err error) error {
	err = blame(t.pointer, err)
	if r.shared.options.Trace != nil {
		r.trace(t, TaskFaulted, err)
	}
	return err
}

// timed runs the task within its timeout, which covers all that follows the condition,
// and all attempts of a try task.
func (t *task) timed(r *run, input any) (any, flow, error) {
	if err := r.hold(taskBytes); err != nil {
		return nil, flow{}, err
	}
	if t.timeout == nil {
		return t.flow(r, input)
	}
	limit, err := t.timeout.evaluate(r, input)
	if err != nil {
		return nil, flow{}, err
	}
	var output any
	var next flow
	err = r.within(limit, func() error {
		var err error
		output, next, err = t.flow(r, input)
		return err
	})
	return output, next, err
}

// flow takes data through the task.
func (t *task) flow(r *run, input any) (any, flow, error) {
	raw := input
	if err := r.validate(t.inputSchema, input, "the input does not match the task's input schema"); err != nil {
		return nil, flow{}, err
	}
	input, err := t.from.made(r, input, "the input")
	if err != nil {
		return nil, flow{}, err
	}
	r.frame.input = input
	output, next, err := t.action.perform(r, input)
	if err != nil {
		return nil, flow{}, err
	}
	if next.kind == flowOver {
		return output, next, nil // a task inside of this one ended the workflow
	}
	r.frame.rawOutput, r.frame.hasOutput = output, true
	if output, err = t.as.apply(r, output); err != nil {
		return nil, flow{}, err
	}
	// What is handed on as it came was looked at before.
	if !identical(output, raw) {
		if output, r.size, err = r.weigh(output, maxOutputBytes, "the output"); err != nil {
			return nil, flow{}, err
		}
	}
	r.frame.output = output
	if err := r.validate(t.outputSchema, output, "the output does not match the task's output schema"); err != nil {
		return nil, flow{}, ours(err)
	}
	return output, next, t.exported(r, output)
}

// exported replaces $context by what the task exports.
func (t *task) exported(r *run, output any) error {
	if t.export == nil && t.exportSchema == nil {
		return nil
	}
	next := r.context
	if t.export != nil {
		var err error
		if next, err = t.export.apply(r, output); err != nil {
			return err
		}
	}
	if err := r.setContext(next); err != nil {
		return err
	}
	if err := r.validate(t.exportSchema, r.context, "the context does not match the task's export schema"); err != nil {
		return ours(err)
	}
	return nil
}

// setContext replaces $context.
func (r *run) setContext(next any) error {
	if identical(next, r.context) {
		return nil
	}
	next, size, err := r.weigh(next, maxContextBytes, "the context that it exports")
	if err != nil {
		return err
	}
	r.context, r.contextHeld = next, size
	return r.covered()
}

// trace tells of the task that runs now.
func (r *run) trace(t *task, phase TaskPhase, err error) {
	event := TaskEvent{Phase: phase, Workflow: r.program.name, Name: t.name, Reference: t.pointer, Kind: t.kind, Time: r.now()}
	if phase == TaskCompleted || phase == TaskFaulted {
		event.Took = max(event.Time.Sub(r.frame.started), 0)
	}
	if err != nil {
		event.Error = r.shared.redact.error(problemOf(err))
	}
	r.shared.options.Trace(event)
}

// problemOf is an error as a problem object: what is not one, is the runtime's.
func problemOf(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, errLost):
		return NewError(RuntimeError, err, "%v", errLost)
	case errors.Is(err, errEnded):
		return NewError(TimeoutError, err, "%v", errEnded)
	}
	return NewError(RuntimeError, err, "something went wrong on our side")
}

// truthy is jq's notion of truth: everything but null and false.
func truthy(v any) bool { return v != nil && v != false }
