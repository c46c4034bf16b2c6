package egress

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

var silent = log.New(io.Discard, "", 0)

// serve starts a server on 127.0.0.1 and returns its port.
func serve(t *testing.T, handler http.HandlerFunc) (*httptest.Server, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = silent
	server.Start()
	t.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	return server, port
}

// loopbackOnly resolves every name to 127.0.0.1.
func loopbackOnly(context.Context, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

func TestFetchTLS(t *testing.T) {
	ca := newAuthority(t, "private")
	server := ca.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Proto, r.Method, r.URL)
	}))
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	roots, _ := openRoots(t, ca.pem)
	g := New(Options{Rules: rulesOf(t, "127.0.0.1:"+port, "localhost:"+port, "127.0.0.0/8:"+port), Roots: roots, Resolve: loopbackOnly})
	for _, host := range []string{"127.0.0.1:", "localhost:", "LOCALHOST.:"} {
		body, err := g.Fetch(t.Context(), "https://"+host+port+"/keys?a=b", 100)
		if err != nil || string(body) != "HTTP/2.0 GET /keys?a=b" {
			t.Errorf("%s: %q, %v", host, body, err)
		}
	}
	other := ca.serve(t, http.NotFoundHandler(), "other.test")
	impostor := New(Options{Rules: rulesOf(t, other.Listener.Addr().String()), Roots: roots})
	if _, err := impostor.Fetch(t.Context(), other.URL, 100); !strings.Contains(text(err), "x509: cannot validate certificate for 127.0.0.1") {
		t.Errorf("another's certificate: %v", err)
	}
	stranger := New(Options{Rules: g.rules})
	if _, err := stranger.Fetch(t.Context(), server.URL, 100); err == nil || !strings.Contains(err.Error(), "unknown authority: name a private authority in spec.trust.caBundle") {
		t.Errorf("no authority: %v", err)
	}
	if g.plain.Proxy != nil || g.current().Proxy != nil {
		t.Error("a proxy of the environment is used")
	}
}

// TestRefusedAddresses: a name that passes does not open what it resolves to.
func TestRefusedAddresses(t *testing.T) {
	g := New(Options{Rules: rulesOf(t, "id.example.com:443", "*.example.com:80", "0.0.0.0/0:80"),
		Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
			first, _, _ := strings.Cut(host, ".")
			return map[string][]netip.Addr{
				"id":   {netip.MustParseAddr("::ffff:169.254.169.254")},
				"home": {netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")},
				"lan":  {netip.MustParseAddr("64:ff9b::192.168.0.1")},
				"void": {},
			}[first], map[string]error{"gone": &net.DNSError{Err: "no such host", Name: host, Server: "10.96.0.10:53"}}[first]
		}})
	const meant = ": if that is meant, add the address itself to spec.egress.allow"
	for url, want := range map[string]string{
		"https://id.example.com/?k=s3cret":  "id.example.com:443 resolves to a cloud metadata address" + meant,
		"http://home.example.com/":          "home.example.com:80 resolves to a loopback address" + meant,
		"http://lan.example.com/":           "lan.example.com:80 resolves to a private address: a name with a * does not open it, add lan.example.com:80 itself to spec.egress.allow",
		"http://127.0.0.1/":                 "127.0.0.1:80 is a loopback address" + meant,
		"http://void.example.com/":          "asking void.example.com: looking its addresses up: there are none",
		"http://gone.example.com/?k=s3cret": "asking gone.example.com: looking its addresses up: no such host",
		"http://other.net/?k=s3cret":        "other.net:80 is not in spec.egress.allow: add it",
	} {
		if _, err := g.Fetch(t.Context(), url, 100); text(err) != want {
			t.Errorf("%s: got %v, want %s", url, err, want)
		}
	}
}

// TestRebinding: the addresses of a name are looked up once for each connection, and
// what was checked is what is dialled.
func TestRebinding(t *testing.T) {
	_, port := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	good, bad := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("169.254.169.254")
	for _, c := range []struct {
		name    string
		answers [][]netip.Addr
	}{
		{"good, then bad", [][]netip.Addr{{good}, {bad}}},
		{"bad, then good", [][]netip.Addr{{bad}, {good}, {bad}}},
		{"among others", [][]netip.Addr{{bad, good}, {good, bad}, {bad, bad}}},
	} {
		lookups := 0
		g := New(Options{Rules: rulesOf(t, "localhost:"+port), Resolve: func(context.Context, string) ([]netip.Addr, error) {
			lookups++
			return c.answers[lookups-1], nil
		}})
		for i, answer := range c.answers {
			_, err := g.Fetch(t.Context(), "http://localhost:"+port, 100)
			refused, ok := errors.AsType[*Refused](err)
			allowed := answer[0] == good || answer[len(answer)-1] == good
			if allowed != (err == nil) || ok == allowed || ok && !strings.Contains(refused.Why, "resolves to a cloud metadata address") {
				t.Errorf("%s, %d: %v", c.name, i, err)
			}
			if lookups != i+1 {
				t.Errorf("%s: %d lookups for %d connections", c.name, lookups, i+1)
			}
		}
	}
	// A public address cannot be dialled in a test.
	calls := 0
	g := New(Options{Rules: rulesOf(t, "id.example.com:443"), Resolve: func(context.Context, string) ([]netip.Addr, error) {
		calls++
		return []netip.Addr{map[int]netip.Addr{1: netip.MustParseAddr("8.8.8.8"), 2: good}[calls]}, nil
	}})
	d := destination{name: "id.example.com", port: 443}
	if open, err := g.addresses(t.Context(), d); err != nil || len(open) != 1 {
		t.Errorf("public: %v, %v", open, err)
	}
	if open, err := g.addresses(t.Context(), d); err == nil {
		t.Errorf("rebound: %v", open)
	}
}

