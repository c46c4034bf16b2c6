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
		{"the caller goes away", time.Millisecond, time.Second, 15 * time.Millisecond, 16 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), c.gone)
				defer cancel()
				w := newStopwatch(func(int) time.Duration { return time.Since(began) / time.Millisecond * c.uses })
				w.start(ctx, expressionTime, c.most)
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
			w.start(t.Context(), expressionTime, time.Second)
			<-time.After(40 * time.Millisecond) // the bubble's own time
			used.Add(int64(3 * time.Millisecond))
			if took, intact := w.stop(); !intact || took != 3*time.Millisecond {
				t.Fatalf("it went off too early, or tells %s", took)
			}
		}
		w.start(t.Context(), expressionTime, time.Second)
		used.Store(int64(time.Second))
		<-time.After(time.Millisecond)
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
		w.start(t.Context(), time.Hour, time.Hour)
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

// Two alarms may wait for the lock at once: the second one must find that the first has
// ended the expression.
func TestStopwatchEndsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStopwatch(func(int) time.Duration { return 0 })
		w.start(t.Context(), expressionTime, time.Hour)
		defer w.stop()
		w.share = 0
		w.due()
		w.due()
		if w.Err() == nil {
			t.Error("it did not go off")
		}
	})
}

// A long expression ends when memory gets short, and a short one does not.
func TestStopwatchMindsMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStopwatch(func(int) time.Duration { return 0 })
		full := false
		w.full = func() bool { return full }
		w.start(t.Context(), expressionTime, time.Hour)
		<-time.After(100 * glance)
		synctest.Wait()
		if w.Err() != nil {
			t.Error("it went off with memory to spare")
		}
		w.mu.Lock()
		full = true
		w.mu.Unlock()
		<-w.Done()
		w.stop()
	})
}

// An expression may take its share of CPU time, however long that takes, but no longer
// than maxStall, than its run has left, and than its caller waits.
func TestExpressionsHaveTheirTime(t *testing.T) {
	soon, cancel := context.WithTimeout(t.Context(), time.Minute/20)
	defer cancel()
	for name, c := range map[string]struct {
		ctx         context.Context
		spent       time.Duration
		share, most time.Duration
	}{
		"a fresh run":                {t.Context(), 0, expressionTime, maxStall},
		"a run that is near its end": {t.Context(), runTime - 7*time.Millisecond, 7 * time.Millisecond, maxStall},
		"a caller who waits less":    {soon, 0, expressionTime, time.Minute / 20},
	} {
		r := newRun(c.ctx, &Program{}, nil, nil, Options{})
		r.shared.spent.Store(int64(c.spent))
		if err := r.startExpression(); err != nil {
			t.Fatal(err)
		}
		if most := r.watch.latest.Sub(r.watch.began); r.watch.share != c.share || most > c.most || most < c.most-time.Second {
			t.Errorf("%s: it has %s of %s", name, r.watch.share, most)
		}
		r.watch.stop()
	}
}
