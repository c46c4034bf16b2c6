package refs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// namedEntries bounds how many broken entries a message names.
const namedEntries = 10

// checkAPIKeys reads every entry of an API key Secret as the runtime will. One usable
// entry is enough to serve; without any, nobody could call. It returns the names of the
// broken entries, never their values.
func checkAPIKeys(reference Reference, data map[string][]byte, now time.Time) ([]string, *Problem) {
	var broken, reasons []string
	usable := 0
	for _, name := range slices.Sorted(maps.Keys(data)) {
		entry, err := v1alpha1.ParseAPIKeyEntry(data[name])
		switch {
		case err != nil:
			broken = append(broken, name)
			reasons = append(reasons, fmt.Sprintf("entry %q: %v", name, err))
		case !entry.Expires.IsZero() && !now.Before(entry.Expires):
			reasons = append(reasons, fmt.Sprintf("entry %q: expired", name))
		default:
			usable++
		}
	}
	if usable > 0 {
		return atMost(broken), nil
	}
	found := "it has no entry"
	if len(reasons) > 0 {
		found = "none of its entries can be used (" + strings.Join(atMost(reasons), "; ") + ")"
	}
	return nil, &Problem{Reference: reference, Reason: v1alpha1.ReasonSecretInvalid,
		Message: fmt.Sprintf("%s: Secret %q has no API key: %s: add one with 'nexus keys new --client NAME --secret-name %s'",
			reference.Path, reference.Secret, found, reference.Secret)}
}

// atMost shortens a list to what a message can hold.
func atMost(list []string) []string {
	if len(list) <= namedEntries {
		return list
	}
	return append(list[:namedEntries:namedEntries], fmt.Sprintf("and %d more", len(list)-namedEntries))
}
