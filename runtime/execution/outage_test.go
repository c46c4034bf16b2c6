package execution

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// TestOutage: while the store is away nothing is begun, what runs goes on, and its events
// and its result are there afterwards.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &outage{Store: memoryStore()}
		f := start(t, store)
		j, failing := f.begin("alice", true), f.begin("alice", true)
		follower := f.follow(j, 0)
		store.away.Store(true)
		_, err := f.Start(t.Context(), Start{Subject: "alice"}, nil)
		wantFault(t, "a new one", err, fault.Overloaded)
		if detail := fault.As(err).Detail; strings.Contains(detail, errAway.Error()) {
			t.Errorf("the detail is %s", detail)
		}
		wantFault(t, "a list", second(f.List(t.Context(), "alice", 10)), fault.Overloaded)
		wantFault(t, "another one", second(f.Get(t.Context(), "alice", newID())), fault.Overloaded)
		wantFault(t, "another one", second(f.Cancel(t.Context(), "alice", newID())), fault.Overloaded)
		for range 120 {
			j.task(`{}`)
			pass(flushEvery)
		}
		j.end(output(`{"total":1}`))
		failing.end(Outcome{Failure: &Failure{Code: fault.Timeout}})
		if events := f.rest(follower); !slices.Equal(ids(events), span(1, 122)) {
			t.Errorf("who followed saw %v", ids(events))
		}
		if events := f.rest(f.follow(j, 122)); len(events) != 0 {
			t.Errorf("after the last: %+v", events)
		}
		if x := f.get(j); x.Status != Completed || string(x.Output) != `{"total":1}` {
			t.Errorf("meanwhile: %+v", x)
		}
		pass(giveUpAfter - 10*time.Second)
		store.away.Store(false)
		pass(2 * beatEvery)
		for _, j := range []*job{j, failing} {
			x, err := store.Store.Get(t.Context(), "alice", j.ID)
			if want := f.get(j); err != nil || x.Status == Running || x.Status != want.Status {
				t.Errorf("afterwards: %+v, %v", x, err)
			}
		}
		if events := f.rest(f.follow(j, 0)); !slices.Equal(ids(events), span(1, 122)) {
			t.Errorf("afterwards the events are %v", ids(events))
		}
		if runs, _ := f.left(); runs != 0 || f.waiting.Load() != 0 || f.log.Len() != 0 {
			t.Errorf("%d runs and %d bytes are left; the log: %s", runs, f.waiting.Load(), f.log)
		}
		f.stop()
	})
}

// TestOutageTooLong: a result waits for a minute, and that it is lost is known then.
func TestOutageTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &outage{Store: memoryStore()}
		f := start(t, store)
		completed, failed := f.begin("alice", true), f.begin("alice", true)
		c, err := f.Begin(t.Context(), IdempotencyKey{"alice", "quote", "k"}, sha256.Sum256(nil))
		if err != nil {
			t.Fatal(err)
		}
		store.away.Store(true)
		completed.end(output(`{"total":1}`))
		failed.end(Outcome{Failure: &Failure{Code: fault.WorkflowFailed, Detail: "no", Problem: json.RawMessage(`{}`)}})
		f.Settle(t.Context(), c.Claim, []byte("answer"))
		pass(giveUpAfter + 2*beatEvery)
		store.away.Store(false)
		pass(2 * beatEvery)
		if x := f.get(completed); x.Status != Failed || x.Output != nil || x.Failure.Detail != failureLost.Detail {
			t.Errorf("%+v, %+v", x, x.Failure)
		}
		if x := f.get(failed); x.Status != Failed || x.Failure.Detail != "no" || x.Failure.Problem != nil {
			t.Errorf("%+v, %+v", x, x.Failure)
		}
		if events := f.rest(f.follow(completed, 0)); len(events) != 2 || events[1].Type != EventError {
			t.Errorf("events: %+v", events)
		}
		if c, err = f.Begin(t.Context(), IdempotencyKey{"alice", "quote", "k"}, sha256.Sum256(nil)); err != nil || c.State != NotKept {
			t.Errorf("the key: %+v, %v", c, err)
		}
		if log := f.log.String(); strings.Count(log, "level=ERROR") != 3 || !strings.Contains(log, completed.ID) || !strings.Contains(log, failed.ID) || f.waiting.Load() != 0 {
			t.Errorf("%d bytes are left; the log: %s", f.waiting.Load(), log)
		}
		f.stop()
	})
}

