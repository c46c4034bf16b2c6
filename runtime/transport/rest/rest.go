// Package rest serves workflows over HTTP: it decodes requests, has the engine decide
// and run, and encodes what came of it. No policy is decided here.
package rest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/telemetry"
)

// Health tells the handler how the process is.
type Health interface {
	// Ready says whether requests should come here.
	Ready() bool
	// Draining says that the process is about to end: connections are closed after
	// their next reply.
	Draining() bool
}

// Handler serves the REST API of an app.
type Handler struct {
	engine    *engine.Engine
	metrics   *telemetry.Metrics
	health    Health
	log       *slog.Logger
	routes    router
	entries   map[string]*entry
	none      *entry
	challenge [2][]string
	exchanges sync.Pool
	debug     bool
}

// entry is what of a workflow's replies never changes.
type entry struct {
	workflow *engine.Workflow
	metrics  *telemetry.RequestMetrics
	// policyHeader is the value of RateLimit-Policy; tail is the end of a reply's
	// envelope up to the run id.
	policyHeader []string
	policyNames  []string
	tail         string
	summary      []byte
}

// New returns the handler of an engine's workflows.
func New(ctx context.Context, e *engine.Engine, metrics *telemetry.Metrics, health Health, log *slog.Logger) (*Handler, error) {
	h := &Handler{
		engine: e, metrics: metrics, health: health, log: log,
		entries: map[string]*entry{}, none: &entry{metrics: metrics.Requests(string(v1alpha1.ChannelREST), "")},
		challenge: challenges(e.Name()),
		debug:     log.Enabled(ctx, slog.LevelDebug),
	}
	h.exchanges.New = func() any { return &exchange{handler: h} }
	for _, w := range e.Workflows() {
		entry, err := newEntry(w, metrics)
		if err != nil {
			return nil, err
		}
		h.entries[w.Name] = entry
	}
	return h, h.addRoutes()
}

// addRoutes is the table of what is served.
func (h *Handler) addRoutes() error {
	for _, r := range []struct {
		method, path string
		serve        endpoint
	}{
		{http.MethodGet, "/", (*exchange).index},
		{http.MethodGet, "/health", (*exchange).healthy},
		{http.MethodGet, "/workflows", (*exchange).list},
		{http.MethodGet, "/workflows/{name}", (*exchange).describe},
		{http.MethodPost, "/workflows/{name}/execute", (*exchange).execute},
		{http.MethodGet, "/executions", (*exchange).executions},
		{http.MethodGet, "/executions/{id}", (*exchange).execution},
		{http.MethodDelete, "/executions/{id}", (*exchange).cancelExecution},
	} {
		if err := h.routes.add(r.method, r.path, target{serve: r.serve}); err != nil {
			return err
		}
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
	if holdsKey(x.r.URL.RawQuery) {
		return fault.New(fault.InvalidInput, "an API key stands in the URL, where logs and histories keep it: revoke that key, and send keys in a header")
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
	x.call.RequestID = x.requestID()
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

// requestID believes a trusted proxy and else makes a new one, so that a caller cannot
// write into the logs or pass as another request.
func (x *exchange) requestID() string {
	if x.call.Client.PeerTrusted {
		if id := x.r.Header["X-Request-Id"]; len(id) == 1 && isID(id[0]) {
			return id[0]
		}
	}
	return engine.NewID()
}

func isID(s string) bool {
	const most = 128
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

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

// holdsKey says whether a query holds an API key.
func holdsKey(query string) bool {
	if !strings.Contains(query, "nxs_") {
		return false
	}
	for part := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == '=' || r == ';' || r == '+' }) {
		if auth.LooksLikeKey(part) {
			return true
		}
	}
	return false
}
