// Package progress prints what is going on, with the time since the command began.
package progress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Heartbeat is how often a step that takes long says that it is still alive.
const Heartbeat = 20 * time.Second

// ErrHopeless is wrapped by a check of Poll for which waiting longer makes no sense.
var ErrHopeless = errors.New("gave up")

// Reporter prints lines such as "up: api server ready (5.7s)". It is safe for concurrent use.
type Reporter struct {
	mu     sync.Mutex
	out    io.Writer
	prefix string
	start  time.Time
	colour bool
}

// New returns a reporter for one command. Colours are used only when out is a terminal and NO_COLOR is unset.
func New(out *os.File, command string) *Reporter {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	_, plain := os.LookupEnv("NO_COLOR")
	return &Reporter{out: out, prefix: command, start: time.Now(), colour: terminal && !plain}
}

// Printf prints one line with the elapsed time.
func (r *Reporter) Printf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	prefix, since := r.prefix+":", fmt.Sprintf("(%.1fs)", time.Since(r.start).Seconds())
	if r.colour {
		prefix, since = "\x1b[36m"+prefix+"\x1b[0m", "\x1b[2m"+since+"\x1b[0m"
	}
	fmt.Fprintf(r.out, "%s %s %s\n", prefix, fmt.Sprintf(format, args...), since)
}

// Beat prints a line every Heartbeat until ctx ends. The text is asked for anew each time.
func (r *Reporter) Beat(ctx context.Context, text func() string) {
	tick := time.NewTicker(Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.Printf("%s", text())
		}
	}
}

// Poll calls check every 100 ms until it returns nil, and prints why it still waits every Heartbeat. When ctx ends first
// the error says what was waited for and what check said last.
func (r *Reporter) Poll(ctx context.Context, what string, check func(context.Context) error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	spoke := time.Now()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrHopeless) {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if time.Since(spoke) >= Heartbeat {
			r.Printf("still waiting for %s: %v", what, last)
			spoke = time.Now()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; last answer: %w", what, ctx.Err(), last)
		case <-tick.C:
		}
	}
}
