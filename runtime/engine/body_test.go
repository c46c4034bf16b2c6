package engine

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
)

func TestReadBody(t *testing.T) {
	for _, c := range []struct {
		name     string
		body     string
		declared int64
		code     fault.Code
	}{
		{name: "declared", body: strings.Repeat("x", 60), declared: 60},
		{name: "exactly the cap", body: strings.Repeat("x", 100), declared: 100},
		{name: "declared too large is not read", declared: 101, code: fault.BodyTooLarge},
		{name: "of unknown length", body: strings.Repeat("x", 100), declared: -1},
		{name: "of unknown length, one byte too large", body: strings.Repeat("x", 101), declared: -1, code: fault.BodyTooLarge},
		{name: "empty", declared: -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _, _ := open(t, nil)
			var held Call
			got, err := e.ReadBody(&held, iotest.OneByteReader(strings.NewReader(c.body)), c.declared, nil)
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil || string(got) != c.body || e.Bodies.Free() != budget-int64(len(c.body)) {
				t.Errorf("got %d bytes, %v, %d free", len(got), err, e.Bodies.Free())
			}
			e.leave(t.Context(), &held)
			if e.Bodies.Free() != budget {
				t.Errorf("%d bytes of the budget are free afterwards, want all", e.Bodies.Free())
			}
		})
	}
	t.Run("over the budget", func(t *testing.T) {
		e, _, _ := open(t, nil)
		var one, two Call
		if _, err := e.ReadBody(&one, strings.NewReader(strings.Repeat("x", 100)), 100, nil); err != nil {
			t.Fatal(err)
		}
		_, err := e.ReadBody(&two, strings.NewReader(strings.Repeat("x", 51)), 51, nil)
		if f := wantFault(t, err, fault.Overloaded); f.RetryAfter <= 0 {
			t.Error("without a time to try again")
		}
	})
	t.Run("broken off", func(t *testing.T) {
		e, _, _ := open(t, nil)
		_, err := e.ReadBody(&Call{}, iotest.ErrReader(io.ErrUnexpectedEOF), 10, nil)
		wantCode(t, err, fault.InvalidInput)
	})
}

// TestBodyValues: what a body takes once it is decoded counts, too; a text of a few
// megabytes can make hundreds of them.
func TestBodyValues(t *testing.T) {
	const budget = 1 << 20
	for name, c := range map[string]struct {
		body string
		held int64
		code fault.Code
	}{
		"text":              {`{"a":"` + strings.Repeat("x", 10000) + `"}`, 10008 + objectBytes, ""},
		"a small body":      {"[" + strings.Repeat("{},", 1000) + "{}]", 3004, ""},
		"objects":           {"[" + strings.Repeat("{},", 2000) + "{}]", 6004 + 2001*objectBytes + arrayBytes + 2000*memberBytes, ""},
		"too many objects":  {"[" + strings.Repeat("{},", 3000) + "{}]", 0, fault.BodyTooLarge},
		"too many lists":    {"[" + strings.Repeat("[],", 20000) + "[]]", 0, fault.BodyTooLarge},
		"too many integers": {"[" + strings.Repeat("1,", 30000) + "1]", 0, fault.BodyTooLarge},
	} {
		e, _, _ := open(t, func(d *config.Document) { d.Input.MaxBytes = resource.MustParse("1Mi") })
		e.Bodies, e.budget = limit.NewBudget(budget), budget
		var held Call
		_, err := e.ReadBody(&held, strings.NewReader(c.body), int64(len(c.body)), nil)
		if c.code != "" {
			wantCode(t, err, c.code)
		} else if err != nil || held.held != c.held || e.Bodies.Free() != budget-c.held {
			t.Errorf("%s: %v, holds %d, want %d", name, err, held.held, c.held)
		}
		if c.code == "" && c.held > budget/2 {
			var second Call
			_, err := e.ReadBody(&second, strings.NewReader(c.body), int64(len(c.body)), nil)
			if f := wantFault(t, err, fault.Overloaded); f.RetryAfter <= 0 {
				t.Errorf("%s, a second one: without a time to try again", name)
			}
			e.leave(t.Context(), &second)
		}
		if e.leave(t.Context(), &held); e.Bodies.Free() != budget {
			t.Errorf("%s: %d bytes of the budget are free afterwards", name, e.Bodies.Free())
		}
	}
}
