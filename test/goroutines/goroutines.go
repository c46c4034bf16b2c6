// Package goroutines finds the goroutines that a test leaves behind.
package goroutines

import (
	"runtime"
	"testing"
	"time"
)

// Settle fails the test when goroutines are left at its end that it did not find, once
// everything else is cleaned up. Call it first.
func Settle(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		patience, tick := time.After(10*time.Second), time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for runtime.NumGoroutine() > before {
			select {
			case <-tick.C:
			case <-patience:
				stacks := make([]byte, 1<<16)
				t.Errorf("%d goroutines are left of %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
				return
			}
		}
	})
}
