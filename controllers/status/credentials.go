package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

const (
	// warnBefore is how long before its end an API key is told of.
	warnBefore = 14 * 24 * time.Hour
	// namedKeys bounds how many keys a message names.
	namedKeys = 10
)

// APIKeys is what is known of the API keys in force.
type APIKeys struct {
	// Secret holds them.
	Secret string
	// Expires says when those entries end that ever do.
	Expires map[string]time.Time
}

// NextChange is when CredentialsCurrent will say something else by itself; zero when it
// will not.
func (k *APIKeys) NextChange(now time.Time) time.Time {
	var next time.Time
	if k == nil {
		return next
	}
	for _, expires := range k.Expires {
		for _, at := range []time.Time{expires.Add(-warnBefore), expires} {
			if at.After(now) && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	return next
}

// setCredentialsCurrent tells of API keys that end soon, while there is time to hand out
// others: it is present only while the app has API keys. It never gates Ready.
func (s *summary) setCredentialsCurrent() {
	if s.APIKeys == nil {
		meta.RemoveStatusCondition(&s.status.Conditions, v1alpha1.ConditionCredentialsCurrent)
		return
	}
	names := slices.Sorted(maps.Keys(s.APIKeys.Expires))
	slices.SortStableFunc(names, func(a, b string) int { return s.APIKeys.Expires[a].Compare(s.APIKeys.Expires[b]) })
	var findings []string
	for _, name := range names {
		expires := s.APIKeys.Expires[name]
		verb := "expires"
		switch {
		case s.Now.Time.Before(expires.Add(-warnBefore)):
			continue
		case !s.Now.Time.Before(expires):
			verb = "expired"
		}
		findings = append(findings, fmt.Sprintf("entry %q %s at %s", name, verb, expires.UTC().Format(time.RFC3339)))
	}
	if len(findings) == 0 {
		s.set(v1alpha1.ConditionCredentialsCurrent, metav1.ConditionTrue, v1alpha1.ReasonNothingExpires, "no API key ends within 14 days")
		return
	}
	if more := len(findings) - namedKeys; more > 0 {
		findings = append(findings[:namedKeys], fmt.Sprintf("and %d more", more))
	}
	s.set(v1alpha1.ConditionCredentialsCurrent, metav1.ConditionFalse, v1alpha1.ReasonCredentialsExpiring, fmt.Sprintf(
		"Secret %q: %s: make another key for the client with 'nexus keys new --client NAME --secret-name %s', hand it out, and remove the old entry",
		s.APIKeys.Secret, strings.Join(findings, ", "), s.APIKeys.Secret))
}
