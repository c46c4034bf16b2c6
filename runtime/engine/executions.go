package engine

import (
	"context"

	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
)

// maxListed is how many executions are listed.
const maxListed = 100

// A caller may ask a pod for executions, cancel and follow them this often: enough to
// watch a score of them at the pace that Retry-After suggests, too little to occupy Redis.
const (
	asksPerMinute = 20 * 60
	asksAtOnce    = 200
)

// Execution returns how an execution of the caller's stands.
func (e *Engine) Execution(ctx context.Context, c *Call, id string) (execution.Execution, error) {
	return ask(ctx, e, c, func(subject string) (execution.Execution, error) {
		return e.Executions.Get(ctx, subject, id)
	})
}

// CancelExecution has an execution of the caller's ended, and returns how it stands.
func (e *Engine) CancelExecution(ctx context.Context, c *Call, id string) (execution.Execution, error) {
	return ask(ctx, e, c, func(subject string) (execution.Execution, error) {
		return e.Executions.Cancel(ctx, subject, id)
	})
}

// ListExecutions returns the caller's last executions, the newest first, without their
// outputs. Callers who do not log in cannot be told apart, and would see each other's.
func (e *Engine) ListExecutions(ctx context.Context, c *Call) ([]execution.Execution, error) {
	return ask(ctx, e, c, func(subject string) ([]execution.Execution, error) {
		if c.Principal == nil {
			c.denied = deniedAnonymous
			return nil, fault.New(fault.Forbidden, "executions are listed for callers who log in, since others cannot be told apart: keep the Location that each start returns")
		}
		return e.Executions.List(ctx, subject, maxListed)
	})
}

// Follow reads the events of an execution of the caller's after one: those that were, and
// those that come.
func (e *Engine) Follow(ctx context.Context, c *Call, id string, after int) (*execution.Follower, error) {
	return ask(ctx, e, c, func(subject string) (*execution.Follower, error) {
		return e.Executions.Follow(ctx, subject, id, after)
	})
}

// ask finds out who calls, and then asks about what is theirs.
func ask[T any](ctx context.Context, e *Engine, c *Call, about func(subject string) (T, error)) (T, error) {
	var found T
	err := e.authenticate(ctx, c)
	if err == nil {
		err = e.meter(ctx, c)
	}
	if err == nil {
		found, err = about(c.subject())
	}
	if err != nil {
		var none T
		return none, e.refuse(ctx, c, err)
	}
	return found, nil
}

// meter spends from what a caller may ask of executions, once for each call. Who follows
// what the call itself has started has spent from the limits of executions for it.
func (e *Engine) meter(ctx context.Context, c *Call) error {
	if c.asked || c.Execution.ID != "" {
		return nil
	}
	c.asked = true
	who := c.Client.Key()
	if c.Principal != nil {
		who = limit.Caller{Subject: c.Principal.Subject}
	}
	// A Memory never fails.
	if v, _ := e.Local.Take(ctx, c.Start, who, e.asking); !v.Allowed {
		return &fault.Error{
			Code: fault.RateLimited, Detail: "you ask for executions too often: wait as long as Retry-After says, or follow them as a stream of events",
			RetryAfter: v.RetryAfter, Policies: v.Names(e.asking),
		}
	}
	return nil
}
