package execution

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/test/redisclient"
	"github.com/nexus-operator/nexus-operator/test/redistest"
)

// TestRedisPodGone: an execution whose pod does not beat any more ends, for whoever reads
// it, as soon as other pods could beat for as long as a lease.
func TestRedisPodGone(t *testing.T) {
	p := newPods(redistest.Start(t, redistest.Options{}))
	c := redisclient.Connect(t, p.server.URL(""))
	for name, read := range map[string]func(h harness, w Write) (Execution, error){
		"Get":    func(h harness, w Write) (Execution, error) { return h.Get(t.Context(), w.Subject, w.ID) },
		"Cancel": func(h harness, w Write) (Execution, error) { return h.Cancel(t.Context(), w.Subject, w.ID) },
		"List": func(h harness, w Write) (Execution, error) {
			list, err := h.List(t.Context(), w.Subject, 1)
			if err != nil || len(list) != 1 {
				return Execution{}, fmt.Errorf("%v, %w", list, err)
			}
			return list[0], nil
		},
		"Events": func(h harness, w Write) (Execution, error) {
			x, events, err := h.Events(t.Context(), w.Subject, w.ID, 2)
			if ended := x.Status != Running; err != nil || ended != (len(events) == 1 && events[0].ID == 3 && events[0].Type == EventError) {
				return x, fmt.Errorf("events: %+v, %w", events, err)
			}
			return x, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := p.harness(p.open(c)), p.harness(p.open(c))
			b.bound(1)
			w := a.create(t, running(newID()))
			w.task(`{}`)
			a.update(t, w, Going)
			var x Execution
			var err error
			for elapsed := time.Duration(0); ; elapsed += time.Second {
				if _, err := b.Beat(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				if x, err = read(b, w); err != nil {
					t.Fatal(err)
				}
				if x.Status != Running {
					if elapsed < lease || elapsed > lease+2*time.Second {
						t.Errorf("it ended after %v", elapsed)
					}
					break
				}
				if elapsed > time.Minute {
					t.Fatal("it does not end")
				}
				p.advance(time.Second)
			}
			if x.Status != Failed || x.Failure == nil || !reflect.DeepEqual(*x.Failure, failureGone) || x.LastEvent != 3 || x.Finished.IsZero() || x.CancelRequested {
				t.Errorf("%+v, %+v", x, x.Failure)
			}
			a.update(t, w, Settled) // it is not gone after all, but that was said
			if events := b.read(t, w, 0); !slices.Equal(ids(events), []int{1, 2, 3}) {
				t.Errorf("events: %+v", events)
			}
			b.create(t, running(w.Subject)) // it counts as one that has ended
		})
	}
}

// TestRedisOutageIsNobodysDeath: while Redis was away nobody could beat.
func TestRedisOutageIsNobodysDeath(t *testing.T) {
	p := newPods(redistest.Start(t, redistest.Options{}))
	c := redisclient.Connect(t, p.server.URL(""))
	a, b := p.harness(p.open(c)), p.harness(p.open(c))
	w := a.create(t, running("alice"))
	k := claim("alice", "quote", "k", "a")
	a.begin(t, k, Fresh)
	check := func() {
		t.Helper()
		if x := b.get(t, w); x.Status != Running {
			t.Errorf("it ended: %+v", x.Failure)
		}
		b.begin(t, claim("alice", "quote", "k", "a"), InFlight)
	}
	beat := func(h harness) {
		t.Helper()
		if _, err := h.Beat(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 { // both beat
		p.advance(2 * time.Second)
		beat(a)
		beat(b)
		check()
	}
	newcomer := p.harness(p.open(c))
	early := claim("alice", "quote", "l", "a")
	newcomer.begin(t, early, Fresh) // before its first beat
	b.begin(t, claim("alice", "quote", "l", "a"), InFlight)
	p.advance(40 * time.Second) // nobody can
	check()
	beat(b)
	check()
	for range 6 {
		p.advance(2 * time.Second)
		beat(b)
		check()
	}
	p.server.Command("SET", b.Store.(*Redis).podsKey(), "") // as if Redis had evicted it
	check()
	for range 7 {
		p.advance(2 * time.Second)
		beat(b)
		check()
	}
	for range 2 {
		p.advance(2 * time.Second)
		beat(b)
	}
	if x := b.get(t, w); x.Status != Failed {
		t.Error("now it is gone, and was not given up")
	}
	// Nobody knows how far it came with the call, which is not made again.
	b.begin(t, claim("alice", "quote", "k", "a"), NotKept)
	b.begin(t, claim("alice", "quote", "k", "another call"), Mismatch)
}

// TestRedisClaimIsLost: an answer is kept although Redis lost the claim.
func TestRedisClaimIsLost(t *testing.T) {
	p := newPods(redistest.Start(t, redistest.Options{}))
	h := p.harness(p.open(redisclient.Connect(t, p.server.URL(""))))
	c := claim("alice", "quote", "k", "a")
	h.begin(t, c, Fresh)
	p.server.Command("FLUSHALL")
	h.settle(t, c, []byte("x"))
	if got := h.begin(t, c, Replay); string(got) != "x" {
		t.Errorf("the answer is %q", got)
	}
}
