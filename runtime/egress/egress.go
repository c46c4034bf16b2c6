// Package egress makes the requests of the runtime itself. A request goes where
// spec.egress and the rest of the spec allow it, and nowhere else: the host is checked
// by name, then by each address that the name resolves to, and again at every redirect.
// It sees no proxy of the environment.
package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// The bounds of one exchange.
const (
	defaultTimeout   = 10 * time.Second
	handshakeTimeout = 5 * time.Second
	headerTimeout    = 5 * time.Second
	maxHeaderBytes   = 64 << 10
)

// NoTimeout as a timeout leaves the length of an exchange to the context of its request.
// Connecting is bounded all the same.
const NoTimeout time.Duration = -1

// Options say what a Guard lets through.
type Options struct {
	// Rules are the destinations: v1alpha1.EgressRules of the app.
	Rules []v1alpha1.EgressRule
	// Roots are the authorities whose certificates are trusted. Default: the public ones.
	Roots *Roots
	// Timeout bounds an exchange as a whole, redirects and body included. Default: 10 s,
	// and 5 s until the header of a response. NoTimeout leaves both to the context.
	Timeout time.Duration
	// Connections is how many connections to one host there are at most; further requests
	// wait for one. All of them are kept for a while. Default: no maximum, and 4 are kept.
	Connections int
	// Resolve looks the addresses of a name up. Default: as the machine is set up.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial connects to an address that was checked. Default: net.Dialer's DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Guard makes requests to the allowed destinations. It may be used by several
// goroutines at once.
type Guard struct {
	rules       []v1alpha1.EgressRule
	roots       *Roots
	resolve     func(ctx context.Context, host string) ([]netip.Addr, error)
	connect     func(ctx context.Context, network, address string) (net.Conn, error)
	connections int
	patience    time.Duration // until the header of a response; 0: the context's
	client      *http.Client
	plain       *http.Transport

	mu     sync.Mutex
	pool   *x509.CertPool
	secure *http.Transport // trusts pool; nil until the first https request
}

// New returns a Guard. Nothing is looked up, read or parsed yet.
func New(o Options) *Guard {
	g := &Guard{rules: o.Rules, roots: o.Roots, resolve: o.Resolve, connect: o.Dial, connections: o.Connections, patience: headerTimeout}
	if g.resolve == nil {
		g.resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if g.connect == nil {
		g.connect = new(net.Dialer).DialContext
	}
	if g.roots == nil {
		g.roots = new(Roots)
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Timeout == NoTimeout {
		o.Timeout, g.patience = 0, 0
	}
	g.plain = g.transport(nil)
	g.client = g.Follow(g)
	g.client.Timeout = o.Timeout
	return g
}

// Check says whether the URL may be asked for, as far as its text tells: the addresses
// of a name are judged when it is dialled. The error is a *Refused.
func (g *Guard) Check(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return &Refused{Why: "the URL cannot be read"} // the error would show it
	}
	return g.check(u)
}

func (g *Guard) check(u *url.URL) error {
	d, err := destinationOf(u)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(g.rules, func(r v1alpha1.EgressRule) bool { return covers(r, d) }) {
		return &Refused{Host: d.String(), Why: "is not in spec.egress.allow: add it"}
	}
	return nil
}

// Fetch returns the body of a 200 response to GET. A body of more than limit bytes is an
// error, and so is a compressed one.
func (g *Guard) Fetch(ctx context.Context, address string, limit int64) ([]byte, error) {
	if err := g.Check(address); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, &Refused{Why: "the URL cannot be read"}
	}
	resp, err := g.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	host := resp.Request.URL.Host
	switch encoding := resp.Header.Get("Content-Encoding"); {
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answered %d", host, resp.StatusCode)
	case encoding != "" && encoding != "identity":
		return nil, fmt.Errorf("%s sent a compressed body, which was not asked for", host)
	case resp.ContentLength > limit:
		return nil, fmt.Errorf("%s sent a body of %d bytes: at most %d are read", host, resp.ContentLength, limit)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading the body of %s: %w", host, cause(err))
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%s sent a body of more than %d bytes", host, limit)
	}
	return body, nil
}

// Follow returns a client that follows redirects as Do does. It makes each exchange
// through exchange, which makes it through the Guard, and may prove who calls before: see
// Strayed. The context of a request bounds it alone.
func (g *Guard) Follow(exchange http.RoundTripper) *http.Client {
	return &http.Client{Transport: hops{exchange}, CheckRedirect: redirect}
}

// Do makes a request and follows its redirects. An error shows neither path nor query
// nor header. The body of the response has no bound but the time of the exchange.
func (g *Guard) Do(req *http.Request) (*http.Response, error) {
	resp, err := g.client.Do(req)
	if err == nil {
		return resp, nil
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the URL
	}
	return nil, err
}

// RoundTrip implements http.RoundTripper: it makes one exchange, after a look at where it
// goes. A redirect is a response like any other.
func (g *Guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := g.check(req.URL); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	transport := g.plain
	if req.URL.Scheme == "https" {
		transport = g.current()
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, explain(req.URL.Host, err)
	}
	return resp, nil
}

// explain names the host of an exchange that failed, and what to do about a certificate
// that nobody vouches for.
func explain(host string, err error) error {
	if _, ok := errors.AsType[*Refused](err); ok {
		return err
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("asking %s: %w: name a private authority in spec.trust.caBundle", host, err)
	}
	return fmt.Errorf("asking %s: %w", host, cause(err))
}

// current returns the transport for https. It is a new one when other authorities are
// trusted than before, so that no connection outlives its trust by more than the
// requests that are on it.
func (g *Guard) current() *http.Transport {
	pool := g.roots.Pool()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.secure == nil || g.pool != pool {
		if g.secure != nil {
			g.secure.CloseIdleConnections()
		}
		g.pool, g.secure = pool, g.transport(pool)
	}
	return g.secure
}

func (g *Guard) transport(pool *x509.CertPool) *http.Transport {
	t := &http.Transport{
		DialContext:            g.dial,
		TLSClientConfig:        &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    handshakeTimeout,
		ResponseHeaderTimeout:  g.patience,
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxIdleConns:           32,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
		DisableCompression:     true, // nothing is expanded, so nothing can expand without bound
	}
	if g.connections > 0 {
		t.MaxConnsPerHost, t.MaxIdleConnsPerHost, t.MaxIdleConns = g.connections, g.connections, 2*g.connections
	}
	return t
}
