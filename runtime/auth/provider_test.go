package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/jwk"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

const keysURL = testIssuer + "/keys"

// provider is an identity provider in a bubble, whose clock it uses.
type provider struct {
	// signer has the first key, called a.
	signer *tokens.Signer

	mu        sync.Mutex
	documents map[string]string
	err       error
	takes     time.Duration
	// gets are the times at which the keys were asked for.
	gets   []time.Time
	health []IssuerHealth
}

func newProvider() *provider {
	p := &provider{signer: tokens.NewEd25519("a"), documents: map[string]string{
		testIssuer + "/.well-known/openid-configuration": fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, testIssuer, keysURL),
	}}
	p.rotate(p.signer)
	return p
}

func (p *provider) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *provider) rotate(signers ...*tokens.Signer) {
	p.set(func() { p.documents[keysURL] = string(tokens.Set(signers...)) })
}

func (p *provider) fail(err error) { p.set(func() { p.err = err }) }

func (p *provider) slow(d time.Duration) { p.set(func() { p.takes = d }) }

func (p *provider) fetch(ctx context.Context, url string, most int64) ([]byte, error) {
	p.mu.Lock()
	if url == keysURL {
		p.gets = append(p.gets, time.Now())
	}
	takes := p.takes
	p.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	document, found := p.documents[url]
	switch {
	case p.err != nil:
		return nil, p.err
	case !found || most != jwk.MaxBytes:
		return nil, errors.New("the status is 404")
	}
	return []byte(document), nil
}

// asked returns the times at which the keys were asked for.
func (p *provider) asked() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.gets)
}

// times are when the keys were asked for, since the start, in seconds.
func (p *provider) times(start time.Time) []int {
	var out []int
	for _, at := range p.asked() {
		out = append(out, int(at.Sub(start)/time.Second))
	}
	return out
}

// told returns the health that was notified since the last call.
func (p *provider) told() []IssuerHealth {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.health
	p.health = nil
	return h
}

// serving starts a provider and the tokens of its issuer in a bubble. When the bubble
// ends nothing may be left of Run.
func serving(t *testing.T, change ...func(*provider, *v1alpha1.JWTIssuer)) (*provider, *Tokens) {
	t.Helper()
	config := v1alpha1.JWTIssuer{Issuer: testIssuer, Audiences: []string{testAudience}}
	p := newProvider()
	for _, c := range change {
		c(p, &config)
	}
	v, err := NewTokens(TokenOptions{
		Issuers: withDefaults(config), Fetch: p.fetch,
		Notify: func(h IssuerHealth) { p.set(func() { p.health = append(p.health, h) }) },
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.Run(t.Context())
	}()
	t.Cleanup(func() { <-done })
	return p, v
}

// pass lets time pass in the bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// with is a token of a signer that is valid now.
func with(signer *tokens.Signer) string {
	return signer.Sign(tokens.Claims(testIssuer, testAudience, "alice", time.Now()))
}

func verify(t *testing.T, v *Tokens, token string, want Reason) {
	t.Helper()
	if _, reason := v.Verify(t.Context(), token, time.Now()); reason != want {
		t.Errorf("got %q, want %q", reason, want)
	}
}
