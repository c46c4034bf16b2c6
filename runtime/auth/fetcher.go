package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/jwk"
)

const (
	// refreshInterval is how often keys are fetched although nobody asks.
	refreshInterval = 10 * time.Minute
	// refreshJitter keeps the pods of an app, and the apps, from fetching all at once.
	refreshJitter = time.Minute
	// coolDown is the least time between two fetches, once there are keys.
	coolDown = 10 * time.Second
	// firstRetry is doubled with each failure in a row, up to lastRetry.
	firstRetry = time.Second
	lastRetry  = time.Minute
	// fetchTimeout bounds one GET.
	fetchTimeout = 5 * time.Second

	// patience is how long a request waits for a fetch, and maxWaiting how many may.
	patience   = 2 * time.Second
	maxWaiting = 64
)

// Fetch gets a URL through the guarded client: 200 only, at most so many bytes.
type Fetch func(ctx context.Context, url string, most int64) ([]byte, error)

// fetcher fetches the keys of one issuer, in one goroutine: at start, every ten minutes,
// again after a failure, and when a request asks because a token names a key that is not
// known. A request never fetches, so a flood of such tokens is one fetch in ten seconds.
type fetcher struct {
	fetch  Fetch
	config v1alpha1.JWTIssuer

	mu sync.Mutex
	// next is closed at the end of the fetch that is under way or was asked for; nil
	// when there is none.
	next chan struct{}
	// free is when requests may ask for another fetch; zero when nobody would do it.
	free    time.Time
	waiting int
	// asked wakes the goroutine.
	asked chan struct{}
}

func newFetcher(fetch Fetch, config v1alpha1.JWTIssuer) *fetcher {
	// The first fetch is as good as asked for, so the first requests wait for it.
	return &fetcher{fetch: fetch, config: config, asked: make(chan struct{}, 1), next: make(chan struct{})}
}

// run fetches until the context ends. Each result is handed to took, before the requests
// that wait for it go on.
func (f *fetcher) run(ctx context.Context, took func(*jwk.Set, jwk.Notes, error)) {
	defer f.stop()
	failures, started := 0, false
	for ctx.Err() == nil {
		f.begin()
		set, skipped, err := f.get(ctx)
		if ctx.Err() != nil {
			return
		}
		took(set, skipped, err)
		f.end()
		wait := refreshInterval - rand.N(refreshJitter) //nolint:gosec // nobody gains by guessing it
		if err == nil {
			failures, started = 0, true
		} else {
			wait = min(firstRetry<<min(failures, 10), lastRetry)
			failures++
		}
		if started {
			wait = max(wait, coolDown)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-f.asked:
		}
		timer.Stop()
	}
}

// begin says that a fetch is under way, which answers whoever asked for one.
func (f *fetcher) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = make(chan struct{})
	}
	select {
	case <-f.asked:
	default:
	}
}

// end lets the waiting requests go on. The time until the next fetch is counted from the
// end of this one, so that the issuer's server never sees two closer together.
func (f *fetcher) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.next)
	f.next, f.free = nil, time.Now().Add(coolDown)
}

// stop sends the waiting requests away.
func (f *fetcher) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next != nil {
		close(f.next)
	}
	f.next, f.free = nil, time.Time{}
}

// await waits for the fetch that is under way or, when the time has come for one, asks
// for it. It says whether a fetch has ended; it has not when it is too early for one, too
// many wait already, or it takes too long.
func (f *fetcher) await(ctx context.Context) bool {
	ended := f.ask()
	if ended == nil {
		return false
	}
	defer func() {
		f.mu.Lock()
		f.waiting--
		f.mu.Unlock()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// ask takes a place among the waiting; nil when there is none, or nothing to wait for.
func (f *fetcher) ask() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting == maxWaiting {
		return nil
	}
	if f.next == nil {
		if f.free.IsZero() || time.Now().Before(f.free) {
			return nil
		}
		f.next = make(chan struct{})
		f.asked <- struct{}{} // never blocks: begin has taken the one before
	}
	f.waiting++
	return f.next
}

// get fetches the keys, and before that where they are, unless that is configured.
func (f *fetcher) get(ctx context.Context) (*jwk.Set, jwk.Notes, error) {
	address := f.config.JWKSURI
	if address == "" {
		var err error
		if address, err = f.discover(ctx); err != nil {
			return nil, nil, err
		}
	}
	raw, err := f.once(ctx, address)
	if err != nil {
		return nil, nil, fmt.Errorf("fetching the keys: %w", err)
	}
	set, skipped, err := jwk.ParseSet(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the keys: %w", err)
	}
	return set, skipped, nil
}

// discover finds the address of the keys in the issuer's discovery document (OpenID
// Connect Discovery 1.0, section 4), which must be about that very issuer.
func (f *fetcher) discover(ctx context.Context) (string, error) {
	raw, err := f.once(ctx, f.config.FetchURL())
	if err != nil {
		return "", fmt.Errorf("fetching the discovery document: %w", err)
	}
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if json.Unmarshal(raw, &document) != nil {
		return "", errors.New("the discovery document is no JSON object with the strings issuer and jwks_uri")
	}
	if document.Issuer != f.config.Issuer {
		return "", fmt.Errorf("the discovery document is of the issuer %q: write the issuer exactly like that, if it is the right one", bounded(document.Issuer))
	}
	u, err := url.Parse(document.JWKSURI)
	if err != nil || u.Host == "" || u.User != nil {
		return "", errors.New("jwks_uri in the discovery document is no URL")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !strings.HasPrefix(f.config.Issuer, "http://")) {
		return "", errors.New("jwks_uri in the discovery document is not https, and keys that are fetched without could be anybody's")
	}
	return document.JWKSURI, nil
}

// once gets a URL. The error does not hold it, since a query may be confidential.
func (f *fetcher) once(ctx context.Context, address string) ([]byte, error) {
	bounded, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	raw, err := f.fetch(bounded, address, jwk.MaxBytes)
	if inner, ok := errors.AsType[*url.Error](err); ok {
		return nil, inner.Err
	}
	return raw, err
}
