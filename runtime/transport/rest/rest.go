// Package rest serves workflows over HTTP: it decodes requests, has the engine decide
// and run, and encodes what came of it. No policy is decided here.
package rest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/apidoc"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/telemetry"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
)

// Health tells the handler how the process is.
type Health interface {
	// Ready says whether requests should come here.
	Ready() bool
	// Draining says that the process is about to end: connections are closed after
	// their next reply.
	Draining() bool
}

// Options are what a handler works with.
type Options struct {
	Engine  *engine.Engine
	Metrics *telemetry.Metrics
	Health  Health
	Log     *slog.Logger
	// App is what the description of the API says of the app.
	App apidoc.App
	// ResourceMetadata is the URL at which OAuth clients learn where to get a token (RFC
	// 9728); empty when there is none.
	ResourceMetadata string
	// Docs says whether there is a page for people at /docs. It is for Development.
	Docs bool
}

// Handler serves the REST API of an app.
type Handler struct {
	engine       *engine.Engine
	metrics      *telemetry.Metrics
	health       Health
	log          *slog.Logger
	routes       router
	entries      map[string]*entry
	none         *entry
	challenge    [2][]string
	exchanges    sync.Pool
	debug        bool
	descriptions descriptions
	docs         bool
	// ending ends when streams are to end, which EndStreams says.
	ending     context.Context
	endStreams context.CancelFunc
}

// entry is what of a workflow's replies never changes.
type entry struct {
	workflow *engine.Workflow
	metrics  *telemetry.RequestMetrics
	// policyHeader is the value of RateLimit-Policy; tail is the end of a reply's
	// envelope up to the run id.
	policyHeader []string
	limits       wire.Limits
	tail         string
	summary      []byte
}

// New returns the handler of an engine's workflows.
func New(ctx context.Context, o Options) (*Handler, error) {
	h := &Handler{
		engine: o.Engine, metrics: o.Metrics, health: o.Health, log: o.Log,
		entries: map[string]*entry{}, none: &entry{metrics: o.Metrics.Requests(string(v1alpha1.ChannelREST), "")},
		challenge:    challenges(o.App.Name, o.ResourceMetadata),
		debug:        o.Log.Enabled(ctx, slog.LevelDebug),
		descriptions: descriptions{app: o.App},
		docs:         o.Docs,
	}
	// A handler outlives the context that it is made in.
	h.ending, h.endStreams = context.WithCancel(context.WithoutCancel(ctx))
	h.exchanges.New = func() any { return &exchange{handler: h} }
	for _, w := range o.Engine.Workflows() {
		entry, err := newEntry(w, o.Metrics)
		if err != nil {
			return nil, err
		}
		h.entries[w.Name] = entry
	}
	return h, h.addRoutes()
}

// EndStreams ends the streams of those who only follow an execution, so that a server can
// shut down: they can go on elsewhere, or later. A stream whose request started the
// execution ends with it, like any request in flight.
func (h *Handler) EndStreams() { h.endStreams() }

// addRoutes is the table of what is served.
func (h *Handler) addRoutes() error {
	for _, r := range []struct {
		method, path string
		serve        endpoint
		offers       offer
	}{
		{http.MethodGet, "/", (*exchange).index, offersPage},
		{http.MethodGet, "/health", (*exchange).healthy, offersAnyway},
		{http.MethodGet, "/openapi.json", (*exchange).openapi, offersJSON},
		{http.MethodGet, "/workflows", (*exchange).list, offersJSON},
		{http.MethodGet, "/workflows/{name}", (*exchange).describe, offersJSON},
		{http.MethodPost, "/workflows/{name}/execute", (*exchange).execute, offersEvents},
		{http.MethodGet, "/executions", (*exchange).executions, offersJSON},
		{http.MethodGet, "/executions/{id}", (*exchange).execution, offersEvents},
		{http.MethodDelete, "/executions/{id}", (*exchange).cancelExecution, offersEvents},
	} {
		if err := h.routes.add(r.method, r.path, target{serve: r.serve, offers: r.offers}); err != nil {
			return err
		}
	}
	if err := h.addDocs(); err != nil {
		return err
	}
	for _, w := range h.engine.Workflows() {
		for _, r := range w.Routes {
			if err := h.routes.add(r.Method, r.Path, target{serve: (*exchange).route, workflow: w}); err != nil {
				return fmt.Errorf("workflow %q: %w", w.Name, err)
			}
		}
	}
	return nil
}

