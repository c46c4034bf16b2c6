package call

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/openapi"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

const (
	// fetchTimeout bounds one attempt to fetch a document.
	fetchTimeout = 30 * time.Second
	// The pauses between attempts double from the first to the longest.
	firstPause   = time.Second
	longestPause = time.Minute
)

// DocumentSource is an OpenAPI document that has to be fetched.
type DocumentSource struct {
	// URL is the document's endpoint as the definition writes it. With the fragment
	// #sha256=HEX, nothing but the content with that digest is taken.
	URL string
	// Access returns how it is fetched, nil for anonymously. It is asked before each attempt,
	// so that an attempt is made with the secrets of its time, and is nil when there is
	// nothing to ask.
	Access func(context.Context) (*workflow.Authentication, error)
}

// DocumentHealth says whether a document that has to be fetched is there.
type DocumentHealth struct {
	// Name is the document's endpoint as the definition writes it.
	Name   string
	Loaded bool
	// Problem is why the last attempt failed; it is for whoever runs the app, not for
	// callers.
	Problem string
}

// documents are the OpenAPI documents that workflows use.
type documents struct {
	library *openapi.Library
	// pause is how long to wait after a number of failed attempts.
	pause func(failed int) time.Duration

	mu      sync.Mutex
	fetched map[string]*document
}

// newDocuments returns the documents that come with the app, by their names with
// configmap: at the beginning.
func newDocuments(resources map[string]string) documents {
	return documents{library: openapi.NewLibrary(resources), pause: pause, fetched: map[string]*document{}}
}

// pause spreads the attempts of many pods.
func pause(failed int) time.Duration {
	wait := longestPause
	if failed < 8 {
		wait = min(wait, firstPause<<failed)
	}
	return wait/2 + rand.N(wait/2) //nolint:gosec // nothing depends on whether it can be guessed
}

// document is a document that has to be fetched. Once it is there, it stays as it is.
type document struct {
	// access are the ways to fetch it of the definitions that name it, tried in turn.
	access []func(context.Context) (*workflow.Authentication, error)
	// tried is closed after the first attempt, so that calls wait for that one and for
	// no other.
	tried chan struct{}

	mu      sync.Mutex
	content *openapi.Document
	problem error
}

// Load begins to fetch documents, in the background until they are there, the context
// ends or the Caller is closed. Those of an earlier Load are left as they are. A call of
// a document that is not among them fails.
func (c *Caller) Load(ctx context.Context, sources []DocumentSource) {
	d := &c.documents
	d.mu.Lock()
	defer d.mu.Unlock()
	added := map[string]*document{}
	for _, source := range sources {
		if added[source.URL] == nil {
			if d.fetched[source.URL] != nil {
				continue
			}
			added[source.URL] = &document{tried: make(chan struct{})}
			d.fetched[source.URL] = added[source.URL]
		}
		added[source.URL].access = append(added[source.URL].access, source.Access)
	}
	for url, doc := range added {
		started := c.background.start(func(closed context.Context) { //nolint:contextcheck // it ends with either context
			ctx, stop := context.WithCancel(ctx)
			defer stop()
			defer context.AfterFunc(closed, stop)()
			c.fetchUntilThere(ctx, url, doc)
		})
		if !started {
			doc.problem = errClosed
			close(doc.tried)
		}
	}
}

var errClosed = errors.New("the caller is closed")

func (c *Caller) fetchUntilThere(ctx context.Context, url string, doc *document) {
	for failed := 0; ; failed++ {
		content, err := c.attempt(ctx, url, doc.access[failed%len(doc.access)])
		doc.mu.Lock()
		doc.content, doc.problem = content, err
		doc.mu.Unlock()
		if failed == 0 {
			close(doc.tried)
		}
		if err == nil {
			return
		}
		next := time.NewTimer(c.documents.pause(failed))
		select {
		case <-next.C:
		case <-ctx.Done():
			next.Stop()
			return
		}
	}
}

// attempt is fetch with the access of now.
func (c *Caller) attempt(ctx context.Context, url string, access func(context.Context) (*workflow.Authentication, error)) (*openapi.Document, error) {
	if access == nil {
		return c.fetch(ctx, url, nil)
	}
	current, err := access(ctx)
	if err != nil {
		// Its cause may quote what was read of secrets.
		return nil, fmt.Errorf("finding out how it is fetched: %s", err) //nolint:errorlint // so the cause stays out
	}
	return c.fetch(ctx, url, current)
}

// fetch makes one attempt. The error is for the log, but for a *workflow.Error that is a
// matter of configuration.
func (c *Caller) fetch(ctx context.Context, url string, access *workflow.Authentication) (*openapi.Document, error) {
	address, digest, err := openapi.Pin(url)
	if err != nil {
		return nil, workflow.NewError(workflow.ConfigurationError, nil, "%v", err)
	}
	ctx, stop := context.WithTimeout(ctx, fetchTimeout)
	defer stop()
	resp, err := c.HTTP(ctx, &workflow.HTTPRequest{Method: http.MethodGet, URL: address, Redirect: true, Authentication: access})
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusOK {
		return nil, fmt.Errorf("its server answered with status %d", resp.Status)
	}
	if sum := sha256.Sum256(resp.Body); digest != "" && digest != hex.EncodeToString(sum[:]) {
		return nil, workflow.NewError(workflow.ConfigurationError, fmt.Errorf("the digest is %x", sum), "its OpenAPI document has changed: the definition pins another content with #sha256")
	}
	return openapi.Parse(resp.Body)
}

// Documents tells of each document that has to be fetched, in alphabetical order.
func (c *Caller) Documents() []DocumentHealth {
	d := &c.documents
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []DocumentHealth
	for _, name := range slices.Sorted(maps.Keys(d.fetched)) {
		doc := d.fetched[name]
		doc.mu.Lock()
		health := DocumentHealth{Name: name, Loaded: doc.content != nil}
		if doc.problem != nil {
			health.Problem = doc.problem.Error()
			if cause := errors.Unwrap(doc.problem); cause != nil {
				health.Problem += ": " + cause.Error()
			}
		}
		doc.mu.Unlock()
		list = append(list, health)
	}
	return list
}

// named returns a document and the URL that its own relative ones start from, which is
// empty when it comes with the app.
func (d *documents) named(ctx context.Context, name string) (*openapi.Document, string, error) {
	if !openapi.IsURL(name) {
		doc, err := d.library.Document(name)
		if err != nil {
			err = workflow.NewError(workflow.ConfigurationError, err, "its OpenAPI document is not there or cannot be read")
		}
		return doc, "", err
	}
	d.mu.Lock()
	doc := d.fetched[name]
	d.mu.Unlock()
	if doc == nil {
		return nil, "", workflow.NewError(workflow.ConfigurationError, nil, "its OpenAPI document is none that the app fetches")
	}
	select {
	case <-doc.tried:
	case <-ctx.Done():
		return nil, "", fmt.Errorf("waiting for the OpenAPI document: %w", ctx.Err())
	}
	doc.mu.Lock()
	defer doc.mu.Unlock()
	if doc.content != nil {
		address, _, err := openapi.Pin(name)
		return doc.content, address, err
	}
	if known, ok := errors.AsType[*workflow.Error](doc.problem); ok && known.IsKind(workflow.ConfigurationError) {
		return nil, "", known
	}
	out := workflow.NewError(workflow.CommunicationError, forLog(doc.problem), "its OpenAPI document is not there yet")
	out.Status = http.StatusServiceUnavailable
	return nil, "", out
}
