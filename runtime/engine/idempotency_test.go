package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// keyed is a call with an idempotency key.
func keyed(workflow, key, idempotency string, inputs map[string]any) *Call {
	c := call(workflow, key, &source{inputs: inputs})
	c.IdempotencyKey = idempotency
	return c
}

func TestIdempotency(t *testing.T) {
	e, keys, told := openFor(t, slow, "web", "other")
	inputs := map[string]any{"text": "<a>&\u2028\u00e9", "number": 1e-7, "more": []any{nil, true}, "large": 1e21}
	first := keyed("echo", keys[0], "k", inputs)
	if err := e.Execute(t.Context(), first); err != nil || first.Replayed {
		t.Fatal(err, first.Replayed)
	}
	again := keyed("echo", keys[0], "k", inputs)
	if err := e.Execute(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	was, is := jsontext.Append(nil, first.Output), jsontext.Append(nil, again.Output)
	if !again.Replayed || again.RunID != first.RunID || again.Took != first.Took || !bytes.Equal(was, is) {
		t.Errorf("the same call: %+v with %s, want %+v with %s", again, is, first, was)
	}
	if len(told.ran) != 1 {
		t.Errorf("it ran %d times", len(told.ran))
	}
	wantCode(t, e.Execute(t.Context(), keyed("echo", keys[0], "k", map[string]any{"a": 2})), fault.IdempotencyMismatch)
	async := keyed("echo", keys[0], "k", inputs)
	async.Mode = Async
	wantCode(t, e.Execute(t.Context(), async), fault.IdempotencyMismatch)
	for what, c := range map[string]*Call{
		"another key":      keyed("echo", keys[0], "other", inputs),
		"another workflow": keyed("parent", keys[0], "k", inputs),
		"another caller":   keyed("echo", keys[1], "k", inputs),
		"no key":           keyed("echo", keys[0], "", inputs),
	} {
		if err := e.Execute(t.Context(), c); err != nil || c.Replayed {
			t.Errorf("%s: %v, replayed %v", what, err, c.Replayed)
		}
	}
	wantCode(t, e.Execute(t.Context(), keyed("echo", keys[0], strings.Repeat("x", 256), inputs)), fault.InvalidInput)
}

// TestIdempotentNull: an output of null is one.
func TestIdempotentNull(t *testing.T) {
	e, key, _ := open(t, func(d *config.Document) {
		d.Workflows = append(d.Workflows, define("null", `[{"a":{"set":"${ null }"}}]`))
	})
	for _, replayed := range []bool{false, true} {
		c := keyed("null", key, "k", nil)
		if err := e.Execute(t.Context(), c); err != nil || c.Replayed != replayed || string(jsontext.Append(nil, c.Output)) != "null" {
			t.Errorf("%v, replayed %v: %v", err, c.Replayed, c.Output)
		}
	}
}

// TestIdempotentFailure: a run that failed is not made again, and fails again in the same
// words; its cause was logged the first time.
func TestIdempotentFailure(t *testing.T) {
	e, key, told := open(t, slow)
	var log bytes.Buffer
	e.Log = slog.New(slog.NewTextHandler(&log, nil))
	first := wantFault(t, e.Execute(t.Context(), keyed("raises", key, "k", nil)), fault.WorkflowFailed)
	again := keyed("raises", key, "k", nil)
	f := wantFault(t, e.Execute(t.Context(), again), fault.WorkflowFailed)
	if !again.Replayed || f.Status != 409 || f.Detail != first.Detail || *f.Problem != *first.Problem || len(told.ran) != 1 {
		t.Errorf("replayed %v: %+v after %d runs, want %+v", again.Replayed, f, len(told.ran), first)
	}
	if n := strings.Count(log.String(), "Workflow failed"); n != 1 {
		t.Errorf("logged %d times: %s", n, log.String())
	}
}

// TestIdempotentTimeout: a failure without an error of the workflow language has none when
// it is told again either.
func TestIdempotentTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, key, _ := open(t, slow)
		for _, replayed := range []bool{false, true} {
			c := keyed("slow", key, "k", nil)
			if f := wantFault(t, e.Execute(t.Context(), c), fault.Timeout); c.Replayed != replayed || f.Problem != nil {
				t.Errorf("replayed %v: %+v", c.Replayed, f.Problem)
			}
		}
	})
	if f := faultOf(&execution.Failure{Code: fault.Timeout, Problem: json.RawMessage("null")}); f.Problem != nil {
		t.Errorf("null as it was kept once is read as %+v", f.Problem)
	}
}

