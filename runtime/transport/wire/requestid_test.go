package wire

import (
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/limit"
)

// TestRequestID: only a trusted proxy names requests, and only with what a log can hold.
func TestRequestID(t *testing.T) {
	for id, want := range map[string]bool{"abc-123/:x": true, "": false, "a b": false, "a\"b": false, "a\nb": false, "é": false, strings.Repeat("a", 129): false} {
		if got := RequestID(limit.Client{PeerTrusted: true}, []string{id}); (got == id) != want {
			t.Errorf("%q became %q", id, got)
		}
	}
	if RequestID(limit.Client{}, []string{"abc"}) == "abc" || RequestID(limit.Client{PeerTrusted: true}, []string{"a", "b"}) == "a" {
		t.Error("a stranger's id, or one of two, was believed")
	}
}