// TestFallback tries the next address when one does not answer.
func TestFallback(t *testing.T) {
	_, port := serve(t, func(http.ResponseWriter, *http.Request) {})
	answer := []netip.Addr{netip.MustParseAddr("127.0.0.9"), netip.MustParseAddr("127.0.0.8"), netip.MustParseAddr("127.0.0.1")}
	g := New(Options{Rules: rulesOf(t, "localhost:"+port), Resolve: func(context.Context, string) ([]netip.Addr, error) { return answer, nil }})
	if _, err := g.Fetch(t.Context(), "http://localhost:"+port, 100); err != nil {
		t.Error(err)
	}
	answer = answer[:2]
	g.plain.CloseIdleConnections()
	if _, err := g.Fetch(t.Context(), "http://localhost:"+port, 100); text(err) != "asking localhost:"+port+": connecting: connect: connection refused" {
		t.Error(err)
	}
}

func TestBounds(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "" {
			t.Errorf("asked for %s", got)
		}
		size, _ := strconv.Atoi(r.URL.Query().Get("size"))
		switch r.URL.Path {
		case "/known":
			w.Header().Set("Content-Length", strconv.Itoa(size))
			_, _ = w.Write(make([]byte, size))
		case "/chunked":
			w.(http.Flusher).Flush()
			_, _ = w.Write(make([]byte, size))
		case "/header":
			w.Header().Set("X-Large", strings.Repeat("x", size))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, size))
			_ = z.Close()
		case "/status":
			w.WriteHeader(size)
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write(make([]byte, 10))
		case "/hang-header":
			<-r.Context().Done()
		case "/hang-body":
			_, _ = w.Write([]byte("{"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}
	plain, _ := serve(t, handler)
	ca := newAuthority(t, "private")
	secure := ca.serve(t, http.HandlerFunc(handler))
	roots, _ := openRoots(t, ca.pem)
	for _, server := range []*httptest.Server{plain, secure} {
		host := server.Listener.Addr().String()
		rules := rulesOf(t, host)
		patient, hasty := New(Options{Rules: rules, Roots: roots}), New(Options{Rules: rules, Roots: roots, Timeout: 50 * time.Millisecond})
		for _, c := range []struct {
			g          *Guard
			path, want string // want is a part of the error
		}{
			{patient, "/known?size=1000", ""},
			{patient, "/chunked?size=1000", ""},
			{patient, "/known?size=1001", host + " sent a body of 1001 bytes: at most 1000 are read"},
			{patient, "/chunked?size=1001", host + " sent a body of more than 1000 bytes"},
			{patient, "/header?size=60000", ""},
			{patient, "/header?size=70000", "asking " + host + ": "},
			{patient, "/bomb?size=10000000", host + " sent a compressed body, which was not asked for"},
			{patient, "/status?size=204", host + " answered 204"},
			{patient, "/status?size=304", host + " answered 304"},
			{patient, "/status?size=404", host + " answered 404"},
			{patient, "/status?size=503", host + " answered 503"},
			{patient, "/cut", "reading the body of " + host + ": "},
			{hasty, "/hang-header?k=s3cret", "asking " + host + ": "},
			{hasty, "/hang-body?k=s3cret", host},
		} {
			body, err := c.g.Fetch(t.Context(), server.URL+c.path, 1000)
			if (c.want == "") != (err == nil) || !strings.Contains(text(err), c.want) || strings.Contains(text(err), "s3cret") {
				t.Errorf("%s: %v", c.path, err)
			}
			if c.g == hasty && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v is no timeout", c.path, err)
			}
			if len(body) > 1000 {
				t.Errorf("%s: %d bytes", c.path, len(body))
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(Options{Rules: rulesOf(t, plain.Listener.Addr().String())}).Fetch(ctx, plain.URL+"/known", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// TestSilentPeer: a peer that accepts connections and says nothing.
func TestSilentPeer(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	host := listener.Addr().String()
	g := New(Options{Rules: rulesOf(t, host), Timeout: 50 * time.Millisecond})
	for _, scheme := range []string{"http://", "https://"} {
		if _, err := g.Fetch(t.Context(), scheme+host, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

// TestNoTimeout: the context is what bounds an exchange, and nothing but it.
func TestNoTimeout(t *testing.T) {
	for _, c := range []struct {
		timeout, whole, header time.Duration
		connections, most      int
	}{
		{0, 10 * time.Second, 5 * time.Second, 0, 0},
		{time.Minute, time.Minute, 5 * time.Second, 0, 0},
		{NoTimeout, 0, 0, 100, 100},
	} {
		g := New(Options{Timeout: c.timeout, Connections: c.connections})
		for _, transport := range []*http.Transport{g.plain, g.current()} {
			if g.client.Timeout != c.whole || transport.ResponseHeaderTimeout != c.header || transport.MaxConnsPerHost != c.most || transport.MaxIdleConnsPerHost < max(c.most, 4) {
				t.Errorf("%v: %v, %v, %d and %d connections", c.timeout, g.client.Timeout, transport.ResponseHeaderTimeout, transport.MaxConnsPerHost, transport.MaxIdleConnsPerHost)
			}
		}
	}
	server, port := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	g := New(Options{Rules: rulesOf(t, "127.0.0.1:"+port), Timeout: NoTimeout})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := g.Fetch(ctx, server.URL, 10); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
