package tokens

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// Paths of the issuer.
const (
	discoveryPath = "/.well-known/openid-configuration"
	jwksPath      = "/keys"
)

// Issuer is an OpenID Connect issuer on the loopback interface, as far as verifying its
// tokens goes: a discovery document and a JWK set.
type Issuer struct {
	// URL is the issuer's name and where it is.
	URL string

	server *httptest.Server
	closed chan struct{}

	mu          sync.Mutex
	signers     []*Signer
	answer      func(http.ResponseWriter, *http.Request) // instead of the documents
	discoveries int
	fetches     int
}

// NewIssuer serves plain HTTP. Close it.
func NewIssuer(signers ...*Signer) *Issuer { return newIssuer((*httptest.Server).Start, signers) }

// NewTLSIssuer serves HTTPS, with a certificate of CA. Close it.
func NewTLSIssuer(signers ...*Signer) *Issuer { return newIssuer((*httptest.Server).StartTLS, signers) }

func newIssuer(start func(*httptest.Server), signers []*Signer) *Issuer {
	i := &Issuer{signers: signers, closed: make(chan struct{})}
	i.server = httptest.NewUnstartedServer(http.HandlerFunc(i.serve))
	start(i.server)
	i.URL = i.server.URL
	return i
}

// Close ends the server, and the requests that hang.
func (i *Issuer) Close() {
	close(i.closed)
	i.server.Close()
}

// CA is the authority of the server's certificate in PEM; empty without TLS.
func (i *Issuer) CA() []byte {
	if i.server.Certificate() == nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw})
}

// Pool holds CA.
func (i *Issuer) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(i.CA())
	return pool
}

// JWKSURI is where the keys are.
func (i *Issuer) JWKSURI() string { return i.URL + jwksPath }

// Claims are those of a token of this issuer that is valid for five minutes.
func (i *Issuer) Claims(audience, subject string) map[string]any {
	return Claims(i.URL, audience, subject, time.Now())
}

// Discoveries counts the requests for the discovery document,
// whatever was answered.
func (i *Issuer) Discoveries() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.discoveries
}

// Fetches counts the requests for the keys.
func (i *Issuer) Fetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// Rotate replaces the keys.
func (i *Issuer) Rotate(signers ...*Signer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.signers = signers
}

// Fail has every request answered with a status.
func (i *Issuer) Fail(status int) {
	i.answerWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

// Garbage has every request answered with 200 and a text that is no document.
func (i *Issuer) Garbage() {
	i.answerWith(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>It works!</html>") })
}

// Hang has every request answered never.
func (i *Issuer) Hang() {
	i.answerWith(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-i.closed:
		}
	})
}

// Recover ends Fail, Garbage and Hang.
func (i *Issuer) Recover() { i.answerWith(nil) }

func (i *Issuer) answerWith(answer func(http.ResponseWriter, *http.Request)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	answer, set := i.answer, Set(i.signers...)
	switch r.URL.Path {
	case discoveryPath:
		i.discoveries++
	case jwksPath:
		i.fetches++
	}
	i.mu.Unlock()
	switch {
	case answer != nil:
		answer(w, r)
	case r.URL.Path == discoveryPath:
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL, "jwks_uri": i.JWKSURI()})
	case r.URL.Path == jwksPath:
		_, _ = w.Write(set)
	default:
		http.NotFound(w, r)
	}
}

// Get fetches a URL of this issuer: what verifying tokens needs, without a guard.
func (i *Issuer) Get(ctx context.Context, url string, most int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := i.server.Client().Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s", response.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	if err == nil && int64(len(raw)) > most {
		err = fmt.Errorf("more than %d bytes", most)
	}
	return raw, err
}
