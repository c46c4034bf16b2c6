package engine

import (
	"context"

	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// maxListed is how many executions are listed.
const maxListed = 100

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
		found, err = about(c.subject())
	}
	if err != nil {
		var none T
		return none, e.refuse(c, err)
	}
	return found, nil
}
