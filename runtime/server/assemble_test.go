package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/execution"
)

// TestRetention: without Redis, what has ended is kept for as long as
// spec.limits.executionRetentionSeconds says.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{log: slog.New(slog.DiscardHandler)}
		s.options.Document.Limits.ExecutionRetentionSeconds = 90
		m := s.newExecutions(defaultMemory)
		x, err := m.Start(t.Context(), execution.Start{Workflow: "w", Mode: execution.Async, Within: time.Minute},
			func(context.Context, string, func(json.RawMessage)) execution.Outcome {
				return execution.Outcome{Output: json.RawMessage("1")}
			})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		<-time.After(90*time.Second - 1)
		if got, err := m.Get(t.Context(), "", x.ID); err != nil || got.Status != execution.Completed {
			t.Errorf("just before: %+v, %v", got, err)
		}
		<-time.After(1)
		if _, err := m.Get(t.Context(), "", x.ID); err == nil {
			t.Error("it is kept for longer")
		}
	})
}
