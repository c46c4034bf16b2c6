package mcp

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
)

// reply is where the SDK writes. What it refuses by itself it says in plain text, which
// becomes an answer like any other here.
type reply struct {
	http.ResponseWriter
	x *exchange
	// wrote says that the head of the reply is written. refused is the status of what the
	// SDK refuses, and text its reason.
	wrote   bool
	refused int
	text    []byte
}

// Unwrap is for http.ResponseController.
func (r *reply) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (r *reply) WriteHeader(status int) {
	if r.wrote || r.refused != 0 {
		return
	}
	if status >= http.StatusBadRequest && strings.HasPrefix(r.Header().Get("Content-Type"), "text/plain") {
		r.refused = status
		return
	}
	r.wrote = true
	r.x.setRateLimit()
	// What a caller sees is nobody else's; and nothing on the way may gather a stream.
	r.Header()["Cache-Control"] = noStore
	if r.Header().Get("Content-Type") == "text/event-stream" {
		r.Header()["Cache-Control"] = asItComes
	}
	if r.x.status != 0 {
		status = r.x.status
		if r.x.retry > 0 {
			r.Header().Set("Retry-After", strconv.FormatInt(wire.WholeSeconds(r.x.retry), 10))
		}
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *reply) Write(p []byte) (int, error) {
	if r.refused != 0 {
		r.text = append(r.text, p...)
		return len(p), nil
	}
	r.WriteHeader(http.StatusOK)
	return r.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (r *reply) Flush() {
	if r.refused == 0 {
		_ = http.NewResponseController(r.ResponseWriter).Flush() // the caller may have gone away
	}
}

// finish writes what the SDK refused.
func (r *reply) finish() error {
	if r.refused == 0 {
		return nil
	}
	text := strings.TrimSpace(string(r.text))
	x := r.x
	x.status, x.rpcCode = r.refused, jsonrpc.CodeInvalidRequest
	if !strings.HasPrefix(text, notHandled) {
		return fault.New(fault.InvalidInput, "%s", text)
	}
	if x.message.id == nil { // nobody is told of a notification
		x.outcome = fault.InvalidInput
		x.w.WriteHeader(http.StatusAccepted)
		return nil
	}
	x.status, x.rpcCode = http.StatusOK, jsonrpc.CodeMethodNotFound
	if x.message.revision >= statelessRevision {
		x.status = http.StatusNotFound
	}
	return fault.New(fault.InvalidInput, "there is no method %q here", x.message.method)
}

// notHandled is how the SDK begins to say that there is no such method.
const notHandled = "JSON RPC not handled"
