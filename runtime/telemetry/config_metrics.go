package telemetry

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

// podChecks are the posture checks that a document answers by itself. The others are
// about the workload, which only the operator knows.
var podChecks = map[string]bool{
	"Authentication": true, "RateLimit": true, "RateLimitAtLeast100": true, "InputSize": true, "Logging": true,
}

// SetDocument publishes which document is enforced and how it does by the security
// guide's checklist: 1 for a check that passes, 0 for one that does not. What the pod
// cannot judge itself is published only when the risk of failing it is acknowledged.
func (m *Metrics) SetDocument(doc config.Document, hash, version string) {
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "nexus_config_info", Help: "Always 1; the labels say which document is enforced.",
		ConstLabels: prometheus.Labels{"hash": hash, "app": doc.Name, "environment": strings.ToLower(string(doc.Environment)), "version": version}})
	info.Set(1)
	posture := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "nexus_security_posture",
		Help: "Checks of the security guide's production checklist: 1 passes, 0 does not."}, []string{"check"})
	m.registry.MustRegister(info, posture)
	spec := &v1alpha1.NexusAppSpec{
		Environment: doc.Environment, AcknowledgedRisks: doc.AcknowledgedRisks, Auth: doc.Auth, RateLimit: doc.RateLimit,
		Input: doc.Input, Redis: doc.Redis, Egress: doc.Egress, Limits: doc.Limits, Logging: doc.Logging,
	}
	v1alpha1.SetDefaults(spec)
	for _, check := range v1alpha1.Posture(spec) {
		_, acknowledged := spec.Acknowledged(check.Risk)
		// With Redis the limits are shared, however many replicas there are.
		judged := podChecks[check.ID] || check.ID == "SharedLimits" && doc.Redis != nil
		switch {
		case judged && check.Passed:
			posture.WithLabelValues(check.ID).Set(1)
		case judged, acknowledged:
			posture.WithLabelValues(check.ID).Set(0)
		}
	}
}

// credentialMetrics follow the API keys.
type credentialMetrics struct {
	errors  prometheus.Counter
	entries *keyEntries
}

func newCredentialMetrics(registry *prometheus.Registry) *credentialMetrics {
	c := &credentialMetrics{
		errors: prometheus.NewCounter(prometheus.CounterOpts{Name: "nexus_credentials_reload_errors_total",
			Help: "Times that credentials were read and at least one entry could not be used."}),
		entries: &keyEntries{},
	}
	registry.MustRegister(c.errors, c.entries)
	return c
}

// SetKeys publishes the outcome of reading the API keys.
func (m *Metrics) SetKeys(reload auth.Reload) {
	if len(reload.Problems) > 0 {
		m.credentials.errors.Inc()
	}
	m.credentials.entries.set(reload.Entries)
}

// keyEntries collects one series for each entry of the Secret, which come and go.
type keyEntries struct {
	mu      sync.Mutex
	entries []auth.Entry
}

var (
	keyCount  = prometheus.NewDesc("nexus_api_keys", "Entries of the API keys' Secret that hold a well-formed key, whether or not it has expired.", nil, nil)
	keyExpiry = prometheus.NewDesc("nexus_api_key_expiry_seconds",
		"Seconds until the API key of an entry expires, negative once it has; none for keys that never do.", []string{"entry"}, nil)
)

func (k *keyEntries) set(entries []auth.Entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.entries = entries
}

// Describe implements prometheus.Collector.
func (k *keyEntries) Describe(ch chan<- *prometheus.Desc) {
	ch <- keyCount
	ch <- keyExpiry
}

// Collect implements prometheus.Collector.
func (k *keyEntries) Collect(ch chan<- prometheus.Metric) {
	k.mu.Lock()
	entries := k.entries
	k.mu.Unlock()
	ch <- prometheus.MustNewConstMetric(keyCount, prometheus.GaugeValue, float64(len(entries)))
	for _, e := range entries {
		if !e.Expires.IsZero() {
			ch <- prometheus.MustNewConstMetric(keyExpiry, prometheus.GaugeValue, time.Until(e.Expires).Seconds(), e.Name)
		}
	}
}
