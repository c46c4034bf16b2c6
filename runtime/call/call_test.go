package call

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/egress"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// serve starts a server on 127.0.0.1.
func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	return started(t, handler, (*httptest.Server).Start)
}

func serveTLS(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	return started(t, handler, (*httptest.Server).StartTLS)
}

func started(t *testing.T, handler http.HandlerFunc, start func(*httptest.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	start(server)
	t.Cleanup(server.Close)
	return server
}

// nobody is a server that is not there: on a port that no other test gets.
func nobody() *httptest.Server {
	return &httptest.Server{URL: "http://127.0.0.1:1", Listener: absent{}}
}

type absent struct{ net.Listener }

func (absent) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// byName is a URL of the server with the name localhost for its address.
func byName(server *httptest.Server) string {
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// guardTo lets requests to the servers through, by address and by the name localhost,
// and to cloud.test:80, which is at an address that is refused.
func guardTo(t *testing.T, servers ...*httptest.Server) *egress.Guard {
	t.Helper()
	texts, dir, authorities := []string{"cloud.test:80"}, t.TempDir(), ""
	for _, s := range servers {
		_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
		texts = append(texts, "127.0.0.1:"+port, "localhost:"+port)
		if s.TLS != nil {
			authorities += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
		}
	}
	o := egress.Options{Timeout: egress.NoTimeout, Connections: 64, Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
		if host == "cloud.test" {
			return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}}
	for _, text := range texts {
		rule, err := v1alpha1.ParseEgressRule(text)
		if err != nil {
			t.Fatal(err)
		}
		o.Rules = append(o.Rules, rule)
	}
	if authorities != "" {
		if err := os.WriteFile(filepath.Join(dir, "ca.crt"), []byte(authorities), 0o600); err != nil {
			t.Fatal(err)
		}
		roots, err := egress.OpenRoots(dir, "ca.crt")
		if err != nil {
			t.Fatal(err)
		}
		o.Roots = roots
	}
	return egress.New(o)
}

func callerTo(t *testing.T, servers ...*httptest.Server) *Caller {
	t.Helper()
	return New(Options{Guard: guardTo(t, servers...)})
}

// mustFail checks that an error is a standard one, with its status and detail, and that
// its text tells nothing that is not for callers. It returns its cause, which is for the log.
func mustFail(t *testing.T, name string, err error, kind workflow.ErrorKind, status int, detail string, secrets ...string) string {
	t.Helper()
	failed, ok := errors.AsType[*workflow.Error](err)
	switch {
	case !ok:
		t.Errorf("%s: %v is no error of workflows", name, err)
		return ""
	case !failed.IsKind(kind) || failed.Status != status || !strings.Contains(failed.Detail, detail):
		t.Errorf("%s: got %s, %d, %q (%v); want %s, %d, %q", name, failed.Type, failed.Status, failed.Detail, failed.Cause, kind, status, detail)
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		t.Errorf("%s: %v (%v) looks like the end of the run", name, err, failed.Cause)
	}
	for _, secret := range append(secrets, "127.0.0.1", "localhost", "s3cret") {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v tells %q", name, err, secret)
		}
	}
	return fmt.Sprint(failed.Cause)
}

// get is a request without a body.
func get(url string) *workflow.HTTPRequest { return &workflow.HTTPRequest{Method: "GET", URL: url} }

// answered makes a call that must succeed.
func answered(t *testing.T, c *Caller, r *workflow.HTTPRequest) *workflow.HTTPResponse {
	t.Helper()
	resp, err := c.HTTP(t.Context(), r)
	if err != nil {
		failed, _ := errors.AsType[*workflow.Error](err)
		if failed != nil {
			t.Fatalf("%v (%v)", err, failed.Cause)
		}
		t.Fatal(err)
	}
	return resp
}
