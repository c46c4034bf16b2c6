package engine

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// slow is a workflow that takes longer than it may, longer one that takes a minute, and
// parent one that starts the latter and does not wait for it.
func slow(d *config.Document) {
	d.Limits.RequestTimeoutSeconds = 600
	longer := define("longer", `[{"w":{"wait":{"minutes":1}}},{"a":{"set":{"after":"a minute"}}}]`)
	longer.TimeoutSeconds = 600
	d.Workflows = append(d.Workflows, longer,
		define("slow", `[{"w":{"wait":{"hours":1}}}]`),
		define("raises", `[{"r":{"raise":{"error":{"type":"https://shop.example.com/sold-out","status":409,"title":"Sold out","detail":"none are left"}}}}]`),
		define("parent", `[{"r":{"run":{"await":false,"workflow":{"namespace":"t","name":"longer","version":"1.0.0"}}}},{"a":{"set":{"started":true}}}]`))
}

// bodied is a source whose body holds a part of the budget.
type bodied struct {
	e    *Engine
	mode Mode
}

func (b bodied) Inputs(c *Call) (any, error) {
	body, err := b.e.ReadBody(c, strings.NewReader(`{"a":1}`), 7, nil)
	if err != nil {
		return nil, err
	}
	c.Mode = b.mode
	return b.e.Rules().Decode(body)
}

// finished follows an execution to its end, and returns it.
func finished(t *testing.T, e *Engine, c *Call, id string) execution.Execution {
	t.Helper()
	f, err := e.Follow(t.Context(), c, id, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Next(t.Context())
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	x, err := e.Execution(t.Context(), c, id)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func wantFree(t *testing.T, e *Engine) {
	t.Helper()
	if e.Running() != 0 || e.Started() != 0 || e.Bodies.Free() != budget {
		t.Errorf("%d run, %d of them by themselves, and %d bytes of the budget are free; want 0, 0 and %d", e.Running(), e.Started(), e.Bodies.Free(), budget)
	}
}

// refusing is a store that takes no executions.
type refusing struct{ execution.Store }

func (refusing) Create(context.Context, execution.Write) error {
	return errors.New("cannot be reached")
}

// panicking is a recorder with a bug.
type panicking struct{ *record }

func (panicking) Ran(string, time.Duration, fault.Code) { panic("broken recorder") }

// TestStart: an execution takes over the place and the bytes of its call, and gives them
// back once, however it ends.
func TestStart(t *testing.T) {
	for _, c := range []struct {
		name, workflow string
		change         func(*Engine)
		// during is done while it runs.
		during  func(*testing.T, *Engine, *Call)
		refused fault.Code
		status  execution.Status
		code    fault.Code
	}{
		{name: "completed", workflow: "longer", status: execution.Completed},
		{name: "failed", workflow: "raises", status: execution.Failed, code: fault.WorkflowFailed},
		{name: "out of time", workflow: "slow", status: execution.Failed, code: fault.Timeout},
		{name: "canceled", workflow: "longer", status: execution.Canceled, code: Canceled, during: func(t *testing.T, e *Engine, c *Call) {
			t.Helper()
			x, err := e.CancelExecution(t.Context(), c, c.RunID)
			if err != nil || !x.CancelRequested {
				t.Errorf("canceling: %+v, %v", x, err)
			}
		}},
		{name: "drained", workflow: "longer", status: execution.Failed, code: fault.Internal, during: func(t *testing.T, e *Engine, c *Call) {
			t.Helper()
			soon, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			e.Executions.Drain(soon)
			again := call("longer", c.Credentials.APIKey[0], bodied{e, Async})
			wantCode(t, e.Execute(t.Context(), again), fault.Overloaded)
		}},
		{name: "panicking", workflow: "echo", status: execution.Failed, code: fault.Internal, change: func(e *Engine) { e.Recorder = panicking{} }},
		{name: "refused by the store", workflow: "echo", refused: fault.Overloaded, change: func(e *Engine) {
			e.Executions = manager(refusing{execution.NewMemory(1<<20, time.Hour, time.Now)})
		}},
	} {
		for _, mode := range []Mode{Async, Stream} {
			t.Run(c.name+"/"+string(mode), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e, key, _ := open(t, slow)
					if c.change != nil {
						c.change(e)
					}
					made := call(c.workflow, key, bodied{e, mode})
					ctx, hangUp := context.WithCancel(t.Context())
					err := e.Execute(ctx, made)
					hangUp() // whoever started it need not stay
					if c.refused != "" {
						wantCode(t, err, c.refused)
						wantFree(t, e)
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					if x := made.Execution; x.ID == "" || x.ID != made.RunID || string(x.Mode) != string(mode) || x.Status != execution.Running || x.Subject != "key|web" {
						t.Errorf("started %+v", x)
					}
					if c.during != nil || c.workflow == "longer" {
						synctest.Wait()
						if e.Running() != 1 || e.Started() != 1 || e.Bodies.Free() != budget-7 {
							t.Errorf("while it runs: %d run, %d by themselves, %d bytes are free", e.Running(), e.Started(), e.Bodies.Free())
						}
					}
					if c.during != nil {
						c.during(t, e, made)
					}
					x := finished(t, e, made, made.RunID)
					if x.Status != c.status || c.code == "" && x.Failure != nil || c.code != "" && (x.Failure == nil || x.Failure.Code != c.code) {
						t.Errorf("ended as %+v, %+v; want %s, %s", x, x.Failure, c.status, c.code)
					}
					wantFree(t, e)
				})
			})
		}
	}
}

