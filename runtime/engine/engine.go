// Package engine is the choke point: every call of every channel passes the same
// steps here, so the same call gets the same verdict whichever way it came.
// Transports only decode, call the engine, and encode.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/compile"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
	"github.com/nexus-operator/nexus-operator/runtime/validate"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// Deps are what an engine works with.
type Deps struct {
	// Keys are the API keys; nil when the document declares none.
	Keys *auth.Directory
	// Tokens verifies JSON Web Tokens; nil when the document names no issuer.
	Tokens *auth.Tokens
	// Limits holds the rate limit buckets, and Failures those of refused credentials.
	Limits, Failures limit.Store
	// Local holds the buckets that only matter to this pod.
	Local *limit.Memory
	// Bodies bounds the bodies of requests and the large replies in flight, in bytes.
	Bodies *limit.Budget
	// Caller makes the calls of workflows, and Secrets reads what they use as $secrets.
	Caller  workflow.Caller
	Secrets func() map[string]any
	// Executions runs workflows apart from their callers, and keeps idempotency keys.
	Executions *execution.Manager
	// Recorder is told what happens.
	Recorder Recorder
	// Log takes the causes that callers are not told.
	Log *slog.Logger
}

// Engine enforces a document. It is immutable but for counters, and safe for
// concurrent use.
type Engine struct {
	Deps
	name      string
	auth      v1alpha1.Auth
	refusals  map[auth.Reason]*fault.Error
	per       v1alpha1.RateLimitPer
	shadow    bool
	rules     *validate.Rules
	proxies   limit.Proxies
	failures  []*limit.Policy
	verifying []*limit.Policy
	asking    []*limit.Policy
	workflows []*Workflow
	byName    map[string]*Workflow
	host      *workflow.Host
	capacity  int64
	// budget is all that bodies may take.
	budget int64
	// running are the places that are taken, and started the executions under way.
	running, started atomic.Int64
}

// A step is one of those that every execution passes, in the order of the two lists. A
// step that refuses ends the call, so whatever a later step costs is not spent on it; in
// particular, the body of a refused caller is never read where it holds nothing but the
// inputs.
type step func(*Engine, context.Context, *Call) error

// admissionSteps are those that need nothing of the inputs.
var admissionSteps = [...]step{
	(*Engine).authenticate,
	(*Engine).find,
	(*Engine).limit,
	(*Engine).authorize,
}

// executionSteps are those of a call that was admitted.
var executionSteps = [...]step{
	(*Engine).enter,
	(*Engine).read,
	(*Engine).check,
	(*Engine).permit,
	(*Engine).claim,
	(*Engine).run,
}

// New compiles every workflow of a document. The error has one line for each problem,
// with the field and, within a definition, the JSON pointer.
func New(doc config.Document, deps Deps) (*Engine, error) {
	proxies, err := limit.NewProxies(doc.RateLimit.TrustedProxies)
	if err != nil {
		return nil, err
	}
	if doc.Auth.Mode == v1alpha1.AuthRequired && deps.Keys == nil && deps.Tokens == nil {
		return nil, errors.New("spec.auth.mode is Required and there is no credential source")
	}
	e := &Engine{
		Deps: deps, name: doc.Name, auth: doc.Auth, refusals: refusalsFor(doc.Auth), per: doc.RateLimit.Per,
		shadow: doc.RateLimit.Mode == v1alpha1.RateLimitShadow,
		rules:  validate.New(doc.Input), proxies: proxies,
		failures:  []*limit.Policy{limit.NewPolicy(PolicyAuthFailures, doc.RateLimit.AuthFailuresPerMinute, doc.RateLimit.AuthFailuresPerMinute)},
		verifying: []*limit.Policy{limit.NewPolicy(PolicyAuthFailures, verificationsPerMinute, verificationsAtOnce)},
		asking:    []*limit.Policy{limit.NewPolicy(PolicyExecutions, asksPerMinute, asksAtOnce)},
		byName:    make(map[string]*Workflow, len(doc.Workflows)),
		host:      &workflow.Host{Caller: deps.Caller, Secrets: deps.Secrets, NewID: NewID},
		capacity:  int64(doc.Limits.MaxConcurrentWorkflows),
	}
	if deps.Bodies != nil {
		e.budget = deps.Bodies.Free()
	}
	compiled, problems := compile.App(&doc)
	if len(problems) > 0 {
		return nil, config.Join(problems)
	}
	app := appPolicies(doc.RateLimit)
	for i := range compiled {
		w := newWorkflow(doc, i, compiled[i], app)
		w.trace = deps.Recorder.Tasks(w.Name)
		e.workflows = append(e.workflows, w)
		e.byName[w.Name] = w
	}
	return e, nil
}

// Name is the app's name.
func (e *Engine) Name() string { return e.name }

// Workflows are all workflows of the document, in its order.
func (e *Engine) Workflows() []*Workflow { return e.workflows }

