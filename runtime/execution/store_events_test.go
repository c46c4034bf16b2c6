package execution

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

// testEvents: events come in batches of all sizes, and are read after each.
func testEvents(t *testing.T, h harness) {
	w := h.create(t, running("alice"))
	r := &run{m: &Manager{o: Options{Now: func() time.Time { return epoch }}}, x: w.Execution, log: slices.Clone(w.Events), stored: 1, more: make(chan struct{})}
	for n := 0; n < 430; n++ {
		for range n % 61 {
			r.task(json.RawMessage(fmt.Sprint(r.x.LastEvent + 1)))
			n++
		}
		x, events := r.snapshot()
		h.update(t, Write{Execution: x, Events: events, Keep: time.Minute}, Going)
		r.markStored(x.LastEvent)
		if len(r.log) > chunkEvents {
			t.Fatalf("%d events are held after they were stored", len(r.log))
		}
	}
	last := r.x.LastEvent
	for _, after := range []int{0, 1, 49, 50, 51, 99, 100, 101, last - 1, last, last + 1, last + 1000} {
		if got := ids(h.read(t, w, after)); !slices.Equal(got, span(after+1, last)) {
			t.Errorf("after %d of %d: %v", after, last, got)
		}
	}
	for _, e := range h.read(t, w, 1) {
		if string(e.Data) != fmt.Sprint(e.ID) {
			t.Errorf("event %d has %s", e.ID, e.Data)
		}
	}
}

// testThinned: of very many events the first ones are kept, and the last.
func testThinned(t *testing.T, h harness) {
	w := h.create(t, running("alice"))
	m := &Manager{o: Options{Now: func() time.Time { return epoch }}}
	r := &run{m: m, x: w.Execution, log: slices.Clone(w.Events), stored: 1, more: make(chan struct{})}
	for n := range 3000 {
		r.task(json.RawMessage(`{"n":1}`))
		if n%217 == 0 {
			x, events := r.snapshot()
			h.update(t, Write{Execution: x, Events: events}, Going)
			r.markStored(x.LastEvent)
		}
		if len(r.log) > MaxEvents {
			t.Fatalf("%d events are held", len(r.log))
		}
	}
	r.end(Completed, json.RawMessage(`1`), nil)
	x, events := r.snapshot()
	h.update(t, Write{Execution: x, Events: events}, Going)
	want := append(span(1, headEvents), span(3002-chunkEvents+1, 3002)...)
	if got := ids(h.read(t, w, 0)); !slices.Equal(got, want) || len(got) != MaxEvents {
		t.Errorf("%d events are kept: %v", len(got), got)
	}
	if got := ids(h.read(t, w, 1500)); !slices.Equal(got, want[headEvents:]) {
		t.Errorf("after one that is not kept: %v", got)
	}
	r.markStored(x.LastEvent)
	r.leave()
	if n := m.waiting.Load(); n != 0 {
		t.Errorf("%d bytes are taken for held", n)
	}
}
