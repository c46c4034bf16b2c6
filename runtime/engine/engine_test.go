package engine

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// record collects what the engine tells.
type record struct {
	mu     sync.Mutex
	events []Event
	ran    []fault.Code
	tasks  []string
}

func (r *record) Event(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *record) Ran(_ string, _ time.Duration, code fault.Code) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ran = append(r.ran, code)
}

func (r *record) Tasks(name string) func(workflow.TaskEvent) {
	return func(event workflow.TaskEvent) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tasks = append(r.tasks, name+" "+event.Name+" "+string(event.Phase))
	}
}

func (r *record) ForwardedIgnored(netip.Addr) {}

// source yields fixed inputs and notes that it was asked.
type source struct {
	inputs any
	err    error
	panics bool
	read   int
}

func (s *source) Inputs(*Call) (any, error) {
	s.read++
	if s.panics {
		panic("broken transport")
	}
	return s.inputs, s.err
}

// define returns a workflow with these tasks, as JSON.
func define(name, tasks string) v1alpha1.Workflow {
	w := v1alpha1.Workflow{Name: name, Expose: []v1alpha1.Channel{v1alpha1.ChannelREST}, TimeoutSeconds: 5}
	w.Definition.Raw = []byte(`{"document":{"dsl":"1.0.3","namespace":"t","name":"` + name + `","version":"1.0.0"},"do":` + tasks + `}`)
	return w
}

func document(t *testing.T, change func(*config.Document)) config.Document {
	t.Helper()
	buyers := define("buyers", `[{"a":{"set":{"ok":true}}}]`)
	buyers.Authorization.AnyRole = []string{"buyer"}
	hidden := define("hidden", `[{"a":{"set":{"ok":true}}}]`)
	hidden.Expose = nil
	doc := config.Document{
		Name: "shop", Environment: v1alpha1.Production,
		Auth:      v1alpha1.Auth{Mode: v1alpha1.AuthRequired},
		RateLimit: v1alpha1.RateLimit{Mode: v1alpha1.RateLimitEnforce, RequestsPerMinute: 100, Burst: 100, Per: v1alpha1.PerSubject, AuthFailuresPerMinute: 2},
		Input:     v1alpha1.Input{MaxBytes: resource.MustParse("100"), Policy: v1alpha1.InputStandard},
		Limits:    v1alpha1.Limits{MaxConcurrentWorkflows: 2, RequestTimeoutSeconds: 5},
		Workflows: []v1alpha1.Workflow{define("echo", `[{"a":{"set":"${ . }"}}]`), buyers, hidden},
	}
	if change != nil {
		change(&doc)
	}
	return doc
}

// budget is what request bodies in flight may take in tests, in bytes.
const budget = 150

// open returns an engine, the key of a client without roles, and what the engine tells.
func open(t *testing.T, change func(*config.Document)) (*Engine, string, *record) {
	t.Helper()
	e, keys, told := openFor(t, change, "web")
	return e, keys[0], told
}