// TestOutageIsBounded: what waits for the store takes no more memory than it may.
func TestOutageIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &outage{Store: NewMemory(1<<30, retention, time.Now)}
		f := start(t, store)
		var jobs []*job
		for range 40 {
			jobs = append(jobs, f.begin("alice", true))
		}
		store.away.Store(true)
		data := `"` + strings.Repeat("x", MaxEventData-2) + `"`
		for _, j := range jobs[:10] {
			for range 2000 {
				j.task(data)
			}
		}
		if n := f.waiting.Load(); n > maxWaiting || n < maxWaiting/2 {
			t.Errorf("%d bytes of events wait", n)
		}
		for _, j := range jobs {
			j.end(output(`"` + strings.Repeat("x", 1<<20-2) + `"`))
			synctest.Wait()
		}
		c := Claim{key: IdempotencyKey{"alice", "quote", "k"}, word: newID()}
		f.Settle(t.Context(), c, bytes.Repeat([]byte("x"), MaxAnswer))
		if n := f.waiting.Load(); n > maxWaiting+1<<20 {
			t.Errorf("%d bytes wait", n)
		}
		store.away.Store(false)
		pass(2 * beatEvery)
		kept, lost := 0, 0
		for _, j := range jobs {
			if x := f.get(j); x.Status == Completed {
				kept++
			} else if x.Failure.Detail == failureLost.Detail {
				lost++
			}
		}
		if kept+lost != len(jobs) || lost == 0 || f.waiting.Load() != 0 {
			t.Errorf("%d outputs are kept, %d lost, %d bytes wait", kept, lost, f.waiting.Load())
		}
		f.stop()
	})
}

// TestOutageDebts: what may have come to pass although it failed is undone, and the debts
// are bounded.
func TestOutageDebts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &outage{Store: memoryStore()}
		f := start(t, store)
		key, fingerprint := IdempotencyKey{"alice", "quote", "k"}, sha256.Sum256(nil)
		store.away.Store(true)
		for range 2 * maxDebts {
			wantFault(t, "a new one", second(f.Start(t.Context(), Start{Subject: "alice"}, nil)), fault.Overloaded)
			wantFault(t, "a key", second(f.Begin(t.Context(), key, fingerprint)), fault.Overloaded)
		}
		if _, n := f.left(); n != maxDebts/2 {
			t.Errorf("%d are owed", n)
		}
		for range 2 * maxDebts {
			f.Settle(t.Context(), Claim{key: key, word: newID()}, []byte("x"))
		}
		if _, n := f.left(); n != maxDebts || f.waiting.Load() != maxDebts {
			t.Errorf("%d are owed, %d bytes", n, f.waiting.Load())
		}
		store.away.Store(false)
		pass(2 * beatEvery)
		if _, n := f.left(); n != 0 || f.waiting.Load() != 0 {
			t.Errorf("%d are owed, %d bytes", n, f.waiting.Load())
		}
		f.stop()
	})
}

// deceptive is a store whose answers are lost on the way.
type deceptive struct{ *outage }

func (d deceptive) Create(ctx context.Context, w Write) error {
	err := d.Store.Create(ctx, w)
	if d.away.Load() {
		return errAway
	}
	return err
}

func (d deceptive) Begin(ctx context.Context, c Claim) (Attempt, error) {
	a, err := d.Store.Begin(ctx, c)
	if d.away.Load() {
		return Attempt{}, errAway
	}
	return a, err
}

