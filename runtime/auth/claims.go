package auth

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// leeway is how far the issuer's clock may be from ours.
	leeway = 30 * time.Second
	// maxDate is the last second of the year 9999; nothing later is a date.
	maxDate = 253402300799

	maxSubjectBytes = 512
	// maxNames and maxNameBytes bound the roles, and the scopes, that count.
	maxNames     = 256
	maxNameBytes = 128
)

// principal tells who the subject of verified claims is. The reasons come in the order
// of the checks: form, audience, time, subject.
func (i *issuer) principal(claims map[string]any, now time.Time) (*Principal, Reason) {
	audiences, ok := audiencesOf(claims["aud"])
	if !ok {
		return nil, Malformed
	}
	if !slices.ContainsFunc(audiences, func(a string) bool { return slices.Contains(i.config.Audiences, a) }) {
		return nil, WrongAudience
	}
	expires, reason := checkDates(claims, now)
	if reason != Accepted {
		return nil, reason
	}
	sub, ok := claims["sub"].(string)
	if !ok || !usableSubject(sub) {
		return nil, Malformed
	}
	roles := names(find(claims, i.config.RolesClaim), false)
	if i.subjects != nil {
		granted, listed := i.subjects[sub]
		if !listed {
			return nil, UnlistedSubject
		}
		roles = append(roles, granted...)
	}
	return &Principal{
		Subject: "jwt|" + i.name + "|" + sub,
		Name:    sub,
		Issuer:  i.name,
		Roles:   roles,
		Scopes:  names(find(claims, i.config.ScopesClaim), true),
		Expires: expires,
	}, Accepted
}

// audiencesOf reads the claim aud: a string, or a list of strings.
func audiencesOf(claim any) ([]string, bool) {
	switch v := claim.(type) {
	case string:
		return []string{v}, true
	case []any:
		out := make([]string, 0, len(v))
		for _, one := range v {
			text, ok := one.(string)
			if !ok {
				return nil, false
			}
			out = append(out, text)
		}
		return out, true
	default:
		return nil, false
	}
}

// checkDates compares the claims exp, nbf and iat with the clock. Only exp is required.
func checkDates(claims map[string]any, now time.Time) (expires time.Time, reason Reason) {
	expires, ok := dateOf(claims["exp"])
	if !ok {
		return time.Time{}, Malformed
	}
	if !now.Before(expires.Add(leeway)) {
		return time.Time{}, Expired
	}
	for _, name := range []string{"nbf", "iat"} {
		claim, present := claims[name]
		if !present {
			continue
		}
		date, ok := dateOf(claim)
		if !ok {
			return time.Time{}, Malformed
		}
		if now.Before(date.Add(-leeway)) {
			return time.Time{}, NotYetValid
		}
	}
	return expires, Accepted
}

// dateOf reads seconds since 1970, which may have a fraction.
func dateOf(claim any) (time.Time, bool) {
	number, ok := claim.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := number.Float64()
	if err != nil || seconds < 0 || seconds > maxDate {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))), true
}

// usableSubject says whether a claim sub can be told apart from any other, in a log
// line too. A replacement character may stand for anything.
func usableSubject(sub string) bool {
	return sub != "" && len(sub) <= maxSubjectBytes &&
		!strings.ContainsFunc(sub, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError })
}

// find returns the claim of exactly this name, or else what the name is a dotted path
// to.
func find(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	var v any = claims
	for step := range strings.SplitSeq(name, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[step]
	}
	return v
}

// names reads roles or scopes: a list, of which only strings count, or one string, which
// may be several with spaces between them.
func names(claim any, spaced bool) []string {
	var all []string
	switch v := claim.(type) {
	case string:
		all = []string{v}
		if spaced {
			all = strings.Fields(v)
		}
	case []any:
		for _, one := range v {
			if text, ok := one.(string); ok {
				all = append(all, text)
			}
		}
	}
	all = slices.DeleteFunc(all, func(s string) bool { return s == "" || len(s) > maxNameBytes })
	return all[:min(len(all), maxNames)]
}
