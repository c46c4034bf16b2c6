package engine

import (
	"context"
	"errors"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// run executes the workflow within its time, or starts it, as the mode says.
func (e *Engine) run(ctx context.Context, c *Call) error {
	if c.Mode != Sync {
		return e.start(ctx, c)
	}
	c.RunID = NewID()
	o := workflow.Options{ID: c.RunID, Trace: c.trace(), Spawn: e.spawn(c.subject())}
	var did action
	if c.claim != nil {
		o = did.watch(o)
		// Whoever sent a key means to ask again when the connection breaks, and is then
		// told how the run ended: so it does not end with the connection.
		ctx = context.WithoutCancel(ctx)
	}
	began := time.Now()
	output, err := e.execute(ctx, c.Target, c.inputs, o)
	c.Output, c.Took = output, time.Since(began)
	e.recordRun(c.Target, c.Took, err)
	e.conclude(ctx, c, err, did.done.Load())
	return err
}

// trace tells of tasks whoever counts them, and whoever watches this call.
func (c *Call) trace() func(workflow.TaskEvent) {
	if c.Trace == nil {
		return c.Target.trace
	}
	return func(event workflow.TaskEvent) {
		c.Target.trace(event)
		c.Trace(event)
	}
}

// execute runs a workflow within its time.
func (e *Engine) execute(ctx context.Context, w *Workflow, inputs any, o workflow.Options) (any, error) {
	bounded := newDeadline(ctx, time.Now().Add(w.timeout))
	defer bounded.stop()
	output, err := w.Program.Run(bounded, inputs, e.host, o) //nolint:contextcheck // a deadline is made of the call's own context
	switch {
	case err == nil:
		return output, nil
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, canceled(err)
	case bounded.Err() != nil:
		f := fault.New(fault.Timeout, "the workflow did not finish within its %v", w.timeout)
		f.Cause = err
		return nil, f
	}
	return nil, err
}

func (e *Engine) recordRun(w *Workflow, took time.Duration, err error) {
	code := CodeOK
	if err != nil {
		code = fault.As(err).Code
	}
	e.Recorder.Ran(w.Name, took, code)
}
