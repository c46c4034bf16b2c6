package mcp

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// reply is where the SDK writes. What it refuses by itself, in plain text or as an error
// with the names of its own types, becomes an answer like any other here.
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
	// What becomes of a notification is not awaited.
	ours := r.x.message.id != nil && (!r.x.seen || r.x.denied != nil)
	if ours || status >= http.StatusBadRequest && strings.HasPrefix(r.Header().Get("Content-Type"), "text/plain") {
		r.refused = status
		return
	}
	r.wrote = true
	r.x.setRateLimit()
	// What a caller sees is nobody else's; and nothing on the way may gather a stream.
	r.Header()["Cache-Control"] = noStore
	if r.Header().Get("Content-Type") == eventStream {
		r.Header()["Cache-Control"] = asItComes
		if r.x.handler.health.Draining() {
			r.Header()["Connection"] = closeConnection
		}
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *reply) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.refused != 0 {
		r.text = append(r.text, p...)
		return len(p), nil
	}
	return r.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (r *reply) Flush() {
	if r.wrote {
		_ = http.NewResponseController(r.ResponseWriter).Flush() // the caller may have gone away
	}
}

// finish writes what the SDK refused.
func (r *reply) finish() error {
	x := r.x
	switch {
	case r.refused == 0:
		return nil
	case x.denied != nil:
		return x.denied
	case strings.HasPrefix(r.Header().Get("Content-Type"), "text/plain"):
		return r.refusal()
	}
	status, text := r.refused, r.text
	if refused := r.rpcError(); refused != nil {
		r.Header()["Content-Type"] = jsonType
		text = x.errorText(x.note(refused))
	}
	r.ResponseWriter.WriteHeader(status)
	_, _ = r.ResponseWriter.Write(text) // the caller may have gone away
	return nil
}

// rpcError is the error that the SDK wrote; nil when that is something else.
func (r *reply) rpcError() *jsonrpc.Error {
	var answer struct{ Error *jsonrpc.Error }
	text := r.text
	if _, event, ok := bytes.Cut(text, []byte("data: ")); ok && r.Header().Get("Content-Type") == eventStream {
		text = event
	}
	_ = json.NewDecoder(bytes.NewReader(text)).Decode(&answer) // what is none has no error
	return answer.Error
}

// refusal is what the SDK said in plain text, as a fault.
func (r *reply) refusal() error {
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

const eventStream = "text/event-stream"
