// Package auth tells who calls. It knows credentials and principals, and no transport.
package auth

import (
	"slices"
	"strings"
	"time"
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
	// Expired: the right key or a true token, too late.
	Expired Reason = "expired"
	// UntrustedIssuer: a token of an issuer that is not configured.
	UntrustedIssuer Reason = "untrusted_issuer"
	// UnknownKey: a token that names a key which its issuer does not have, or has not
	// for this algorithm.
	UnknownKey Reason = "unknown_key"
	// BadSignature: a token that its issuer has not signed.
	BadSignature Reason = "bad_signature"
	// WrongAudience: a true token that is meant for somebody else.
	WrongAudience Reason = "wrong_audience"
	// NotYetValid: a true token, too early.
	NotYetValid Reason = "not_yet_valid"
	// UnlistedSubject: a true token of a subject that is not in the issuer's list.
	UnlistedSubject Reason = "unlisted_subject"
	// KeysUnavailable: no key of the token's issuer is known, so nothing was found out
	// about the token.
	KeysUnavailable Reason = "keys_unavailable"
	// Busy: too many signatures are verified already, so nothing was found out about
	// the token.
	Busy Reason = "busy"
	// Accepted is no reason to refuse.
	Accepted Reason = ""
)

// Reasons are all reasons to refuse, for metrics.
var Reasons = []Reason{
	Missing, Ambiguous, Malformed, Unknown, Expired,
	UntrustedIssuer, UnknownKey, BadSignature, WrongAudience, NotYetValid, UnlistedSubject,
	KeysUnavailable, Busy,
}

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
	// Subject names the caller wherever callers are told apart: key|CLIENT or
	// jwt|ISSUER|SUB.
	Subject string
	// Name is the client of an API key, or a token's claim sub.
	Name string
	// Issuer of the token; empty for an API key.
	Issuer string
	// Roles the caller has.
	Roles []string
	// Scopes of the token.
	Scopes []string
	// Expires is when the credential does; zero is never.
	Expires time.Time
}

// HasAnyRole says whether the principal has at least one of the roles.
func (p *Principal) HasAnyRole(roles []string) bool { return intersects(p.Roles, roles) }

// HasAnyScope says whether the principal has at least one of the scopes.
func (p *Principal) HasAnyScope(scopes []string) bool { return intersects(p.Scopes, scopes) }

func intersects(have, wanted []string) bool {
	return slices.ContainsFunc(wanted, func(one string) bool { return slices.Contains(have, one) })
}