// TestIdempotentOverload: the key of a run that was overloaded is free again, unless the
// run did something before.
func TestIdempotentOverload(t *testing.T) {
	e, key, _ := open(t, nil)
	for _, acted := range []bool{false, true} {
		name := fmt.Sprint(acted)
		c := keyed("echo", key, name, map[string]any{})
		for _, step := range slices.Concat(admissionSteps[:], executionSteps[:len(executionSteps)-1]) {
			if err := step(e, t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		e.conclude(t.Context(), c, overloaded("no memory"), acted)
		e.leave(t.Context(), c)
		again := keyed("echo", key, name, map[string]any{})
		err := e.Execute(t.Context(), again)
		if !acted {
			if err != nil || again.Replayed {
				t.Errorf("after a run that did nothing: %v, replayed %v", err, again.Replayed)
			}
			continue
		}
		if f := wantFault(t, err, fault.Internal); !again.Replayed || !strings.Contains(f.Detail, "use a new key") {
			t.Errorf("after a run that did something: %v, replayed %v", f, again.Replayed)
		}
	}
}

// takingSink takes every event.
type takingSink struct{ workflow.Caller }

func (takingSink) Emit(context.Context, map[string]any) error { return nil }

// TestIdempotentAction: a run that has begun to send something may have sent it.
func TestIdempotentAction(t *testing.T) {
	e, _, _ := open(t, func(d *config.Document) {
		slow(d)
		d.Workflows = append(d.Workflows, define("emits", `[{"e":{"emit":{"event":{"with":{"type":"t"}}}}}]`))
	})
	e.host.Caller = takingSink{}
	for name, want := range map[string]bool{"echo": false, "raises": false, "emits": true, "parent": true} {
		var did action
		w := e.byName[name]
		_, err := e.execute(t.Context(), w, map[string]any{}, did.watch(workflow.Options{ID: NewID(), Trace: w.trace, Spawn: e.spawn("key|web")}))
		if did.done.Load() != want || (err != nil) != (name == "raises") {
			t.Errorf("%s: %v, %v", name, did.done.Load(), err)
		}
	}
	for kind, want := range map[string]bool{"set": false, "run": false, "call function": true, "call http": true, "call mcp": true, "emit": true} {
		var did action
		traced := 0
		o := did.watch(workflow.Options{Trace: func(workflow.TaskEvent) { traced++ }})
		o.Trace(workflow.TaskEvent{Kind: kind, Phase: workflow.TaskSkipped})
		before := did.done.Load()
		o.Trace(workflow.TaskEvent{Kind: kind, Phase: workflow.TaskStarted})
		if before || did.done.Load() != want || traced != 2 {
			t.Errorf("%s: %v, then %v", kind, before, did.done.Load())
		}
	}
	var refused error
	var did action
	o := did.watch(workflow.Options{Spawn: func(context.Context, string, any) error { return refused }})
	refused = overloaded("no place")
	if err := o.Spawn(t.Context(), "w", nil); err == nil || did.done.Load() {
		t.Error("a workflow that was not started counts")
	}
	refused = nil
	if err := o.Spawn(t.Context(), "w", nil); err != nil || !did.done.Load() {
		t.Error("a workflow that was started does not count")
	}
}

// TestIdempotentRefusals: what is refused before it runs leaves the key free.
func TestIdempotentRefusals(t *testing.T) {
	e, key, _ := open(t, slow)
	kept := e.Executions
	c := keyed("echo", key, "k", map[string]any{})
	c.Mode = Async
	e.Executions = manager(refusing{execution.NewMemory(1<<20, time.Hour, time.Now)})
	for range 2 {
		refused := *c
		wantCode(t, e.Execute(t.Context(), &refused), fault.Overloaded)
	}
	e.Executions = kept
	broken := keyed("echo", key, "k", nil)
	broken.Source = &source{err: fault.New(fault.InvalidInput, "no JSON")}
	wantCode(t, e.Execute(t.Context(), broken), fault.InvalidInput)
	if err := e.Execute(t.Context(), c); err != nil || c.Replayed {
		t.Errorf("after the refusals: %v, replayed %v", err, c.Replayed)
	}
	wantCode(t, e.Execute(t.Context(), keyed("nothing", key, "k", nil)), fault.WorkflowNotFound)
}

// TestIdempotentStart: the same call is told of the same execution, as it stands then.
func TestIdempotentStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, key, told := open(t, slow)
		start := func() *Call {
			c := keyed("longer", key, "k", map[string]any{})
			c.Mode = Async
			if err := e.Execute(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			return c
		}
		first := start()
		if again := start(); !again.Replayed || again.RunID != first.RunID || again.Execution.ID != first.RunID || again.Execution.Status != execution.Running {
			t.Errorf("while it runs: %+v", again)
		}
		finished(t, e, first, first.RunID)
		if again := start(); !again.Replayed || again.Execution.ID != first.RunID || again.Execution.Status != execution.Completed {
			t.Errorf("afterwards: %+v", again)
		}
		if len(told.ran) != 1 {
			t.Errorf("it ran %d times", len(told.ran))
		}
		wantFree(t, e)
	})
}

