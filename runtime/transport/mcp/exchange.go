package mcp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime/debug"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
)

// exchange is one message of a client and what becomes of it.
type exchange struct {
	handler *Handler
	call    engine.Call
	// w and r are those of the HTTP request; nil for a message of a WebSocket.
	w http.ResponseWriter
	r *http.Request
	// alive ends when the client is gone.
	alive    context.Context //nolint:containedctx // the SDK hands its handlers another one, which goes on for older revisions
	idHeader [1]string
	body     []byte
	message  message
	// tool is what the message runs, as a tool or as a resource.
	tool *tool
	// inputs are those of the run.
	inputs map[string]any
	// refusal is why it may not, told as the result of the tool.
	refusal error
	// outcome is the code of what the handlers answered; empty for ok.
	outcome fault.Code
	// denied is what they answered where HTTP has a status for it. It is written here.
	denied *fault.Error
	// status is the HTTP status of an error where it does not follow from the fault.
	status int
	// held is what the answer takes of the budget for bodies.
	held int64
	// allow are the methods that serve the path.
	allow string
	// canceled says that the client ended it with a message of its own.
	canceled bool
	// seen says that one of our handlers has the message.
	seen bool
	// counted says that what the exchange is for is counted elsewhere.
	counted bool
	// rpcCode is the JSON-RPC code where it does not follow from the fault.
	rpcCode int64
}

// begin fills in what every call has.
func (x *exchange) begin(w http.ResponseWriter, r *http.Request) {
	x.w, x.r, x.alive = w, r, r.Context()
	x.call = engine.Call{
		Channel:     v1alpha1.ChannelMCP,
		Credentials: auth.Credentials{Authorization: r.Header["Authorization"], APIKey: r.Header["X-Api-Key"]},
		Start:       time.Now(),
		Client:      x.handler.engine.Client(r.RemoteAddr, r.Header["X-Forwarded-For"]),
		Source:      x,
	}
	x.allow = http.MethodPost
	x.call.RequestID = x.requestID(r.Header["X-Request-Id"])
	x.idHeader[0] = x.call.RequestID
	x.message.revision = r.Header.Get("Mcp-Protocol-Version")
}

// release gives back what a message holds that ran nothing, and what its answer took.
func (x *exchange) release() {
	x.handler.engine.Release(x.alive, &x.call)
	if x.held > 0 {
		x.handler.engine.ReturnReply(x.held)
		x.held = 0
	}
}

// smallReply is an answer that is not counted. The SDK has a text of an answer about as
// often as copies at a time.
const (
	smallReply = 64 << 10
	copies     = 5
)

// afford takes a large answer from the budget for bodies until it is sent: its reader may
// take long to read it.
func (x *exchange) afford(bytes int64) error {
	if bytes <= smallReply {
		return nil
	}
	if err := x.handler.engine.HoldReply(bytes); err != nil {
		return err
	}
	x.held += bytes
	return nil
}

func (x *exchange) panicked(cause any) error {
	x.handler.log.Error("Request failed", "requestId", x.call.RequestID, "panic", cause, "stack", string(debug.Stack()))
	return fault.As(fmt.Errorf("panic: %v", cause))
}

// read reads the body under the input rules.
func (x *exchange) read(context.Context) error {
	if media, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return fault.New(fault.UnsupportedMedia, "a message is JSON: send it with Content-Type: application/json")
	}
	var err error
	if x.body, err = x.handler.engine.ReadBody(&x.call, x.r.Body, x.r.ContentLength, nil); err != nil {
		return err
	}
	return x.message.decode(x.handler.engine.Rules(), x.body)
}

func (x *exchange) bodyReader() *body { return &body{Reader: bytes.NewReader(x.body)} }

// body is a message that the SDK reads once more.
type body struct{ *bytes.Reader }

// Close implements io.Closer.
func (*body) Close() error { return nil }

var _ io.ReadCloser = (*body)(nil)

// admitByHeader has the engine judge a call before its message is read, where the headers
// say what it calls (revision 2026-07-28). That they say the same as the message is
// checked when it is read.
func (x *exchange) admitByHeader(ctx context.Context) error {
	header := x.r.Header
	if x.message.revision < statelessRevision || header.Get("Mcp-Method") != methodCallTool {
		return nil
	}
	t := x.handler.tools[header.Get("Mcp-Name")]
	if t == nil {
		return nil // the message says which name that is
	}
	return x.admitTool(ctx, t)
}

// admit has the engine judge a call once its message was read.
func (x *exchange) admit(ctx context.Context) error {
	if x.tool != nil && (x.message.method != methodCallTool || x.handler.tools[x.message.name] != x.tool) {
		x.status, x.rpcCode = http.StatusBadRequest, sdk.CodeHeaderMismatch
		return fault.New(fault.InvalidInput, "the headers Mcp-Method and Mcp-Name name another call than the message: send the same in both")
	}
	switch x.message.method {
	case methodCallTool:
		t := x.handler.tools[x.message.name]
		if x.message.name == "" && x.message.problem != nil {
			return x.message.problem // that there is no name
		}
		if x.tool != nil {
			return nil
		}
		return x.admitTool(ctx, t)
	case methodGetPrompt:
		return x.message.problem
	case methodReadResource:
		r, variables := x.handler.findResource(x.message.name)
		if r == nil {
			return nil // the SDK answers
		}
		x.inputs = r.inputs(x.handler.engine.Rules(), variables)
		return x.admitTool(ctx, r.tool)
	}
	return nil
}

// admitTool has the engine judge a call of a tool; nil is one that there is not.
func (x *exchange) admitTool(ctx context.Context, t *tool) error {
	x.tool = t
	if t != nil {
		x.call.Workflow = t.workflow.Name
	}
	err := x.handler.engine.Admit(ctx, &x.call)
	if err == nil {
		return nil
	}
	// A scope that is missing is for the client to ask for, over HTTP; whatever else is
	// missing, the model is told.
	if f := fault.As(err); f.Code == fault.Forbidden && (len(f.Scopes) == 0 || x.r == nil) {
		x.refusal = err
		return nil
	}
	return err
}

// caller is whose connections are counted together: those of a subject, or of an address
// where nobody logs in.
func (x *exchange) caller() limit.Caller {
	if x.call.Principal != nil {
		return limit.Caller{Subject: x.call.Principal.Subject}
	}
	return x.call.Client.Key()
}

// code is what came of the exchange.
func (x *exchange) code() fault.Code {
	if x.outcome == "" {
		return engine.CodeOK
	}
	return x.outcome
}

// Inputs implements engine.Source. They were read with the message.
func (x *exchange) Inputs(c *engine.Call) (any, error) {
	if x.message.problem != nil {
		return nil, x.message.problem
	}
	c.Mode, c.IdempotencyKey = x.message.mode, x.message.idempotencyKey
	if x.inputs == nil {
		x.inputs = x.message.arguments
	}
	return x.inputs, nil
}

// bound returns a context that ends when the SDK's does, and when the client is gone: of
// older revisions the SDK lets a call go on, since a client could come back for it, which
// none can here.
func (x *exchange) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(x.alive, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// streams says whether the reply is a stream of events: where something may be told before
// the result.
func (x *exchange) streams() bool {
	m := &x.message
	return m.listens() || m.progressToken != nil || x.tool != nil && x.tool.logs && (m.logLevel != "" || m.revision < statelessRevision)
}

// path is what problems name as their instance.
func (x *exchange) path() string {
	if x.r == nil {
		return WebSocketPath
	}
	return wire.Instance(x.r)
}
