package conformance

import (
	"bytes"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"
)

// begin is the moment at which every run starts.
var begin = time.Date(2030, time.January, 2, 3, 4, 5, 0, time.UTC)

// clock is the time of one run. Nobody waits for it: when the run can do nothing but
// wait, the clock jumps to the next timer.
//
// It knows that the run waits by looking. testing/synctest does the same, but its
// bubble must not hold network connections, and the calls of a scenario are real ones.
// The run waits when
//
//   - a timer is pending,
//   - no call is on its way, except one that its service keeps open for ever, and no
//     timer's function is running: these are counted, and
//   - every goroutine but the clock's own is parked. The runtime stops the world to tell,
//     so none can slip through: one that was woken up, or just started, is runnable.
//
// Nothing outside of the run wakes it up, so what holds then holds until the clock
// moves.
type clock struct {
	changed chan struct{}

	mu     sync.Mutex
	now    time.Time
	timers []*timer
	// busy counts timers' functions and calls that are on their way.
	busy int
}

type timer struct {
	due time.Time
	f   func()
}

func newClock() *clock { return &clock{now: begin, changed: make(chan struct{}, 1)} }

// Now implements workflow.Clock.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc implements workflow.Clock.
func (c *clock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	c.mu.Lock()
	t := &timer{c.now.Add(max(d, 0)), f}
	// Timers that are due at once go off in the order in which they were set.
	i, _ := slices.BinarySearchFunc(c.timers, t, func(have, t *timer) int {
		if have.due.After(t.due) {
			return 1
		}
		return -1
	})
	c.timers = slices.Insert(c.timers, i, t)
	c.mu.Unlock()
	c.tell()
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		i := slices.Index(c.timers, t)
		if i < 0 {
			return false
		}
		c.timers = slices.Delete(c.timers, i, i+1)
		return true
	}
}

// hold keeps the clock from moving until as many calls have let it go.
func (c *clock) hold() {
	c.mu.Lock()
	c.busy++
	c.mu.Unlock()
}

func (c *clock) release() {
	c.mu.Lock()
	c.busy--
	c.mu.Unlock()
	c.tell()
}

func (c *clock) tell() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// drive moves the clock until done is closed.
func (c *clock) drive(done <-chan struct{}) {
	// Nobody tells when the last goroutine parks.
	look := time.NewTicker(200 * time.Microsecond)
	defer look.Stop()
	for {
		select {
		case <-done:
			return
		case <-c.changed:
		}
		for c.pending() && !parked() {
			select {
			case <-done:
				return
			case <-look.C:
			}
		}
		c.advance()
	}
}

func (c *clock) pending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy == 0 && len(c.timers) > 0
}

// advance goes to the next timer and calls its function.
func (c *clock) advance() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy > 0 || len(c.timers) == 0 {
		return
	}
	t := c.timers[0]
	c.timers = c.timers[1:]
	c.now = t.due
	c.busy++
	go func() {
		defer c.release()
		t.f()
	}()
}

// parked says whether every goroutine but this one waits: for another one, or for the
// network.
func parked() bool {
	for stack := range others() {
		if !waits(stack) {
			return false
		}
	}
	return true
}

// others are the stacks of all goroutines but this one, which the runtime shows first.
func others() iter.Seq[[]byte] {
	for size := 64 << 10; ; size *= 2 {
		stacks := make([]byte, size)
		if n := runtime.Stack(stacks, true); n < size {
			_, rest, _ := bytes.Cut(stacks[:n], []byte("\n\n"))
			return bytes.SplitSeq(rest, []byte("\n\n"))
		}
	}
}

// engine is what the name of each function of the engine has.
var engine = []byte("nexus-operator/runtime/workflow.")

// outliving is the stack of a goroutine of the engine, once no run should have one. A
// goroutine that has done its work may take a moment to go.
func outliving() string {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	left := ""
	for range 5000 {
		left = ""
		for stack := range others() {
			if bytes.Contains(stack, engine) {
				left = string(stack)
			}
		}
		if left == "" {
			break
		}
		<-look.C
	}
	return left
}

// waits reads the first line of a stack, such as "goroutine 7 [select, 2 minutes]:".
func waits(stack []byte) bool {
	_, state, _ := bytes.Cut(stack, []byte("["))
	state, _, _ = bytes.Cut(state, []byte("]"))
	state, _, _ = bytes.Cut(state, []byte(","))
	switch string(state) {
	case "select", "chan receive", "chan send", "sync.WaitGroup.Wait", "sync.Cond.Wait", "IO wait":
		return true
	}
	return false
}
