package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/validate"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// Recorder is told what happens, for metrics and the security log. Its methods are
// called on the path of every request and must be fast.
type Recorder interface {
	// Event is told of each security event.
	Event(Event)
	// Ran is told of each run: how long it took and its outcome, CodeOK or a fault's.
	Ran(workflow string, took time.Duration, code fault.Code)
	// Tasks returns what is told of each event of a task in the runs of a workflow. It is
	// asked for once for each workflow of the app.
	Tasks(workflow string) func(workflow.TaskEvent)
	// ForwardedIgnored is told of forwarding headers from a peer that is not trusted.
	ForwardedIgnored(peer netip.Addr)
}

// EventKind is a kind of security event.
type EventKind int

// The kinds of security events.
const (
	AuthFailure EventKind = iota
	LimitHit
	// LimitShadowed is a LimitHit that refused nobody: spec.rateLimit.mode is Shadow.
	LimitShadowed
	InputBlocked
	AccessDenied
	EventKinds // their number
)

// Event is something that whoever guards an app wants to know. It holds names and
// places, never values.
type Event struct {
	Kind EventKind
	// At is when the call arrived.
	At time.Time
	// Reason is an auth.Reason, the name of a rate limit policy, or an input rule.
	Reason    string
	Workflow  string
	Subject   string
	Client    netip.Addr
	RequestID string
	// Pointer is the JSON pointer of a blocked input.
	Pointer string
}

// Input rules that the engine itself adds to those of package validate.
const (
	RuleBodyTooLarge    = "body_too_large"
	RuleUndeclaredInput = "undeclared_input"
)

// InputRules are the names of all input rules, for metrics.
func InputRules() []string {
	return append(slices.Clone(validate.RuleNames()), RuleBodyTooLarge, RuleUndeclaredInput)
}

// event is a security event of this call.
func (c *Call) event(kind EventKind, reason string) Event {
	event := Event{Kind: kind, Reason: reason, At: c.Start, Workflow: c.workflowName(), Client: c.Client.Addr, RequestID: c.RequestID}
	if c.Principal != nil {
		event.Subject = c.Principal.Subject
	}
	return event
}

// securityEvent is what a refusal means to whoever guards the app.
func (c *Call) securityEvent(f *fault.Error) (Event, bool) {
	event := c.event(0, "")
	switch f.Code {
	case fault.Unauthenticated:
		event.Kind, event.Reason = AuthFailure, string(c.reason)
	case fault.RateLimited:
		event.Kind = LimitHit
		if len(f.Policies) > 0 {
			event.Reason = f.Policies[0]
		}
	case fault.Forbidden:
		event.Kind, event.Reason = AccessDenied, c.denied
	case fault.InvalidInput, fault.BodyTooLarge:
		if len(f.Violations) == 0 || f.Violations[0].Rule == "" {
			return Event{}, false // a mistake, of which no rule is afraid
		}
		event.Kind, event.Reason, event.Pointer = InputBlocked, f.Violations[0].Rule, f.Violations[0].Pointer
	default:
		return Event{}, false
	}
	return event, true
}
