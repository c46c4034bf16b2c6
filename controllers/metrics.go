package controllers

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/apply"
)

var writes = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "nexus_operator_writes_total",
	Help: "Writes to the API server by kind of object and operation (created, updated, corrected, deleted, status). None happen at rest.",
}, []string{"kind", "operation"})

func init() { metrics.Registry.MustRegister(writes) } //nolint:gochecknoinits // as every metric of controller-runtime

func (r *Reconciler) countWrites(changes []apply.Change) {
	for _, c := range changes {
		if c.Operation != apply.Unchanged {
			writes.WithLabelValues(c.Kind, string(c.Operation)).Inc()
		}
	}
}

func (r *Reconciler) recordWrites(s *scope) { r.countWrites(s.changes) }

func (r *Reconciler) countStatusWrite() { writes.WithLabelValues("NexusApp", "status").Inc() }

// fleet counts the apps of the cache when it is scraped.
type fleet struct {
	cache client.Reader
	desc  *prometheus.Desc
}

func newFleet(cache client.Reader) *fleet {
	return &fleet{cache: cache, desc: prometheus.NewDesc("nexus_operator_apps",
		"NexusApps by environment, status of the Ready condition and its reason.", []string{"environment", "ready", "reason"}, nil)}
}

// Describe implements prometheus.Collector.
func (f *fleet) Describe(descs chan<- *prometheus.Desc) { descs <- f.desc }

// Collect implements prometheus.Collector. An unreadable cache yields no samples.
func (f *fleet) Collect(samples chan<- prometheus.Metric) {
	var apps v1alpha1.NexusAppList
	if err := f.cache.List(context.Background(), &apps, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	type labels struct{ environment, ready, reason string }
	counts := map[labels]float64{}
	for i := range apps.Items {
		l := labels{environment: string(apps.Items[i].Spec.Environment), ready: "Unknown"}
		if c := meta.FindStatusCondition(apps.Items[i].Status.Conditions, v1alpha1.ConditionReady); c != nil {
			l.ready, l.reason = string(c.Status), c.Reason
		}
		counts[l]++
	}
	for l, n := range counts {
		samples <- prometheus.MustNewConstMetric(f.desc, prometheus.GaugeValue, n, l.environment, l.ready, l.reason)
	}
}
