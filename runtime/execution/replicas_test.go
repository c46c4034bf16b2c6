package execution

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/test/redisclient"
	"github.com/nexus-operator/nexus-operator/test/redistest"
)

// replica is a pod of an app, with a connection of its own.
type replica struct {
	*fixture
	client redisclient.Client
}

// replicas starts pods of one app. Their scripts go by the clock of the server.
func replicas(t *testing.T, server *redistest.Server, n int) []replica {
	t.Helper()
	var list []replica
	for range n {
		c := redisclient.Connect(t, server.URL(""))
		r := NewRedis(c, "team-a", "shop", newID(), retention)
		list = append(list, replica{start(t, r), c})
	}
	return list
}

// TestReplicas: whatever is begun on one pod is followed, read, listed and canceled on
// another.
func TestReplicas(t *testing.T) {
	pods := replicas(t, redistest.Start(t, redistest.Options{}), 2)
	a, b := pods[0], pods[1]
	j, other := a.begin("alice", true), a.begin("alice", true)
	here, there := a.follow(j, 0), b.follow(j, 0)
	for n := range 120 {
		j.task(fmt.Sprint(n))
	}
	if x := b.get(j); x.Status != Running || x.ID != j.ID {
		t.Errorf("on the other pod: %+v", x)
	}
	if _, err := b.Cancel(t.Context(), "bob", j.ID); err == nil {
		t.Error("somebody else canceled it")
	}
	if x, err := b.Cancel(t.Context(), "alice", j.ID); err != nil || !x.CancelRequested {
		t.Errorf("to be canceled: %+v, %v", x, err)
	}
	select {
	case cause := <-j.cause:
		if !errors.Is(cause, ErrCanceled) {
			t.Errorf("it ended by %v", cause)
		}
	case <-time.After(ample):
		t.Fatal("it is not canceled")
	}
	for _, follower := range []struct {
		*fixture
		*Follower
	}{{a.fixture, here}, {b.fixture, there}} {
		if events := follower.rest(follower.Follower); !slices.Equal(ids(events), span(1, 122)) || string(events[120].Data) != "119" || events[121].Type != EventError {
			t.Errorf("events: %v", ids(events))
		}
	}
	if x := b.get(j); x.Status != Canceled || x.Failure.Code != CodeCanceled || x.CancelRequested {
		t.Errorf("in the end: %+v, %+v", x, x.Failure)
	}
	other.end(output(`{"total":1}`))
	if events := b.rest(b.follow(other, 1)); len(events) != 1 || events[0].Type != EventComplete {
		t.Errorf("of the other one: %+v", events)
	}
	if x := b.get(other); x.Status != Completed || string(x.Output) != `{"total":1}` {
		t.Errorf("the other one: %+v", x)
	}
	if list, err := b.List(t.Context(), "alice", 10); err != nil || len(list) != 2 || list[0].ID != other.ID || list[1].Status != Canceled {
		t.Errorf("the list: %+v, %v", list, err)
	}
}

// TestReplicaDies: the loop of a pod ends at once, and others tell of what it ran as soon
// as they may. Should it live on after all, it ends what nobody waits for.
func TestReplicaDies(t *testing.T) {
	p := newPods(redistest.Start(t, redistest.Options{}))
	c := redisclient.Connect(t, p.server.URL(""))
	open := func() *fixture {
		f := &fixture{Manager: NewManager(Options{Store: p.open(c), NewID: newID, Now: time.Now, Log: start(t, memoryStore()).o.Log}), t: t, stop: func() {}}
		f.beat(t.Context())
		return f
	}
	a, b := open(), open()
	j, deaf := a.begin("alice", true), a.begin("alice", false)
	j.task(`{}`)
	a.flush(t.Context())
	follower := b.follow(j, 2)
	key := IdempotencyKey{"alice", "quote", "k"}
	if attempt, err := a.Begin(t.Context(), key, sha256.Sum256(nil)); err != nil || attempt.State != Fresh {
		t.Fatal(attempt, err)
	}
	for elapsed := time.Duration(0); b.get(j).Status == Running; elapsed += time.Second {
		if attempt, err := b.Begin(t.Context(), key, sha256.Sum256(nil)); err != nil || attempt.State != InFlight {
			t.Fatalf("a key after %v: %+v, %v", elapsed, attempt, err)
		}
		if elapsed > time.Minute {
			t.Fatal("nobody misses it")
		}
		p.advance(time.Second)
		b.beat(t.Context())
	}
	for _, j := range []*job{j, deaf} {
		if x := b.get(j); x.Status != Failed || x.Failure.Detail != failureGone.Detail {
			t.Errorf("%+v, %+v", x, x.Failure)
		}
	}
	if events := b.rest(follower); len(events) != 1 || events[0].Type != EventError || events[0].ID != 3 {
		t.Errorf("events: %+v", events)
	}
	if attempt, err := b.Begin(t.Context(), key, sha256.Sum256(nil)); err != nil || attempt.State != NotKept {
		t.Errorf("the key: %+v, %v", attempt, err)
	}

	here := a.follow(j, 2)
	a.beat(t.Context())
	if cause := <-j.cause; !errors.Is(cause, ErrGivenUp) {
		t.Errorf("it ended by %v", cause)
	}
	if events := a.rest(here); len(events) != 1 || events[0].ID != 3 {
		t.Errorf("events: %+v", events)
	}
	if x := a.get(deaf); x.Status != Failed {
		t.Errorf("it ran on, and is told to: %+v", x)
	}
	deaf.end(output(`1`))
	ended, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	if !a.emptied(ended) {
		t.Error("it is not done with")
	}
	for _, j := range []*job{j, deaf} {
		if x := a.get(j); x.Status != Failed || x.Failure.Detail != failureGone.Detail {
			t.Errorf("%+v, %+v", x, x.Failure)
		}
	}
}

