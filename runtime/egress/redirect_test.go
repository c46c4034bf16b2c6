package egress

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

func TestRedirects(t *testing.T) {
	var there, port string
	target, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s auth=%q key=%q cookie=%q other=%q accept=%q referer=%q", r.Method, r.URL.Path,
			r.Header.Get("Authorization"), r.Header.Get("X-API-Key"), r.Header.Get("Cookie"), r.Header.Get("Private-Token"), r.Header.Get("Accept"), r.Header.Get("Referer"))
	})
	there = target.URL
	ca := newAuthority(t, "private")
	hop := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/end" {
			target.Config.Handler.ServeHTTP(w, r)
			return
		}
		to := r.URL.Query().Get("to")
		if r.URL.Path == "/loop" {
			to = "/loop"
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	_, port = serve(t, hop)
	secure := ca.serve(t, http.HandlerFunc(hop))
	roots, _ := openRoots(t, ca.pem)
	g := New(Options{Rules: rulesOf(t, "localhost:"+port, strings.TrimPrefix(there, "http://"), secure.Listener.Addr().String(), "cloud.test:80"), Roots: roots,
		Resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			if host == "cloud.test" {
				return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
			}
			return loopbackOnly(ctx, host)
		}})
	self := "http://localhost:" + port
	chain := func(to ...string) string { // each hop leads to the next one
		url := to[len(to)-1]
		for i := len(to) - 2; i >= 0; i-- {
			url = to[i] + "/?to=" + strings.NewReplacer("?", "%3F", "&", "%26", "%", "%25").Replace(url)
		}
		return url
	}
	const kept, stripped = `auth="Bearer s3cret" key="s3cret" cookie="c=s3cret" other="s3cret" accept="text/plain" referer=""`, `auth="" key="" cookie="" other="" accept="text/plain" referer=""`
	for _, c := range []struct{ name, url, want string }{
		{"none", self + "/end", "GET /end " + kept},
		{"same host", chain(self, self+"/end"), "GET /end " + kept},
		{"relative", self + "/?to=/end", "GET /end " + kept},
		{"three", chain(self, self, self, self+"/end"), "GET /end " + kept},
		{"four", chain(self, self, self, self, self+"/end"), "localhost:" + port + " redirects again after 3 redirects"},
		{"loop", self + "/loop", "localhost:" + port + " redirects again after 3 redirects"},
		{"another host", chain(self, there+"/end"), "GET /end " + stripped},
		{"there and back", chain(self, secure.URL, secure.URL+"/end"), "GET /end " + stripped},
		{"back to the first", chain(secure.URL, secure.URL, secure.URL+"/end"), "GET /end " + kept},
		{"to https", chain(self, secure.URL+"/end"), "GET /end " + stripped},
		{"https to http", chain(secure.URL, self+"/end?k=s3cret"), secure.Listener.Addr().String() + " redirects from https to http"},
		{"not allowed", chain(self, "http://evil.test/?k=s3cret"), "evil.test:80 is not in spec.egress.allow: add it"},
		{"not allowed by its port", chain(self, "http://localhost:1/"), "localhost:1 is not in spec.egress.allow: add it"},
		{"refused address", chain(self, "http://cloud.test/latest?k=s3cret"), "cloud.test:80 resolves to a cloud metadata address: if that is meant, add the address itself to spec.egress.allow"},
		{"literal address", chain(self, "http://169.254.169.254/latest"), "169.254.169.254:80 is not in spec.egress.allow: add it"},
		{"another scheme", chain(self, "file:///etc/passwd"), "the URL is neither http nor https"},
		{"user", chain(self, "http://u:s3cret@localhost:"+port+"/end"), "the URL has a user in it: send credentials in a header"},
		{"no URL", self + "/?to=/s3cret%25zz", "localhost:" + port + " redirects to a URL that cannot be read"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer s3cret"}, "X-Api-Key": {"s3cret"}, "Cookie": {"c=s3cret"}, "Private-Token": {"s3cret"}, "Accept": {"text/plain"}}
		got := ""
		resp, err := g.Do(req)
		if err != nil {
			got = err.Error()
			if strings.Contains(got, "s3cret") {
				t.Errorf("%s: the error shows a secret: %v", c.name, err)
			}
		} else {
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			got = string(body)
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// TestRedirectBackStrips: credentials that were dropped on the way do not come back with
// the first host.
func TestRedirectBackStrips(t *testing.T) {
	var first, second string
	steps := atomic.Int32{}
	_, port := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch steps.Add(1) {
		case 1:
			w.Header().Set("Location", second)
			w.WriteHeader(http.StatusFound)
		case 2:
			w.Header().Set("Location", first)
			w.WriteHeader(http.StatusFound)
		default:
			_, _ = io.WriteString(w, r.Host+" "+r.Header.Get("X-API-Key")+r.Header.Get("Authorization"))
		}
	})
	first, second = "http://localhost:"+port+"/", "http://127.0.0.1:"+port+"/"
	g := New(Options{Rules: rulesOf(t, "localhost:"+port, "127.0.0.1:"+port), Resolve: loopbackOnly})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, first, nil)
	req.Header = http.Header{"Authorization": {"Bearer s3cret"}, "X-Api-Key": {"s3cret"}}
	resp, err := g.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "localhost:"+port+" " {
		t.Errorf("got %s", body)
	}
}

// TestRoundTrip makes one exchange, whatever comes back.
func TestRoundTrip(t *testing.T) {
	server, port := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(http.StatusFound)
	})
	g := New(Options{Rules: rulesOf(t, "127.0.0.1:"+port)})
	for to, want := range map[string]int{"/end": 302, "http://evil.test/": 302, "/%25zz": 302} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/?to="+to, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := g.RoundTrip(req)
		if err != nil {
			t.Errorf("%s: %v", to, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s", to, resp.Status)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://evil.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := g.RoundTrip(req); err == nil {
		resp.Body.Close()
		t.Error("evil.test was asked")
	}
}