// noting is a store that notes how long an execution is kept while it runs.
type noting struct {
	execution.Store
	keep *time.Duration
}

func (s noting) Create(ctx context.Context, w execution.Write) error {
	*s.keep = w.Keep
	return s.Store.Create(ctx, w)
}

func TestStartedIsKeptWhileItRuns(t *testing.T) {
	e, key, _ := open(t, slow)
	var keep time.Duration
	e.Executions = manager(noting{execution.NewMemory(1<<20, time.Hour, time.Now), &keep})
	c := call("echo", key, bodied{e, Async})
	if err := e.Execute(t.Context(), c); err != nil || keep != 5*time.Second {
		t.Errorf("%v, for %v", err, keep)
	}
	finished(t, e, c, c.RunID)
}

func TestStartedOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, key, told := open(t, slow)
		c := call("longer", key, bodied{e, Async})
		if err := e.Execute(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		x := finished(t, e, c, c.RunID)
		if string(x.Output) != `{"after":"a minute"}` || x.Took != time.Minute {
			t.Errorf("got %s after %v", x.Output, x.Took)
		}
		want := "longer w started,longer w completed,longer a started,longer a completed"
		if got := strings.Join(told.tasks, ","); got != want || len(told.ran) != 1 || told.ran[0] != CodeOK {
			t.Errorf("told of %s and %v, want %s", got, told.ran, want)
		}
	})
}

