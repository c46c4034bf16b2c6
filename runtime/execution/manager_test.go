package execution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

func TestManagerLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memoryStore()
		f := start(t, store)
		j := f.begin("alice", true)
		if x := f.get(j); x.Status != Running || x.Created.IsZero() || x.ID != j.ID || x.Workflow != "quote" || x.Version != "1.0.0" || x.Mode != Stream || x.LastEvent != 1 {
			t.Errorf("running: %+v", x)
		}
		wantFault(t, "of others", second(f.Get(t.Context(), "bob", j.ID)), fault.NotFound)
		wantFault(t, "of others", second(f.Cancel(t.Context(), "bob", j.ID)), fault.NotFound)
		wantFault(t, "of others", second(f.Follow(t.Context(), "bob", j.ID, 0)), fault.NotFound)
		pass(1500 * time.Millisecond)
		j.task(`{"name":"fetch"}`)
		j.end(output(`{"total":1}`))
		synctest.Wait()
		j.task(`{"name":"late"}`)
		x := f.get(j)
		if x.Status != Completed || string(x.Output) != `{"total":1}` || x.Took != 1500*time.Millisecond || x.Finished.Sub(x.Created) != x.Took || x.LastEvent != 3 || x.Failure != nil {
			t.Errorf("completed: %+v", x)
		}
		if runs, _ := f.left(); runs != 0 || f.waiting.Load() != 0 {
			t.Errorf("%d runs and %d bytes are left", runs, f.waiting.Load())
		}
		list, err := f.List(t.Context(), "alice", 1000)
		if err != nil || len(list) != 1 || list[0].ID != j.ID || list[0].Output != nil || list[0].Status != Completed {
			t.Errorf("the list: %+v, %v", list, err)
		}
		if y, err := f.Cancel(t.Context(), "alice", j.ID); err != nil || y.Status != Completed {
			t.Errorf("canceled after its end: %+v, %v", y, err)
		}
		f.stop()
	})
}

func TestManagerOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		outcome Outcome
		status  Status
		failure *Failure
	}{
		"null":        {outcome: output(`null`), status: Completed},
		"failure":     {outcome: Outcome{Failure: &Failure{Code: fault.Timeout, Detail: "late"}}, status: Failed, failure: &Failure{Code: fault.Timeout, Detail: "late"}},
		"nothing":     {status: Failed, failure: &failureTooLarge},
		"no JSON":     {outcome: output(`{`), status: Failed, failure: &failureTooLarge},
		"largest":     {outcome: output(`"` + strings.Repeat("x", MaxOutput-2) + `"`), status: Completed},
		"too large":   {outcome: output(`"` + strings.Repeat("x", MaxOutput-1) + `"`), status: Failed, failure: &failureTooLarge},
		"odd problem": {outcome: Outcome{Failure: &Failure{Problem: json.RawMessage(`{`)}}, status: Failed, failure: &Failure{}},
		"long detail": {outcome: Outcome{Failure: &Failure{Detail: strings.Repeat("x", maxDetail-1) + "é"}}, status: Failed, failure: &Failure{Detail: strings.Repeat("x", maxDetail-1)}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := start(t, memoryStore())
				j := f.begin("alice", false)
				j.end(c.outcome)
				synctest.Wait()
				x := f.get(j)
				if x.Status != c.status || (x.Failure == nil) != (c.failure == nil) || c.failure != nil && fmt.Sprint(*x.Failure) != fmt.Sprint(*c.failure) {
					t.Errorf("%s, %+v", x.Status, x.Failure)
				}
				if events := f.rest(f.follow(j, 0)); len(events) != 2 || events[1].Type != map[bool]EventType{true: EventComplete, false: EventError}[c.status == Completed] {
					t.Errorf("events: %+v", events)
				}
				f.stop()
			})
		})
	}
}

func TestManagerPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, memoryStore())
		x, err := f.Start(t.Context(), Start{}, func(context.Context, string, func(json.RawMessage)) Outcome { panic("secret") })
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		y, err := f.Get(t.Context(), "", x.ID)
		if err != nil || y.Status != Failed || y.Failure.Code != fault.Internal || strings.Contains(y.Failure.Detail, "secret") {
			t.Errorf("%+v, %v", y.Failure, err)
		}
		if log := f.log.String(); !strings.Contains(log, "panic: secret") || !strings.Contains(log, x.ID) {
			t.Errorf("the log: %s", log)
		}
		f.stop()
	})
}

func TestManagerCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, memoryStore())
		j := f.begin("alice", true)
		for range 2 {
			if x, err := f.Cancel(t.Context(), "alice", j.ID); err != nil || !x.CancelRequested && x.Status != Canceled {
				t.Errorf("%+v, %v", x, err)
			}
		}
		if cause := <-j.cause; !errors.Is(cause, ErrCanceled) {
			t.Errorf("it ended by %v", cause)
		}
		synctest.Wait()
		if x := f.get(j); x.Status != Canceled || x.Failure.Code != CodeCanceled || x.CancelRequested {
			t.Errorf("%+v, %+v", x, x.Failure)
		}
		deaf := f.begin("alice", false)
		if x, err := f.Cancel(t.Context(), "alice", deaf.ID); err != nil || !x.CancelRequested || x.Status != Running {
			t.Errorf("%+v, %v", x, err)
		}
		deaf.end(output(`1`))
		synctest.Wait()
		if x := f.get(deaf); x.Status != Completed || x.CancelRequested {
			t.Errorf("what came to its own end: %+v", x)
		}
		f.stop()
	})
}

