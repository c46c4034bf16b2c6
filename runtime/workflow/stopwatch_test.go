package workflow

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An expression that waits for the CPU is not ended; one that uses it is, and none lives
// longer than the most that it may, or much longer than its run.
func TestStopwatchCountsCPUTime(t *testing.T) {
	for _, c := range []struct {
		name string
		// uses is the CPU time that the thread uses in each millisecond.
		uses time.Duration
		most time.Duration
		// gone is when the run ends.
		gone time.Duration
		want time.Duration
	}{
		{"busy all the time", time.Millisecond, time.Second, time.Hour, 50 * time.Millisecond},
		{"gets half of a CPU", time.Millisecond / 2, time.Second, time.Hour, 100 * time.Millisecond},
		{"starved", 0, time.Second, time.Hour, time.Second},
		{"the caller's deadline is nearer", time.Millisecond, 7 * time.Millisecond, time.Hour, 7 * time.Millisecond},
		{"the caller goes away", time.Millisecond, time.Second, 15 * time.Millisecond, 20 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), c.gone)
				defer cancel()
				w := newStopwatch(func(int) time.Duration { return time.Since(began) / time.Millisecond * c.uses })
				w.start(ctx, c.most)
				<-w.Done()
				// It looks again at most a millisecond after the share may be spent.
				if took := time.Since(began); took < c.want || took > c.want+time.Millisecond {
					t.Errorf("it went off after %s, want %s", took, c.want)
				}
				if _, intact := w.stop(); intact {
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
		w := newStopwatch(func(int) time.Duration { return time.Duration(used.Load()) })
		for range 3 {
			w.start(t.Context(), time.Second)
			<-time.After(40 * time.Millisecond) // the bubble's own time
			used.Add(int64(3 * time.Millisecond))
			if took, intact := w.stop(); !intact || took != 3*time.Millisecond {
				t.Fatalf("it went off too early, or tells %s", took)
			}
		}
		w.start(t.Context(), time.Second)
		used.Store(int64(time.Second))
		<-time.After(5 * time.Millisecond)
		synctest.Wait()
		if w.Err() != nil {
			t.Error("an earlier alarm ended it")
		}
		<-w.Done()
		w.stop()
	})
}

// TestThreadTime: the clock is that of the thread that is asked about, also when another
// one asks. With the clock of the process, an expression would pay for its neighbours.
func TestThreadTime(t *testing.T) {
	type reading struct {
		thread int
		time   time.Duration
	}
	readings, done := make(chan reading), make(chan struct{})
	go func() {
		w := newStopwatch(threadTime)
		w.start(t.Context(), time.Hour)
		defer w.stop()
		for x := 0; threadTime(w.thread) < 20*time.Millisecond; x++ {
			_ = x * x
		}
		readings <- reading{w.thread, threadTime(w.thread)}
		<-done
	}()
	mine := <-readings
	if theirs := threadTime(mine.thread); mine.time < 20*time.Millisecond || theirs < mine.time || theirs > mine.time+time.Second {
		t.Errorf("it says %s of itself, and another one %s", mine.time, theirs)
	}
	close(done)
}
