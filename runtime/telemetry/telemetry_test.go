package telemetry

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// TestSecurityLogIsBounded floods one kind of event: its lines are bounded, the rest
// is counted, and other kinds are not hidden.
func TestSecurityLogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		_, security := NewLoggers(&out, v1alpha1.Logging{Level: v1alpha1.LogError, Format: v1alpha1.LogJSON})
		m := NewMetrics([]string{"echo"}, []string{"REST"})
		r := NewRecorder(m, security)
		for range 1000 {
			r.Event(engine.Event{Kind: engine.AuthFailure, Reason: "missing", At: time.Now(), Client: netip.MustParseAddr("192.0.2.1")})
		}
		r.Event(engine.Event{Kind: engine.InputBlocked, Reason: "blocked_key", At: time.Now(), Pointer: "/" + strings.Repeat("x", 1000)})
		<-time.After(time.Second)
		synctest.Wait()
		text := out.String()
		if n := strings.Count(text, `"Authentication failed"`); n != linesPerSecond {
			t.Errorf("%d lines, want %d", n, linesPerSecond)
		}
		if !strings.Contains(text, `"dropped":990`) || !strings.Contains(text, "Dangerous input blocked") {
			t.Errorf("the log does not tell what was dropped, or hides another kind:\n%s", text)
		}
		if strings.Contains(text, strings.Repeat("x", 300)) {
			t.Error("a pointer of any length is logged")
		}
		if scrape(t, m, `nexus_auth_failures_total{reason="missing"}`) != "1000" {
			t.Error("the metric does not count what was dropped from the log")
		}
	})
}

func scrape(t *testing.T, m *Metrics, series string) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func TestLevels(t *testing.T) {
	for format, want := range map[v1alpha1.LogFormat][]string{
		v1alpha1.LogJSON: {`"level":"CRITICAL"`, `"level":"WARNING"`, `"logger":"nexus.security"`},
		v1alpha1.LogText: {"level=CRITICAL", "level=WARNING", "logger=nexus.security"},
	} {
		var out bytes.Buffer
		log, security := NewLoggers(&out, v1alpha1.Logging{Level: v1alpha1.LogError, Format: format})
		log.Info("quiet")
		security.Warn("loud")
		AnnounceRisks(t.Context(), security, config.Document{Environment: v1alpha1.Staging, Auth: v1alpha1.Auth{Mode: v1alpha1.AuthDisabled}})
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: no %s in %s", format, w, out.String())
			}
		}
		if strings.Contains(out.String(), "quiet") || !strings.Contains(out.String(), "DISABLED in the staging environment") {
			t.Errorf("%s: %s", format, out.String())
		}
	}
	var out bytes.Buffer
	_, security := NewLoggers(&out, v1alpha1.Logging{Level: v1alpha1.LogDebug, Format: v1alpha1.LogText})
	AnnounceRisks(t.Context(), security, config.Document{Environment: v1alpha1.Development, Auth: v1alpha1.Auth{Mode: v1alpha1.AuthDisabled}})
	if out.Len() > 0 {
		t.Errorf("Development without authentication is no risk: %s", out.String())
	}
}

// TestLabelsAreBounded: nothing that a caller sends becomes a label.
func TestLabelsAreBounded(t *testing.T) {
	m := NewMetrics([]string{"echo"}, []string{"REST"})
	r := NewRecorder(m, slog.New(slog.DiscardHandler))
	for _, kind := range []engine.EventKind{engine.AuthFailure, engine.LimitHit, engine.InputBlocked, engine.AccessDenied} {
		r.Event(engine.Event{Kind: kind, Reason: "hostile", Workflow: "hostile", At: time.Now()})
	}
	r.Ran("hostile", time.Second, engine.CodeOK)
	m.Requests("REST", "hostile").Done(fault.WorkflowNotFound, time.Second)
	r.Tasks("echo")(workflow.TaskEvent{Kind: "call hostile", Name: "hostile", Reference: "/do/0/hostile", Workflow: "hostile", Phase: workflow.TaskFaulted})
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if strings.Contains(w.Body.String(), "hostile") {
		t.Error("a name that is not the document's is a label")
	}
	if scrape(t, m, `nexus_requests_total{channel="REST",code="workflow_not_found",workflow=""}`) != "1" {
		t.Error("a request for an unknown workflow is not counted")
	}
}

