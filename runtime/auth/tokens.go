package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/jwk"
)

// TokenOptions are what verifying tokens takes.
type TokenOptions struct {
	// Issuers are those whose tokens are accepted, with their defaults.
	Issuers []v1alpha1.JWTIssuer
	// SecretsDir holds SECRET/KEY for each entry that an issuer names.
	SecretsDir string
	// Cluster is needed for the issuer 'kubernetes'.
	Cluster *ClusterKeys
	// Fetch gets the keys of remote issuers.
	Fetch Fetch
	// Now is the clock; nil is the real one.
	Now func() time.Time
	// Notify is told whenever the health of an issuer changed, which every fetch does;
	// one call at a time. It may be nil.
	Notify func(IssuerHealth)
}

// ClusterKeys are the issuer and the public keys of the cluster's own tokens.
type ClusterKeys struct {
	// Issuer is the claim iss of the cluster's tokens.
	Issuer string
	// Keys is a JWK set.
	Keys []byte
}

// Tokens verifies JSON Web Tokens. It is safe for concurrent use.
type Tokens struct {
	now      func() time.Time
	notify   func(IssuerHealth)
	telling  sync.Mutex
	issuers  []*issuer
	byName   map[string]*issuer
	verified *verifiedTokens
	slots    slots
}

// NewTokens reads the keys that are in files and in the configuration; those of remote
// issuers are fetched by Run. The error has one line for each issuer whose keys cannot be
// used.
func NewTokens(o TokenOptions) (*Tokens, error) {
	t := &Tokens{
		now: o.Now, notify: o.Notify,
		byName:   make(map[string]*issuer, len(o.Issuers)),
		verified: newVerifiedTokens(),
		slots:    make(slots, max(1, runtime.GOMAXPROCS(0)/2)),
	}
	if t.now == nil {
		t.now = time.Now
	}
	if t.notify == nil {
		t.notify = func(IssuerHealth) {}
	}
	var problems []error
	for n, config := range o.Issuers {
		i := newIssuer(config)
		field, err := i.open(o, t.now())
		if err == nil {
			field, err = "issuer", t.add(i)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("spec.auth.jwt[%d].%s: %w", n, field, err))
		}
	}
	return t, errors.Join(problems...)
}

// add takes in an issuer whose subjects cannot be mistaken for those of another one.
func (t *Tokens) add(i *issuer) error {
	for _, other := range t.issuers {
		if strings.HasPrefix(i.name+"|", other.name+"|") || strings.HasPrefix(other.name+"|", i.name+"|") {
			return fmt.Errorf("the issuer %q cannot be told from the issuer %q: keep one of the two", i.name, other.name)
		}
	}
	t.issuers = append(t.issuers, i)
	t.byName[i.name] = i
	return nil
}

// Run keeps the keys of all issuers in step with where they come from, until the context
// ends.
func (t *Tokens) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, i := range t.issuers {
		if i.fetcher != nil {
			running.Go(func() {
				i.fetcher.run(ctx, func(set *jwk.Set, skipped jwk.Notes, err error) { t.took(i, set, skipped, err) })
			})
		}
	}
	running.Go(func() { t.followFiles(ctx) })
	<-ctx.Done()
	running.Wait()
}

// Health returns the health of every issuer, in the order of the configuration.
func (t *Tokens) Health() []IssuerHealth {
	out := make([]IssuerHealth, 0, len(t.issuers))
	for _, i := range t.issuers {
		out = append(out, i.report(t.now()))
	}
	return out
}

// Cached returns the principal of a token that was verified a moment ago. A token that is
// used shortly before it is forgotten is verified again by one of its callers, without
// waiting for a place: who calls all the time never has to queue with strangers.
func (t *Tokens) Cached(token string, now time.Time) (*Principal, bool) {
	if len(token) > maxTokenLength {
		return nil, false
	}
	v := t.verified.get(token)
	if v == nil || !v.counts(now) {
		return nil, false
	}
	if !v.due(now) {
		return v.principal, true
	}
	p, reason := t.renew(token, v.issuer, now)
	return p, reason == Accepted
}

// renew verifies a token again that was verified with the keys of this issuer.
func (t *Tokens) renew(token string, i *issuer, now time.Time) (*Principal, Reason) {
	u, ok := parseToken(token)
	if !ok {
		return nil, Malformed
	}
	set := i.usable(now)
	p, reason := t.conclude(u, token, i, set, set.Candidates(u.alg, u.kid), now)
	if reason != Accepted {
		t.verified.drop(token)
	}
	return p, reason
}

// Verify verifies a token: a glance at the id of its key, its form, its issuer, its
// algorithm, its key, its signature, its claims and its subject, in this order. No
// cryptography is done for a token that names an issuer or a key that is not known.
func (t *Tokens) Verify(ctx context.Context, token string, now time.Time) (*Principal, Reason) {
	if t.hopeless(token, now) {
		return nil, UnknownKey
	}
	u, ok := parseToken(token)
	if !ok {
		return nil, Malformed
	}
	name, ok := u.claims["iss"].(string)
	if !ok {
		return nil, Malformed
	}
	i, trusted := t.byName[name]
	if !trusted {
		return nil, UntrustedIssuer
	}
	if !slices.Contains(i.config.Algorithms, u.alg) {
		return nil, Malformed
	}
	set, keys, reason := i.find(ctx, u, now)
	if reason != Accepted {
		return nil, reason
	}
	if !t.slots.take(ctx) {
		return nil, Busy
	}
	defer t.slots.release()
	if v := t.verified.get(token); v != nil && v.counts(now) {
		return v.principal, Accepted // another call with the same token was first
	}
	return t.conclude(u, token, i, set, keys, now)
}

// find returns the keys that may have signed a token, and the set they are from. When
// there are none, keys that the issuer may have now are awaited for a moment.
func (i *issuer) find(ctx context.Context, u *unverified, now time.Time) (*jwk.Set, []*jwk.Key, Reason) {
	set := i.usable(now)
	keys := set.Candidates(u.alg, u.kid)
	if len(keys) == 0 && i.fetcher != nil && (set.Len() == 0 || u.kid != "" && !set.Has(u.kid)) && i.fetcher.await(ctx) {
		set = i.usable(now)
		keys = set.Candidates(u.alg, u.kid)
	}
	switch {
	case set.Len() == 0:
		return nil, nil, KeysUnavailable
	case len(keys) == 0:
		return nil, nil, UnknownKey
	default:
		return set, keys, Accepted
	}
}

// conclude verifies the signature with any of the keys, and the claims; it remembers a
// token that is accepted.
func (t *Tokens) conclude(u *unverified, token string, i *issuer, set *jwk.Set, keys []*jwk.Key, now time.Time) (*Principal, Reason) {
	if !slices.ContainsFunc(keys, func(k *jwk.Key) bool { return k.Verify(u.alg, u.signed, u.signature) }) {
		return nil, BadSignature
	}
	p, reason := i.principal(u.claims, now)
	if reason != Accepted {
		return nil, reason
	}
	until := now.Add(remembered)
	if p.Expires.Before(until) {
		until = p.Expires
	}
	if now.Before(until) {
		t.verified.put(token, &verified{principal: p, issuer: i, set: set, until: until})
	}
	return p, Accepted
}
