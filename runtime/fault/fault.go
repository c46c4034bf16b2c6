// Package fault holds the errors that a caller may see. Each has a code that is the
// same on every channel, and a detail that never holds internals or secrets; what
// caused it is kept apart for the log. Transports translate the code: see the error
// table in docs/spec/nexusapp.md.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Code says what went wrong; the same on every channel.
type Code string

// The codes.
const (
	Unauthenticated  Code = "unauthenticated"
	Forbidden        Code = "forbidden"
	WorkflowNotFound Code = "workflow_not_found"
	InvalidInput     Code = "invalid_input"
	SchemaViolation  Code = "schema_violation"
	BodyTooLarge     Code = "body_too_large"
	RateLimited      Code = "rate_limited"
	Overloaded       Code = "overloaded"
	Timeout          Code = "timeout"
	WorkflowFailed   Code = "workflow_failed"
	Internal         Code = "internal"
	// IdempotencyConflict is a call that is being made already, IdempotencyMismatch
	// another call with the same Idempotency-Key.
	IdempotencyConflict Code = "idempotency_conflict"
	IdempotencyMismatch Code = "idempotency_mismatch"
	// NotFound is a URL that nothing serves, or an execution that is not the caller's. The
	// others are HTTP's own, and exist only where the channel is HTTP.
	NotFound         Code = "not_found"
	MethodNotAllowed Code = "method_not_allowed"
	NotAcceptable    Code = "not_acceptable"
	UnsupportedMedia Code = "unsupported_media_type"
)

// Error is an error that a caller may see.
type Error struct {
	// Code says what went wrong.
	Code Code
	// Detail is a sentence for the caller: which field, and what to do.
	Detail string
	// RetryAfter, when positive, is how long to wait before trying again.
	RetryAfter time.Duration
	// Violations locate each problem of an input.
	Violations []Violation
	// Policies are the names of the rate limit policies that were violated.
	Policies []string
	// Scopes are those of which a Forbidden caller's token lacks every one.
	Scopes []string
	// Status is the HTTP-like status of a WorkflowFailed, 0 for 500.
	Status int
	// Problem is the error of the workflow language, of a run that failed.
	Problem *Problem
	// Cause is for the log only and may be nil.
	Cause error
}

// Problem is an error of the workflow language, as RFC 9457 describes one.
type Problem struct {
	Type   string `json:"type"`
	Status int    `json:"status"`
	Title  string `json:"title,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Instance is the JSON pointer of the task that the error comes from.
	Instance string `json:"instance,omitempty"`
}

// Violation is one problem of an input.
type Violation struct {
	// Pointer is the JSON pointer (RFC 6901) of the offending value.
	Pointer string `json:"pointer"`
	// Rule is a short stable name: blocked_key, path_traversal, duplicate_key, ...
	Rule string `json:"rule,omitempty"`
	// Message says what is wrong with it. It never holds the value.
	Message string `json:"message"`
}

// Error returns code and detail; it is safe to show to a caller.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Detail) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New returns an error with a code and a formatted detail.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// As returns err as an Error; anything else becomes Internal with err as its cause
// and a detail that says nothing of it.
func As(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: Internal, Detail: "something went wrong on our side; the request id finds it in the log", Cause: err}
}
