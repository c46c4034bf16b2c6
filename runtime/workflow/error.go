package workflow

import (
	"fmt"
	"strings"
)

// Error is an error of the specification: a problem object (RFC 9457) that a workflow
// can raise and catch. Its texts may be shown to whoever calls the workflow.
type Error struct {
	// Type is a URI reference.
	Type string
	// Status is like that of HTTP.
	Status int
	Title  string
	Detail string
	// Instance is the JSON pointer of the task that the error comes from.
	Instance string
	// Raised says that a raise task made the error: its status is its author's choice.
	Raised bool
	// Cause is for the log only and may be nil.
	Cause error
	// final says that no catch catches it; ours that it is the workflow's fault and not
	// that of the inputs, whatever its status; overloaded that it is nobody's, and that the
	// same call may succeed later.
	final, ours, overloaded bool
}

// ErrorKind is one of the specification's standard error types.
type ErrorKind string

// The standard error types.
const (
	ConfigurationError  ErrorKind = "configuration"
	ValidationError     ErrorKind = "validation"
	ExpressionError     ErrorKind = "expression"
	AuthenticationError ErrorKind = "authentication"
	AuthorizationError  ErrorKind = "authorization"
	TimeoutError        ErrorKind = "timeout"
	CommunicationError  ErrorKind = "communication"
	RuntimeError        ErrorKind = "runtime"
)

// errorTypes is where the standard types live; older is where they lived before the
// specification was renamed, and where its examples and its conformance kit still look
// for them.
const errorTypes = "https://open-workflow-specification.org/spec/1.0.0/errors/"

var olderErrorTypes = []string{
	"https://serverlessworkflow.io/spec/1.0.0/errors/",
	"https://open-workflow-specification.org/dsl/errors/types/",
	"https://serverlessworkflow.io/dsl/errors/types/",
	"https://open-workflow-specification.org/errors/types/",
	"https://serverlessworkflow.io/errors/types/",
}

// standard are the status and title of each standard type.
var standard = map[ErrorKind]struct {
	status int
	title  string
}{
	ConfigurationError:  {400, "Configuration Error"},
	ValidationError:     {400, "Validation Error"},
	ExpressionError:     {400, "Expression Error"},
	AuthenticationError: {401, "Authentication Error"},
	AuthorizationError:  {403, "Authorization Error"},
	TimeoutError:        {408, "Timeout Error"},
	CommunicationError:  {500, "Communication Error"},
	RuntimeError:        {500, "Runtime Error"},
}

// NewError returns a standard error with the status and title of its type. Its detail
// may be shown to callers; the cause is for the log.
func NewError(kind ErrorKind, cause error, detail string, args ...any) *Error {
	s := standard[kind]
	return &Error{Type: errorTypes + string(kind), Status: s.status, Title: s.title, Detail: fmt.Sprintf(detail, args...), Cause: cause}
}

// Error returns title and detail.
func (e *Error) Error() string {
	text := e.Title
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Instance != "" {
		text = e.Instance + ": " + text
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// IsKind says whether the error is of a standard type, under any of its names.
func (e *Error) IsKind(kind ErrorKind) bool { return canonicalType(e.Type) == errorTypes+string(kind) }

// canonicalType returns the present name of a standard type, and any other type as it
// is.
func canonicalType(t string) string {
	for _, older := range olderErrorTypes {
		if kind, ok := strings.CutPrefix(t, older); ok {
			if _, known := standard[ErrorKind(kind)]; known {
				return errorTypes + kind
			}
		}
	}
	return t
}

// object is the error as expressions and callers see it.
func (e *Error) object() map[string]any {
	out := map[string]any{"type": e.Type, "status": e.Status}
	for key, value := range map[string]string{"title": e.Title, "detail": e.Detail, "instance": e.Instance} {
		if value != "" {
			out[key] = value
		}
	}
	return out
}
