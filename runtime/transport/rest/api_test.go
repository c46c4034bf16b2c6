package rest

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/apidoc"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
	"github.com/nexus-operator/nexus-operator/runtime/telemetry"
)

type healthy struct{}

func (healthy) Ready() bool    { return true }
func (healthy) Draining() bool { return false }

// definitions are the workflows of the tests, by name.
var definitions = map[string]string{
	"echo":    `[{"reply":{"set":"${ . }"}}]`,
	"longest": `[{"rest":{"wait":{"minutes":5}}}]`,
	"longer":  `[{"rest":{"wait":{"minutes":1}}},{"reply":{"set":{"after":"<a minute>"}}}]`,
	"steps":   `[{"one":{"set":{"n":1}}},{"two":{"if":"${ .n > 1 }","set":{"n":2}}},{"three":{"set":{"n":"${ .n + 2 }"}}}]`,
	"large":   `[{"reply":{"set":{"text":"${ \"0123456789\" * 12000 }"}}}]`,
	"raises":  `[{"look":{"raise":{"error":{"type":"https://shop.example.com/sold-out","status":409,"title":"Sold out","detail":"none are left"}}}}]`,
}

// api is a handler, a key that it accepts, and one that it accepts for two minutes.
type api struct {
	t          *testing.T
	handler    *Handler
	key, brief string
}

func open(t *testing.T) *api {
	t.Helper()
	return openWith(t, func(*Options) {})
}

// openWith opens it with other options.
func openWith(t *testing.T, change func(*Options)) *api {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	mint := func(client string, expires time.Time) string {
		key, err := auth.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		value, err := json.Marshal(v1alpha1.APIKeyEntry{ID: key.ID, SHA256: key.SHA256, Expires: expires})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "keys", client), value, 0o600); err != nil {
			t.Fatal(err)
		}
		return key.Key
	}
	key, brief := mint("web", time.Time{}), mint("brief", time.Now().Add(2*time.Minute))
	keys, err := auth.Open(root, "keys")
	if err != nil {
		t.Fatal(err)
	}
	doc := config.Document{
		Name: "shop", Auth: v1alpha1.Auth{Mode: v1alpha1.AuthRequired},
		RateLimit: v1alpha1.RateLimit{Mode: v1alpha1.RateLimitEnforce, RequestsPerMinute: 1000, Burst: 1000, Per: v1alpha1.PerSubject, AuthFailuresPerMinute: 10},
		Input:     v1alpha1.Input{MaxBytes: resource.MustParse("1Ki"), Policy: v1alpha1.InputStandard},
		Limits:    v1alpha1.Limits{MaxConcurrentWorkflows: 10, RequestTimeoutSeconds: 600},
	}
	for _, name := range []string{"echo", "longest", "longer", "steps", "large", "raises"} {
		w := v1alpha1.Workflow{Name: name, Expose: []v1alpha1.Channel{v1alpha1.ChannelREST}, TimeoutSeconds: 600}
		w.Definition.Raw = []byte(`{"document":{"dsl":"1.0.3","namespace":"t","name":"` + name + `","version":"1.0.0"},"do":` + definitions[name] + `}`)
		doc.Workflows = append(doc.Workflows, w)
	}
	doc.Workflows[0].Routes = []v1alpha1.Route{
		{Method: http.MethodPost, Path: "/api/echo"}, {Method: http.MethodGet, Path: "/api/echo"}, {Method: http.MethodGet, Path: "/api/echo/{id}"},
	}
	log := slog.New(slog.DiscardHandler)
	metrics := telemetry.NewMetrics([]string{"echo", "longest", "longer", "steps", "large", "raises"}, []string{"REST"})
	local := limit.NewMemory(time.Now())
	e, err := engine.New(doc, engine.Deps{
		Keys: keys, Limits: local, Failures: local, Local: local, Bodies: limit.NewBudget(1 << 20), Recorder: telemetry.NewRecorder(metrics, log), Log: log,
		Executions: execution.NewManager(execution.Options{
			Store: execution.NewMemory(1<<20, time.Hour, time.Now), NewID: engine.NewID, Now: time.Now, Log: log,
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Engine: e, Metrics: metrics, Health: healthy{}, Log: log, App: apidoc.App{Name: doc.Name, Auth: doc.Auth}}
	change(&o)
	handler, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return &api{t, handler, key, brief}
}

// request makes a request with the key; header is pairs of name and value.
func (a *api) request(ctx context.Context, method, path, body string, header ...string) *http.Request {
	a.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(ctx, method, path, reader)
	r.Header.Set("X-Api-Key", a.key)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// send sends a request and returns the whole reply.
func (a *api) send(method, path, body string, header ...string) *httptest.ResponseRecorder {
	a.t.Helper()
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, a.request(a.t.Context(), method, path, body, header...))
	return w
}

// start starts a workflow and returns where its execution is.
func (a *api) start(workflow string, header ...string) string {
	a.t.Helper()
	w := a.send(http.MethodPost, "/workflows/"+workflow+"/execute", `{"mode":"async"}`, header...)
	location := w.Header().Get("Location")
	if w.Code != http.StatusAccepted || !strings.HasPrefix(location, "/executions/") {
		a.t.Fatalf("starting %s: %d %s", workflow, w.Code, w.Body)
	}
	return location
}

// ended waits for the end of an execution.
func (a *api) ended(location string) {
	a.t.Helper()
	a.send(http.MethodGet, location, "", "Accept", "text/event-stream")
}

// reply is what tests look at of a JSON reply.
type reply struct {
	RunID, Workflow, Version, Mode, Status string
	Created, Finished                      time.Time
	Took                                   *float64
	Outputs                                json.RawMessage
	CancelRequested                        bool
	Problem                                json.RawMessage
	Code                                   string
}

func (a *api) read(w *httptest.ResponseRecorder) reply {
	a.t.Helper()
	var out struct {
		RunID      string          `json:"run_id"`
		Workflow   string          `json:"workflow_id"`
		Version    string          `json:"version"`
		Mode       string          `json:"mode"`
		Status     json.RawMessage `json:"status"` // a text, or a number in a problem
		Created    time.Time       `json:"created_at"`
		Finished   time.Time       `json:"finished_at"`
		Took       *float64        `json:"execution_time"`
		Outputs    json.RawMessage `json:"outputs"`
		Canceling  bool            `json:"cancel_requested"`
		Problem    json.RawMessage `json:"problem"`
		Code       string          `json:"code"`
		Executions json.RawMessage `json:"executions"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		a.t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return reply{out.RunID, out.Workflow, out.Version, out.Mode, strings.Trim(string(out.Status), `"`), out.Created, out.Finished, out.Took,
		out.Outputs, out.Canceling, out.Problem, out.Code}
}
