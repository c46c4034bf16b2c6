package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// start starts the workflow as an execution, which takes over what the call holds.
func (e *Engine) start(ctx context.Context, c *Call) error {
	started, err := e.begin(ctx, c.subject(), execution.Mode(c.Mode), c.Target, c.inputs, c.handOver())
	if err != nil {
		return err
	}
	c.Execution, c.RunID = started, started.ID
	if c.claim != nil {
		e.settle(ctx, c, answer{Execution: started.ID})
	}
	return nil
}

// begin starts an execution of a workflow. What it holds is given back when it ends, or
// at once when it does not begin.
func (e *Engine) begin(ctx context.Context, subject string, mode execution.Mode, w *Workflow, inputs any, held place) (execution.Execution, error) {
	start := execution.Start{Subject: subject, Workflow: w.Name, Version: w.Program.Version(), Mode: mode, Within: w.timeout}
	started, err := e.Executions.Start(ctx, start, func(ctx context.Context, id string, task func(json.RawMessage)) execution.Outcome {
		e.started.Add(1)
		defer func() {
			e.started.Add(-1)
			e.giveBack(held)
		}()
		began := time.Now()
		output, err := e.execute(ctx, w, inputs, workflow.Options{ID: id, Trace: w.tell(task), Spawn: e.spawn(subject)})
		e.recordRun(w, time.Since(began), err)
		return e.outcome(ctx, w, id, output, err)
	})
	if err != nil {
		e.giveBack(held)
	}
	return started, err
}

// spawn starts another workflow of the app, which a workflow does not wait for, as an
// execution of the same subject. It takes a place like any other run. What a workflow may
// run is its author's decision: roles and limits are for callers.
func (e *Engine) spawn(subject string) func(context.Context, string, any) error {
	return func(ctx context.Context, name string, inputs any) error {
		w, ok := e.byName[name]
		if !ok {
			return notFound()
		}
		if !e.takePlace() {
			return noPlace()
		}
		_, err := e.begin(ctx, subject, execution.Async, w, inputs, place{entered: true})
		return err
	}
}

// outcome is how an execution ended. What its caller is not told goes into the log.
func (e *Engine) outcome(ctx context.Context, w *Workflow, id string, output any, err error) execution.Outcome {
	if err == nil {
		text := jsontext.Append(nil, output)
		if len(text) <= execution.MaxOutput {
			return execution.Outcome{Output: text}
		}
		err = fault.New(fault.WorkflowFailed, "the output has %d bytes as JSON, and of a run that goes on without its caller at most %d are kept: select what the caller needs with output.as", len(text), execution.MaxOutput)
	}
	f := fault.As(err)
	e.logFailure(ctx, f, w.Name, "execution", id)
	return execution.Outcome{Failure: failureOf(f)}
}

func failureOf(f *fault.Error) *execution.Failure {
	out := &execution.Failure{Code: f.Code, Detail: f.Detail, Status: f.Status}
	if f.Problem != nil {
		out.Problem = encode(f.Problem)
	}
	return out
}

// tell tells of the tasks of an execution: who counts them, and who follows it.
func (w *Workflow) tell(task func(json.RawMessage)) func(workflow.TaskEvent) {
	return func(event workflow.TaskEvent) {
		w.trace(event)
		if event.Phase != workflow.TaskStarted {
			task(taskText(event))
		}
	}
}

// taskText is what is told of a task when it has ended, or is tried again.
func taskText(event workflow.TaskEvent) json.RawMessage {
	told := struct {
		Task      string         `json:"task"`
		Reference string         `json:"reference"`
		Kind      string         `json:"kind"`
		Workflow  string         `json:"workflow_id"`
		Status    string         `json:"status"`
		Took      float64        `json:"execution_time"`
		Error     *fault.Problem `json:"error,omitempty"`
	}{
		Task: event.Name, Reference: event.Reference, Kind: event.Kind, Workflow: event.Workflow, Status: string(event.Phase),
		Took: event.Took.Round(time.Microsecond).Seconds(),
	}
	if p := event.Error; p != nil {
		told.Error = &fault.Problem{Type: p.Type, Status: p.Status, Title: p.Title, Detail: p.Detail, Instance: p.Instance}
	}
	text := encode(told)
	if len(text) > execution.MaxEventData && told.Error != nil {
		// Which task it was matters more than all that its error says.
		told.Error = &fault.Problem{Type: "about:blank", Status: told.Error.Status}
		text = encode(told)
	}
	return text
}
