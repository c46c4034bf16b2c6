package rest

import (
	"strconv"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
)

// challenges are the values of WWW-Authenticate, without and with a credential in the
// request (RFC 6750 section 3). Metadata is where clients learn how to get a token (RFC
// 9728 section 5.1).
func challenges(realm, metadata string) [2][]string {
	value := "Bearer realm=" + wire.Quoted(realm)
	if metadata != "" {
		metadata = ", resource_metadata=" + wire.Quoted(metadata)
	}
	return [2][]string{{value + metadata}, {value + `, error="invalid_token"` + metadata}}
}

// writeError writes every error of this channel, as application/problem+json (RFC 9457).
func (x *exchange) writeError(f *fault.Error) {
	if x.wrote || f.Code == engine.Canceled {
		return // the reply is under way, or nobody reads it
	}
	status := wire.Status(f.Code, f.Status)
	header := x.w.Header()
	switch f.Code {
	case fault.Unauthenticated:
		header["Www-Authenticate"] = x.handler.challenge[min(1, len(x.call.Credentials.Authorization)+len(x.call.Credentials.APIKey))]
	case fault.Forbidden:
		if len(f.Scopes) > 0 {
			header["Www-Authenticate"] = []string{x.handler.challenge[0][0] + `, error="insufficient_scope", scope=` + wire.Quoted(strings.Join(f.Scopes, " "))}
		}
	case fault.MethodNotAllowed:
		header["Allow"] = []string{x.allow}
	default:
	}
	if f.RetryAfter > 0 {
		x.retryHeader[0] = strconv.FormatInt(wire.WholeSeconds(f.RetryAfter), 10)
		header["Retry-After"] = x.retryHeader[:]
	}
	x.setRateLimit()
	x.setReplayed()
	x.out = append(wire.AppendProblem(x.out[:0], f, wire.Instance(x.r), x.call.RequestID), '\n')
	if !wire.LargeBody(x.r) {
		x.write(status, problemType, x.out)
		return
	}
	header["Connection"] = closeConnection
	header["Content-Length"] = []string{strconv.Itoa(len(x.out))}
	x.write(status, problemType, x.out)
	wire.Linger(x.w, x.r, 2*x.handler.engine.Rules().MaxBytes())
}
