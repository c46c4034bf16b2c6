package execution

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// next reads what comes within a second, or nothing.
func (f *fixture) next(follower *Follower) ([]Event, error) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Second)
	defer cancel()
	return follower.Next(ctx)
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, memoryStore())
		j := f.begin("alice", true)
		follower := f.follow(j, 0)
		began := time.Now()
		if events, err := f.next(follower); err != nil || len(events) != 1 || events[0].Type != EventStart || events[0].ID != 1 {
			t.Errorf("at once: %+v, %v", events, err)
		}
		for n := range 130 {
			j.task(fmt.Sprintf(`{"n":%d}`, n))
			events, err := f.next(follower)
			if err != nil || len(events) != 1 || events[0].ID != n+2 || string(events[0].Data) != fmt.Sprintf(`{"n":%d}`, n) || events[0].Dropped != 0 {
				t.Fatalf("the task %d: %+v, %v", n, events, err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("events of this pod took %v", took)
		}
		if events, err := f.next(follower); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("when nothing happens: %+v, %v", events, err)
		}
		time.AfterFunc(10*time.Second, func() { j.end(output(`1`)) })
		if events := f.rest(follower); len(events) != 1 || events[0].Type != EventComplete || time.Since(began) != 11*time.Second {
			t.Errorf("the end, after %v: %+v", time.Since(began), events)
		}
		if events, err := f.next(follower); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %+v, %v", events, err)
		}
		f.stop()
	})
}

// TestFollowResumed: wherever somebody left off, nothing is missed and nothing comes twice.
func TestFollowResumed(t *testing.T) {
	for _, ended := range []bool{false, true} {
		t.Run(fmt.Sprintf("Ended=%v", ended), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := start(t, memoryStore())
				j := f.begin("alice", true)
				for range 175 {
					j.task(`{}`)
				}
				pass(flushEvery) // the first are in the store only
				for range 20 {
					j.task(`{}`)
				}
				const last = 197
				var followers []*Follower
				positions := []int{-5, 0, 1, 49, 50, 51, 150, 175, 176, 177, 195, 196, last, last + 1, 10_000}
				if ended {
					j.end(output(`1`))
					synctest.Wait()
				}
				for _, p := range positions {
					followers = append(followers, f.follow(j, p))
				}
				if !ended {
					time.AfterFunc(time.Second, func() { j.end(output(`1`)) })
				}
				for i, follower := range followers {
					if got := ids(f.rest(follower)); !slices.Equal(got, span(max(positions[i], 0)+1, last)) {
						t.Errorf("after %d: %v", positions[i], got)
					}
				}
				f.stop()
			})
		})
	}
}

// TestFollowThinned: a follower who is there sees every event; one who comes later is told
// how many are not kept.
func TestFollowThinned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, memoryStore())
		j := f.begin("alice", true)
		follower := f.follow(j, 0)
		var seen []int
		for n := range 3000 {
			j.task(`{}`)
			if n%20 == 0 {
				events, err := f.next(follower)
				if err != nil {
					t.Fatal(err)
				}
				seen = append(seen, ids(events)...)
			}
			if n%100 == 0 {
				pass(flushEvery)
			}
		}
		j.end(output(`1`))
		if seen = append(seen, ids(f.rest(follower))...); !slices.Equal(seen, span(1, 3002)) {
			t.Errorf("%d events were seen", len(seen))
		}
		late := f.rest(f.follow(j, 0))
		dropped, at := 0, 0
		for _, e := range late {
			if dropped += e.Dropped; e.Dropped > 0 {
				at = e.ID
			}
		}
		if len(late) != MaxEvents || dropped != 3002-MaxEvents || at != 3002-chunkEvents+1 {
			t.Errorf("%d events, %d dropped before %d", len(late), dropped, at)
		}
		f.stop()
	})
}

// TestFollowersAreBounded: those of a subject, so that they leave places for others, and
// all of them.
func TestFollowersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, memoryStore())
		var jobs []*job
		var followers []*Follower
		for n := range MaxFollowers / MaxSubjectFollowers {
			subject := fmt.Sprint("alice", n)
			j := f.begin(subject, true)
			for range MaxSubjectFollowers {
				followers = append(followers, f.follow(j, 0))
			}
			_, err := f.Follow(t.Context(), subject, j.ID, 0)
			wantFault(t, "one more of a subject", err, fault.Overloaded)
			if n == 0 && !strings.Contains(err.Error(), "you follow") {
				t.Errorf("a subject is told %v", err)
			}
			jobs = append(jobs, j)
		}
		anonymous := f.begin("", true)
		wantFault(t, "one more", second(f.Follow(t.Context(), "", anonymous.ID, 0)), fault.Overloaded)
		followers[0].Close()
		followers[0].Close()
		f.follow(jobs[0], 0).Close()
		for _, follower := range followers {
			follower.Close()
		}
		for range MaxFollowers { // those that are refused take no place
			wantFault(t, "of nobody", second(f.Follow(t.Context(), "bob", jobs[0].ID, 0)), fault.NotFound)
		}
		for range MaxFollowers { // they are many, and nobody can tell them apart
			f.follow(anonymous, 0)
		}
		wantFault(t, "one more", second(f.Follow(t.Context(), "", anonymous.ID, 0)), fault.Overloaded)
		for _, j := range append(jobs, anonymous) {
			j.end(output(`1`))
		}
		synctest.Wait()
		f.stop()
	})
}

// TestFollowElsewhere: an execution of another pod is looked at now and then, less often
// while nothing happens, and a store that is away for a while is put up with.
func TestFollowElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memoryStore()
		away := &outage{Store: store}
		a, b := start(t, store), start(t, away)
		j := a.begin("alice", true)
		follower := b.follow(j, 0)
		if events, err := b.next(follower); err != nil || len(events) != 1 {
			t.Fatalf("the start: %+v, %v", events, err)
		}
		away.calls.Store(0)
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		if _, err := follower.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nothing happens: %v", err)
		}
		if n := away.calls.Load(); n < 60 || n > 64 {
			t.Errorf("it asked %d times in a minute", n)
		}
		j.task(`{}`)
		if events, err := follower.Next(t.Context()); err != nil || len(events) != 1 || events[0].ID != 2 {
			t.Errorf("a task: %+v, %v", events, err)
		}
		away.away.Store(true)
		j.task(`{}`)
		time.AfterFunc(followPatience-2*time.Second, func() { away.away.Store(false) })
		if events, err := follower.Next(t.Context()); err != nil || len(events) != 1 || events[0].ID != 3 {
			t.Errorf("after an outage: %+v, %v", events, err)
		}
		away.away.Store(true)
		wantFault(t, "an outage that is too long", second(follower.Next(t.Context())), fault.Overloaded)
		wantFault(t, "during an outage", second(b.Follow(t.Context(), "alice", j.ID, 0)), fault.Overloaded)
		away.away.Store(false)
		j.end(output(`1`))
		if events := b.rest(follower); len(events) != 1 || events[0].ID != 4 {
			t.Errorf("the end: %+v", events)
		}
		forgotten := a.begin("alice", true)
		follower = b.follow(forgotten, 1)
		if err := store.Forget(t.Context(), "alice", forgotten.ID); err != nil {
			t.Fatal(err)
		}
		wantFault(t, "one that is forgotten", second(follower.Next(t.Context())), fault.NotFound)
		forgotten.end(output(`1`))
		synctest.Wait()
		a.stop()
		b.stop()
	})
}
