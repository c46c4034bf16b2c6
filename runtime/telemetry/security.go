package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/engine"
)

// linesPerSecond bounds the security log for each kind of event: a flood must not
// fill the disk, nor hide the rest.
const linesPerSecond = 10

// lines are the messages of the kinds of events, with the guide's levels.
var lines = [engine.EventKinds]struct {
	level   slog.Level
	message string
}{
	engine.AuthFailure:   {slog.LevelWarn, "Authentication failed"},
	engine.LimitHit:      {slog.LevelWarn, "Rate limit exceeded"},
	engine.LimitShadowed: {slog.LevelWarn, "Rate limit would have been exceeded"},
	engine.InputBlocked:  {slog.LevelInfo, "Dangerous input blocked"},
	engine.AccessDenied:  {slog.LevelWarn, "Access denied"},
}

// securityLog writes security events, at most linesPerSecond of each kind; how many
// it left out is logged a second later.
type securityLog struct {
	log      *slog.Logger
	samplers [engine.EventKinds]sampler
}

type sampler struct {
	mu      sync.Mutex
	window  time.Time
	lines   int
	dropped int
}

// admit says whether one more line may be written now. For the first that may not,
// last is the time until the window ends.
func (s *sampler) admit(now time.Time) (admitted bool, last time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.window) >= time.Second {
		s.window, s.lines = now, 0
	}
	if s.lines < linesPerSecond {
		s.lines++
		return true, 0
	}
	s.dropped++
	if s.dropped == 1 {
		last = max(1, s.window.Add(time.Second).Sub(now))
	}
	return false, last
}

func (s *sampler) takeDropped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.dropped
	s.dropped = 0
	return n
}

func (l *securityLog) event(e engine.Event) {
	admitted, last := l.samplers[e.Kind].admit(e.At)
	if admitted {
		l.write(e)
	} else if last > 0 {
		l.flushAfter(last, e.Kind)
	}
}

// flushAfter logs how many events were dropped once their second is over.
func (l *securityLog) flushAfter(d time.Duration, kind engine.EventKind) {
	time.AfterFunc(d, func() { l.flush(kind) })
}

func (l *securityLog) write(e engine.Event) {
	line := lines[e.Kind]
	attrs := make([]slog.Attr, 0, 6)
	attrs = append(attrs, slog.String("reason", e.Reason))
	if e.Client.IsValid() {
		attrs = append(attrs, slog.String("clientIP", e.Client.String()))
	}
	for _, a := range []slog.Attr{
		slog.String("subject", e.Subject), slog.String("workflow", e.Workflow),
		slog.String("pointer", bounded(e.Pointer)), slog.String("requestId", e.RequestID),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	l.log.LogAttrs(context.Background(), line.level, line.message, attrs...)
}

func (l *securityLog) flush(kind engine.EventKind) {
	if n := l.samplers[kind].takeDropped(); n > 0 {
		l.log.Warn(fmt.Sprintf("%s: more of these were not logged", lines[kind].message), "dropped", n)
	}
}

// bounded cuts what a caller wrote to a length that a log line can bear.
func bounded(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