// Host is what runs of the engine reach outside of themselves.
func (e *Engine) Host() *workflow.Host { return e.host }

// Rules are the input rules.
func (e *Engine) Rules() *validate.Rules { return e.rules }

// Client finds the client of a call; see limit.Proxies.
func (e *Engine) Client(remote string, forwardedFor []string) limit.Client {
	client, ignored := e.proxies.Client(remote, forwardedFor)
	if ignored {
		e.Recorder.ForwardedIgnored(client.Addr)
	}
	return client
}

// Authenticate finds out who calls; whatever else a transport serves, it asks this first.
// The error is a *fault.Error.
func (e *Engine) Authenticate(ctx context.Context, c *Call) error {
	if err := e.authenticate(ctx, c); err != nil {
		return e.refuse(ctx, c, err)
	}
	return nil
}

// Admit is the first part of Execute, up to where it needs the inputs: for a transport
// that knows the workflow before it reads them, and answers a refusal differently then.
// Execute goes on from there. The error is a *fault.Error.
func (e *Engine) Admit(ctx context.Context, c *Call) error {
	if c.admitted {
		return nil
	}
	for _, step := range admissionSteps {
		if err := step(e, ctx, c); err != nil {
			return e.refuse(ctx, c, err)
		}
	}
	c.admitted = true
	return nil
}

// Execute runs the workflow that the call names and fills in the call's results. The
// error is a *fault.Error.
func (e *Engine) Execute(ctx context.Context, c *Call) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = e.refuse(ctx, c, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
		}
		e.leave(ctx, c)
	}()
	if err := e.Admit(ctx, c); err != nil {
		return err
	}
	for _, step := range executionSteps {
		if err := step(e, ctx, c); err != nil {
			return e.refuse(ctx, c, err)
		}
		if c.Replayed {
			return nil
		}
	}
	return nil
}

// Release gives back what a call holds that is not going to be executed, such as the part
// of the budget that its body takes.
func (e *Engine) Release(ctx context.Context, c *Call) { e.leave(ctx, c) }

// List returns the workflows that the caller may run on the call's channel.
func (e *Engine) List(ctx context.Context, c *Call) ([]*Workflow, error) {
	if err := e.authenticate(ctx, c); err != nil {
		return nil, e.refuse(ctx, c, err)
	}
	var list []*Workflow
	for _, w := range e.workflows {
		if w.Exposes(c.Channel) && w.admits(c.Principal) == "" {
			list = append(list, w)
		}
	}
	return list, nil
}

// Describe returns the workflow that the call names. One that the caller may not run
// is not found.
func (e *Engine) Describe(ctx context.Context, c *Call) (*Workflow, error) {
	err := e.authenticate(ctx, c)
	if err == nil {
		err = e.find(ctx, c)
	}
	if err == nil && c.Target.admits(c.Principal) != "" {
		err = notFound()
	}
	if err != nil {
		return nil, e.refuse(ctx, c, err)
	}
	return c.Target, nil
}

// refuse turns the error of a step into what the caller may see, and tells of it
// whoever watches over the app.
func (e *Engine) refuse(ctx context.Context, c *Call, err error) error {
	f := fault.As(err)
	if event, ok := c.securityEvent(f); ok {
		e.Recorder.Event(event)
	}
	if !c.Replayed { // else it was logged then
		e.logFailure(ctx, f, c.workflowName(), "requestId", c.RequestID)
	}
	return f
}

// logFailure logs the cause that a caller is not told. What a workflow's author has to
// look at is a warning, what we have to is an error. Anybody can send an input that a
// condition cannot be evaluated for. The id is that of a request or of an execution.
func (e *Engine) logFailure(ctx context.Context, f *fault.Error, workflowName, idName, id string) {
	level, message := slog.LevelError, "Workflow failed"
	switch {
	case f.Code == fault.Internal:
	case f.Code == fault.WorkflowFailed:
		level = slog.LevelWarn
	case f.Code == fault.Forbidden && f.Cause != nil:
		level, message = slog.LevelDebug, "Condition cannot be evaluated"
	default:
		return // most refusals: nothing is put together for them
	}
	cause := f.Cause
	if raised, ok := errors.AsType[*workflow.Error](cause); ok {
		cause = raised.Cause // the rest is the detail
	}
	attrs := []slog.Attr{slog.String("workflow", workflowName), slog.String(idName, id), slog.String("detail", f.Detail)}
	if cause != nil {
		attrs = append(attrs, slog.Any("cause", cause))
	}
	e.Log.LogAttrs(ctx, level, message, attrs...)
}

// leave gives back what a call holds. A key whose call was not made can be used again.
func (e *Engine) leave(ctx context.Context, c *Call) {
	if c.claim != nil {
		e.Executions.Release(context.WithoutCancel(ctx), *c.claim)
		c.claim = nil
	}
	e.giveBack(c.handOver())
}

// retrySoon is what an overloaded pod asks for: long enough to be worth it, short
// enough not to leave it idle.
const retrySoon = time.Second
