package engine

import (
	"context"
	"errors"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
)

// authenticate finds out who calls. A refused credential spends from the client
// address's allowance of failures; once that is spent, refusals are rate limited. A
// valid credential always passes, and no credential at all spends nothing.
func (e *Engine) authenticate(ctx context.Context, c *Call) error {
	if e.auth.Mode == v1alpha1.AuthDisabled {
		return nil
	}
	token, reason := c.Credentials.Token()
	if reason == auth.Accepted {
		c.Principal, reason = e.Keys.Keyring().Authenticate(token, c.Start)
	}
	switch reason {
	case auth.Accepted:
		return nil
	case auth.Missing:
		c.reason = reason
		return refusals[reason]
	default:
		c.reason = reason
		return e.spendFailure(ctx, c)
	}
}

// spendFailure is the refusal of a credential.
func (e *Engine) spendFailure(ctx context.Context, c *Call) error {
	v, err := e.Store.Take(ctx, c.Start, c.Client.Key(), e.failures)
	if err != nil {
		return unavailable(err)
	}
	if !v.Allowed {
		return &fault.Error{
			Code: fault.RateLimited, Detail: "too many refused credentials from this address: wait, and send one that is valid",
			RetryAfter: v.RetryAfter, Policies: v.Names(e.failures),
		}
	}
	return refusals[c.reason]
}

// refusals say what to do about a missing or refused credential, and nothing about
// which keys exist: an unknown id and a wrong secret read the same, and so does an
// expired key. They are shared, since a flood makes many.
var refusals = map[auth.Reason]*fault.Error{
	auth.Missing:   {Code: fault.Unauthenticated, Detail: "send an API key, as \"Authorization: Bearer KEY\" or \"X-API-Key: KEY\""},
	auth.Ambiguous: {Code: fault.Unauthenticated, Detail: "send one credential: there are two different ones, or a header stands twice"},
	auth.Malformed: {Code: fault.Unauthenticated, Detail: "the credential is not accepted: send an API key, as \"Authorization: Bearer KEY\" or \"X-API-Key: KEY\""},
	auth.Unknown:   {Code: fault.Unauthenticated, Detail: "the credential is not accepted: send an API key that is in force"},
	auth.Expired:   {Code: fault.Unauthenticated, Detail: "the credential is not accepted: send an API key that is in force"},
}

// find resolves the workflow's name. A workflow that the channel does not expose does
// not exist there.
func (e *Engine) find(_ context.Context, c *Call) error {
	w, ok := e.byName[c.Workflow]
	if !ok || !w.exposes(c.Channel) {
		return notFound()
	}
	c.Target = w
	return nil
}

func notFound() error {
	return fault.New(fault.WorkflowNotFound, "there is no such workflow: the list of workflows has those that you may run")
}

// limit consumes from the app's bucket and the workflow's own, or from neither.
func (e *Engine) limit(ctx context.Context, c *Call) error {
	policies := c.Target.Policies
	if len(policies) == 0 {
		return nil
	}
	v, err := e.Store.Take(ctx, c.Start, e.caller(c), policies)
	if err != nil {
		return unavailable(err)
	}
	c.Verdict, c.Limited = v, true
	if v.Allowed {
		return nil
	}
	return &fault.Error{
		Code: fault.RateLimited, Detail: "the rate limit is spent: wait as long as Retry-After says",
		RetryAfter: v.RetryAfter, Policies: v.Names(policies),
	}
}

// caller is whose buckets a call spends from, as spec.rateLimit.per says.
func (e *Engine) caller(c *Call) limit.Caller {
	switch {
	case e.per == v1alpha1.PerApp:
		return limit.Caller{}
	case e.per == v1alpha1.PerSubject && c.Principal != nil:
		return limit.Caller{Subject: c.Principal.Subject}
	default:
		return c.Client.Key()
	}
}

func (e *Engine) authorize(_ context.Context, c *Call) error {
	if c.Target.admits(c.Principal) {
		return nil
	}
	return fault.New(fault.Forbidden, "you have none of the roles that may run this workflow: ask its owner for one")
}

// enter takes one of the places for workflows that run at once.
func (e *Engine) enter(_ context.Context, c *Call) error {
	if e.running.Add(1) <= e.capacity {
		c.entered = true
		return nil
	}
	e.running.Add(-1)
	return overloaded("all places for running workflows are taken: try again shortly")
}

func overloaded(detail string) error {
	return &fault.Error{Code: fault.Overloaded, Detail: detail, RetryAfter: retrySoon}
}

// unavailable is the failure of a rate limit store: fail closed.
func unavailable(err error) error {
	f := fault.New(fault.Overloaded, "the rate limit cannot be checked just now: try again shortly")
	f.RetryAfter, f.Cause = retrySoon, err
	return f
}

// read has the transport read and decode the inputs; the input rules are applied
// there, while the text is decoded.
func (e *Engine) read(ctx context.Context, c *Call) error {
	var err error
	if c.inputs, err = c.Source.Inputs(c); err != nil && ctx.Err() != nil {
		return canceled(err)
	}
	return err
}

// check applies the workflow's own schema; under the Strict policy, a workflow
// without one takes no inputs.
func (e *Engine) check(_ context.Context, c *Call) error {
	if e.rules.Strict() && !c.Target.hasSchema {
		if inputs, ok := c.inputs.(map[string]any); !ok || len(inputs) > 0 {
			f := fault.New(fault.InvalidInput, "this workflow declares no input schema, so under the Strict policy it takes no inputs")
			f.Violations = []fault.Violation{{Pointer: "", Rule: RuleUndeclaredInput, Message: "no input is declared"}}
			return f
		}
	}
	return c.Target.Program.Check(c.inputs)
}

// run executes the workflow within its time.
func (e *Engine) run(ctx context.Context, c *Call) error {
	c.RunID = NewID()
	began := time.Now()
	bounded := newDeadline(ctx, began.Add(c.Target.timeout))
	output, err := c.Target.Program.Run(bounded, c.inputs) //nolint:contextcheck // a deadline is made of the call's own context
	c.Took = time.Since(began)
	bounded.stop()
	if err != nil {
		err = e.runFailed(ctx, bounded, c, err)
		e.Recorder.Ran(c.Target.Name, c.Took, fault.As(err).Code)
		return err
	}
	c.Output = output
	e.Recorder.Ran(c.Target.Name, c.Took, CodeOK)
	return nil
}

// runFailed tells a run that failed by itself from one that was ended.
func (e *Engine) runFailed(ctx context.Context, bounded *deadline, c *Call, err error) error {
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return canceled(err)
	case bounded.Err() != nil:
		f := fault.New(fault.Timeout, "the workflow did not finish within its %v", c.Target.timeout)
		f.Cause = err
		return f
	}
	return err
}

func canceled(cause error) error {
	return &fault.Error{Code: Canceled, Detail: "the caller went away before the reply", Cause: cause}
}
