package engine

import (
	"context"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// An address that has spent its allowance of refused credentials still gets this many
// tokens verified: enough for honest callers behind it, too few to burn the CPU.
const (
	verificationsPerMinute = 20 * 60
	verificationsAtOnce    = 20
)

// authenticate finds out who calls. A refused credential spends from the client
// address's allowance of failures; once that is spent, refusals are rate limited. A
// valid credential passes all the same, and no credential at all spends nothing. It is
// found out once for each call.
func (e *Engine) authenticate(ctx context.Context, c *Call) error {
	if e.auth.Mode == v1alpha1.AuthDisabled || c.Principal != nil {
		return nil
	}
	token, reason := c.Credentials.Token()
	if reason == auth.Accepted {
		var err error
		if c.Principal, reason, err = e.identify(ctx, c, token); err != nil {
			return err
		}
	}
	c.reason = reason
	switch reason {
	case auth.Accepted:
		return nil
	case auth.Missing:
		return e.refusals[reason]
	case auth.KeysUnavailable, auth.Busy:
		// Nothing was found out about the credential, so nothing is spent.
		return unverified
	default:
		return e.spendFailure(ctx, c)
	}
}

// identify tells whose credential it is. API keys and tokens that were verified a
// moment ago cost next to nothing and are always looked at, so that a stranger behind
// the same address locks nobody out.
func (e *Engine) identify(ctx context.Context, c *Call, token string) (*auth.Principal, auth.Reason, error) {
	if auth.IsKey(token) || e.Tokens == nil {
		if e.Keys == nil {
			return nil, auth.Malformed, nil
		}
		p, reason := e.Keys.Keyring().Authenticate(token, c.Start)
		return p, reason, nil
	}
	if p, ok := e.Tokens.Cached(token, c.Start); ok {
		return p, auth.Accepted, nil
	}
	who := c.Client.Key()
	if e.Failures.Spent(c.Start, who, e.failures[0]) {
		// A Memory never fails.
		if v, _ := e.Local.Take(ctx, c.Start, who, e.verifying); !v.Allowed {
			return nil, "", tooManyFailures(v.RetryAfter, v.Names(e.verifying))
		}
	}
	p, reason := e.Tokens.Verify(ctx, token, c.Start)
	return p, reason, nil
}

// StillAccepted says whether the credential of a call that was accepted would be now:
// replies that take long ask for it. What cannot be found out changes nothing.
func (e *Engine) StillAccepted(ctx context.Context, c *Call, now time.Time) bool {
	if c.Principal == nil {
		return true
	}
	token, _ := c.Credentials.Token()
	p, reason, err := e.identify(ctx, &Call{Client: c.Client, Start: now}, token)
	return err != nil || reason == auth.KeysUnavailable || reason == auth.Busy || reason == auth.Accepted && p.Subject == c.Principal.Subject
}

// spendFailure is the refusal of a credential.
func (e *Engine) spendFailure(ctx context.Context, c *Call) error {
	v, err := e.Failures.Take(ctx, c.Start, c.Client.Key(), e.failures)
	if err != nil {
		return unavailable(err)
	}
	if !v.Allowed {
		return tooManyFailures(v.RetryAfter, v.Names(e.failures))
	}
	return e.refusals[c.reason]
}

func tooManyFailures(after time.Duration, policies []string) error {
	return &fault.Error{
		Code: fault.RateLimited, Detail: "too many refused credentials from this address: wait, and send one that is valid",
		RetryAfter: after, Policies: policies,
	}
}

// unverified is the answer while a token cannot be verified, for want of the issuer's
// keys or of a free place. It is shared, since a flood makes many.
var unverified = &fault.Error{
	Code: fault.Overloaded, Detail: "the token cannot be verified just now: try again shortly", RetryAfter: retrySoon,
}

// refusalsFor say what to do about a missing or refused credential, and nothing about
// which keys, issuers and subjects are known: whatever is wrong with a credential reads
// the same, its form included, since what is looked at first depends on what is known.
// They are shared, since a flood makes many.
func refusalsFor(a v1alpha1.Auth) map[auth.Reason]*fault.Error {
	how := "an API key, as \"Authorization: Bearer KEY\" or \"X-API-Key: KEY\""
	switch {
	case len(a.JWT) > 0 && a.APIKeys != nil:
		how = "a token, as \"Authorization: Bearer TOKEN\", or " + how
	case len(a.JWT) > 0:
		how = "a token, as \"Authorization: Bearer TOKEN\""
	}
	refusal := func(detail string) *fault.Error { return &fault.Error{Code: fault.Unauthenticated, Detail: detail} }
	out := map[auth.Reason]*fault.Error{}
	notAccepted := refusal("the credential is not accepted: send one that is in force, " + how)
	for _, reason := range auth.Reasons {
		out[reason] = notAccepted
	}
	out[auth.Missing] = refusal("send " + how)
	out[auth.Ambiguous] = refusal("send one credential: there are two different ones, or a header stands twice")
	return out
}