// openFor likewise has a key for each client.
func openFor(t *testing.T, change func(*config.Document), clients ...string) (*Engine, []string, *record) {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	var secrets []string
	for _, client := range clients {
		key, err := auth.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		value, err := json.Marshal(v1alpha1.APIKeyEntry{ID: key.ID, SHA256: key.SHA256})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "keys", client), value, 0o600); err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, key.Key)
	}
	keys, err := auth.Open(root, "keys")
	if err != nil {
		t.Fatal(err)
	}
	told := &record{}
	local := limit.NewMemory(time.Now())
	e, err := New(document(t, change), Deps{
		Keys: keys, Limits: local, Failures: local, Local: local, Bodies: limit.NewBudget(budget), Recorder: told,
		Executions: manager(execution.NewMemory(1<<20, time.Hour, time.Now)), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return e, secrets, told
}

func manager(store execution.Store) *execution.Manager {
	return execution.NewManager(execution.Options{Store: store, NewID: NewID, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
}

func call(name, key string, s Source) *Call {
	c := &Call{Channel: v1alpha1.ChannelREST, Workflow: name, Start: time.Now(), Source: s, RequestID: "r",
		Client: limit.Client{Addr: netip.MustParseAddr("192.0.2.1")}}
	if key != "" {
		c.Credentials.APIKey = []string{key}
	}
	return c
}

func wantFault(t *testing.T, err error, code fault.Code) *fault.Error {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	return f
}

func wantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if f := wantFault(t, err, code); f.Detail == "" {
		t.Errorf("%s says nothing", code)
	}
}

// TestRefusedCallersAreNotRead: every refusal comes before the inputs are read, gives
// back what the call held, and is told of.
func TestRefusedCallersAreNotRead(t *testing.T) {
	for _, c := range []struct {
		name, workflow string
		anonymous      bool
		change         func(*config.Document)
		code           fault.Code
		kind           EventKind
		reason         string
	}{
		{name: "no credential", workflow: "echo", anonymous: true, code: fault.Unauthenticated, kind: AuthFailure, reason: "missing"},
		{name: "unknown workflow", workflow: "nothing", code: fault.WorkflowNotFound, kind: EventKinds},
		{name: "not exposed", workflow: "hidden", code: fault.WorkflowNotFound, kind: EventKinds},
		{name: "no role", workflow: "buyers", code: fault.Forbidden, kind: AccessDenied, reason: "role"},
		{name: "no place", workflow: "echo", change: func(d *config.Document) { d.Limits.MaxConcurrentWorkflows = 0 }, code: fault.Overloaded, kind: EventKinds},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, key, told := open(t, c.change)
			if c.anonymous {
				key = ""
			}
			s := &source{inputs: map[string]any{}}
			wantCode(t, e.Execute(t.Context(), call(c.workflow, key, s)), c.code)
			if s.read != 0 || e.running.Load() != 0 || len(told.ran) != 0 {
				t.Errorf("inputs were read %d times, %d still run, %d ran", s.read, e.running.Load(), len(told.ran))
			}
			switch {
			case c.kind == EventKinds && len(told.events) > 0:
				t.Errorf("told of %+v", told.events)
			case c.kind != EventKinds && (len(told.events) != 1 || told.events[0].Kind != c.kind || told.events[0].Reason != c.reason):
				t.Errorf("told of %+v", told.events)
			}
		})
	}
}