func TestStartedFailure(t *testing.T) {
	e, key, _ := open(t, slow)
	c := call("raises", key, bodied{e, Stream})
	if err := e.Execute(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	f := finished(t, e, c, c.RunID).Failure
	if f.Status != 409 || f.Detail != "Sold out: none are left" ||
		string(f.Problem) != `{"type":"https://shop.example.com/sold-out","status":409,"title":"Sold out","detail":"none are left","instance":"/do/0/r"}` {
		t.Errorf("failure %+v, %s", f, f.Problem)
	}
}

// TestTaskTexts: one event for each task that ended, which fits.
func TestTaskTexts(t *testing.T) {
	event := workflow.TaskEvent{Phase: workflow.TaskFaulted, Workflow: "w", Name: "a<b", Reference: "/do/0/a<b", Kind: "call http", Took: 1500 * time.Microsecond,
		Error: workflow.NewError(workflow.CommunicationError, errors.New("203.0.113.7 said no"), "no answer")}
	want := `{"task":"a<b","reference":"/do/0/a<b","kind":"call http","workflow_id":"w","status":"faulted","execution_time":0.0015,` +
		`"error":{"type":"https://open-workflow-specification.org/spec/1.0.0/errors/communication","status":500,"title":"Communication Error","detail":"no answer"}}`
	if got := string(taskText(event)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	event.Error.Detail = strings.Repeat("x", execution.MaxEventData)
	if got := taskText(event); len(got) > execution.MaxEventData || !strings.Contains(string(got), `"task":"a<b"`) || !strings.Contains(string(got), `"status":500`) {
		t.Errorf("of an error that says too much: %s", got)
	}
	var told []string
	w := &Workflow{trace: func(e workflow.TaskEvent) { told = append(told, string(e.Phase)) }}
	tell := w.tell(func(text json.RawMessage) { told = append(told, "text") })
	for _, phase := range []workflow.TaskPhase{workflow.TaskStarted, workflow.TaskSkipped, workflow.TaskRetried} {
		tell(workflow.TaskEvent{Phase: phase})
	}
	if got := strings.Join(told, ","); got != "started,skipped,text,retried,text" {
		t.Errorf("told of %s", got)
	}
}

// TestSpawn: a workflow that another one starts is an execution of the same caller, and
// takes a place of its own.
func TestSpawn(t *testing.T) {
	for _, mode := range []Mode{Sync, Async} {
		synctest.Test(t, func(t *testing.T) {
			e, key, _ := open(t, slow)
			c := call("parent", key, bodied{e, mode})
			if err := e.Execute(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if mode == Async {
				finished(t, e, c, c.RunID)
			}
			synctest.Wait()
			if e.Running() != 1 || e.Started() != 1 || e.Bodies.Free() != budget {
				t.Errorf("%d run, %d by themselves, %d bytes are free", e.Running(), e.Started(), e.Bodies.Free())
			}
			list, err := e.ListExecutions(t.Context(), call("", key, nil))
			if err != nil || list[0].Workflow != "longer" || list[0].Mode != execution.Async || list[0].Subject != "key|web" {
				t.Fatalf("listed %+v, %v", list, err)
			}
			if x := finished(t, e, c, list[0].ID); string(x.Output) != `{"after":"a minute"}` {
				t.Errorf("it ended as %+v", x)
			}
			wantFree(t, e)
		})
	}
	e, key, _ := open(t, func(d *config.Document) {
		slow(d)
		d.Limits.MaxConcurrentWorkflows = 1
	})
	f := wantFault(t, e.Execute(t.Context(), call("parent", key, bodied{e, Sync})), fault.WorkflowFailed)
	if !strings.Contains(f.Detail, "all places for running workflows are taken") {
		t.Errorf("without a place: %s", f.Detail)
	}
	wantFree(t, e)
}

// TestOwnExecutions: an execution is nobody else's to see, cancel or follow.
func TestOwnExecutions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, keys, _ := openFor(t, slow, "web", "other")
		c := call("longer", keys[0], bodied{e, Async})
		if err := e.Execute(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		id := c.RunID
		_, err := e.Execution(t.Context(), call("", keys[1], nil), id)
		wantCode(t, err, fault.NotFound)
		_, err = e.CancelExecution(t.Context(), call("", keys[1], nil), id)
		wantCode(t, err, fault.NotFound)
		_, err = e.Follow(t.Context(), call("", keys[1], nil), id, 0)
		wantCode(t, err, fault.NotFound)
		_, err = e.Execution(t.Context(), call("", "", nil), id)
		wantCode(t, err, fault.Unauthenticated)
		if list, err := e.ListExecutions(t.Context(), call("", keys[1], nil)); err != nil || len(list) != 0 {
			t.Errorf("another caller's list: %+v, %v", list, err)
		}
		list, err := e.ListExecutions(t.Context(), call("", keys[0], nil))
		if err != nil || len(list) != 1 || list[0].ID != id || list[0].Status != execution.Running {
			t.Errorf("the caller's list: %+v, %v", list, err)
		}
		// It was found out once who calls: following goes on when the key is gone.
		c.Credentials = auth.Credentials{APIKey: []string{"nxs_revoked"}}
		if x := finished(t, e, c, id); x.Status != execution.Completed {
			t.Errorf("it ended as %+v", x)
		}
	})
}

// TestAnonymous: who does not log in finds an execution by its id, and sees no list.
func TestAnonymous(t *testing.T) {
	e, _, told := open(t, func(d *config.Document) { d.Auth.Mode = v1alpha1.AuthDisabled })
	c := call("echo", "", bodied{e, Async})
	if err := e.Execute(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if x := finished(t, e, call("", "", nil), c.RunID); string(x.Output) != `{"a":1}` {
		t.Errorf("it ended as %+v", x)
	}
	_, err := e.ListExecutions(t.Context(), call("", "", nil))
	wantCode(t, err, fault.Forbidden)
	if len(told.events) != 1 || told.events[0].Kind != AccessDenied || told.events[0].Reason != "anonymous" {
		t.Errorf("told of %+v", told.events)
	}
}
