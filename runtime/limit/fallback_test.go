package limit

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/test/redisclient"
	"github.com/nexus-operator/nexus-operator/test/redistest"
)

// TestFallback takes Redis away, in each way and each mode, and brings it back: what is
// decided without it follows the mode, and what Redis counted before still counts.
func TestFallback(t *testing.T) {
	for _, fault := range []struct {
		name       string
		down, back func(*redistest.Server)
		kept       bool
	}{
		{"Killed", (*redistest.Server).Kill, (*redistest.Server).Restart, false},
		{"Hung", (*redistest.Server).Pause, (*redistest.Server).Resume, true},
	} {
		for _, mode := range []v1alpha1.StoreErrorMode{v1alpha1.StoreErrorLocal, v1alpha1.StoreErrorDeny, v1alpha1.StoreErrorAllow} {
			t.Run(fault.name+string(mode), func(t *testing.T) {
				server := redistest.Start(t, redistest.Options{})
				c := redisclient.Connect(t, server.URL(""))
				shared := NewRedis(c, "team-a", "shop")
				var degraded atomic.Int64
				f := NewFallback(shared, NewMemory(time.Now()), mode, func() { degraded.Add(1) })
				p := NewPolicy("app", 1, 5)
				count := func(n int) (passed, failed int64) {
					for range n {
						switch v, err := f.Take(t.Context(), time.Now(), alice, []*Policy{p}); {
						case err != nil:
							failed++
						case v.Allowed:
							passed++
							if v.Unlimited != (mode == v1alpha1.StoreErrorAllow && degraded.Load() > 0) {
								t.Errorf("%+v", v)
							}
						}
					}
					return passed, failed
				}

				shared.deadlines.length = ample
				if passed, failed := count(2); passed != 2 || failed != 0 || degraded.Load() != 0 {
					t.Fatalf("with Redis %d passed and %d failed", passed, failed)
				}
				fault.down(server)
				shared.deadlines = deadlines{length: callDeadline}
				passed, failed := count(20)
				want := map[v1alpha1.StoreErrorMode][2]int64{
					v1alpha1.StoreErrorLocal: {5, 0}, v1alpha1.StoreErrorDeny: {0, 20}, v1alpha1.StoreErrorAllow: {20, 0},
				}[mode]
				if passed != want[0] || failed != want[1] || degraded.Load() != 20 {
					t.Errorf("without Redis %d passed and %d failed, want %v; %d were told", passed, failed, want, degraded.Load())
				}
				if f.Spent(time.Now(), alice, p) != (mode == v1alpha1.StoreErrorLocal) {
					t.Error("spent is what this pod knows")
				}
				c.Await(t, false)
				fault.back(server)
				c.Await(t, true)
				degraded.Store(0)
				shared.deadlines = deadlines{length: ample}
				left := int64(5)
				if fault.kept {
					// What was sent while the server hung is counted when it goes on: by the time it
					// answers again, the bucket is spent as far as it was asked for.
					left = 3
				}
				if passed, failed = count(20); passed > left || failed != 0 || !fault.kept && passed != left || degraded.Load() != 0 {
					t.Errorf("with Redis again %d passed and %d failed, want %d; %d were told", passed, failed, left, degraded.Load())
				}
			})
		}
	}
}
