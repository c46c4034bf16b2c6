package refs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

const (
	// namedEntries bounds how many entries a message names.
	namedEntries = 10
	// rememberedExpiries bounds how many dates are remembered. Those that come next are:
	// the later ones matter once the Secret has been cleared of these.
	rememberedExpiries = 50
)

// checkAPIKeys reads every entry of an API key Secret as the runtime will. One usable
// entry is enough to serve; without any, nobody could call. The names of the broken
// entries are remembered, never their values.
func (r *Record) checkAPIKeys(reference Reference, data map[string][]byte, now time.Time) error {
	var broken, reasons []string
	expires := map[string]time.Time{}
	usable := 0
	for _, name := range slices.Sorted(maps.Keys(data)) {
		entry, err := v1alpha1.ParseAPIKeyEntry(data[name])
		if err == nil && !entry.Expires.IsZero() {
			expires[name] = entry.Expires.UTC().Truncate(time.Second)
		}
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
		r.Broken, r.Expires = atMost(broken), soonest(expires)
		return nil
	}
	found := "it has no entry"
	if len(reasons) > 0 {
		found = "none of its entries can be used (" + strings.Join(atMost(reasons), "; ") + ")"
	}
	return fmt.Errorf("%s.name: Secret %q has no API key: %s: add one with 'nexus keys new --client NAME --secret-name %s'",
		reference.Field, reference.Secret, found, reference.Secret)
}

// soonest keeps the dates that come next.
func soonest(expires map[string]time.Time) map[string]time.Time {
	names := slices.Sorted(maps.Keys(expires))
	slices.SortStableFunc(names, func(a, b string) int { return expires[a].Compare(expires[b]) })
	for _, name := range names[min(len(names), rememberedExpiries):] {
		delete(expires, name)
	}
	return expires
}

// atMost shortens a list to what a message can hold.
func atMost(list []string) []string {
	if len(list) <= namedEntries {
		return list
	}
	return append(list[:namedEntries:namedEntries], fmt.Sprintf("and %d more", len(list)-namedEntries))
}
