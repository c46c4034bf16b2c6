package wire

import (
	"net/http"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// TestStatuses: every code of the table has a status and a title.
func TestStatuses(t *testing.T) {
	for _, code := range []fault.Code{
		fault.Unauthenticated, fault.Forbidden, fault.WorkflowNotFound, fault.InvalidInput, fault.SchemaViolation, fault.BodyTooLarge,
		fault.RateLimited, fault.Overloaded, fault.Timeout, fault.WorkflowFailed, fault.Internal, fault.NotFound, fault.MethodNotAllowed, fault.NotAcceptable, fault.UnsupportedMedia,
		fault.IdempotencyConflict, fault.IdempotencyMismatch,
	} {
		if http.StatusText(Status(code, 0)) == "" || Title(code) == "" {
			t.Errorf("%s has status %d and title %q", code, Status(code, 0), Title(code))
		}
	}
}
