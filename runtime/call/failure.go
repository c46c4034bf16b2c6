package call

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/egress"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// What a request is made to, in the words of an error.
const (
	theService   = "the service that the task calls"
	theAuthority = "the authority that gives the task its token"
	theSink      = "the sink of events"
)

// failure is the error of a request without a response, for the workflow: the context's
// when it has ended, else a *workflow.Error.
func failure(ctx context.Context, to string, err error) error {
	if end := endOf(ctx, err); end != nil {
		return fmt.Errorf("waiting for %s: %w", to, end)
	}
	if known, ok := errors.AsType[*workflow.Error](err); ok {
		return known
	}
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err // without the URL
	}
	if _, ok := errors.AsType[*egress.Refused](err); ok {
		return workflow.NewError(workflow.ConfigurationError, err, "spec.egress does not let the app reach %s: list in spec.egress.allow each host that is called or redirected to", to)
	}
	out := workflow.NewError(workflow.CommunicationError, forLog(err), "%s cannot be reached", to)
	out.Status = http.StatusServiceUnavailable
	if slow, ok := errors.AsType[net.Error](err); ok && slow.Timeout() {
		out.Detail, out.Status = to+" does not answer in time", http.StatusGatewayTimeout
	}
	return out
}

// unreadable is likewise the error of a response that could not be read.
func unreadable(ctx context.Context, from string, err error) error {
	if end := endOf(ctx, err); end != nil {
		return fmt.Errorf("reading the response of %s: %w", from, end)
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return badResponse(err, "%s sends more than %d bytes, which is the most that is read of a response", from, large.Limit)
	}
	return badResponse(err, "%s sends a response that breaks off or cannot be read", from)
}

func badResponse(cause error, detail string, args ...any) error {
	out := workflow.NewError(workflow.CommunicationError, forLog(cause), detail, args...)
	out.Status = http.StatusBadGateway
	return out
}

// endOf is the context's error when it has ended. The network may notice a deadline a
// little before the context does.
func endOf(ctx context.Context, err error) error {
	if end := ctx.Err(); end != nil {
		return end
	}
	slow, ok := errors.AsType[net.Error](err)
	deadline, bounded := ctx.Deadline()
	if ok && slow.Timeout() && bounded && time.Until(deadline) <= 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// forLog is the cause of an error. Where that is a deadline of the network, errors.Is
// would take the error for the end of the run.
func forLog(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return errors.New(err.Error())
	}
	return err
}