// TestReplicaOutage: Redis goes away and comes back, in each way, with and without what it
// held; no run ends by that, and every result is there afterwards.
func TestReplicaOutage(t *testing.T) {
	for name, c := range map[string]struct{ away, back func(*redistest.Server) }{
		"Killed": {(*redistest.Server).Kill, (*redistest.Server).Restart},
		"Hung":   {(*redistest.Server).Pause, (*redistest.Server).Resume},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.Options{})
			pods := replicas(t, server, 2)
			a, b := pods[0], pods[1]
			during, after := a.begin("alice", true), a.begin("alice", true)
			follower := a.follow(during, 0)
			attempt, err := a.Begin(t.Context(), IdempotencyKey{"alice", "quote", "k"}, sha256.Sum256(nil))
			if err != nil {
				t.Fatal(err)
			}
			c.away(server)
			for _, pod := range pods {
				pod.client.Await(t, false)
			}
			_, err = a.Start(t.Context(), Start{Subject: "alice"}, nil)
			wantFault(t, "a new one", err, fault.Overloaded)
			if cause := fault.As(err).Cause; strings.Contains(err.Error()+cause.Error(), "127.0.0.1") {
				t.Errorf("the error tells of addresses: %v: %v", err, cause)
			}
			wantFault(t, "on the other pod", second(b.Get(t.Context(), "alice", during.ID)), fault.Overloaded)
			during.task(`{}`)
			during.end(output(`1`))
			if events := a.rest(follower); len(events) != 3 {
				t.Errorf("who followed saw %+v", events)
			}
			a.Settle(t.Context(), attempt.Claim, []byte("answer"))
			c.back(server)
			for _, pod := range pods {
				pod.client.Await(t, true)
			}
			server.Await("all is stored", func() bool { runs, debts := a.left(); return runs == 1 && debts == 0 })
			if x := b.get(during); x.Status != Completed || string(x.Output) != "1" {
				t.Errorf("what ended meanwhile: %+v", x)
			}
			server.Await("the other one is there", func() bool {
				_, err := b.Get(t.Context(), "alice", after.ID)
				return err == nil
			})
			if x := b.get(after); x.Status != Running {
				t.Errorf("what goes on: %+v, %+v", x, x.Failure)
			}
			if attempt, err = b.Begin(t.Context(), IdempotencyKey{"alice", "quote", "k"}, sha256.Sum256(nil)); err != nil || attempt.State != Replay || string(attempt.Answer) != "answer" {
				t.Errorf("the key: %+v, %v", attempt, err)
			}
			after.end(output(`2`))
			if events := b.rest(b.follow(after, 0)); len(events) == 0 || events[len(events)-1].Type != EventComplete {
				t.Errorf("events: %+v", events)
			}
			list, err := b.List(t.Context(), "alice", 10)
			if err != nil || len(list) != 2 {
				t.Errorf("the list: %+v, %v", list, err)
			}
		})
	}
}

// TestDrainLeavesNothing: no goroutine of a Manager outlives it, whoever followed.
func TestDrainLeavesNothing(t *testing.T) {
	pods := replicas(t, redistest.Start(t, redistest.Options{}), 2)
	a, b := pods[0], pods[1]
	var jobs []*job
	for n := range 20 {
		j := a.begin("alice", n%2 == 0)
		jobs = append(jobs, j)
		for _, pod := range pods {
			follower, err := pod.Follow(t.Context(), j.Subject, j.ID, 0)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				defer follower.Close()
				for {
					if _, err := follower.Next(context.Background()); errors.Is(err, io.EOF) {
						return
					}
				}
			}()
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	a.Drain(ctx)
	for n, j := range jobs {
		if x := b.get(j); x.Status != Failed || x.Failure.Detail != failureShutDown.Detail {
			t.Errorf("%d: %+v, %+v", n, x, x.Failure)
		}
		j.end(output(`1`)) // those that did not listen
	}
	b.Drain(t.Context())
	a.stop()
	b.stop()
	timeout := time.After(ample)
	for {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if !strings.Contains(string(stacks), "execution.(*run)") && !strings.Contains(string(stacks), "execution.(*Follower)") && !strings.Contains(string(stacks), "execution.(*Manager)") {
			return
		}
		select {
		case <-timeout:
			t.Fatalf("something is left:\n%s", stacks)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