// forgetful is a store that has lost every execution.
type forgetful struct{ execution.Store }

func (s forgetful) Get(ctx context.Context, subject, _ string) (execution.Execution, error) {
	return s.Store.Get(ctx, subject, "")
}

// TestIdempotentStartForgotten: an execution that made room for others is not started
// again by the same key.
func TestIdempotentStartForgotten(t *testing.T) {
	e, key, told := open(t, nil)
	e.Executions = manager(forgetful{execution.NewMemory(1<<20, time.Hour, time.Now)})
	c := keyed("echo", key, "k", map[string]any{})
	c.Mode = Async
	if err := e.Execute(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	f, err := e.Follow(t.Context(), c, c.RunID, 0)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Next(t.Context())
	}
	f.Close()
	again := keyed("echo", key, "k", map[string]any{})
	again.Mode = Async
	wantCode(t, e.Execute(t.Context(), again), fault.IdempotencyConflict)
	if again.Replayed || len(told.ran) != 1 {
		t.Errorf("replayed %v after %d runs", again.Replayed, len(told.ran))
	}
}

// TestIdempotentRunOutlivesCaller: with a key, a run goes on when its caller goes away,
// and the same call is told how it ended; without one, it ends.
func TestIdempotentRunOutlivesCaller(t *testing.T) {
	for _, idempotency := range []string{"k", ""} {
		synctest.Test(t, func(t *testing.T) {
			e, key, told := open(t, slow)
			ctx, hangUp := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- e.Execute(ctx, keyed("longer", key, idempotency, nil)) }()
			synctest.Wait()
			if idempotency != "" {
				f := wantFault(t, e.Execute(t.Context(), keyed("longer", key, idempotency, nil)), fault.IdempotencyConflict)
				if f.RetryAfter <= 0 {
					t.Error("while it runs: without a time to ask again")
				}
			}
			hangUp()
			err := <-done
			if idempotency == "" {
				wantCode(t, err, Canceled)
				wantFree(t, e)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			again := keyed("longer", key, idempotency, nil)
			if err := e.Execute(t.Context(), again); err != nil || !again.Replayed || string(jsontext.Append(nil, again.Output)) != `{"after":"a minute"}` {
				t.Errorf("asked again: %v, %+v", err, again)
			}
			if len(told.ran) != 1 || told.ran[0] != CodeOK {
				t.Errorf("told of the runs %v", told.ran)
			}
			wantFree(t, e)
		})
	}
}

// unsettled is a store that cannot be asked about keys.
type unsettled struct{ execution.Store }

func (unsettled) Begin(context.Context, execution.Claim) (execution.Attempt, error) {
	return execution.Attempt{}, errors.New("cannot be reached")
}

// TestIdempotencyFailsClosed: while nobody knows whether a call was made, it is not.
func TestIdempotencyFailsClosed(t *testing.T) {
	e, key, told := open(t, nil)
	e.Executions = manager(unsettled{execution.NewMemory(1<<20, time.Hour, time.Now)})
	f := wantFault(t, e.Execute(t.Context(), keyed("echo", key, "k", nil)), fault.Overloaded)
	if f.RetryAfter <= 0 || len(told.ran) != 0 {
		t.Errorf("%+v after %d runs", f, len(told.ran))
	}
	wantFree(t, e)
}
