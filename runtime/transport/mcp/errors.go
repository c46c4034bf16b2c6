package mcp

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
	"github.com/nexus-operator/nexus-operator/runtime/validate"
)

// retrySoon is what is asked for when a pod has no place.
const retrySoon = time.Second

// codes are the JSON-RPC codes of faults that are no results of a tool. Where JSON-RPC and
// the protocol have none, it is the HTTP status: the range that JSON-RPC reserves for
// itself is far from it.
var codes = map[fault.Code]int64{
	fault.WorkflowNotFound: jsonrpc.CodeInvalidParams,
	fault.InvalidInput:     jsonrpc.CodeInvalidParams,
	fault.SchemaViolation:  jsonrpc.CodeInvalidParams,
	fault.NotFound:         jsonrpc.CodeInvalidParams,
	fault.Internal:         jsonrpc.CodeInternalError,
}

func codeOf(f *fault.Error) int64 {
	if code, ok := codes[f.Code]; ok {
		return code
	}
	return int64(wire.Status(f.Code, f.Status))
}

// asError is a fault as an error of JSON-RPC, with the problem object as its data.
func (x *exchange) asError(f *fault.Error) *jsonrpc.Error {
	data := wire.AppendProblem(nil, f, x.path(), x.call.RequestID)
	if f.RetryAfter > 0 {
		data = strconv.AppendInt(append(data[:len(data)-1], `,"retryAfterSeconds":`...), wire.WholeSeconds(f.RetryAfter), 10)
		data = append(data, '}')
	}
	code := codeOf(f)
	switch {
	case x.rpcCode != 0:
		code = x.rpcCode
	case x.message.code != 0:
		code = x.message.code
	case len(f.Violations) > 0 && f.Violations[0].Rule == validate.NotJSON:
		code = jsonrpc.CodeParseError
	}
	return &jsonrpc.Error{Code: code, Message: f.Detail, Data: data}
}

// told says which faults are results of a tool, which the model that called it can read:
// those that happen while it runs, and that it may not be run.
func told(code fault.Code) bool {
	switch code {
	case fault.Forbidden, fault.Timeout, fault.WorkflowFailed, fault.Internal, fault.IdempotencyConflict, fault.IdempotencyMismatch:
		return true
	default:
		return false
	}
}

// fail is the answer to a call of a tool that failed.
func (x *exchange) fail(err error) (*sdk.CallToolResult, error) {
	f := fault.As(err)
	x.outcome = f.Code
	if !told(f.Code) {
		x.setStatus(f)
		return nil, x.asError(f)
	}
	problem := wire.AppendProblem(nil, f, x.path(), x.call.RequestID)
	return &sdk.CallToolResult{
		IsError: true,
		Content: []sdk.Content{&sdk.TextContent{Text: string(problem)}},
		Meta:    sdk.Meta{metaProblem: json.RawMessage(problem)},
	}, nil
}

// refuse is the answer to whatever else failed.
func (x *exchange) refuse(err error) error {
	f := fault.As(err)
	x.outcome = f.Code
	x.setStatus(f)
	return x.asError(f)
}

// setStatus has the reply say by its HTTP status what concerns more than this message.
func (x *exchange) setStatus(f *fault.Error) {
	switch f.Code {
	case fault.Overloaded, fault.Unauthenticated, fault.BodyTooLarge:
		x.denied = f
	default:
	}
}

