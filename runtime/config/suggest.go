package config

import (
	"fmt"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/spelling"
)

// suggest names the known field that an unknown one was most likely meant to be, or
// lists what is known.
func suggest(name string, known []string) string {
	best, least := "", 1+len(name)/3
	for _, k := range known {
		// A unit is easily forgotten: timeout for timeoutSeconds.
		if len(name) > 2 && strings.HasPrefix(strings.ToLower(k), strings.ToLower(name)) {
			return fmt.Sprintf("did you mean %s?", k)
		}
		if d := spelling.Distance(strings.ToLower(name), strings.ToLower(k)); d <= least && (best == "" || d < least) {
			best, least = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %s?", best)
	case len(known) == 0:
		return "remove it"
	default:
		return "remove it, or write one of " + strings.Join(known, ", ")
	}
}
