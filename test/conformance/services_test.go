package conformance

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/egress"
)

// hosts are the names that the stand-ins go by: those of the conformance kit, and our
// own.
var hosts = []string{"petstore.swagger.io", "httpbin.org", "other.example.com", "id.example.com", "mcp.example.com", "events.example.com"}

// request is what a stand-in received.
type request struct {
	Method, Host, Path, Query string
	Header                    http.Header
	Body                      []byte
}

// services are the stand-ins of one scenario: one HTTPS server, told apart by host.
type services struct {
	server *httptest.Server
	ended  chan struct{}

	mu sync.Mutex
	// hung, when not nil, is told of a request that is never answered.
	hung     func(path string)
	requests []request
	events   []any
	// answers are the status codes that the next requests for a path get.
	answers map[string][]string
	issuer  issuer
}

// newServices starts the stand-ins. Close them.
func newServices() *services {
	s := &services{ended: make(chan struct{}), answers: map[string][]string{}, issuer: issuer{tokens: map[string]grant{}}}
	mux := http.NewServeMux()
	petstore(mux)
	s.httpbin(mux)
	s.identity(mux)
	s.sink(mux)
	mux.Handle("mcp.example.com/", tools())
	s.server = httptest.NewUnstartedServer(s.recorded(mux))
	s.server.TLS = &tls.Config{Certificates: []tls.Certificate{certificates().leaf}, MinVersion: tls.VersionTLS12}
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0) // callers leave when they like
	s.server.StartTLS()
	return s
}

func (s *services) close() {
	close(s.ended)
	s.server.CloseClientConnections()
	s.server.Close()
}

// hang tells of a request that is never answered.
func (s *services) hang(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hung != nil {
		s.hung(path)
	}
}

// recorded keeps every request before it is answered.
func (s *services) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the caller is gone
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.mu.Lock()
		s.requests = append(s.requests, request{r.Method, r.Host, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Clone(), body})
		s.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// received are the requests for a host so far, in their order.
func (s *services) received(host string) []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []request
	for _, r := range s.requests {
		if r.Host == host {
			out = append(out, r)
		}
	}
	return out
}

// resolve gives every stand-in an address, and no other name.
func resolve(_ context.Context, host string) ([]netip.Addr, error) {
	if !slices.Contains(hosts, host) {
		return nil, errors.New("no such host")
	}
	return []netip.Addr{address}, nil
}

// address is where the stand-ins seem to be, at port 443; dial goes where they are.
var address = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func (s *services) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, s.server.Listener.Addr().String())
}

// sink takes the events that workflows emit.
func (s *services) sink(mux *http.ServeMux) {
	mux.HandleFunc("POST events.example.com/{$}", func(w http.ResponseWriter, r *http.Request) {
		var event any
		if r.Header.Get("Content-Type") != "application/cloudevents+json" || json.NewDecoder(r.Body).Decode(&event) != nil {
			http.Error(w, "not a CloudEvent in its JSON form", http.StatusBadRequest)
			return
		}
		if code, ok := s.next("/events"); ok {
			http.Error(w, "as the scenario says", code)
			return
		}
		s.mu.Lock()
		s.events = append(s.events, event)
		s.mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
	})
}

// authority and certificate of the stand-ins, made once.
type keys struct {
	pem  []byte
	leaf tls.Certificate
}

var certificates = sync.OnceValue(func() keys {
	ca, caKey, err := issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "conformance"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	if err != nil {
		panic(err)
	}
	leaf, key, err := issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey)
	if err != nil {
		panic(err)
	}
	return keys{
		pem:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}),
		leaf: tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key},
	}
})

// issue signs a certificate; without a parent, with its own key.
func issue(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return certificate, key, err
}

// trusted are the public authorities and that of the stand-ins.
func trusted(t *testing.T) *egress.Roots {
	t.Helper()
	dir, entry := t.TempDir(), "ca.crt"
	if err := os.WriteFile(filepath.Join(dir, entry), certificates().pem, 0o600); err != nil {
		t.Fatal(err)
	}
	roots, err := egress.OpenRoots(dir, entry)
	if err != nil {
		t.Fatal(err)
	}
	return roots
}

// reply writes a value as JSON.
func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

// headers are the headers of a request as httpbin.org shows them: one text for each.
func headers(h http.Header) map[string]string {
	out := map[string]string{}
	for name, values := range h {
		out[name] = strings.Join(values, ", ")
	}
	return out
}
