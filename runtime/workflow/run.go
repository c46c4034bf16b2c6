package workflow

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// Limits of one run.
const (
	// expressionTime is how much CPU time one expression may take.
	expressionTime = 50 * time.Millisecond
	// maxStall is how long an expression may take that has to wait for the CPU.
	maxStall = time.Second
	// runTime is how long all expressions of a run may take together.
	runTime = 2 * time.Second
	// maxOutputBytes is the size of a task's output as JSON text.
	maxOutputBytes = 1 << 20
	// maxOutputDepth is how deep a task's output may be nested: twice what an input
	// may be.
	maxOutputDepth = 128
)

var processStart = time.Now()

// slot is the index of an expression's variable.
type slot int

// The variables of expressions, as the specification names them.
const (
	slotContext slot = iota
	slotInput
	slotWorkflow
	slotTask
	slotRuntime
	slotCount
)

var slotNames = [slotCount]string{"$context", "$input", "$workflow", "$task", "$runtime"}

// emptyContext is $context: nothing exports to it yet. It is never written to.
var emptyContext = map[string]any{}

// run is the state of one execution.
type run struct {
	program *Program
	ctx     context.Context
	// raw is the workflow's input as it came.
	raw     any
	started time.Time
	// vars are the values of the variables; $workflow and $task are made when an
	// expression first asks for them.
	vars [slotCount]any
	// task is the one that runs now, and taskInput its raw input.
	task        *task
	taskInput   any
	taskStarted time.Time
	// jq is the time that expressions took so far.
	jq    time.Duration
	watch *stopwatch
}

// Run executes the workflow. The error is a *fault.Error: WorkflowFailed, with the
// status that the specification gives to the failure, or Timeout when ctx ended.
// Inputs are what validate.Decode returns and are not changed; the result may share
// memory with them and with the program, so neither may be changed afterwards.
func (p *Program) Run(ctx context.Context, inputs any) (result any, err error) {
	r := run{program: p, ctx: ctx, raw: inputs}
	r.vars[slotContext] = emptyContext
	defer func() {
		if cause := recover(); cause != nil {
			r.watch.stop()
			result, err = nil, fault.As(fmt.Errorf("panic in workflow %s: %v\n%s", p.name, cause, debug.Stack()))
			return
		}
		r.watch.release()
	}()
	return r.workflow() //nolint:contextcheck // jq runs under the run's stopwatch, which goes off no later than ctx
}

// workflow is the data flow of a whole run: input.from, each task on its
// predecessor's output, output.as.
func (r *run) workflow() (any, error) {
	p := r.program
	data, err := p.from.apply(r, r.raw)
	if err != nil {
		return nil, err
	}
	input := data
	for i := range p.tasks {
		if r.ctx.Err() != nil {
			return nil, r.timeout()
		}
		if data, err = p.tasks[i].run(r, data); err != nil {
			return nil, err
		}
	}
	if p.as != nil {
		r.task, r.vars[slotTask], r.vars[slotInput] = nil, nil, input
		if data, err = p.as.apply(r, data); err != nil {
			return nil, err
		}
		if data, err = bounded(data, "/output/as"); err != nil {
			return nil, err
		}
	}
	if err := p.outputSchema.check(data); err != nil {
		e := fault.New(fault.WorkflowFailed, "the output does not match the workflow's own output schema")
		e.Cause = fmt.Errorf("%w: %v", err, fault.As(err).Violations)
		return nil, e
	}
	return data, nil
}

// timeout is the failure of a run whose context ended.
func (r *run) timeout() error {
	e := fault.New(fault.Timeout, "workflow %s did not finish in time; nothing it would have returned is kept", r.program.name)
	e.Cause = r.ctx.Err()
	return e
}

// failed is the failure of a run at one node of the definition. The status is that of
// the specification's error types, 0 for our own limits.
func failed(pointer string, status int, message string, cause error) error {
	e := fault.New(fault.WorkflowFailed, "the workflow failed at %s: %s", pointer, message)
	e.Status, e.Cause = status, cause
	return e
}

// variable returns the value of a variable, making it when it is first asked for.
func (r *run) variable(s slot) any {
	if r.vars[s] != nil {
		return r.vars[s]
	}
	switch s {
	case slotWorkflow:
		if r.started.IsZero() {
			r.started = time.Now()
		}
		r.vars[s] = map[string]any{
			"definition": r.program.definition,
			"input":      r.raw,
			"startedAt":  instant(r.started),
		}
	case slotTask:
		if r.task != nil {
			r.vars[s] = map[string]any{
				"name":       r.task.name,
				"reference":  r.task.pointer,
				"definition": r.task.definition,
				"input":      r.taskInput,
				"startedAt":  instant(r.taskStarted),
			}
		}
	case slotRuntime:
		r.vars[s] = runtimeDescriptor()
	case slotContext, slotInput, slotCount:
		// These are set before an expression can ask for them; null is a value too.
	}
	return r.vars[s]
}

// instant is a point in time as the specification describes it to expressions.
func instant(t time.Time) map[string]any {
	return map[string]any{
		"iso8601": t.UTC().Format("2006-01-02T15:04:05.000Z"),
		"epoch":   map[string]any{"seconds": int(t.Unix()), "milliseconds": int(t.UnixMilli())},
	}
}

// runtimeDescriptor is $runtime.
var runtimeDescriptor = sync.OnceValue(func() any {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return map[string]any{"name": "nexus", "version": version, "metadata": map[string]any{}}
})
