package telemetry

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// seconds are the bounds of the histograms' buckets: most runs take well under a
// millisecond, and the longest allowed one an hour.
var seconds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// Metrics are the metrics of one runtime, on a registry of their own. Every label
// value is known to the program or the document: nothing a caller sends becomes one.
type Metrics struct {
	registry *prometheus.Registry

	authFailures     map[string]prometheus.Counter
	limitHits        map[string]prometheus.Counter
	limitShadowed    map[string]prometheus.Counter
	storeErrors      prometheus.Counter
	inputBlocked     map[string]prometheus.Counter
	denied           map[string]prometheus.Counter
	runs             map[string]*runMetrics
	tasks            *prometheus.CounterVec
	taskSeconds      *prometheus.CounterVec
	forwardedIgnored prometheus.Counter
	inFlight         atomic.Int64
	requests         map[string]*RequestMetrics

	credentials *credentialMetrics
}

type runMetrics struct {
	ok, failed prometheus.Observer
}

// RequestMetrics count the requests of one workflow on one channel.
type RequestMetrics struct {
	// byCode has the label code left; frequent are its children that a flood counts on.
	byCode   *prometheus.CounterVec
	frequent map[fault.Code]prometheus.Counter
	duration prometheus.Observer
}

// frequent codes are resolved once.
var frequent = []fault.Code{engine.CodeOK, fault.Unauthenticated, fault.RateLimited}

// Done counts a request. Code is CodeOK or one that a program can have, never text of
// a caller.
func (m *RequestMetrics) Done(code fault.Code, took time.Duration) {
	c, ok := m.frequent[code]
	if !ok {
		c = m.byCode.WithLabelValues(string(code))
	}
	c.Inc()
	m.duration.Observe(took.Seconds())
}

// builder makes metrics with one label, all children at once.
type builder struct{ registry *prometheus.Registry }

func (b builder) counters(name, help, label string, values []string) map[string]prometheus.Counter {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	b.registry.MustRegister(vec)
	children := make(map[string]prometheus.Counter, len(values))
	for _, v := range values {
		children[v] = vec.WithLabelValues(v)
	}
	return children
}

// NewMetrics returns the metrics of an app with these workflows on these channels.
func NewMetrics(workflows, channels []string) *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	b := builder{registry}
	policies := []string{engine.PolicyApp, engine.PolicyAuthFailures, engine.PolicyExecutions}
	for _, w := range workflows {
		policies = append(policies, "workflow/"+w)
	}
	reasons := make([]string, len(auth.Reasons))
	for i, r := range auth.Reasons {
		reasons[i] = string(r)
	}
	m := &Metrics{
		registry:     registry,
		authFailures: b.counters("nexus_auth_failures_total", "Requests without an accepted credential, by reason.", "reason", reasons),
		limitHits:    b.counters("nexus_rate_limit_hits_total", "Requests refused by a rate limit, by policy.", "policy", policies),
		limitShadowed: b.counters("nexus_rate_limit_shadowed_total",
			"Requests that a rate limit would have refused, were spec.rateLimit.mode not Shadow, by policy.", "policy", policies),
		storeErrors: prometheus.NewCounter(prometheus.CounterOpts{Name: "nexus_rate_limit_store_errors_total",
			Help: "Rate limit decisions made without Redis, as spec.rateLimit.onStoreError says."}),
		inputBlocked: b.counters("nexus_input_blocked_total", "Inputs refused by an input rule, by rule.", "rule", engine.InputRules()),
		denied:       b.counters("nexus_access_denied_total", "Requests of authenticated callers who lack a role or a scope, or for whom the condition does not hold, by workflow.", "workflow", workflows),
		forwardedIgnored: prometheus.NewCounter(prometheus.CounterOpts{Name: "nexus_forwarded_ignored_total",
			Help: "Requests whose forwarding headers were ignored: their peer is not in spec.rateLimit.trustedProxies."}),
	}
	registry.MustRegister(m.forwardedIgnored, m.storeErrors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "nexus_requests_in_flight", Help: "Requests being served.",
	}, func() float64 { return float64(m.inFlight.Load()) }))
	m.credentials = newCredentialMetrics(registry)
	m.addRuns(workflows)
	m.addTasks()
	m.addRequests(workflows, channels)
	return m
}

