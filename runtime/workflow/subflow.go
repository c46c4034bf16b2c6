package workflow

import (
	"errors"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// subflow runs another workflow of the app: run: workflow.
type subflow struct {
	reference reference
	input     *template
	// detached lets the other workflow run by itself.
	detached bool
	// target is set when the workflows of the app are linked.
	target *Program
}

// reference is what a workflow names another one by.
type reference struct {
	at                       pointer
	namespace, name, version string
}

func (t *subflow) perform(r *run, input any) (any, flow, error) {
	var inputs any = map[string]any{}
	if t.input != nil {
		var err error
		if inputs, err = t.input.made(r, input, "the input"); err != nil {
			return nil, flow{}, err
		}
	}
	if err := r.validate(t.target.inputSchema, inputs, "the input does not match the input schema of workflow %s", t.target.name); err != nil {
		return nil, flow{}, err
	}
	if t.detached {
		return input, flow{}, t.spawn(r, inputs)
	}
	child := r.shared.line(r.ctx, t.target, inputs)
	output, err := child.guarded(child.workflow)
	r.join(child)
	if e, ok := errors.AsType[*Error](err); ok {
		return nil, flow{}, t.failed(e)
	}
	return output, flow{}, err
}

// failed is an error of the other workflow as this one sees it: from the task that runs
// it, because a JSON pointer into another definition would mislead. What the author of
// an error wrote stays as it is.
func (t *subflow) failed(e *Error) error {
	own := *e
	own.Instance = ""
	if !e.Raised {
		own.Detail = "workflow " + t.target.name + " failed at " + e.Instance + ": " + detailOf(e)
	}
	return &own
}

// detailOf is the most that an error says.
func detailOf(e *Error) string {
	if e.Detail != "" {
		return e.Detail
	}
	return e.Title
}

// spawn starts the other workflow as a run of its own. That run knows nothing of the
// secrets of this one, and could not take them out of what it tells: it does not get
// them, and has to read them itself.
func (t *subflow) spawn(r *run, inputs any) error {
	spawn := r.shared.options.Spawn
	if spawn == nil {
		return NewError(ConfigurationError, nil, "workflows cannot be run by themselves here: set await to true")
	}
	if r.shared.spawned.Add(1) > maxSpawned {
		return exhausted("the run started more than %d other workflows without waiting for them", maxSpawned)
	}
	err := spawn(r.ctx, t.target.name, r.shared.redact.value(inputs))
	switch {
	case err == nil:
		return nil
	case r.expired():
		return r.ended()
	}
	return NewError(RuntimeError, err, "workflow %s cannot be started: %s", t.target.name, fault.As(err).Detail)
}

// process compiles a run task.
func (c *compiler) process(at pointer, definition map[string]any) action {
	process, ok := c.object(at, definition, "run")
	if !ok {
		return nil
	}
	at = at.child("run")
	for _, kind := range []string{"container", "script", "shell"} {
		if _, present := process[kind]; present {
			c.problem(at.child(kind), "is not supported: pods start no other programs; call a service of yours (call: http), or run a workflow of this app")
			return nil
		}
	}
	c.fields(at, process, runFields)
	t := &subflow{}
	if _, present := process["await"]; present {
		t.detached = !c.boolean(at, process, "await")
	}
	target, ok := c.object(at, process, "workflow")
	if !ok {
		if _, present := process["workflow"]; !present {
			c.problem(at.child("workflow"), "is required: name a workflow of this app: {namespace: ..., name: ..., version: ...}")
		}
		return nil
	}
	at = at.child("workflow")
	c.fields(at, target, runWorkflowFields)
	t.reference.at = at
	t.reference.namespace, _ = c.text(at, target, "namespace", true)
	t.reference.name, _ = c.text(at, target, "name", true)
	t.reference.version, _ = c.text(at, target, "version", true)
	t.input = c.objectTemplate(at, target, "input")
	c.program.subflows = append(c.program.subflows, t)
	return t
}