// endpoint serves one URL. An error is written by whoever calls it.
type endpoint func(*exchange) error

// exchange is one request and its reply. Exchanges are used again.
type exchange struct {
	handler *Handler
	call    engine.Call
	w       http.ResponseWriter
	r       *http.Request
	entry   *entry
	target  target
	vars    variables
	// body and out are buffers that are kept for the next exchange; the headers are the
	// space of header values.
	body, out                          []byte
	idHeader, limitHeader, retryHeader [1]string
	wrote                              bool
	// held is what the reply takes of the budget for bodies.
	held int64
	// allow are the methods that serve the path, when the request's does not.
	allow string
	// asRoute says how the inputs are read: from path, query and body, or from the
	// body's envelope.
	asRoute bool
}

// maxKept is the largest buffer that is kept for the next exchange.
const maxKept = 64 << 10

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.metrics.Enter()
	defer h.metrics.Leave()
	x, _ := h.exchanges.Get().(*exchange)
	x.begin(w, r)
	err := x.serve()
	code := engine.CodeOK
	if err != nil {
		f := fault.As(err)
		code = f.Code
		x.writeError(f)
	}
	x.end(code)
	x.give()
	x.release()
}

// serve finds the endpoint and runs it; a panic there is an error like any other.
func (x *exchange) serve() (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fault.As(fmt.Errorf("panic: %v", cause))
			x.handler.log.Error("Request failed", "requestId", x.call.RequestID, "panic", cause, "stack", string(debug.Stack()))
		}
	}()
	if err := x.find(); err != nil {
		return err
	}
	if auth.InQuery(x.r.URL.RawQuery) {
		return fault.New(fault.InvalidInput, "an API key stands in the URL, where logs and histories keep it: revoke that key, and send keys in a header")
	}
	if accept := x.r.Header["Accept"]; len(accept) > 0 && !x.target.offers.suits(accept, x.handler.docs) {
		return fault.New(fault.NotAcceptable, "the reply is application/json, which the header Accept excludes: add it there, or leave the header out")
	}
	return x.target.serve(x)
}

// begin fills in what every call has.
func (x *exchange) begin(w http.ResponseWriter, r *http.Request) {
	x.w, x.r, x.entry, x.wrote, x.asRoute = w, r, x.handler.none, false, false
	x.call = engine.Call{
		Channel:     v1alpha1.ChannelREST,
		Credentials: auth.Credentials{Authorization: r.Header["Authorization"], APIKey: r.Header["X-Api-Key"]},
		Start:       time.Now(),
		Client:      x.handler.engine.Client(r.RemoteAddr, r.Header["X-Forwarded-For"]),
		Source:      x,
	}
	var named []string
	if x.call.Client.PeerTrusted {
		named = r.Header["X-Request-Id"]
	}
	x.call.RequestID = wire.RequestID(x.call.Client, named)
	x.idHeader[0] = x.call.RequestID
	header := w.Header()
	header["X-Request-Id"] = x.idHeader[:]
	header["X-Content-Type-Options"] = nosniff
	header["Cache-Control"] = noStore
	if x.handler.health.Draining() {
		header["Connection"] = closeConnection
	}
}

// The values of headers that never change. They are shared and may not be written to.
var (
	nosniff         = []string{"nosniff"}
	noStore         = []string{"no-store"}
	closeConnection = []string{"close"}
	jsonType        = []string{"application/json"}
	problemType     = []string{"application/problem+json"}
)

// end counts the request.
func (x *exchange) end(code fault.Code) {
	took := time.Since(x.call.Start)
	x.entry.metrics.Done(code, took)
	if x.handler.debug {
		name := ""
		if x.entry.workflow != nil {
			name = x.entry.workflow.Name
		}
		x.handler.log.Debug("Served", "method", x.r.Method, "path", x.r.URL.EscapedPath(), "code", code, "workflow", name,
			"duration", took, "requestId", x.call.RequestID)
	}
}

// release keeps the exchange's buffers, and nothing of the request.
func (x *exchange) release() {
	if cap(x.body) > maxKept || cap(x.out) > maxKept {
		return
	}
	x.w, x.r, x.entry, x.call, x.target = nil, nil, nil, engine.Call{}, target{}
	x.vars.clear()
	x.handler.exchanges.Put(x)
}
