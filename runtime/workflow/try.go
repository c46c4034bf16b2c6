package workflow

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// tryTask runs tasks, and catches their errors. Its output is that of the tasks, or of
// those that handle the error; when nothing handles it, its input.
type tryTask struct {
	tasks list
	// filter holds the members that an error must have to be caught.
	filter           map[string]any
	when, exceptWhen *expression
	variable         slot
	retry            *retryPolicy
	handler          *list
	then             flow
}

func (t *tryTask) perform(r *run, input any) (any, flow, error) {
	var began time.Time
	if t.retry != nil {
		began = r.now()
	}
	held := r.held
	for attempt := 1; ; attempt++ {
		output, next, err := t.attempt(r, input)
		if err == nil {
			return output, next, nil
		}
		caught, mine := t.catches(r, err)
		if !mine {
			return nil, flow{}, err
		}
		r.keep(held)
		// What the error says can be seen by whoever reads the variable.
		r.declare(t.variable, r.shared.redact.error(caught).object())
		if holds, err := conditions(r, input, t.when, t.exceptWhen); err != nil {
			return nil, flow{}, err
		} else if !holds {
			return nil, flow{}, caught
		}
		again, err := t.retry.again(r, input, attempt, began)
		switch {
		case err != nil:
			return nil, flow{}, err
		case !again:
			return t.handle(r, input, caught)
		case r.shared.options.Trace != nil:
			r.trace(r.frame.task, TaskRetried, caught)
		}
	}
}

// attempt runs the tasks once, within the time of an attempt.
func (t *tryTask) attempt(r *run, input any) (output any, next flow, err error) {
	if t.retry == nil || t.retry.attemptTime == nil {
		return t.tasks.run(r, input)
	}
	limit, err := t.retry.attemptTime.evaluate(r, input)
	if err != nil {
		return nil, flow{}, err
	}
	err = r.within(limit, func() error {
		output, next, err = t.tasks.run(r, input)
		return err
	})
	return output, next, err
}

// catches says whether an error is one that the filter lets through. The end of the run
// is none, and neither is that it used up what it may.
func (t *tryTask) catches(r *run, err error) (*Error, bool) {
	if errors.Is(err, errEnded) || r.expired() {
		return nil, false
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.final {
		return nil, false
	}
	if e.Instance == "" { // the time of an attempt was over
		e.Instance = r.frame.task.pointer
	}
	object := e.object()
	object["type"] = canonicalType(e.Type)
	for key, want := range t.filter {
		if !same(object[key], want) {
			return nil, false
		}
	}
	return e, true
}

// conditions says whether when holds, if there is one, and exceptWhen does not.
func conditions(r *run, input any, when, exceptWhen *expression) (bool, error) {
	if when != nil {
		if holds, err := when.evaluate(r, input); err != nil || !truthy(holds) {
			return false, err
		}
	}
	if exceptWhen != nil {
		if holds, err := exceptWhen.evaluate(r, input); err != nil || truthy(holds) {
			return false, err
		}
	}
	return true, nil
}

// handle goes on after an error that is not, or not any more, tried again: with the tasks
// of the catch, where its then says, or behind the task as if nothing had happened. Where
// the catch does nothing but try again, it has not helped, and the error stands.
func (t *tryTask) handle(r *run, input any, caught *Error) (any, flow, error) {
	if t.retry != nil && t.handler == nil && t.then.kind == flowNone {
		return nil, flow{}, caught
	}
	if t.handler == nil {
		r.size = 0
		return input, t.then, nil
	}
	output, next, err := t.handler.run(r, input)
	if err != nil || next.kind == flowOver {
		return output, next, err
	}
	return output, t.then, nil
}

// try compiles a try task.
func (c *compiler) try(at pointer, definition map[string]any) action {
	t := &tryTask{tasks: c.tasks(at.child("try"), definition["try"])}
	catch, ok := c.object(at, definition, "catch")
	if !ok {
		if _, present := definition["catch"]; !present {
			c.problem(at.child("catch"), "is required: say which errors to catch, and what to do about them")
		}
		return nil
	}
	at = at.child("catch")
	c.fields(at, catch, catchFields)
	t.filter = c.errorFilter(at, catch)
	t.then = c.directive(at, catch, false)
	outer := c.declared
	t.variable = c.declare(at, catch, "as", "error")
	t.when, t.exceptWhen = c.condition(at, catch, "when"), c.condition(at, catch, "exceptWhen")
	t.retry = c.retry(at, catch)
	if handler, present := catch["do"]; present {
		tasks := c.tasks(at.child("do"), handler)
		t.handler = &tasks
	}
	c.declared = outer
	return t
}

// condition compiles an optional expression.
func (c *compiler) condition(at pointer, parent map[string]any, key string) *expression {
	text, ok := c.text(at, parent, key, false)
	if !ok {
		return nil
	}
	return c.expression(at.child(key), text, siteTask)
}

// errorFilter compiles catch.errors.with.
func (c *compiler) errorFilter(at pointer, catch map[string]any) map[string]any {
	holder, ok := c.object(at, catch, "errors")
	if !ok {
		return nil
	}
	at = at.child("errors")
	c.fields(at, holder, catchErrorsFields)
	with, ok := c.object(at, holder, "with")
	if !ok {
		return nil
	}
	at = at.child("with")
	c.fields(at, with, errorFilterFields)
	if len(with) == 0 {
		c.problem(at, "is empty: say what the errors have that are caught, or leave errors out to catch all")
	}
	filter := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(with)) {
		if key == "status" {
			if _, ok := with[key].(int); !ok {
				c.problem(at.child(key), "must be a whole number, for example 503")
			}
			filter[key] = with[key]
			continue
		}
		if text, ok := c.text(at, with, key, false); ok {
			if _, dynamic := unwrap(text); dynamic {
				c.problem(at.child(key), "is compared as it stands: put an expression into catch.when")
			}
			filter[key] = text
		}
	}
	if text, ok := filter["type"].(string); ok {
		if _, bare := standard[ErrorKind(text)]; bare {
			c.problem(at.child("type"), "is compared as a whole: write %s%s", errorTypes, text)
		}
		filter["type"] = canonicalType(text)
	}
	return filter
}
