package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// answer is what is kept of a call with an idempotency key: an execution that it
// started, or the outcome of its run.
type answer struct {
	Execution string             `json:"execution,omitempty"`
	RunID     string             `json:"runId,omitempty"`
	Took      time.Duration      `json:"took,omitempty"`
	Output    json.RawMessage    `json:"output,omitempty"`
	Failure   *execution.Failure `json:"failure,omitempty"`
}

// answerOf is the answer to a call that was run.
func answerOf(c *Call, err error) answer {
	a := answer{RunID: c.RunID, Took: c.Took}
	if err != nil {
		a.Failure = failureOf(fault.As(err))
	} else {
		a.Output = jsontext.Append(nil, c.Output)
	}
	return a
}

// encode writes what always can be written. JSON that is part of it stays as it is, so
// that nothing reads another way when it is told again.
func encode(v any) json.RawMessage {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v)
	return bytes.TrimRight(out.Bytes(), "\n")
}

// claim makes sure that a call with an idempotency key is made once. One that was made
// already is answered as it was then.
func (e *Engine) claim(ctx context.Context, c *Call) error {
	if c.IdempotencyKey == "" {
		return nil
	}
	key := execution.IdempotencyKey{Subject: c.subject(), Workflow: c.Target.Name, Key: c.IdempotencyKey}
	attempt, err := e.Executions.Begin(ctx, key, fingerprint(c))
	if err != nil {
		return err
	}
	switch attempt.State {
	case execution.Fresh:
		c.claim = &attempt.Claim
		return nil
	case execution.Replay:
		return e.replay(ctx, c, attempt.Answer)
	case execution.Mismatch:
		return fault.New(fault.IdempotencyMismatch, "this Idempotency-Key was used for another call of the workflow: use a new key for other inputs")
	case execution.NotKept:
		return notKept()
	default:
		return &fault.Error{Code: fault.IdempotencyConflict, Detail: "the call with this Idempotency-Key is being made: ask again shortly", RetryAfter: retrySoon}
	}
}

func notKept() error {
	return fault.New(fault.IdempotencyConflict, "the call with this Idempotency-Key was made, in part or as a whole, and what came of it is not kept: it was too large, is too long ago, or the pod ended meanwhile. Look what it did, and use a new key to make it again")
}

// fingerprint is a digest of what makes two calls the same: the mode and the inputs.
func fingerprint(c *Call) [sha256.Size]byte {
	return sha256.Sum256(jsontext.Append([]byte(c.Mode+"\n"), c.inputs)) // with its keys in order
}

// replay answers a call as it was answered before.
func (e *Engine) replay(ctx context.Context, c *Call, text []byte) error {
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("reading the answer to an idempotency key: %w", err)
	}
	if a.Execution != "" {
		started, err := e.Executions.Get(ctx, c.subject(), a.Execution)
		switch {
		case err != nil && fault.As(err).Code == fault.NotFound:
			return notKept() // later executions have displaced it
		case err != nil:
			return err
		}
		c.Execution = started
		a.RunID = started.ID
	}
	c.Replayed, c.RunID, c.Took, c.Output = true, a.RunID, a.Took, a.Output
	if a.Failure != nil {
		return faultOf(a.Failure)
	}
	return nil
}

// faultOf is the fault of a failure that was kept.
func faultOf(kept *execution.Failure) *fault.Error {
	f := &fault.Error{Code: kept.Code, Detail: kept.Detail, Status: kept.Status}
	var problem *fault.Problem // null is none
	if kept.Problem != nil && json.Unmarshal(kept.Problem, &problem) == nil {
		f.Problem = problem
	}
	return f
}

// conclude keeps the answer to a call that was run, of which acted says whether it did
// anything outside of itself. One that was overloaded before it did is as if it had not
// been made: leave gives its key back.
func (e *Engine) conclude(ctx context.Context, c *Call, err error, acted bool) {
	if c.claim == nil {
		return
	}
	a := answerOf(c, err)
	if a.Failure != nil && a.Failure.Code == fault.Overloaded {
		if !acted {
			return
		}
		// Who is told once more to try again shortly would do so with this key forever.
		a.Failure = &execution.Failure{Code: fault.Internal, Detail: "the pod was overloaded when the workflow had done part of its work: use a new key to make the call again"}
	}
	e.settle(ctx, c, a)
}

// action notes whether a run does anything outside of itself.
type action struct{ done atomic.Bool }

// watch returns the options of a run with an action that is told of all that it does.
func (a *action) watch(o workflow.Options) workflow.Options {
	trace, spawn := o.Trace, o.Spawn
	o.Trace = func(event workflow.TaskEvent) {
		if event.Phase == workflow.TaskStarted && (event.Kind == "emit" || strings.HasPrefix(event.Kind, "call ")) {
			a.done.Store(true)
		}
		trace(event)
	}
	o.Spawn = func(ctx context.Context, name string, inputs any) error {
		err := spawn(ctx, name, inputs)
		if err == nil {
			a.done.Store(true)
		}
		return err
	}
	return o
}

// settle keeps the answer to the call.
func (e *Engine) settle(ctx context.Context, c *Call, a answer) {
	claim := *c.claim
	c.claim = nil
	e.Executions.Settle(context.WithoutCancel(ctx), claim, encode(a))
}
