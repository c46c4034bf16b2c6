// Package auth tells who calls. It knows credentials and principals, and no transport.
package auth

import (
	"slices"
	"strings"
)

// Reason says why a credential was refused; a metric label, so there are few.
type Reason string

// The reasons.
const (
	// Missing: no credential was presented.
	Missing Reason = "missing"
	// Ambiguous: two different credentials, or a header that stands twice.
	Ambiguous Reason = "ambiguous"
	// Malformed: not of the form of any credential that is accepted.
	Malformed Reason = "malformed"
	// Unknown: an id that no key has, or a wrong secret.
	Unknown Reason = "unknown"
	// Expired: the right key, too late.
	Expired Reason = "expired"
	// Accepted is no reason to refuse.
	Accepted Reason = ""
)

// Reasons are all reasons to refuse, for metrics.
var Reasons = []Reason{Missing, Ambiguous, Malformed, Unknown, Expired}

// Credentials are the headers that may hold a credential, as they came.
type Credentials struct {
	// Authorization holds every value of the header of that name.
	Authorization []string
	// APIKey holds every value of the header X-API-Key.
	APIKey []string
}

const bearer = "Bearer "

// Token returns the one credential that was presented. The same credential in both
// headers is one; two different ones are refused rather than one of them chosen.
func (c Credentials) Token() (string, Reason) {
	if len(c.Authorization) > 1 || len(c.APIKey) > 1 {
		return "", Ambiguous
	}
	if len(c.Authorization) == 0 {
		if len(c.APIKey) == 0 || c.APIKey[0] == "" {
			return "", Missing
		}
		return c.APIKey[0], Accepted
	}
	value := c.Authorization[0]
	if len(value) <= len(bearer) || !strings.EqualFold(value[:len(bearer)], bearer) {
		return "", Malformed
	}
	token := strings.TrimLeft(value[len(bearer):], " ")
	if len(c.APIKey) == 1 && c.APIKey[0] != token {
		return "", Ambiguous
	}
	return token, Accepted
}

// Principal is an authenticated caller. It is immutable and shared.
type Principal struct {
	// Subject names the caller wherever callers are told apart: key|CLIENT.
	Subject string
	// Roles the caller has.
	Roles []string
}

// HasAnyRole says whether the principal has at least one of the roles.
func (p *Principal) HasAnyRole(roles []string) bool {
	return slices.ContainsFunc(roles, func(role string) bool { return slices.Contains(p.Roles, role) })
}
