package workflow

import (
	"errors"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// overloadedRetry is when a caller may try again that ran into the memory of the other
// runs: most are over by then.
const overloadedRetry = time.Second

// fault is what the caller of the workflow is told of a run that failed.
func (r *run) fault(err error) error {
	if errors.Is(err, errEnded) {
		f := fault.New(fault.Timeout, "workflow %s did not finish in time; nothing it would have returned is kept", r.program.name)
		f.Cause = r.shared.redact.cause(err)
		return f
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return fault.As(r.shared.redact.cause(err))
	}
	e = r.shared.redact.error(e)
	if e.overloaded {
		f := fault.New(fault.Overloaded, "workflow %s: %s", r.program.name, e.Detail)
		f.RetryAfter, f.Cause = overloadedRetry, e
		return f
	}
	f := fault.New(fault.WorkflowFailed, "%s", e.sentence())
	f.Status, f.Cause = e.callerStatus(), e
	if f.Status == 504 && !e.Raised {
		f.Code = fault.Timeout
	}
	f.Problem = &fault.Problem{Type: e.Type, Status: e.Status, Title: e.Title, Detail: e.Detail, Instance: e.Instance}
	return f
}

// sentence is the error in words. Its author's own words stand alone.
func (e *Error) sentence() string {
	said := e.Title
	switch {
	case e.Raised && e.Title != "" && e.Detail != "":
		return e.Title + ": " + e.Detail
	case e.Raised && e.Detail != "":
		return e.Detail
	case e.Raised && e.Title != "":
		return e.Title
	case e.Detail != "":
		said = e.Detail
	}
	if said == "" {
		said = "it raised an error"
	}
	return "the workflow failed at " + e.Instance + ": " + said
}

// callerStatus is the status for whoever called the workflow. That of an error of the
// author's is meant for them. Of the others, an expression or a schema that refuses data
// blames what was sent. What a service answers is no news of the caller's own: that it
// does not let us in, or has no such page, must not read as if the caller had no
// credentials or the workflow did not exist.
func (e *Error) callerStatus() int {
	kind := ErrorKind(strings.TrimPrefix(canonicalType(e.Type), errorTypes))
	switch {
	case e.Raised && e.Status >= 400:
		return e.Status
	case e.Raised, e.ours:
		return 500
	case kind == TimeoutError, kind == CommunicationError && e.Status == 504:
		return 504
	case kind == CommunicationError, kind == AuthenticationError:
		return 502
	case kind == ExpressionError, kind == ValidationError:
		return 400
	}
	return 500
}
