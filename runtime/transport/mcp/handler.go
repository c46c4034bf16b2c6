// Package mcp serves workflows over the Model Context Protocol: as tools, and where the app
// says so as resources, with the app's prompts beside them. It reads messages, has the
// engine decide and run, and writes what came of it; the protocol's own business is the
// SDK's. No policy is decided here.
package mcp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/prompt"
	"github.com/nexus-operator/nexus-operator/runtime/telemetry"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
)

// The paths of the protocol. A slash at the end is let pass.
const (
	Path          = "/mcp"
	WebSocketPath = "/mcp/ws"
)

// maxSessions is how many connections that stay open a pod holds: WebSockets, and streams
// of a client that listens for changes. Of one caller there are at most maxOfOne, so that
// nobody takes all places.
const (
	maxSessions = 1000
	maxOfOne    = 100
)

// Health tells the handler how the process is.
type Health interface {
	// Draining says that the process is about to end: connections are closed with
	// their next reply.
	Draining() bool
}

// Options are what a handler is made of.
type Options struct {
	Engine   *engine.Engine
	Document *config.Document
	Prompts  []*prompt.Prompt
	Metrics  *telemetry.Metrics
	Health   Health
	Log      *slog.Logger
	// Version of the program.
	Version string
}

// Handler serves the protocol's port.
type Handler struct {
	engine  *engine.Engine
	metrics *telemetry.Metrics
	health  Health
	log     *slog.Logger
	origins origins
	// metadata says where clients get a token; nil when no token is taken, or nobody said
	// where the app is reached.
	metadata  *Metadata
	challenge string
	tools     map[string]*tool
	resources []*resource
	prompts   map[string]*prompt.Prompt
	none      *telemetry.RequestMetrics
	server    *sdk.Server
	// info is what the server tells of itself, and infoText the same as JSON.
	info     *sdk.Implementation
	infoText []byte
	// whole replies with one JSON object, and stream with a stream of events.
	whole, stream http.Handler
	sessions      *sessions
	calls         calls
	// messageTimeout is what a message of a WebSocket has to arrive, once it began.
	messageTimeout time.Duration
	debug          bool
}

// New returns the handler of an engine's workflows.
func New(ctx context.Context, o Options) (*Handler, error) {
	h := &Handler{
		engine: o.Engine, metrics: o.Metrics, health: o.Health, log: o.Log,
		origins:        newOrigins(o.Document),
		metadata:       NewMetadata(o.Document),
		challenge:      `Bearer realm="` + o.Document.Name + `"`,
		none:           o.Metrics.Requests(string(v1alpha1.ChannelMCP), ""),
		sessions:       newSessions(maxSessions, maxOfOne),
		calls:          calls{end: map[callKey]context.CancelFunc{}},
		messageTimeout: 30 * time.Second,
		debug:          o.Log.Enabled(ctx, slog.LevelDebug),
	}
	if h.metadata != nil {
		h.challenge += `, resource_metadata="` + h.metadata.URL() + `"`
	}
	if err := h.register(o); err != nil {
		return nil, err
	}
	serve := func(*http.Request) *sdk.Server { return h.server }
	options := sdk.StreamableHTTPOptions{
		Stateless: true, DisableLocalhostProtection: true, MaxRequestBodyBytes: -1, PropagateRequestCancellation: true,
	}
	h.stream = sdk.NewStreamableHTTPHandler(serve, &options)
	options.JSONResponse = true
	h.whole = sdk.NewStreamableHTTPHandler(serve, &options)
	return h, nil
}

// Drain ends the connections that stay open, each after what it is doing. New ones are
// refused from now on.
func (h *Handler) Drain() { h.sessions.drain() }

// Wait returns when no connection that stays open is left, or the context ends.
func (h *Handler) Wait(ctx context.Context) { h.sessions.wait(ctx) }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.metrics.Enter()
	defer h.metrics.Leave()
	x := &exchange{handler: h}
	x.begin(w, r)
	defer x.release()
	header := w.Header()
	header["X-Request-Id"] = x.idHeader[:]
	header["X-Content-Type-Options"] = nosniff
	if h.health.Draining() {
		header["Connection"] = closeConnection
	}
	if err := x.serve(); err != nil {
		f := fault.As(err)
		x.outcome = f.Code
		x.writeFault(f)
	}
	x.end(x.code())
}

// The values of headers that never change. They are shared and may not be written to.
var (
	nosniff         = []string{"nosniff"}
	noStore         = []string{"no-store"}
	asItComes       = []string{"no-store, no-transform"}
	closeConnection = []string{"close"}
	jsonType        = []string{"application/json"}
)

// route finds what serves the request's path.
func (x *exchange) route() (serve func(*exchange) error, ok bool) {
	path := strings.TrimSuffix(x.r.URL.Path, "/")
	switch {
	case path == Path:
		return checked((*exchange).post), true
	case path == WebSocketPath:
		return checked((*exchange).upgrade), true
	case x.handler.metadata != nil && x.handler.metadata.Serves(path):
		return (*exchange).describe, true
	}
	return nil, false
}

