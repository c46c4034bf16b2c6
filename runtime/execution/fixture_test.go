package execution

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// fixture is a Manager that runs until the test ends.
type fixture struct {
	*Manager
	t    *testing.T
	log  *bytes.Buffer
	stop func()
}

// start runs a Manager. When it is stopped it leaves nothing behind.
func start(t *testing.T, s Store) *fixture {
	t.Helper()
	f := &fixture{t: t, log: &bytes.Buffer{}}
	f.Manager = NewManager(Options{Store: s, NewID: newID, Now: time.Now, Log: slog.New(slog.NewTextHandler(&locked{w: f.log}, nil))})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx) })
	f.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(f.stop)
	return f
}

// left is how many runs and debts there are.
func (f *fixture) left() (runs, debts int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.runs), len(f.debts)
}

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func memoryStore() *Memory { return NewMemory(64<<20, retention, time.Now) }

// job is a run that the test directs.
type job struct {
	Execution
	task func(string)
	end  func(Outcome)
	// cause is why its context ended, once it has.
	cause chan error
}

// begin starts a job that listens to its context when asked to.
func (f *fixture) begin(subject string, listens bool) *job {
	f.t.Helper()
	j := &job{cause: make(chan error, 1)}
	tasks, outcome := make(chan func(json.RawMessage), 1), make(chan Outcome, 1)
	x, err := f.Start(f.t.Context(), Start{Subject: subject, Workflow: "quote", Version: "1.0.0", Mode: Stream, Within: time.Minute},
		func(ctx context.Context, _ string, task func(json.RawMessage)) Outcome {
			tasks <- task
			if !listens {
				return <-outcome
			}
			select {
			case o := <-outcome:
				return o
			case <-ctx.Done():
				j.cause <- context.Cause(ctx)
				return Outcome{Failure: &Failure{Code: "canceled by itself"}}
			}
		})
	if err != nil {
		f.t.Fatal(err)
	}
	task := <-tasks
	j.Execution = x
	j.task = func(data string) { task(json.RawMessage(data)) }
	j.end = func(o Outcome) { outcome <- o }
	return j
}

func (f *fixture) get(j *job) Execution {
	f.t.Helper()
	x, err := f.Get(f.t.Context(), j.Subject, j.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	return x
}

func (f *fixture) follow(j *job, after int) *Follower {
	f.t.Helper()
	follower, err := f.Follow(f.t.Context(), j.Subject, j.ID, after)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(follower.Close)
	return follower
}

// rest reads all events to the end.
func (f *fixture) rest(follower *Follower) []Event {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), ample)
	defer cancel()
	var all []Event
	for {
		events, err := follower.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			f.t.Fatalf("after %v: %v", ids(all), err)
		}
		all = append(all, events...)
	}
}

func wantFault(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != code || code == fault.Overloaded && f.RetryAfter <= 0 {
		t.Fatalf("%s: %v, want %s", what, err, code)
	}
}

// pass has time pass, in a bubble.
func pass(d time.Duration) { <-time.After(d) }

func output(text string) Outcome { return Outcome{Output: json.RawMessage(text)} }
