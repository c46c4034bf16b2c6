package openapi

import (
	"fmt"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/spelling"
)

// maxListed bounds how many names a message lists.
const maxListed = 10

// suggest tells what may have been meant instead of a name.
func suggest(name string, known []string) string {
	best, least := "", 2+len(name)/3
	for _, candidate := range known {
		if d := spelling.Distance(strings.ToLower(name), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) > maxListed:
		return fmt.Sprintf("known are %s and %d more", strings.Join(known[:maxListed], ", "), len(known)-maxListed)
	default:
		return "known are " + strings.Join(known, ", ")
	}
}

// shorten cuts a text of the document that is too long for a message.
func shorten(text string) string {
	if len(text) <= 80 {
		return text
	}
	return strings.ToValidUTF8(text[:80], "") + "..."
}