func (m *Metrics) addRuns(workflows []string) {
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "nexus_workflow_duration_seconds",
		Help: "Time that runs took, by workflow and outcome.", Buckets: seconds}, []string{"workflow", "outcome"})
	m.registry.MustRegister(vec)
	m.runs = make(map[string]*runMetrics, len(workflows))
	for _, w := range workflows {
		m.runs[w] = &runMetrics{ok: vec.WithLabelValues(w, "completed"), failed: vec.WithLabelValues(w, "failed")}
	}
}

// addRequests also makes the children of no workflow: the empty label.
func (m *Metrics) addRequests(workflows, channels []string) {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nexus_requests_total",
		Help: "Requests, by channel, workflow (empty when none was found) and outcome."}, []string{"channel", "workflow", "code"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "nexus_request_duration_seconds",
		Help: "Time that requests took, by channel and workflow.", Buckets: seconds}, []string{"channel", "workflow"})
	m.registry.MustRegister(total, duration)
	m.requests = make(map[string]*RequestMetrics)
	for _, channel := range channels {
		for _, w := range append([]string{""}, workflows...) {
			byCode := total.MustCurryWith(prometheus.Labels{"channel": channel, "workflow": w})
			r := &RequestMetrics{byCode: byCode, frequent: map[fault.Code]prometheus.Counter{}, duration: duration.WithLabelValues(channel, w)}
			for _, code := range frequent {
				r.frequent[code] = byCode.WithLabelValues(string(code))
			}
			m.requests[channel+"/"+w] = r
		}
	}
}

// Requests returns the metrics of a workflow on a channel; those of no workflow for an
// empty or unknown name. Resolve it once, not for each request.
func (m *Metrics) Requests(channel, workflow string) *RequestMetrics {
	if r, ok := m.requests[channel+"/"+workflow]; ok {
		return r
	}
	return m.requests[channel+"/"]
}

// WatchRuns tells how many workflows run, and how many of those go on without the call
// that started them. It is called once.
func (m *Metrics) WatchRuns(running, started func() int64) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "nexus_workflows_running",
			Help: "Workflows that run, of the spec.limits.maxConcurrentWorkflows that may."}, func() float64 { return float64(running()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "nexus_executions_running",
			Help: "Workflows that run and go on without the call that started them: asynchronous, streamed, or run by another workflow that does not wait."},
			func() float64 { return float64(started()) }))
}

// StoreError counts a rate limit decision that was made without Redis.
func (m *Metrics) StoreError() { m.storeErrors.Inc() }

// Enter and Leave count the requests in flight.
func (m *Metrics) Enter() { m.inFlight.Add(1) }

// Leave ends what Enter began.
func (m *Metrics) Leave() { m.inFlight.Add(-1) }

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// event counts a security event.
func (m *Metrics) event(e engine.Event) {
	children := [engine.EventKinds]map[string]prometheus.Counter{
		engine.AuthFailure: m.authFailures, engine.LimitHit: m.limitHits, engine.LimitShadowed: m.limitShadowed, engine.InputBlocked: m.inputBlocked, engine.AccessDenied: m.denied,
	}[e.Kind]
	label := e.Reason
	if e.Kind == engine.AccessDenied {
		label = e.Workflow
	}
	if c, ok := children[label]; ok {
		c.Inc()
	}
}

func (m *Metrics) ran(workflow string, took time.Duration, code fault.Code) {
	r, ok := m.runs[workflow]
	if !ok {
		return
	}
	observer := r.ok
	if code != engine.CodeOK {
		observer = r.failed
	}
	observer.Observe(took.Seconds())
}

// Recorder implements engine.Recorder with metrics and the security log.
type Recorder struct {
	metrics  *Metrics
	security *securityLog
	ignored  firstTime
}

// Event implements engine.Recorder.
func (r *Recorder) Event(e engine.Event) {
	r.metrics.event(e)
	r.security.event(e)
}

// Ran implements engine.Recorder.
func (r *Recorder) Ran(workflow string, took time.Duration, code fault.Code) {
	r.metrics.ran(workflow, took, code)
}

// ForwardedIgnored implements engine.Recorder. One line says it for all.
func (r *Recorder) ForwardedIgnored(peer netip.Addr) {
	r.metrics.forwardedIgnored.Inc()
	if r.ignored.claim() {
		r.security.log.Warn("X-Forwarded-For of a peer outside spec.rateLimit.trustedProxies is ignored: if this peer is your proxy, add it there, or all its clients share one address; this is logged once", "peer", peer.String())
	}
}
