package execution

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// testStore is what every Store has to do.
func testStore(t *testing.T, open func(*testing.T) harness) {
	for name, test := range map[string]func(*testing.T, harness){
		"Life": testLife, "Failures": testFailures, "Subjects": testSubjects, "Settled": testSettled, "Events": testEvents,
		"Thinned": testThinned, "List": testList, "TooMany": testTooMany, "Retention": testRetention, "Cancel": testCancel,
		"Beat": testBeat, "Forget": testForget, "Missing": testMissing, "StrangeIDs": testStrangeIDs, "Claims": testClaims,
		"ClaimsAreApart": testClaimsAreApart, "ClaimRetention": testClaimRetention, "LateSettle": testLateSettle, "Largest": testLargest,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func testLife(t *testing.T, h harness) {
	w := h.create(t, running("alice"))
	if x := h.get(t, w); !reflect.DeepEqual(x, w.Execution) {
		t.Errorf("created: %+v\nwant %+v", x, w.Execution)
	}
	w.task(`{"name":"fetch"}`)
	h.update(t, w, Going)
	if x := h.get(t, w); !reflect.DeepEqual(x, w.Execution) {
		t.Errorf("running: %+v\nwant %+v", x, w.Execution)
	}
	w.end(`{"total":12.50}`, nil)
	h.update(t, w, Going)
	if x := h.get(t, w); !reflect.DeepEqual(x, w.Execution) {
		t.Errorf("completed: %+v\nwant %+v", x, w.Execution)
	}
	if events := h.read(t, w, 0); !reflect.DeepEqual(events, w.Events) {
		t.Errorf("events: %+v\nwant %+v", events, w.Events)
	}
	x, _, err := h.Events(t.Context(), w.Subject, w.ID, w.LastEvent)
	if w.Output = nil; err != nil || !reflect.DeepEqual(x, w.Execution) {
		t.Errorf("with its events: %+v, %v\nwant %+v", x, err, w.Execution)
	}
}

func testFailures(t *testing.T, h harness) {
	for _, f := range []Failure{
		{Code: fault.Internal, Detail: "something"},
		{Code: fault.WorkflowFailed, Detail: "<out> of \"stock\" & more\n", Status: 409, Problem: json.RawMessage(`{"status":409,"title":"<&>"}`)},
		{Code: CodeCanceled, Detail: ""},
	} {
		w := h.create(t, running("alice"))
		w.end("", &f)
		if f.Code == CodeCanceled {
			w.Status = Canceled
		}
		h.update(t, w, Going)
		if x := h.get(t, w); !reflect.DeepEqual(x, w.Execution) {
			t.Errorf("%+v with %+v\nwant %+v with %+v", x, x.Failure, w.Execution, f)
		}
	}
}

func testSubjects(t *testing.T, h harness) {
	of := map[string]Write{}
	for _, subject := range []string{"", "key|alice", "key|alic", "jwt|https://id.example.com|e"} {
		of[subject] = h.create(t, running(subject))
	}
	for subject, w := range of {
		for other, own := range of {
			if own.ID == w.ID {
				h.get(t, w)
				continue
			}
			h.absent(t, other, w.ID)
		}
		if list := h.list(t, subject, 10); !slices.Equal(list, []string{w.ID}) {
			t.Errorf("%q has %v", subject, list)
		}
		if x := h.get(t, w); x.CancelRequested {
			t.Errorf("somebody else canceled that of %q", subject)
		}
	}
}

// testSettled: what has ended does not change any more.
func testSettled(t *testing.T, h harness) {
	w := h.create(t, running("alice"))
	other := w
	w.end(`1`, nil)
	h.update(t, w, Going)
	other.task(`{}`)
	h.update(t, other, Settled)
	other.end("", &Failure{Code: fault.Internal})
	h.update(t, other, Settled)
	if x := h.get(t, w); !reflect.DeepEqual(x, w.Execution) {
		t.Errorf("%+v\nwant %+v", x, w.Execution)
	}
	if events := h.read(t, w, 0); !slices.Equal(ids(events), []int{1, 2}) || events[1].Type != EventComplete {
		t.Errorf("events: %+v", events)
	}
}

func testList(t *testing.T, h harness) {
	var want []string
	if list := h.list(t, "alice", 10); len(list) != 0 {
		t.Errorf("nobody has %v", list)
	}
	for i := range 7 {
		w := h.create(t, running("alice"))
		if i%2 == 0 {
			w.end(`1`, nil)
			h.update(t, w, Going)
		}
		want = append([]string{w.ID}, want...)
	}
	for _, limit := range []int{1, 3, 7, 100} {
		if list := h.list(t, "alice", limit); !slices.Equal(list, want[:min(limit, 7)]) {
			t.Errorf("the last %d are %v, want %v", limit, list, want)
		}
	}
}

func testTooMany(t *testing.T, h harness) {
	h.bound(5)
	var all []Write
	for range 5 {
		all = append(all, h.create(t, running("alice")))
	}
	one := running("alice")
	if err := h.Create(t.Context(), one); !errors.Is(err, errTooMany) {
		t.Fatalf("the sixth that runs: %v", err)
	}
	h.absent(t, one.Subject, one.ID)
	h.create(t, running("bob"))
	for _, i := range []int{3, 1} { // the first one that began goes first, not the one that ended first
		all[i].end(`1`, nil)
		h.update(t, all[i], Going)
	}
	next := h.create(t, running("alice"))
	h.absent(t, "alice", all[1].ID)
	h.get(t, all[3])
	if list := h.list(t, "alice", 10); !slices.Equal(list, []string{next.ID, all[4].ID, all[3].ID, all[2].ID, all[0].ID}) {
		t.Errorf("left are %v", list)
	}
	h.create(t, running("alice"))
	h.absent(t, "alice", all[3].ID)
	if err := h.Create(t.Context(), running("alice")); !errors.Is(err, errTooMany) {
		t.Errorf("the next: %v", err)
	}
	h.update(t, all[0], Going)
	all[0].end(`1`, nil)
	h.update(t, all[0], Going)
	h.advance(retention)
	if list := h.list(t, "alice", 10); slices.Contains(list, all[0].ID) {
		t.Errorf("what expired is listed: %v", list)
	}
	h.create(t, running("alice")) // in its place
	if err := h.Create(t.Context(), running("alice")); !errors.Is(err, errTooMany) {
		t.Errorf("the next: %v", err)
	}
}

func testRetention(t *testing.T, h harness) {
	early, late := h.create(t, running("alice")), h.create(t, running("alice"))
	for early.LastEvent < chunkEvents+5 {
		early.task(`{}`)
	}
	h.update(t, early, Going)
	early.Events = early.Events[chunkEvents:]
	h.advance(2 * early.Keep)
	early.end(`1`, nil)
	h.update(t, early, Going)
	h.advance(retention / 2)
	h.get(t, early)
	late.end(`1`, nil)
	h.update(t, late, Going)
	h.advance(retention/2 - time.Second)
	h.get(t, early)
	if got := len(h.read(t, early, 0)); got != early.LastEvent {
		t.Errorf("%d of %d events are there as long as the execution", got, early.LastEvent)
	}
	h.advance(2 * time.Second)
	h.absent(t, "alice", early.ID)
	if list := h.list(t, "alice", 10); !slices.Equal(list, []string{late.ID}) {
		t.Errorf("left are %v", list)
	}
	h.advance(retention)
	h.absent(t, "alice", late.ID)
}

func testCancel(t *testing.T, h harness) {
	w := h.create(t, running("alice"))
	for range 2 {
		if x, err := h.Cancel(t.Context(), "alice", w.ID); err != nil || !x.CancelRequested || x.Status != Running {
			t.Fatalf("%+v, %v", x, err)
		}
	}
	if x := h.get(t, w); !x.CancelRequested {
		t.Error("the request is forgotten")
	}
	w.task(`{}`)
	h.update(t, w, Asked)
	h.update(t, w, Asked)
	w.end("", &Failure{Code: CodeCanceled})
	w.Status = Canceled
	h.update(t, w, Asked)
	if x, err := h.Cancel(t.Context(), "alice", w.ID); err != nil || !reflect.DeepEqual(x, w.Execution) {
		t.Errorf("one that was canceled: %+v, %v", x, err)
	}
	done := h.create(t, running("alice"))
	done.end(`{"a":1}`, nil)
	h.update(t, done, Going)
	if x, err := h.Cancel(t.Context(), "alice", done.ID); err != nil || !reflect.DeepEqual(x, done.Execution) {
		t.Errorf("one that has completed: %+v, %v", x, err)
	}
}

func testBeat(t *testing.T, h harness) {
	if marks, err := h.Beat(t.Context(), nil); err != nil || len(marks) != 0 {
		t.Errorf("without executions: %v, %v", marks, err)
	}
	going, asked, settled := h.create(t, running("alice")), h.create(t, running("bob")), h.create(t, running("alice"))
	if _, err := h.Cancel(t.Context(), asked.Subject, asked.ID); err != nil {
		t.Fatal(err)
	}
	settled.end(`1`, nil)
	h.update(t, settled, Going)
	refs := []Ref{{"alice", going.ID}, {"bob", asked.ID}, {"alice", settled.ID}, {"alice", asked.ID}}
	want := []Mark{Going, Asked, Settled, Missing}
	for len(refs) < 2*beatAtOnce+3 {
		refs, want = append(refs, refs[0]), append(want, Going)
	}
	if marks, err := h.Beat(t.Context(), refs); err != nil || !slices.Equal(marks, want) {
		t.Errorf("%c, %v\nwant %c", marks, err, want)
	}
}

func testForget(t *testing.T, h harness) {
	w, other := h.create(t, running("alice")), h.create(t, running("alice"))
	for range 2 {
		if err := h.Forget(t.Context(), "alice", w.ID); err != nil {
			t.Fatal(err)
		}
		h.absent(t, "alice", w.ID)
		if list := h.list(t, "alice", 10); !slices.Equal(list, []string{other.ID}) {
			t.Errorf("left are %v", list)
		}
	}
}

// testMissing: what the store lost is there again with the next write.
func testMissing(t *testing.T, h harness) {
	for _, ended := range []bool{false, true} {
		w := h.create(t, running("alice"))
		if err := h.Forget(t.Context(), w.Subject, w.ID); err != nil {
			t.Fatal(err)
		}
		if w.task(`{}`); ended {
			w.end(`1`, nil)
		}
		h.update(t, w, Going)
		if x := h.get(t, w); !reflect.DeepEqual(x, w.Execution) {
			t.Errorf("%+v\nwant %+v", x, w.Execution)
		}
		if list := h.list(t, "alice", 1); !slices.Equal(list, []string{w.ID}) {
			t.Errorf("the last is %v", list)
		}
	}
}

func testStrangeIDs(t *testing.T, h harness) {
	w := h.create(t, running("alice"))
	for _, id := range []string{"", "x", w.ID[1:], w.ID + "0", strings.ToUpper(w.ID[:31]) + "F", w.ID[:31] + "}", w.ID[:30] + "\n\x00", "../" + w.ID[3:]} {
		h.absent(t, "alice", id)
	}
}

// testLargest: what is as large as it may be is kept as it is.
func testLargest(t *testing.T, h harness) {
	w := h.create(t, running("alice"))
	for w.LastEvent < 60 {
		w.task(`"` + strings.Repeat("<", MaxEventData-2) + `"`)
	}
	w.end(`"`+strings.Repeat("é", MaxOutput/2-1)+`"`, nil)
	h.update(t, w, Going)
	if x := h.get(t, w); !reflect.DeepEqual(x, w.Execution) {
		t.Error("an output of 1 MiB is not what it was")
	}
	if events := h.read(t, w, 0); !reflect.DeepEqual(events, w.Events) {
		t.Error("events of 4 KiB are not what they were")
	}
	w = h.create(t, running("alice"))
	f := Failure{Code: fault.WorkflowFailed, Detail: strings.Repeat("\x01", 2*maxDetail), Problem: json.RawMessage(`"` + strings.Repeat("<", maxProblem-2) + `"`)}.bounded()
	w.end("", f)
	h.update(t, w, Going)
	if x := h.get(t, w); !reflect.DeepEqual(x, w.Execution) || len(x.Failure.Detail) != maxDetail {
		t.Error("a large failure is not what it was")
	}
}
