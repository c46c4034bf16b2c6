package engine

import (
	"context"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/authz"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
)

// find resolves the workflow's name. A workflow that the channel does not expose does
// not exist there.
func (e *Engine) find(_ context.Context, c *Call) error {
	w, ok := e.byName[c.Workflow]
	if !ok || !w.Exposes(c.Channel) {
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
	v, err := e.Limits.Take(ctx, c.Start, e.caller(c), policies)
	switch {
	case err != nil && e.shadow:
		return nil // nothing can be decided, and nobody is refused
	case err != nil:
		return unavailable(err)
	}
	c.Verdict, c.Limited = v, !v.Unlimited
	if v.Allowed {
		return nil
	}
	if e.shadow {
		e.Recorder.Event(c.event(LimitShadowed, v.Names(policies)[0]))
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

// authorize looks at roles and scopes, before anything of the body is read.
func (e *Engine) authorize(_ context.Context, c *Call) error {
	c.denied = c.Target.admits(c.Principal)
	switch c.denied {
	case "":
		return nil
	case deniedScope:
		f := fault.New(fault.Forbidden, "your token has none of the scopes that may run this workflow: ask for a token with one of them")
		f.Scopes = c.Target.Authorization.AnyScope
		return f
	default:
		return fault.New(fault.Forbidden, "you have none of the roles that may run this workflow: ask its owner for one")
	}
}

// permit evaluates the workflow's condition, which may look at the input. What cannot be
// evaluated is not permitted.
func (e *Engine) permit(ctx context.Context, c *Call) error {
	if c.Target.condition == nil {
		return nil
	}
	allowed, err := c.Target.condition.Allows(ctx, subjectOf(c.Principal), c.inputs)
	if allowed {
		return nil
	}
	c.denied = deniedCondition
	f := fault.New(fault.Forbidden, "the condition under which this workflow may be run does not hold for you and this input: ask its owner about it")
	f.Cause = err
	return f
}

func subjectOf(p *auth.Principal) authz.Subject {
	if p == nil {
		return authz.Subject{}
	}
	return authz.Subject{ID: p.Subject, Name: p.Name, Issuer: p.Issuer, Roles: p.Roles, Scopes: p.Scopes}
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

func canceled(cause error) error {
	return &fault.Error{Code: Canceled, Detail: "the caller went away before the reply", Cause: cause}
}