func TestExecute(t *testing.T) {
	e, key, told := open(t, nil)
	c := call("echo", key, &source{inputs: map[string]any{"a": 1}})
	if err := e.Execute(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if out, ok := c.Output.(map[string]any); !ok || out["a"] != 1 || len(c.RunID) != 32 || !c.Limited || c.Verdict.Remaining != 99 {
		t.Errorf("got %+v", c)
	}
	if c.Principal.Subject != "key|web" || len(told.ran) != 1 || told.ran[0] != CodeOK || len(told.events) != 0 || e.running.Load() != 0 {
		t.Errorf("told %+v", told)
	}
}

func TestPanicIsInternal(t *testing.T) {
	e, key, _ := open(t, nil)
	f := wantFault(t, e.Execute(t.Context(), call("echo", key, &source{panics: true})), fault.Internal)
	if strings.Contains(f.Detail, "broken") || !strings.Contains(f.Cause.Error(), "broken transport") || e.running.Load() != 0 {
		t.Errorf("detail %q, cause %v, %d still run", f.Detail, f.Cause, e.running.Load())
	}
}

func TestCallerGoesAway(t *testing.T) {
	e, key, told := open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantCode(t, e.Execute(ctx, call("echo", key, &source{inputs: map[string]any{}})), Canceled)
	wantCode(t, e.Execute(ctx, call("echo", key, &source{err: io.ErrUnexpectedEOF})), Canceled)
	if len(told.ran) != 1 || told.ran[0] != Canceled {
		t.Errorf("told of the runs %v", told.ran)
	}
}

func TestTimeout(t *testing.T) {
	e, key, told := open(t, nil)
	e.byName["echo"].timeout = time.Nanosecond
	wantCode(t, e.Execute(t.Context(), call("echo", key, &source{inputs: map[string]any{}})), fault.Timeout)
	if len(told.ran) != 1 || told.ran[0] != fault.Timeout || e.running.Load() != 0 {
		t.Errorf("told of the runs %v, %d still run", told.ran, e.running.Load())
	}
}

// TestAuthFailures: an address that spent its failures is limited for refused
// credentials only.
func TestAuthFailures(t *testing.T) {
	e, key, _ := open(t, nil)
	s := &source{inputs: map[string]any{}}
	for range 2 {
		wantCode(t, e.Execute(t.Context(), call("echo", "wrong", s)), fault.Unauthenticated)
	}
	if f := wantFault(t, e.Execute(t.Context(), call("echo", "wrong", s)), fault.RateLimited); f.RetryAfter <= 0 || f.RetryAfter > 30*time.Second {
		t.Errorf("retry after %v", f.RetryAfter)
	}
	wantCode(t, e.Execute(t.Context(), call("echo", "", s)), fault.Unauthenticated)
	if err := e.Execute(t.Context(), call("echo", key, s)); err != nil {
		t.Errorf("a valid key from the same address: %v", err)
	}
	elsewhere := call("echo", "wrong", s)
	elsewhere.Client.Addr = netip.MustParseAddr("192.0.2.2")
	wantCode(t, e.Execute(t.Context(), elsewhere), fault.Unauthenticated)
}

func TestNewNamesEveryProblem(t *testing.T) {
	doc := document(t, func(d *config.Document) {
		d.Auth.Mode = v1alpha1.AuthDisabled
		for i, bad := range []string{`{"do":[{"a":{"call":"http"}}]}`, `{"do":[{"a":{"set":{"x":"${ ]"}}}]}`} {
			d.Workflows[i].Definition.Raw = []byte(strings.Replace(bad, "{", `{"document":{"dsl":"1.0.3","namespace":"t","name":"`+d.Workflows[i].Name+`","version":"1.0.0"},`, 1))
		}
	})
	_, err := New(doc, Deps{})
	for _, want := range []string{`spec.workflows[0].definition/do/0/a`, `spec.workflows[1].definition/do/0/a/set/x`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to name %s", err, want)
		}
	}
	if _, err := New(document(t, nil), Deps{}); err == nil {
		t.Error("an engine that requires authentication opened without keys")
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(t.Context())
		d := newDeadline(parent, time.Now().Add(time.Second))
		if d.Err() != nil {
			t.Error("ended before its time")
		}
		child, stop := context.WithCancel(d)
		defer stop()
		<-d.Done()
		if !errors.Is(d.Err(), context.DeadlineExceeded) {
			t.Errorf("ended with %v", d.Err())
		}
		<-child.Done()
		d.stop()

		other := newDeadline(parent, time.Now().Add(time.Hour))
		cancel()
		<-other.Done()
		if !errors.Is(other.Err(), context.Canceled) {
			t.Errorf("ended with %v", other.Err())
		}
		other.stop()
	})
}

// broken is a store that cannot be asked.
type broken struct{}

func (broken) Take(context.Context, time.Time, limit.Caller, []*limit.Policy) (limit.Verdict, error) {
	return limit.Verdict{}, errors.New("cannot be asked")
}
func (broken) Spent(time.Time, limit.Caller, *limit.Policy) bool { return false }

// TestStoreError: a limit that cannot be checked refuses, but not while it is tried out.
func TestStoreError(t *testing.T) {
	for mode, want := range map[v1alpha1.RateLimitMode]fault.Code{v1alpha1.RateLimitEnforce: fault.Overloaded, v1alpha1.RateLimitShadow: ""} {
		e, key, _ := open(t, func(d *config.Document) { d.RateLimit.Mode = mode })
		e.Limits = broken{}
		c := &Call{Channel: v1alpha1.ChannelREST, Workflow: "echo", Start: time.Now(), Source: &source{inputs: map[string]any{}},
			Credentials: auth.Credentials{APIKey: []string{key}}}
		err := e.Execute(t.Context(), c)
		if want == "" && err != nil || want != "" && fault.As(err).Code != want {
			t.Errorf("%s: got %v, want %q", mode, err, want)
		}
		if c.Limited {
			t.Errorf("%s: the call tells of a limit that was not checked", mode)
		}
	}
}