// writeFault answers what did not get as far as the SDK.
func (x *exchange) writeFault(f *fault.Error) {
	if f.Code == engine.Canceled {
		if x.r.Context().Err() == nil {
			x.w.WriteHeader(http.StatusAccepted) // who cancels a request waits for no answer to it
		}
		return
	}
	header := x.w.Header()
	status := x.httpStatus(f)
	switch f.Code {
	case fault.Unauthenticated:
		challenge := x.handler.challenge
		if len(x.call.Credentials.Authorization)+len(x.call.Credentials.APIKey) > 0 {
			challenge += `, error="invalid_token"`
		}
		header.Set("WWW-Authenticate", challenge)
	case fault.Forbidden:
		if len(f.Scopes) > 0 {
			header.Set("WWW-Authenticate", x.handler.challenge+`, error="insufficient_scope", scope=`+wire.Quoted(strings.Join(f.Scopes, " ")))
		}
	case fault.MethodNotAllowed:
		header.Set("Allow", x.allow)
	default:
	}
	if f.RetryAfter > 0 {
		header.Set("Retry-After", strconv.FormatInt(wire.WholeSeconds(f.RetryAfter), 10))
	}
	header["Cache-Control"], header["Content-Type"] = noStore, jsonType
	x.setRateLimit()
	text := x.errorText(x.asError(f))
	large := x.r.Method == http.MethodPost && x.body == nil && wire.LargeBody(x.r)
	if large {
		header["Connection"] = closeConnection
		header["Content-Length"] = []string{strconv.Itoa(len(text))}
	}
	x.w.WriteHeader(status)
	_, _ = x.w.Write(text) // the caller may have gone away
	if large {
		wire.Linger(x.w, x.r, 2*x.handler.engine.Rules().MaxBytes())
	}
}

// setRateLimit tells of the rate limits of a call, as REST does.
func (x *exchange) setRateLimit() {
	if x.w == nil || !x.call.Limited || x.tool == nil {
		return
	}
	header := x.w.Header()
	header["Ratelimit-Policy"] = []string{x.tool.limits.Policy}
	header["Ratelimit"] = []string{x.tool.limits.Left(&x.call.Verdict)}
}

// httpStatus is the status of an answer that is an error. What was found out about a
// message that could be read is the answer to it, and the request as such was fine; the
// revision without a handshake has it otherwise for what is wrong with its params.
func (x *exchange) httpStatus(f *fault.Error) int {
	switch {
	case x.status != 0:
		return x.status
	case !x.message.known:
		return wire.Status(f.Code, f.Status)
	case codeOf(f) == jsonrpc.CodeInvalidParams:
		if x.message.revision >= statelessRevision {
			return http.StatusBadRequest
		}
		return http.StatusOK
	case f.Code == fault.RateLimited:
		return http.StatusOK
	default:
		return wire.Status(f.Code, f.Status)
	}
}

// errorText is an answer of JSON-RPC; one to a message that could not be read has no id.
func (x *exchange) errorText(e *jsonrpc.Error) []byte {
	b := []byte(`{"jsonrpc":"2.0"`)
	if x.message.known {
		b = jsontext.Append(append(b, `,"id":`...), x.message.id)
	}
	b = strconv.AppendInt(append(b, `,"error":{"code":`...), e.Code, 10)
	b = jsontext.AppendString(append(b, `,"message":`...), e.Message)
	if e.Data != nil {
		b = append(append(b, `,"data":`...), e.Data...)
	}
	return append(b, "}}\n"...)
}

// note takes down what the SDK answers by itself, and has it answer in our form: with the
// problem object as data.
func (x *exchange) note(err error) *jsonrpc.Error {
	rpc, ok := errors.AsType[*jsonrpc.Error](err)
	if !ok {
		rpc = &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: err.Error()}
	}
	switch {
	case x.outcome != "":
		return rpc // it is one of ours
	case x.alive.Err() != nil:
		x.outcome = engine.Canceled // what the SDK waited for ends with the caller
		return rpc
	}
	x.outcome = fault.InvalidInput
	if rpc.Code == jsonrpc.CodeInternalError {
		x.outcome = fault.Internal
	}
	if rpc.Data != nil {
		return rpc // what the protocol has there
	}
	said := err.Error()
	if strings.Contains(said, "unmarshaling") {
		said = "the message at /params: is not what the protocol has for " + x.message.method + ": look up its members and their types"
	}
	out := x.asError(fault.New(x.outcome, "%s", said))
	if out.Code = rpc.Code; out.Code == 0 { // what the SDK could not read
		out.Code = jsonrpc.CodeInvalidParams
	}
	return out
}
