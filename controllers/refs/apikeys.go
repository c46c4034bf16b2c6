package refs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// namedEntries bounds how many broken entries a message names.
const namedEntries = 10

// checkAPIKeys reads every entry of an API key Secret as the runtime will. One usable
// entry is enough to serve; without any, nobody could call. It returns the names of the
// broken entries, never their values.
func checkAPIKeys(reference Reference, data map[string][]byte) ([]string, *Problem) {
	var broken, reasons []string
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if _, err := v1alpha1.ParseAPIKeyEntry(data[name]); err != nil {
			broken = append(broken, name)
			reasons = append(reasons, fmt.Sprintf("entry %q: %v", name, err))
		}
	}
	if len(broken) < len(data) {
		if len(broken) > namedEntries {
			broken = append(broken[:namedEntries], fmt.Sprintf("and %d more", len(broken)-namedEntries))
		}
		return broken, nil
	}
	found := "it has no entry"
	if len(reasons) > namedEntries {
		reasons = append(reasons[:namedEntries], fmt.Sprintf("and %d more", len(reasons)-namedEntries))
	}
	if len(reasons) > 0 {
		found = "none of its entries can be used (" + strings.Join(reasons, "; ") + ")"
	}
	return nil, &Problem{Reference: reference, Reason: v1alpha1.ReasonSecretInvalid,
		Message: fmt.Sprintf("%s: Secret %q has no API key: %s: add one with 'nexus keys new --client NAME'", reference.Path, reference.Secret, found)}
}