func (d deceptive) Update(ctx context.Context, w Write) (Mark, error) {
	mark, err := d.Store.Update(ctx, w)
	if d.away.Load() {
		return 0, errAway
	}
	return mark, err
}

func TestOutageOfAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := deceptive{&outage{Store: memoryStore()}}
		f := start(t, store)
		key, fingerprint := IdempotencyKey{"alice", "quote", "k"}, sha256.Sum256(nil)
		ending := f.begin("bob", true)
		store.away.Store(true)
		wantFault(t, "a new one", second(f.Start(t.Context(), Start{Subject: "alice"}, nil)), fault.Overloaded)
		wantFault(t, "a key", second(f.Begin(t.Context(), key, fingerprint)), fault.Overloaded)
		ending.end(output(`1`))
		synctest.Wait()
		store.away.Store(false)
		if list, err := f.List(t.Context(), "alice", 10); err != nil || len(list) != 1 {
			t.Fatalf("it did not come to pass: %v, %v", list, err)
		}
		if a, err := f.Begin(t.Context(), key, fingerprint); err != nil || a.State != InFlight {
			t.Fatalf("it did not come to pass: %+v, %v", a, err)
		}
		pass(2 * beatEvery)
		if list, err := f.List(t.Context(), "alice", 10); err != nil || len(list) != 0 {
			t.Errorf("it is there: %+v, %v", list, err)
		}
		if a, err := f.Begin(t.Context(), key, fingerprint); err != nil || a.State != Fresh {
			t.Errorf("it is there: %+v, %v", a, err)
		}
		if runs, _ := f.left(); f.get(ending).Status != Completed || runs != 0 || f.log.Len() != 0 {
			t.Errorf("what ended: %+v; the log: %s", f.get(ending), f.log)
		}
		f.stop()
	})
}

// TestOutageWhileDraining: the pod does not wait for a store that is away.
func TestOutageWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &outage{Store: memoryStore()}
		f := start(t, store)
		j := f.begin("alice", true)
		store.away.Store(true)
		j.end(output(`1`))
		ctx := t.Context()
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		began := time.Now()
		f.Drain(ctx)
		if took := time.Since(began); took > 10*time.Second+2*storePatience {
			t.Errorf("it took %v", took)
		}
		if log := f.log.String(); !strings.Contains(log, "Execution is lost") || !strings.Contains(log, j.ID) {
			t.Errorf("the log: %s", log)
		}
		f.stop()
	})
}

func TestIdempotency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, memoryStore())
		key, other := IdempotencyKey{"alice", "quote", "k"}, sha256.Sum256([]byte("other"))
		begin := func(fingerprint [32]byte, want AttemptState) Attempt {
			t.Helper()
			a, err := f.Begin(t.Context(), key, fingerprint)
			if err != nil || a.State != want {
				t.Fatalf("%+v, %v; want %s", a, err, want)
			}
			return a
		}
		a := begin([32]byte{}, Fresh)
		begin([32]byte{}, InFlight)
		f.Release(t.Context(), a.Claim)
		a = begin(other, Fresh)
		f.Settle(t.Context(), a.Claim, []byte("x"))
		begin([32]byte{}, Mismatch)
		if a = begin(other, Replay); string(a.Answer) != "x" {
			t.Errorf("the answer is %q", a.Answer)
		}
		key.Key = "l"
		a = begin(other, Fresh)
		f.Settle(t.Context(), a.Claim, make([]byte, MaxAnswer+1))
		begin(other, NotKept)
		for _, bad := range []string{"", "a b", "a\x7f", "é", "\x00", strings.Repeat("k", maxKey+1)} {
			key.Key = bad
			wantFault(t, bad, second(f.Begin(t.Context(), key, other)), fault.InvalidInput)
		}
		key.Key = strings.Repeat("~", maxKey-1) + "!"
		begin(other, Fresh)
		f.stop()
	})
}