// describe serves the protected resource metadata. It is for clients that have no
// credential yet, and for any page.
func (x *exchange) describe() error {
	x.w.Header().Set("Access-Control-Allow-Origin", "*")
	if x.r.Method == http.MethodHead {
		x.handler.metadata.write(x.w)
		return nil
	}
	if err := x.only(http.MethodGet); err != nil || x.r.Method == http.MethodOptions {
		return err
	}
	x.handler.metadata.write(x.w)
	return nil
}

// checked has what serves a path ask first where the request comes from.
func checked(serve func(*exchange) error) func(*exchange) error {
	return func(x *exchange) error {
		if err := x.handler.origins.check(x.r); err != nil {
			return err
		}
		return serve(x)
	}
}

// serve checks what concerns the request as a whole, and finds what serves its path.
func (x *exchange) serve() (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = x.panicked(cause)
		}
	}()
	serve, ok := x.route()
	if !ok {
		return fault.New(fault.NotFound, "nothing is served at this path: MCP is at /mcp, and over WebSocket at /mcp/ws")
	}
	if auth.InQuery(x.r.URL.RawQuery) {
		return fault.New(fault.InvalidInput, "an API key stands in the URL, where logs and histories keep it: revoke that key, and send keys in a header")
	}
	return serve(x)
}

// post serves a message of Streamable HTTP.
func (x *exchange) post() error {
	if err := x.only(http.MethodPost); err != nil || x.r.Method == http.MethodOptions {
		return err
	}
	ctx := x.r.Context()
	if err := x.handler.engine.Authenticate(ctx, &x.call); err != nil {
		return err
	}
	if err := x.admitByHeader(ctx); err != nil {
		return err
	}
	if err := x.read(ctx); err != nil {
		return err
	}
	if err := x.admit(ctx); err != nil {
		return err
	}
	if x.message.method == methodCancelled {
		x.cancelCall()
	}
	done := x.cancelable()
	defer done()
	if x.message.broken || x.plain() {
		return x.answerCall(x.alive)
	}
	return x.hand(ctx)
}

// only refuses other methods than the one; OPTIONS is answered.
func (x *exchange) only(method string) error {
	x.allow = method
	switch x.r.Method {
	case method:
		return nil
	case http.MethodOptions:
		x.w.Header().Set("Allow", x.allow+", OPTIONS")
		x.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	x.allow += ", OPTIONS"
	return fault.New(fault.MethodNotAllowed, "this path is served for %s", method)
}

// hand has the SDK answer the message. What the message asks for is done by the handlers
// that are registered, with this exchange.
func (x *exchange) hand(ctx context.Context) error { //nolint:contextcheck // that of a session is made of the request's
	handler := x.handler.whole
	if x.message.listens() {
		open, err := x.handler.sessions.begin(ctx, x.caller())
		if err != nil {
			return err
		}
		defer open.leave()
		go open.whileAccepted(func(ctx context.Context, now time.Time) bool {
			return x.handler.engine.StillAccepted(ctx, &x.call, now)
		})
		ctx = open.ctx
		_ = http.NewResponseController(x.w).SetWriteDeadline(time.Time{}) // a stream that stays open
	}
	if x.streams() {
		handler = x.handler.stream
	}
	body := x.bodyReader()
	r := x.r.WithContext(context.WithValue(ctx, exchangeKey{}, x))
	r.Body, r.ContentLength = body, body.Size()
	if x.message.method == methodInitialize && x.message.revision < statelessRevision {
		x.w.Header().Set(sessionHeader, engine.NewID())
	}
	answer := &reply{ResponseWriter: x.w, x: x}
	handler.ServeHTTP(answer, r)
	err := answer.finish()
	x.missed()
	return err
}

// missed takes down that the SDK refused a request before any handler saw it: that there
// is no such method, for example.
func (x *exchange) missed() {
	if !x.seen && x.message.id != nil && x.outcome == "" {
		x.outcome = fault.InvalidInput
	}
}

// exchangeKey is how an exchange gets through the SDK to the handlers: the SDK keeps the
// values of a request's context, and has no other way.
type exchangeKey struct{}

// exchangeOf finds the exchange that a request of the SDK belongs to.
func exchangeOf(ctx context.Context, extra *sdk.RequestExtra) (*exchange, error) {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x, nil
	}
	if extra != nil && extra.TokenInfo != nil {
		if x, ok := extra.TokenInfo.Extra[extraKey].(*exchange); ok {
			return x, nil
		}
	}
	return nil, errors.New("a message without its exchange")
}

// extraKey is where messages of a WebSocket carry their exchange.
const extraKey = "nexus"

// end counts the message.
func (x *exchange) end(code fault.Code) {
	if x.counted {
		return
	}
	took := time.Since(x.call.Start)
	x.counters().Done(code, took)
	if x.handler.debug {
		name := ""
		if x.call.Target != nil {
			name = x.call.Target.Name
		}
		x.handler.log.Debug("Served", "channel", v1alpha1.ChannelMCP, "method", x.message.method, "code", code, "workflow", name,
			"duration", took, "requestId", x.call.RequestID)
	}
}

func (x *exchange) counters() *telemetry.RequestMetrics {
	if x.tool != nil && x.call.Target != nil {
		return x.tool.metrics
	}
	return x.handler.none
}

// requestID is that of a proxy that is trusted, or a new one.
func (x *exchange) requestID(header []string) string {
	return wire.RequestID(x.call.Client, header)
}
