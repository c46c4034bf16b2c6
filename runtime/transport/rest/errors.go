package rest

import (
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

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
		kind := problemTypes + string(code)
		if code == fault.RateLimited {
			kind = quotaExceeded
		}
		out[code] = head{status, `{"type":"` + kind + `","title":"` + titles[code] + `","status":`, `,"code":"` + string(code) + `"`}
	}
	return out
}()

// head is what all problems with a code share: the status, the text before it, and the one
// after the instance.
type head struct {
	status       int
	before, code string
}

// headOf returns the head of a code, and the status of an error with it: that of a
// workflow that failed may be its author's.
func headOf(code fault.Code, own int) (head, int) {
	h := heads[code]
	if code == fault.WorkflowFailed && own >= 400 && own <= 599 {
		return h, own
	}
	return h, h.status
}

// challenges are the values of WWW-Authenticate, without and with a credential in the
// request (RFC 6750 section 3).
func challenges(realm string) [2][]string {
	value := `Bearer realm="` + realm + `"`
	return [2][]string{{value}, {value + `, error="invalid_token"`}}
}

// quoted writes a quoted-string of a header (RFC 9110 section 5.6.4). What no header may
// hold becomes a question mark.
func quoted(s string) string {
	b := append(make([]byte, 0, len(s)+2), '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c > '~':
			b = append(b, '?')
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}

// writeError writes every error of this channel, as application/problem+json (RFC 9457).
func (x *exchange) writeError(f *fault.Error) {
	if x.wrote || f.Code == engine.Canceled {
		return // the reply is under way, or nobody reads it
	}
	head, status := headOf(f.Code, f.Status)
	header := x.w.Header()
	switch f.Code {
	case fault.Unauthenticated:
		header["Www-Authenticate"] = x.handler.challenge[min(1, len(x.call.Credentials.Authorization)+len(x.call.Credentials.APIKey))]
	case fault.Forbidden:
		if len(f.Scopes) > 0 {
			header["Www-Authenticate"] = []string{x.handler.challenge[0][0] + `, error="insufficient_scope", scope=` + quoted(strings.Join(f.Scopes, " "))}
		}
	case fault.MethodNotAllowed:
		header["Allow"] = []string{x.allow}
	default:
	}
	if f.RetryAfter > 0 {
		x.retryHeader[0] = strconv.FormatInt(wholeSeconds(f.RetryAfter), 10)
		header["Retry-After"] = x.retryHeader[:]
	}
	x.setRateLimit()
	x.setReplayed()
	x.out = x.appendProblem(x.out[:0], f, head, status)
	if !x.largeBody() {
		x.write(status, problemType, x.out)
		return
	}
	header["Connection"] = closeConnection
	header["Content-Length"] = []string{strconv.Itoa(len(x.out))}
	x.write(status, problemType, x.out)
	x.linger()
}

// What net/http reads by itself of a body that a handler left; beyond that it closes
// the connection, and the caller may see a reset instead of the reply.
const leftToServer = 256 << 10

// lingerTime is how long a caller that was refused may go on sending.
const lingerTime = 2 * time.Second

func (x *exchange) largeBody() bool {
	return x.r.ContentLength < 0 || x.r.ContentLength > leftToServer
}

// linger throws away what a refused caller goes on sending, so that it reads why it
// was refused; for a short time, and at most twice the largest body.
func (x *exchange) linger() {
	control := http.NewResponseController(x.w)
	if control.Flush() != nil || control.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, x.r.Body, 2*x.handler.engine.Rules().MaxBytes()) // the connection ends here in any case
}

// instance is the path as the caller wrote it, without the query.
func (x *exchange) instance() string {
	if path, _, _ := strings.Cut(x.r.RequestURI, "?"); strings.HasPrefix(path, "/") {
		return path
	}
	return x.r.URL.EscapedPath()
}

// wholeSeconds rounds up, and is never 0: a caller that comes back at once is refused
// at once.
func wholeSeconds(d time.Duration) int64 {
	return max(1, int64(math.Ceil(d.Seconds())))
}

func (x *exchange) appendProblem(b []byte, f *fault.Error, h head, status int) []byte {
	b = strconv.AppendInt(append(b, h.before...), int64(status), 10)
	b = jsontext.AppendString(append(b, `,"detail":`...), f.Detail)
	b = jsontext.AppendString(append(b, `,"instance":`...), x.instance())
	b = jsontext.AppendString(append(append(b, h.code...), `,"requestId":`...), x.call.RequestID)
	if len(f.Violations) > 0 {
		b = append(b, `,"violations":[`...)
		for i, v := range f.Violations {
			if i > 0 {
				b = append(b, ',')
			}
			b = jsontext.AppendString(append(b, `{"pointer":`...), v.Pointer)
			if v.Rule != "" {
				b = jsontext.AppendString(append(b, `,"rule":`...), v.Rule)
			}
			b = append(jsontext.AppendString(append(b, `,"message":`...), v.Message), '}')
		}
		b = append(b, ']')
	}
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
	return append(appendRaised(b, f.Problem), "}\n"...)
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
