package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

// NewRecorder returns a recorder that counts on the metrics and writes to the logger
// of security events.
func NewRecorder(m *Metrics, security *slog.Logger) *Recorder {
	return &Recorder{metrics: m, security: &securityLog{log: security}}
}

// firstTime is true once.
type firstTime struct{ taken atomic.Bool }

func (f *firstTime) claim() bool { return !f.taken.Load() && f.taken.CompareAndSwap(false, true) }

// AnnounceRisks logs what the security guide calls "not recommended", loudly: that
// authentication is disabled outside Development, and every acknowledged risk.
func AnnounceRisks(ctx context.Context, security *slog.Logger, doc config.Document) {
	critical := func(message string, args ...any) {
		security.Log(ctx, LevelCritical, message, args...)
	}
	if doc.Auth.Mode == v1alpha1.AuthDisabled && doc.Environment != v1alpha1.Development {
		critical("SECURITY WARNING: Authentication is DISABLED in the " + strings.ToLower(string(doc.Environment)) +
			" environment! Your API is exposed to unauthorized access. Set spec.auth.mode to Required to secure your API endpoints.")
	}
	for _, risk := range doc.AcknowledgedRisks {
		critical("SECURITY WARNING: this app runs with an acknowledged risk", "risk", risk.Name, "reason", risk.Reason)
	}
}