func TestTasks(t *testing.T) {
	m := NewMetrics([]string{"echo", "other"}, []string{"REST"})
	tell := NewRecorder(m, slog.New(slog.DiscardHandler)).Tasks("echo")
	for _, e := range []workflow.TaskEvent{
		{Kind: "set", Phase: workflow.TaskStarted}, {Kind: "set", Phase: workflow.TaskCompleted, Took: time.Second}, {Kind: "set", Phase: workflow.TaskSkipped},
		{Kind: "try", Phase: workflow.TaskRetried}, {Kind: "try", Phase: workflow.TaskRetried}, {Kind: "try", Phase: workflow.TaskFaulted, Took: 1500 * time.Millisecond},
		{Kind: "call http", Phase: workflow.TaskCompleted}, {Kind: "call price", Phase: workflow.TaskCompleted}, {Kind: "call quote", Phase: workflow.TaskCompleted},
	} {
		tell(e)
	}
	for series, want := range map[string]string{
		`nexus_workflow_tasks_total{kind="set",outcome="completed",workflow="echo"}`:           "1",
		`nexus_workflow_tasks_total{kind="set",outcome="skipped",workflow="echo"}`:             "1",
		`nexus_workflow_tasks_total{kind="set",outcome="faulted",workflow="echo"}`:             "0",
		`nexus_workflow_tasks_total{kind="try",outcome="retried",workflow="echo"}`:             "2",
		`nexus_workflow_tasks_total{kind="call http",outcome="completed",workflow="echo"}`:     "1",
		`nexus_workflow_tasks_total{kind="call function",outcome="completed",workflow="echo"}`: "2",
		`nexus_workflow_tasks_total{kind="wait",outcome="completed",workflow="echo"}`:          "", // it has none
		`nexus_workflow_tasks_total{kind="set",outcome="completed",workflow="other"}`:          "",
		`nexus_workflow_task_seconds_total{kind="set",workflow="echo"}`:                        "1",
		`nexus_workflow_task_seconds_total{kind="try",workflow="echo"}`:                        "1.5",
	} {
		if got := scrape(t, m, series); got != want {
			t.Errorf("%s is %q, want %q", series, got, want)
		}
	}
}

func TestWatchRuns(t *testing.T) {
	m := NewMetrics(nil, nil)
	m.WatchRuns(func() int64 { return 3 }, func() int64 { return 2 })
	for series, want := range map[string]string{"nexus_workflows_running": "3", "nexus_executions_running": "2"} {
		if got := scrape(t, m, series); got != want {
			t.Errorf("%s is %q, want %q", series, got, want)
		}
	}
}

// BenchmarkTask is what counting one task costs.
func BenchmarkTask(b *testing.B) {
	tell := NewRecorder(NewMetrics([]string{"echo"}, []string{"REST"}), slog.New(slog.DiscardHandler)).Tasks("echo")
	started, completed := workflow.TaskEvent{Kind: "set", Phase: workflow.TaskStarted}, workflow.TaskEvent{Kind: "set", Phase: workflow.TaskCompleted, Took: time.Microsecond}
	b.ReportAllocs()
	for b.Loop() {
		tell(started)
		tell(completed)
	}
}

func TestDocumentAndKeys(t *testing.T) {
	m := NewMetrics(nil, nil)
	m.SetDocument(config.Document{
		Name: "shop", Environment: v1alpha1.Production, Auth: v1alpha1.Auth{Mode: v1alpha1.AuthDisabled},
		AcknowledgedRisks: []v1alpha1.AcknowledgedRisk{{Name: v1alpha1.RiskAuthDisabled}, {Name: v1alpha1.RiskSingleReplica}},
		Input:             v1alpha1.Input{MaxBytes: resource.MustParse("20Mi")},
	}, "abc", "1.2.3")
	m.SetKeys(auth.Reload{Entries: []auth.Entry{{Name: "web", Expires: time.Now().Add(-time.Hour)}, {Name: "other"}}, Problems: []string{"x"}})
	for series, want := range map[string]string{
		`nexus_config_info{app="shop",environment="production",hash="abc",version="1.2.3"}`: "1",
		`nexus_security_posture{check="Authentication"}`:                                    "0",
		`nexus_security_posture{check="InputSize"}`:                                         "0",
		`nexus_security_posture{check="RateLimit"}`:                                         "1",
		`nexus_security_posture{check="Replicas"}`:                                          "0",
		`nexus_security_posture{check="NetworkPolicy"}`:                                     "",
		`nexus_credentials_reload_errors_total`:                                             "1",
		`nexus_api_keys`:                                                                    "2",
	} {
		if got := scrape(t, m, series); got != want {
			t.Errorf("%s is %q, want %q", series, got, want)
		}
	}
	if got := scrape(t, m, `nexus_api_key_expiry_seconds{entry="web"}`); !strings.HasPrefix(got, "-") {
		t.Errorf("an expired key has %s seconds left", got)
	}
}
