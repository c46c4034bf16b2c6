// Package telemetry tells people what the runtime does: metrics, logs, and the
// security log.
package telemetry

import (
	"io"
	"log/slog"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// LevelCritical is above every other level: a control that the security guide asks
// for is off.
const LevelCritical = slog.Level(12)

// SecurityLogger is the name of the logger of security events, as in the guide.
const SecurityLogger = "nexus.security"

var levels = map[v1alpha1.LogLevel]slog.Level{
	v1alpha1.LogDebug: slog.LevelDebug, v1alpha1.LogInfo: slog.LevelInfo,
	v1alpha1.LogWarn: slog.LevelWarn, v1alpha1.LogError: slog.LevelError,
}

// NewLoggers returns the logger of a document and that of its security events, which
// are logged whatever the level is.
func NewLoggers(w io.Writer, logging v1alpha1.Logging) (log, security *slog.Logger) {
	level := levels[logging.Level]
	return slog.New(newHandler(w, logging.Format, level)),
		slog.New(newHandler(w, logging.Format, slog.LevelDebug)).With("logger", SecurityLogger)
}

func newHandler(w io.Writer, format v1alpha1.LogFormat, level slog.Level) slog.Handler {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: nameLevel}
	if format == v1alpha1.LogText {
		return slog.NewTextHandler(w, options)
	}
	return slog.NewJSONHandler(w, options)
}

// nameLevel writes levels as the guide does: WARNING and CRITICAL.
func nameLevel(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 || a.Key != slog.LevelKey {
		return a
	}
	switch level, _ := a.Value.Any().(slog.Level); {
	case level >= LevelCritical:
		return slog.String(a.Key, "CRITICAL")
	case level == slog.LevelWarn:
		return slog.String(a.Key, "WARNING")
	}
	return a
}
