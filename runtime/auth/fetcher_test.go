package auth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

func TestUnknownKeyIsFetchedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, v := serving(t)
		start := time.Now()
		a, b := p.signer, tokens.NewEd25519("b")
		verify(t, v, with(a), Accepted) // waits for the first fetch
		p.rotate(a, b)
		pass(9 * time.Second)
		verify(t, v, with(b), UnknownKey) // too early for another one
		pass(time.Second)
		verify(t, v, with(b), Accepted)
		if _, ok := v.Cached(with(a), time.Now()); ok {
			t.Error("what was verified with the old set still counts")
		}
		for range 100 {
			verify(t, v, with(tokens.NewEd25519("c")), UnknownKey)
			verify(t, v, with(tokens.NewEC("a", "ES256")), UnknownKey) // the key is known, and of another kind
		}
		if got := p.times(start); !slices.Equal(got, []int{0, 10}) {
			t.Errorf("fetched after %v seconds", got)
		}
		if time.Since(start) != 10*time.Second {
			t.Errorf("requests waited: %s", time.Since(start))
		}
	})
}

// A token without a key id never asks for keys.
func TestNoKeyIDFetchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, v := serving(t)
		start := time.Now()
		pass(time.Minute)
		verify(t, v, with(tokens.NewEd25519("")), BadSignature)
		verify(t, v, with(tokens.NewEC("", "ES256")), UnknownKey)
		if got := p.times(start); !slices.Equal(got, []int{0}) {
			t.Errorf("fetched after %v seconds", got)
		}
	})
}

func TestWaitingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, v := serving(t)
		pass(time.Minute)
		p.slow(3 * time.Second)
		start := time.Now()
		token := with(tokens.NewEd25519("b"))
		var mu sync.Mutex
		waited := map[time.Duration]int{}
		var running sync.WaitGroup
		for range maxWaiting + 10 {
			running.Go(func() {
				verify(t, v, token, UnknownKey)
				mu.Lock()
				defer mu.Unlock()
				waited[time.Since(start)]++
			})
		}
		running.Wait()
		if waited[0] != 10 || waited[patience] != maxWaiting {
			t.Errorf("requests waited %v", waited)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if v.issuers[0].fetcher.await(ctx) {
			t.Error("a caller that is gone has waited")
		}
		pass(time.Minute)
		if v.issuers[0].fetcher.waiting != 0 {
			t.Error("places among the waiting were not given back")
		}
	})
}

func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, v := serving(t)
		pass(time.Second)
		set := v.issuers[0].usable(time.Now())
		for range 12 {
			pass(5 * time.Minute)
		}
		gets := p.asked()
		if n := len(gets); n < 6 || n > 7 {
			t.Errorf("%d fetches in an hour", n)
		}
		spread := false
		for n := range gets[1:] {
			d := gets[n+1].Sub(gets[n])
			if d <= refreshInterval-refreshJitter || d > refreshInterval {
				t.Errorf("the next fetch after %s", d)
			}
			spread = spread || d != refreshInterval
		}
		if !spread {
			t.Error("every app fetches at the same time")
		}
		if v.issuers[0].usable(time.Now()) != set {
			t.Error("the same keys are another set, so what was verified is forgotten")
		}
		h := v.Health()[0]
		if h.Source != "discovery" || h.Keys != 1 || h.Fetches != uint64(len(gets)) || h.Failures != 0 || h.Stale || h.Problem != "" || !h.LastSuccess.Equal(gets[len(gets)-1]) || h.LastFetch != h.LastSuccess {
			t.Errorf("health %+v", h)
		}
		if told := p.told(); len(told) != len(gets) || told[len(told)-1] != h {
			t.Errorf("told %+v", told)
		}
	})
}

func TestStartsWithoutTheProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, v := serving(t, func(p *provider, _ *v1alpha1.JWTIssuer) { p.fail(errors.New("connection refused")) })
		start := time.Now()
		signer := p.signer
		verify(t, v, with(signer), KeysUnavailable)
		if time.Since(start) != 0 {
			t.Errorf("a request waited %s after the first fetch had failed", time.Since(start))
		}
		h := v.Health()[0]
		if h.Keys != 0 || h.Stale || !h.LastSuccess.IsZero() || h.Failures != 1 || !strings.Contains(h.Problem, "fetching the discovery document: connection refused") {
			t.Errorf("health %+v", h)
		}
		p.set(func() { // the keys are asked for, and only they fail
			p.err = nil
			delete(p.documents, keysURL)
		})
		pass(140 * time.Second)
		if got := p.times(start); !slices.Equal(got, []int{1, 3, 7, 15, 31, 63, 123}) {
			t.Errorf("fetched after %v seconds", got)
		}
		p.rotate(signer)
		verify(t, v, with(signer), Accepted) // a request asks, since it is time
		if got := p.times(start); got[len(got)-1] != 140 {
			t.Errorf("fetched after %v seconds", got)
		}
	})
}

func TestStaleKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, v := serving(t)
		signer := p.signer
		verify(t, v, with(signer), Accepted)
		start := time.Now() // the clock of the bubble stands still meanwhile
		p.fail(errors.New("connection refused"))
		pass(maxAge - time.Second)
		token := with(signer)
		verify(t, v, token, Accepted)
		if _, ok := v.Cached(token, time.Now()); !ok {
			t.Error("a token that was just verified is not in the cache")
		}
		if h := v.Health()[0]; !h.Stale || h.Keys != 1 || !h.LastSuccess.Equal(start) || h.Problem != "fetching the discovery document: connection refused" {
			t.Errorf("health %+v", h)
		}
		pass(time.Second)
		if _, ok := v.Cached(token, time.Now()); ok {
			t.Error("the cache accepts a token with keys that are too old")
		}
		verify(t, v, token, KeysUnavailable)
		if h := v.Health()[0]; h.Stale || h.Keys != 0 || !strings.Contains(h.Problem, "too old to be used: fetching the discovery document: connection refused") {
			t.Errorf("health %+v", h)
		}
		p.fail(nil)
		pass(lastRetry)
		verify(t, v, token, Accepted)
		if h := v.Health()[0]; h.Stale || h.Keys != 1 || h.Problem != "" {
			t.Errorf("health %+v", h)
		}
	})
}

// Retries after a failure begin with ten seconds once there are keys.
func TestRetriesOfARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, v := serving(t, func(_ *provider, j *v1alpha1.JWTIssuer) { j.JWKSURI = keysURL })
		pass(time.Second)
		p.set(func() { p.documents[keysURL] = "<html>" })
		pass(refreshInterval)
		first := p.asked()[1]
		pass(5 * time.Minute)
		got := p.times(first)[1:]
		if want := []int{0, 10, 20, 30, 40, 56, 88, 148}; !slices.Equal(got[:len(want)], want) {
			t.Errorf("retried after %v seconds, want %v", got, want)
		}
		if h := v.Health()[0]; !h.Stale || h.Keys != 1 || h.Problem != `reading the keys: not a JWK set: it must be {"keys": [...]}` {
			t.Errorf("health %+v", h)
		}
		// After a success it begins anew.
		p.rotate(p.signer)
		pass(lastRetry)
		p.fail(errors.New("connection refused"))
		before := len(p.asked())
		pass(refreshInterval + time.Minute) // a refresh is up to a jitter earlier, and is then retried
		gets := p.asked()[before:]
		if d := gets[1].Sub(gets[0]); d > 20*time.Second {
			t.Errorf("retried after %s", d)
		}
	})
}

// An issuer that says that it has no keys has none: they are withdrawn.
func TestEmptySetWithdrawsTheKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, v := serving(t, func(_ *provider, j *v1alpha1.JWTIssuer) { j.JWKSURI = keysURL })
		token := with(p.signer)
		verify(t, v, token, Accepted)
		p.rotate()
		pass(coolDown)
		verify(t, v, with(tokens.NewEd25519("b")), KeysUnavailable)
		if _, ok := v.Cached(token, time.Now()); ok {
			t.Error("a token of a withdrawn key counts")
		}
		if h := v.Health()[0]; h.Keys != 0 || h.Stale || h.Problem != "the issuer's JWK set holds no key that can be used" {
			t.Errorf("health %+v", h)
		}
	})
}

