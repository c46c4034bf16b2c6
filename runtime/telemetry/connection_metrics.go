package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/redis"
)

// WatchIssuers publishes how the keys of the issuers of tokens are. health is asked at
// each scrape; the label is the issuer as the document has it.
func (m *Metrics) WatchIssuers(health func() []auth.IssuerHealth) {
	m.registry.MustRegister(issuers(health))
}

type issuers func() []auth.IssuerHealth

var (
	jwksKeys = prometheus.NewDesc("nexus_jwks_keys", "Keys with which tokens of an issuer can be verified now.", []string{"issuer"}, nil)
	jwksAge  = prometheus.NewDesc("nexus_jwks_last_success_timestamp_seconds",
		"When the keys of an issuer were last read, in seconds since 1970; 0 for never.", []string{"issuer"}, nil)
	jwksFetches = prometheus.NewDesc("nexus_jwks_fetches_total", "Times that the keys of an issuer were read, or asked for.", []string{"issuer"}, nil)
	jwksErrors  = prometheus.NewDesc("nexus_jwks_errors_total", "Times that this failed.", []string{"issuer"}, nil)
)

// Describe implements prometheus.Collector.
func (issuers) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{jwksKeys, jwksAge, jwksFetches, jwksErrors} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (health issuers) Collect(ch chan<- prometheus.Metric) {
	for _, h := range health() {
		read := 0.0
		if !h.LastSuccess.IsZero() {
			read = float64(h.LastSuccess.Unix())
		}
		ch <- prometheus.MustNewConstMetric(jwksKeys, prometheus.GaugeValue, float64(h.Keys), h.Issuer)
		ch <- prometheus.MustNewConstMetric(jwksAge, prometheus.GaugeValue, read, h.Issuer)
		ch <- prometheus.MustNewConstMetric(jwksFetches, prometheus.CounterValue, float64(h.Fetches), h.Issuer)
		ch <- prometheus.MustNewConstMetric(jwksErrors, prometheus.CounterValue, float64(h.Failures), h.Issuer)
	}
}

// WatchRedis publishes whether Redis can be used, and how often it was. Both functions
// are asked at each scrape.
func (m *Metrics) WatchRedis(health func() redis.Health, counters func() redis.Counters) {
	counter := func(name, help string, of func(redis.Counters) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(of(counters())) })
	}
	gauge := func(name, help string, is func(redis.Health) bool) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if is(health()) {
				return 1
			}
			return 0
		})
	}
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "nexus_redis_settings_timestamp_seconds",
			Help: "When the settings in use took over, in seconds since 1970; 0 before the first ones did."}, func() float64 {
			if taken := health().Taken; !taken.IsZero() {
				return float64(taken.UnixMilli()) / 1000
			}
			return 0
		}),
		counter("nexus_redis_calls_total", "Calls that were sent to Redis.", func(c redis.Counters) uint64 { return c.Calls }),
		counter("nexus_redis_failures_total", "Calls without an answer, or with one that says that Redis cannot be used.",
			func(c redis.Counters) uint64 { return c.Failures }),
		counter("nexus_redis_shed_total", "Calls that were not sent, since Redis could not be used.", func(c redis.Counters) uint64 { return c.Shed }),
		gauge("nexus_redis_up", "1 while Redis can be used, else 0.", func(h redis.Health) bool { return h.Up }),
		gauge("nexus_redis_stale_settings", "1 while the content of the Secrets of spec.redis is not in use and a former one is, else 0.",
			func(h redis.Health) bool { return h.Stale != "" }))
}
