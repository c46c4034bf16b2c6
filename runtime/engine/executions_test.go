package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// TestAskingIsLimited: who asks for executions without end leaves room for others, and is
// told when to go on.
func TestAskingIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, keys, told := openFor(t, slow, "web", "other")
		id := NewID()
		asks := []func(*Call) error{
			func(c *Call) error { _, err := e.Execution(t.Context(), c, id); return err },
			func(c *Call) error { _, err := e.CancelExecution(t.Context(), c, id); return err },
			func(c *Call) error { _, err := e.Follow(t.Context(), c, id, 0); return err },
			func(c *Call) error { _, err := e.ListExecutions(t.Context(), c); return err },
		}
		for n := range asksAtOnce {
			if err := asks[n%len(asks)](call("", keys[0], nil)); err != nil && fault.As(err).Code != fault.NotFound {
				t.Fatalf("the request %d: %v", n, err)
			}
		}
		for n, ask := range asks {
			f := wantFault(t, ask(call("", keys[0], nil)), fault.RateLimited)
			if f.RetryAfter != 50*time.Millisecond || len(f.Policies) != 1 || f.Policies[0] != PolicyExecutions {
				t.Errorf("the request %d is refused with %+v", n, f)
			}
		}
		if len(told.events) != len(asks) || told.events[0].Kind != LimitHit || told.events[0].Reason != PolicyExecutions {
			t.Errorf("told of %+v", told.events)
		}
		wantCode(t, asks[0](call("", keys[1], nil)), fault.NotFound)
		// What starts an execution is limited otherwise, and following it comes with it.
		c := call("longer", keys[0], bodied{e, Stream})
		if err := e.Execute(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if x := finished(t, e, c, c.RunID); x.Status != execution.Completed {
			t.Errorf("it ended as %+v", x)
		}
		wantCode(t, asks[0](call("", keys[0], nil)), fault.NotFound)
	})
}

// TestAskingOnceIsCountedOnce: a call may look at an execution before it follows it.
func TestAskingOnceIsCountedOnce(t *testing.T) {
	e, _, _ := open(t, func(d *config.Document) { d.Auth.Mode = v1alpha1.AuthDisabled })
	c := call("", "", nil)
	for range 2 * asksAtOnce {
		_, err := e.Execution(t.Context(), c, NewID())
		wantCode(t, err, fault.NotFound)
	}
}