// A provider that never answers is given up, and Run ends while it hangs.
func TestHangingProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, v := serving(t, func(p *provider, _ *v1alpha1.JWTIssuer) { p.slow(time.Hour) })
		verify(t, v, with(p.signer), KeysUnavailable)
		pass(fetchTimeout)
		if h := v.Health()[0]; h.Failures != 1 || !strings.Contains(h.Problem, context.DeadlineExceeded.Error()) {
			t.Errorf("health %+v", h)
		}
		pass(time.Second) // another one hangs when the test ends
	})
}

// Before Run has begun requests wait for it a moment; after it nobody waits.
func TestNoWaitingAfterRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		v, err := NewTokens(TokenOptions{Issuers: withDefaults(v1alpha1.JWTIssuer{Issuer: testIssuer, Audiences: []string{testAudience}}), Fetch: p.fetch})
		if err != nil {
			t.Fatal(err)
		}
		unknown := tokens.NewEd25519("b")
		start := time.Now()
		verify(t, v, with(unknown), KeysUnavailable)
		if time.Since(start) != patience {
			t.Errorf("waited %s for Run to begin", time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		v.Run(ctx)
		pass(time.Minute)
		start = time.Now()
		verify(t, v, with(unknown), UnknownKey)
		if time.Since(start) != 0 || len(p.asked()) != 1 {
			t.Errorf("waited %s after Run, %d fetches", time.Since(start), len(p.asked()))
		}
	})
}

// Run ends after everything that it has started, and not before its context.
func TestRunEndsLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stubborn := func(context.Context, string, int64) ([]byte, error) {
			<-release
			return nil, errors.New("closed")
		}
		for _, issuers := range [][]v1alpha1.JWTIssuer{nil, {{Issuer: testIssuer, Audiences: []string{testAudience}}}} {
			v, err := NewTokens(TokenOptions{Issuers: withDefaults(issuers...), Fetch: stubborn})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				v.Run(ctx)
			}()
			ended := func() bool {
				synctest.Wait()
				select {
				case <-done:
					return true
				default:
					return false
				}
			}
			if ended() {
				t.Error("it ended before its context")
			}
			if cancel(); ended() != (issuers == nil) {
				t.Error("it ended before a fetch that goes on")
			}
			if issuers != nil {
				close(release)
			}
			<-done
		}
	})
}

// TestOneFetchInTenSeconds is the promise to the identity provider: whatever requests
// come in, however it fails and however slow it is, its keys are asked for at most once
// in ten seconds, once they have been read.
func TestOneFetchInTenSeconds(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	synctest.Test(t, func(t *testing.T) {
		p, v := serving(t, func(_ *provider, j *v1alpha1.JWTIssuer) { j.JWKSURI = keysURL })
		pass(time.Second)
		a, b := with(tokens.NewEd25519("unknown")), with(tokens.NewEd25519("other"))
		var running sync.WaitGroup
		for range 3000 {
			switch random.IntN(20) {
			case 0:
				p.fail(errors.New("connection refused"))
			case 1:
				p.fail(nil)
			case 2:
				p.slow(time.Duration(random.IntN(4000)) * time.Millisecond)
			case 3:
				p.slow(0)
			case 4:
				p.rotate(tokens.NewEd25519(fmt.Sprint(random.IntN(10))))
			case 5:
				p.set(func() { p.documents[keysURL] = "<html>" })
			case 6:
				p.rotate()
			default:
				running.Go(func() { v.Verify(t.Context(), a, time.Now()) })
				running.Go(func() { v.Verify(t.Context(), b, time.Now()) })
			}
			pass(time.Duration(random.IntN(2000)) * time.Millisecond)
		}
		running.Wait()
		gets := p.asked()
		for n := range gets[1:] {
			if d := gets[n+1].Sub(gets[n]); d < coolDown {
				t.Errorf("two fetches within %s (seed %d)", d, seed)
			}
		}
		if len(gets) < 100 {
			t.Errorf("%d fetches in %s (seed %d)", len(gets), time.Since(gets[0]), seed)
		}
	})
}
