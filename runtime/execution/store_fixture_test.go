package execution

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

const retention = time.Hour

// harness is a store under test and its clock.
type harness struct {
	Store
	advance func(time.Duration)
	// bound sets how many executions a subject may have.
	bound func(int)
}

// newID is that of the product but for its source.
func newID() string { return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()) }

var epoch = time.UnixMilli(1_800_000_000_000)

// running is an execution that has just begun.
func running(subject string) Write {
	return Write{Keep: time.Minute, Execution: Execution{
		ID: newID(), Subject: subject, Workflow: "quote-order", Version: "1.0.0", Mode: Async, Status: Running, Created: epoch, LastEvent: 1,
	}, Events: []Event{{ID: 1, Type: EventStart, Time: epoch}}}
}

// task appends an event to what is to be written.
func (w *Write) task(data string) {
	w.LastEvent++
	e := Event{ID: w.LastEvent, Type: EventTask, Time: epoch.Add(time.Second)}
	if data != "" {
		e.Data = json.RawMessage(data)
	}
	w.Events = append(w.Events, e)
}

// end makes it one that has ended.
func (w *Write) end(output string, f *Failure) {
	w.Finished, w.Took, w.LastEvent = epoch.Add(2*time.Second), 1500*time.Millisecond, w.LastEvent+1
	t := EventComplete
	if w.Status, w.Output = Completed, json.RawMessage(output); f != nil {
		w.Status, w.Output, w.Failure, t = Failed, nil, f, EventError
	}
	w.Events = append(w.Events, Event{ID: w.LastEvent, Type: t, Time: w.Finished})
}

func (h harness) create(t *testing.T, w Write) Write {
	t.Helper()
	if err := h.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	return w
}

func (h harness) update(t *testing.T, w Write, want Mark) {
	t.Helper()
	if mark, err := h.Update(t.Context(), w); err != nil || mark != want {
		t.Fatalf("the mark is %c, %v; want %c", mark, err, want)
	}
}

func (h harness) get(t *testing.T, w Write) Execution {
	t.Helper()
	x, err := h.Get(t.Context(), w.Subject, w.ID)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (h harness) absent(t *testing.T, subject, id string) {
	t.Helper()
	x, err := h.Get(t.Context(), subject, id)
	y, events, eventsErr := h.Events(t.Context(), subject, id, 0)
	z, cancelErr := h.Cancel(t.Context(), subject, id)
	if !errors.Is(err, errNotFound) || !errors.Is(eventsErr, errNotFound) || !errors.Is(cancelErr, errNotFound) {
		t.Errorf("%s of %q is there: %+v %v, %+v %v %v, %+v %v", id, subject, x, err, y, events, eventsErr, z, cancelErr)
	}
}

func (h harness) list(t *testing.T, subject string, limit int) []string {
	t.Helper()
	list, err := h.List(t.Context(), subject, limit)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, x := range list {
		ids = append(ids, x.ID)
		if x.Output != nil {
			t.Errorf("a list has an output")
		}
	}
	return ids
}

// read reads all events after one.
func (h harness) read(t *testing.T, w Write, last int) []Event {
	t.Helper()
	var all []Event
	for {
		_, events, err := h.Events(t.Context(), w.Subject, w.ID, last)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			return all
		}
		all = append(all, events...)
		last = events[len(events)-1].ID
	}
}

func ids(events []Event) []int {
	var list []int
	for _, e := range events {
		list = append(list, e.ID)
	}
	return list
}

func span(from, to int) []int {
	var list []int
	for ; from <= to; from++ {
		list = append(list, from)
	}
	return list
}