// TestManagerCancelElsewhere: what another pod was asked comes with the next beat.
func TestManagerCancelElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memoryStore()
		f := start(t, store)
		j := f.begin("alice", true)
		pass(beatEvery / 2)
		began := time.Now()
		if _, err := store.Cancel(t.Context(), "alice", j.ID); err != nil {
			t.Fatal(err)
		}
		if cause := <-j.cause; !errors.Is(cause, ErrCanceled) || time.Since(began) > beatEvery {
			t.Errorf("it ended by %v after %v", cause, time.Since(began))
		}
		synctest.Wait()
		if x := f.get(j); x.Status != Canceled {
			t.Errorf("%+v", x)
		}
		f.stop()
	})
}

// TestManagerContext: a run has the caller's values, and not the caller's end.
func TestManagerContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, memoryStore())
		type key struct{}
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
		x, err := f.Start(ctx, Start{}, func(ctx context.Context, id string, _ func(json.RawMessage)) Outcome {
			cancel()
			return output(fmt.Sprintf(`["%v", %v, %q]`, ctx.Value(key{}), ctx.Err() == nil, id))
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if y, err := f.Get(t.Context(), "", x.ID); err != nil || string(y.Output) != fmt.Sprintf(`["v", true, %q]`, x.ID) {
			t.Errorf("%s, %v", y.Output, err)
		}
		f.stop()
	})
}

func TestManagerTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memoryStore()
		store.bound = 2
		f := start(t, store)
		first, _ := f.begin("alice", true), f.begin("alice", true)
		nobody := func(context.Context, string, func(json.RawMessage)) Outcome {
			t.Error("what was refused runs")
			return Outcome{}
		}
		wantFault(t, "the third", second(f.Start(t.Context(), Start{Subject: "alice"}, nobody)), fault.Overloaded)
		first.end(output(`1`))
		synctest.Wait()
		f.begin("alice", true)
		small := start(t, NewMemory(executionCost, retention, time.Now))
		wantFault(t, "without memory", second(small.Start(t.Context(), Start{}, nobody)), fault.Overloaded)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		f.Drain(ended)
		small.stop()
		f.stop()
	})
}

func TestManagerDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memoryStore()
		f := start(t, store)
		soon, listening, deaf := f.begin("alice", false), f.begin("alice", true), f.begin("alice", false)
		time.AfterFunc(5*time.Second, func() { soon.end(output(`1`)) })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		drained := make(chan struct{})
		go func() { f.Drain(ctx); close(drained) }()
		synctest.Wait()
		wantFault(t, "while it is drained", second(f.Start(t.Context(), Start{}, nil)), fault.Overloaded)
		<-drained
		if took := time.Since(began); took < 10*time.Second || took > 10*time.Second+2*storePatience {
			t.Errorf("it took %v", took)
		}
		if cause := <-listening.cause; !errors.Is(cause, ErrShutDown) {
			t.Errorf("it ended by %v", cause)
		}
		f.stop()
		for _, j := range []*job{soon, listening, deaf} {
			x, err := store.Get(t.Context(), "alice", j.ID)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case j == soon && (x.Status != Completed || string(x.Output) != "1"):
				t.Errorf("what ended in time: %+v", x)
			case j != soon && (x.Status != Failed || x.Failure.Detail != failureShutDown.Detail):
				t.Errorf("what did not: %+v, %+v", x, x.Failure)
			}
		}
		deaf.end(output(`1`))
		synctest.Wait()
		if x := f.get(deaf); x.Status != Failed {
			t.Errorf("it changed after all: %+v", x)
		}
		if f.waiting.Load() != 0 {
			t.Errorf("%d bytes are left", f.waiting.Load())
		}
	})
}

// TestManagerBatches: events wait for others, beginnings and ends do not.
func TestManagerBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &outage{Store: memoryStore()}
		f := start(t, store)
		j := f.begin("alice", true)
		synctest.Wait()
		calls := func(want int64) {
			t.Helper()
			synctest.Wait()
			if n := store.calls.Swap(0); n != want {
				t.Errorf("the store was asked %d times, want %d", n, want)
			}
		}
		calls(1)
		for range 500 {
			j.task(`{}`)
		}
		calls(0)
		pass(flushEvery)
		calls(1)
		for range 10 {
			j.task(`{}`)
			pass(flushEvery / 5)
		}
		pass(flushEvery)
		calls(2)
		pass(10 * time.Second)
		calls(0)
		x := f.get(j)
		if err := store.Store.Forget(t.Context(), "alice", j.ID); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		calls(1) // it is there again
		if y, err := store.Store.Get(t.Context(), "alice", j.ID); err != nil || !reflect.DeepEqual(x, y) {
			t.Errorf("%+v, %v\nwant %+v", y, err, x)
		}
		j.task(`{}`)
		j.end(output(`1`))
		calls(1)
		if events := f.rest(f.follow(j, 500)); !slices.Equal(ids(events), span(501, 513)) {
			t.Errorf("events: %v", ids(events))
		}
		f.stop()
	})
}
