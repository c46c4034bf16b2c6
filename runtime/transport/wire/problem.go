// Package wire writes what every channel answers with in the same form: the faults of the
// engine as problem details (RFC 9457), and how executions stand.
package wire

import (
	"net/http"
	"strconv"

	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
)

// statuses are the HTTP statuses of the codes.
var statuses = map[fault.Code]int{
	fault.Unauthenticated:     http.StatusUnauthorized,
	fault.Forbidden:           http.StatusForbidden,
	fault.WorkflowNotFound:    http.StatusNotFound,
	fault.InvalidInput:        http.StatusBadRequest,
	fault.SchemaViolation:     http.StatusUnprocessableEntity,
	fault.BodyTooLarge:        http.StatusRequestEntityTooLarge,
	fault.RateLimited:         http.StatusTooManyRequests,
	fault.Overloaded:          http.StatusServiceUnavailable,
	fault.Timeout:             http.StatusGatewayTimeout,
	fault.WorkflowFailed:      http.StatusInternalServerError,
	fault.Internal:            http.StatusInternalServerError,
	fault.IdempotencyConflict: http.StatusConflict,
	fault.IdempotencyMismatch: http.StatusUnprocessableEntity,
	fault.NotFound:            http.StatusNotFound,
	fault.MethodNotAllowed:    http.StatusMethodNotAllowed,
	fault.NotAcceptable:       http.StatusNotAcceptable,
	fault.UnsupportedMedia:    http.StatusUnsupportedMediaType,
	engine.Canceled:           statusCanceled,
}

// statusCanceled is what servers log for a request that its client ended. No reply has
// it, but the problem of an execution that was canceled does.
const statusCanceled = 499

// titles say in words what each code says; the same code always has the same title.
var titles = map[fault.Code]string{
	fault.Unauthenticated:     "Authentication required",
	fault.Forbidden:           "Not permitted",
	fault.WorkflowNotFound:    "Workflow not found",
	fault.InvalidInput:        "Invalid input",
	fault.SchemaViolation:     "Input does not match the schema",
	fault.BodyTooLarge:        "Body too large",
	fault.RateLimited:         "Rate limit exceeded",
	fault.Overloaded:          "Overloaded",
	fault.Timeout:             "Workflow timed out",
	fault.WorkflowFailed:      "Workflow failed",
	fault.Internal:            "Internal error",
	fault.IdempotencyConflict: "The same call was made before",
	fault.IdempotencyMismatch: "The Idempotency-Key belongs to another call",
	fault.NotFound:            "Not found",
	fault.MethodNotAllowed:    "Method not allowed",
	fault.NotAcceptable:       "Not acceptable",
	fault.UnsupportedMedia:    "Unsupported media type",
	engine.Canceled:           "Canceled",
}

// quotaExceeded is the registered problem type of a spent limit
// (draft-ietf-httpapi-ratelimit-headers-11); the other codes have types of ours.
const (
	quotaExceeded = "https://iana.org/assignments/http-problem-types#quota-exceeded"
	problemTypes  = "https://nexus.dev/problems/"
)

// heads are the beginnings of problem documents, up to what differs from one to the
// next: a flood of refusals must not put them together anew.
var heads = func() map[fault.Code]head {
	out := make(map[fault.Code]head, len(statuses))
	for code, status := range statuses {
		out[code] = head{status, `{"type":"` + Type(code) + `","title":"` + titles[code] + `","status":`, `,"code":"` + string(code) + `"`}
	}
	return out
}()

// head is what all problems with a code share: the status, the text before it, and the one
// after the instance.
type head struct {
	status       int
	before, code string
}

// Status is the HTTP status of an error with a code: that of a workflow that failed may be
// its author's own, 0 when it has none.
func Status(code fault.Code, own int) int {
	if code == fault.WorkflowFailed && own >= 400 && own <= 599 {
		return own
	}
	return heads[code].status
}

// Type is the URI of the type of a code's problem.
func Type(code fault.Code) string {
	if code == fault.RateLimited {
		return quotaExceeded
	}
	return problemTypes + string(code)
}

// Title says in words what a code says.
func Title(code fault.Code) string { return titles[code] }

// AppendProblem appends the problem of a fault. Instance says where it happened: the path of a
// request, for example.
func AppendProblem(b []byte, f *fault.Error, instance, requestID string) []byte {
	h := heads[f.Code]
	b = strconv.AppendInt(append(b, h.before...), int64(Status(f.Code, f.Status)), 10)
	b = jsontext.AppendString(append(b, `,"detail":`...), f.Detail)
	b = jsontext.AppendString(append(b, `,"instance":`...), instance)
	b = jsontext.AppendString(append(append(b, h.code...), `,"requestId":`...), requestID)
	b = appendViolations(b, f.Violations)
	if len(f.Policies) > 0 {
		b = append(b, `,"violated-policies":[`...)
		for i, p := range f.Policies {
			if i > 0 {
				b = append(b, ',')
			}
			b = jsontext.AppendString(b, p)
		}
		b = append(b, ']')
	}
	return append(appendRaised(b, f.Problem), '}')
}

func appendViolations(b []byte, violations []fault.Violation) []byte {
	if len(violations) == 0 {
		return b
	}
	b = append(b, `,"violations":[`...)
	for i, v := range violations {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsontext.AppendString(append(b, `{"pointer":`...), v.Pointer)
		if v.Rule != "" {
			b = jsontext.AppendString(append(b, `,"rule":`...), v.Rule)
		}
		b = append(jsontext.AppendString(append(b, `,"message":`...), v.Message), '}')
	}
	return append(b, ']')
}

// appendRaised adds the error object of the workflow, which says in its own terms why it
// failed.
func appendRaised(b []byte, p *fault.Problem) []byte {
	if p == nil {
		return b
	}
	b = jsontext.AppendString(append(b, `,"error":{"type":`...), p.Type)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(p.Status), 10)
	for _, member := range []struct{ name, text string }{{"title", p.Title}, {"detail", p.Detail}, {"instance", p.Instance}} {
		if member.text != "" {
			b = jsontext.AppendString(append(b, `,"`+member.name+`":`...), member.text)
		}
	}
	return append(b, '}')
}
