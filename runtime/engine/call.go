package engine

import (
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/authz"
	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// Codes of outcomes that are no faults of the table.
const (
	// CodeOK is success.
	CodeOK fault.Code = "ok"
	// Canceled is a call whose caller went away; nobody reads the reply.
	Canceled fault.Code = "canceled"
)

// Mode is how a caller learns the outcome of a call.
type Mode string

// The modes.
const (
	// Sync waits for it: the run ends when the caller goes away.
	Sync Mode = ""
	// Async asks for it later, and Stream follows it; the run goes on without its caller.
	Async  Mode = Mode(execution.Async)
	Stream Mode = Mode(execution.Stream)
)

// Source yields the inputs of a call. Inputs is called at most once, after everything
// that can refuse the call without reading it.
type Source interface {
	Inputs(*Call) (any, error)
}

// Call is one call of a workflow. The transport fills in the first part and reads the
// second; a zeroed call can be used again.
type Call struct {
	// Channel that the call came through.
	Channel v1alpha1.Channel
	// Workflow is the name, as the caller wrote it.
	Workflow string
	// Credentials as the caller sent them.
	Credentials auth.Credentials
	// Client is where the call comes from.
	Client limit.Client
	// RequestID finds the call in the logs.
	RequestID string
	// Start is when the call arrived.
	Start time.Time
	// Source yields the inputs.
	Source Source
	// Mode is how the caller learns the outcome. The source may set it while the inputs
	// are read.
	Mode Mode
	// IdempotencyKey is the key by which the caller makes the call only once; empty
	// without one.
	IdempotencyKey string
	// Trace, unless nil, is told of the tasks of a Sync run, on the goroutines that run
	// them.
	Trace func(workflow.TaskEvent)

	// Principal is who calls; nil when authentication is disabled or failed.
	Principal *auth.Principal
	// Target is the workflow; nil until it is found.
	Target *Workflow
	// Limited says that Verdict holds what the rate limits said, about Target.Policies.
	Limited bool
	Verdict limit.Verdict
	// RunID, Output and Took are the result of the run.
	RunID  string
	Output any
	Took   time.Duration
	// Execution is what was started, unless the mode is Sync.
	Execution execution.Execution
	// Replayed says that the result is that of an earlier call with the same key.
	Replayed bool

	// admitted says that the first steps were passed.
	admitted bool
	inputs   any
	claim    *execution.Claim
	reason   auth.Reason
	denied   string
	// asked says that the call has spent from what its caller may ask of executions.
	asked   bool
	entered bool
	// held is how many bytes of the budget for bodies the call holds.
	held int64
}

// subject is whose executions and idempotency keys the call has to do with: everybody's
// where nobody is authenticated.
func (c *Call) subject() string {
	if c.Principal == nil {
		return ""
	}
	return c.Principal.Subject
}

func (c *Call) workflowName() string {
	if c.Target == nil {
		return ""
	}
	return c.Target.Name
}

// Workflow is a workflow of the document, ready to run.
type Workflow struct {
	v1alpha1.Workflow
	Program *workflow.Program
	// Policies are the rate limits of an execution; none when limits are off.
	Policies  []*limit.Policy
	condition *authz.Condition
	// trace is told of the tasks of its runs.
	trace     func(workflow.TaskEvent)
	timeout   time.Duration
	hasSchema bool
}

// Why a caller may not run a workflow; reasons of AccessDenied events.
const (
	deniedRole      = "role"
	deniedScope     = "scope"
	deniedCondition = "condition"
	// deniedAnonymous is a caller who asks for a list of what was theirs.
	deniedAnonymous = "anonymous"
)

// admits says whether the principal has the roles and scopes to run the workflow, or
// which of the two it lacks. Without lists everyone may who is authenticated as the
// document asks.
func (w *Workflow) admits(p *auth.Principal) (lacks string) {
	roles, scopes := w.Authorization.AnyRole, w.Authorization.AnyScope
	switch {
	case len(roles) > 0 && (p == nil || !p.HasAnyRole(roles)):
		return deniedRole
	case len(scopes) > 0 && (p == nil || !p.HasAnyScope(scopes)):
		return deniedScope
	default:
		return ""
	}
}
