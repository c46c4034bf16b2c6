package execution

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// FuzzRecord: whatever is in Redis is refused or read, and what is read can be written.
func FuzzRecord(f *testing.F) {
	w := running("alice")
	w.end("", &Failure{Code: fault.WorkflowFailed, Detail: "no", Status: 409, Problem: json.RawMessage(`{"a":1}`)})
	for _, head := range []string{"1R0", "1R1", "1C0", "1F0", "1X1", "1L0", "2R0", ""} {
		f.Add(head + w.ID + " 1800000000000 3\n" + describe(&w.Execution))
	}
	f.Fuzz(func(t *testing.T, text string) {
		x, err := parseRecord("alice", w.ID, text)
		if err != nil {
			return
		}
		if x.LastEvent < 1 || x.Status == Running != x.Finished.IsZero() || x.ID != w.ID || x.Subject != "alice" {
			t.Errorf("%q is %+v", text, x)
		}
		head, _, _ := strings.Cut(text, "\n")
		if isGone(text) {
			return // nobody writes that
		}
		if x.Failure != nil {
			x.Failure = x.Failure.bounded()
		}
		y, err := parseRecord("alice", w.ID, head+"\n"+describe(&x))
		if err != nil || !reflect.DeepEqual(x, y) {
			t.Errorf("%+v is written and read as %+v, %v", x, y, err)
		}
	})
}

// FuzzChunk is the same for events, and for outputs and indexes.
func FuzzChunk(f *testing.F) {
	f.Add(writeChunk([]Event{{ID: 1, Type: EventStart, Time: epoch}, {ID: 2, Type: EventTask, Time: epoch, Data: json.RawMessage(`{"<":[1.0]}`)}}))
	f.Add(version + "[]")
	f.Add(version + `{"a":1e400}`)
	f.Add(";" + newID() + "r1800000000000;" + newID() + "x1800000000000")
	f.Fuzz(func(t *testing.T, text string) {
		if events, err := parseChunk(text); err == nil {
			again, err := parseChunk(writeChunk(events))
			if err != nil || len(again) != len(events) {
				t.Fatalf("%+v is written and read as %+v, %v", events, again, err)
			}
			for i, e := range events {
				if e.ID != again[i].ID || e.Type != again[i].Type || !e.Time.Equal(again[i].Time) || e.ID < 1 || i > 0 && e.ID <= events[i-1].ID {
					t.Errorf("%+v is written and read as %+v", e, again[i])
				}
			}
		}
		if out, err := parseOutput(text); err == nil && (!json.Valid(out) || len(out) > MaxOutput) {
			t.Errorf("%q is taken for an output", text)
		}
		if ids, err := parseEntries(text); err == nil && len(ids)*entryWidth != len(text) {
			t.Errorf("%q has %d entries", text, len(ids))
		}
	})
}

// TestNoEscapes: what was bounded stays within the bounds of what is read.
func TestNoEscapes(t *testing.T) {
	var events []Event
	for n := range chunkEvents {
		events = append(events, Event{ID: 1<<31 + n, Type: EventComplete, Time: time.UnixMilli(1 << 45), Data: json.RawMessage(`"` + strings.Repeat("&", MaxEventData-2) + `"`)})
	}
	if got, err := parseChunk(writeChunk(events)); err != nil || !reflect.DeepEqual(got, events) {
		t.Errorf("a full chunk: %v", err)
	}
}
