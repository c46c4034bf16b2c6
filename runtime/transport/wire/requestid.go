package wire

import (
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
)

// RequestID believes the header X-Request-Id of a trusted proxy and else makes a new id, so
// that a caller cannot write into the logs or pass as another request.
func RequestID(client limit.Client, header []string) string {
	if client.PeerTrusted && len(header) == 1 && isID(header[0]) {
		return header[0]
	}
	return engine.NewID()
}

func isID(s string) bool {
	const most = 128
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
