package workflow

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An expression that waits for the CPU is not ended; one that uses it is, and none lives
// longer than the most that it may.
func TestStopwatchCountsCPUTime(t *testing.T) {
	for _, c := range []struct {
		name string
		// uses is the CPU time that the process uses in each millisecond.
		uses time.Duration
		most time.Duration
		want time.Duration
	}{
		{"busy all the time", time.Millisecond, time.Second, 50 * time.Millisecond},
		{"gets half of a CPU", time.Millisecond / 2, time.Second, 100 * time.Millisecond},
		{"starved", 0, time.Second, time.Second},
		{"the caller's deadline is nearer", time.Millisecond, 7 * time.Millisecond, 7 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				w := newStopwatch(func() time.Duration { return time.Since(began) / time.Millisecond * c.uses })
				w.start(c.most)
				<-w.Done()
				// It looks again at most a millisecond after the share may be spent.
				if took := time.Since(began); took < c.want || took > c.want+time.Millisecond {
					t.Errorf("it went off after %s, want %s", took, c.want)
				}
				if w.stop() {
					t.Error("it does not say that it went off")
				}
			})
		})
	}
}

// A stopwatch that was stopped can be started again, and its first alarm is forgotten.
func TestStopwatchIsUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var used atomic.Int64
		w := newStopwatch(func() time.Duration { return time.Duration(used.Load()) })
		for range 3 {
			w.start(time.Second)
			<-time.After(40 * time.Millisecond) // the bubble's own time
			if !w.stop() {
				t.Fatal("it went off too early")
			}
		}
		w.start(time.Second)
		used.Store(int64(time.Second))
		<-time.After(30 * time.Millisecond)
		synctest.Wait()
		if w.Err() != nil {
			t.Error("an earlier alarm ended it")
		}
		<-w.Done()
		w.stop()
	})
}
