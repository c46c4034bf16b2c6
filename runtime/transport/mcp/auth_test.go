package mcp

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/test/tokens"
)

// token is one of the app's issuer; change is pairs of claim and value.
func (a *app) token(change ...any) string {
	claims := tokens.Claims("https://id.example.com", "https://shop.example.com/front/mcp", "ada", time.Now())
	for i := 0; i < len(change); i += 2 {
		name, _ := change[i].(string)
		claims[name] = change[i+1]
	}
	return "Bearer " + a.signer.Sign(claims)
}

const challenge = `Bearer realm="shop", resource_metadata="https://shop.example.com/.well-known/oauth-protected-resource/front/mcp"`

// unread is a body that fails the test when it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestCredentials(t *testing.T) {
	a := start(t, "")
	for _, c := range []struct {
		name   string
		header []string
		query  string
		status int
		code   string
		says   string
	}{
		{name: "a key", status: 200},
		{name: "a key in its own header", header: []string{"Authorization", "", "X-API-Key", a.key}, status: 200},
		{name: "a token", header: []string{"Authorization", a.token()}, status: 200},
		{name: "none", header: []string{"Authorization", ""}, status: 401, code: "unauthenticated", says: challenge},
		{name: "a wrong key", header: []string{"Authorization", "Bearer nxs_a_b"}, status: 401, code: "unauthenticated", says: challenge + `, error="invalid_token"`},
		{name: "a token for REST", header: []string{"Authorization", a.token("aud", "https://shop.example.com")}, status: 401, code: "unauthenticated", says: challenge + `, error="invalid_token"`},
		{name: "an expired token", header: []string{"Authorization", a.token("exp", 1)}, status: 401, code: "unauthenticated", says: challenge + `, error="invalid_token"`},
		{name: "two", header: []string{"X-API-Key", a.owner}, status: 401, code: "unauthenticated", says: challenge + `, error="invalid_token"`},
		{name: "a key in the query", query: "?api_key=" + a.key, status: 400, code: "invalid_input"},
	} {
		for _, revision := range []string{dated, stateless} {
			t.Run(c.name+" "+revision, func(t *testing.T) {
				r := a.post(t.Context(), revision, callOf(revision, "echo", `{}`), c.header...)
				r.URL.RawQuery = strings.TrimPrefix(c.query, "?")
				got := a.do(r)
				if got.status != c.status || got.code() != c.code || got.header.Get("WWW-Authenticate") != c.says {
					t.Errorf("%d %q %q: %s", got.status, got.code(), got.header.Get("WWW-Authenticate"), got.text)
				}
			})
		}
	}
}

// TestBodyIsNotReadBefore: who is not let in has nothing read.
func TestBodyIsNotReadBefore(t *testing.T) {
	a := start(t, "")
	w := newRecorder()
	r := a.post(t.Context(), dated, "")
	r.Header.Del("Authorization")
	r.Body, r.ContentLength = io.NopCloser(unread{t}), 10
	a.handler.ServeHTTP(w, r)
	if w.status != http.StatusUnauthorized {
		t.Errorf("status %d", w.status)
	}
}

// recorder is a reply without a connection.
type recorder struct {
	header http.Header
	status int
	text   strings.Builder
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(p []byte) (int, error) { return r.text.Write(p) }

func (r *recorder) Flush() {}

// TestScopes: a scope that is missing is asked for by HTTP, whatever the revision.
func TestScopes(t *testing.T) {
	a := start(t, "")
	for _, revision := range []string{dated, stateless} {
		got := a.call(revision, "scoped", `{}`, "Authorization", a.token())
		want := challenge + `, error="insufficient_scope", scope="shop.close shop.all"`
		if got.status != http.StatusForbidden || got.code() != "forbidden" || got.header.Get("WWW-Authenticate") != want {
			t.Errorf("%s: %d %q: %s", revision, got.status, got.header.Get("WWW-Authenticate"), got.text)
		}
		if got := a.call(revision, "scoped", `{}`, "Authorization", a.token("scope", "shop.all")); got.status != 200 || got.code() != "" {
			t.Errorf("%s with the scope: %d %s", revision, got.status, got.text)
		}
		if got := a.call(revision, "owners", `{}`); got.status != 200 || got.code() != "forbidden" || !strings.Contains(got.text, `"isError":true`) {
			t.Errorf("%s without the role: %d %s", revision, got.status, got.text)
		}
		if got := a.call(revision, "owners", `{}`, "Authorization", "Bearer "+a.owner); got.code() != "" || got.status != 200 {
			t.Errorf("%s with the role: %d %s", revision, got.status, got.text)
		}
	}
	if n := a.counted("owners", "forbidden"); n != "2" {
		t.Errorf("%s calls without the role were counted", n)
	}
}

func TestMetadata(t *testing.T) {
	a := start(t, "")
	for _, path := range []string{"", "/mcp", "/front/mcp", "/front/mcp/"} {
		r := a.post(t.Context(), dated, "", "Authorization", "", "Origin", "https://elsewhere.example.com")
		r.Method, r.URL.Path, r.Body = http.MethodGet, wellKnown+path, http.NoBody
		got := a.do(r)
		var metadata struct {
			Resource string
			Servers  []string `json:"authorization_servers"`
			Scopes   []string `json:"scopes_supported"`
			Methods  []string `json:"bearer_methods_supported"`
		}
		if err := json.Unmarshal([]byte(got.text), &metadata); err != nil || got.status != 200 {
			t.Fatalf("%s: %d %v %s", path, got.status, err, got.text)
		}
		if metadata.Resource != "https://shop.example.com/front/mcp" || !slices.Equal(metadata.Servers, []string{"https://id.example.com"}) ||
			!slices.Equal(metadata.Scopes, []string{"shop.all", "shop.close"}) || !slices.Equal(metadata.Methods, []string{"header"}) {
			t.Errorf("%s: %s", path, got.text)
		}
		if got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: no page may read it", path)
		}
		for method, status := range map[string]int{http.MethodHead: 200, http.MethodOptions: 204, http.MethodPost: 405} {
			r := r.Clone(t.Context())
			r.Method = method
			if got := a.do(r); got.status != status {
				t.Errorf("%s %s: %d %s", method, path, got.status, got.text)
			}
		}
	}
}

// TestOrigins: the address is that of the listener, which is what a page can have changed
// the meaning of a name to.
func TestOrigins(t *testing.T) {
	closed := render(t, "")
	open := closed
	open.Auth.Mode = "Disabled"
	for _, c := range []struct {
		local, host, origin string
		open, refused       bool
	}{
		{local: "10.0.0.1:3001", host: "shop.example.com"},
		{local: "10.0.0.1:3001", host: "shop.example.com", origin: "https://shop.example.com"},
		{local: "10.0.0.1:3001", host: "shop.example.com", origin: "HTTPS://SHOP.example.com"},
		{local: "10.0.0.1:3001", host: "shop.example.com", origin: "http://shop.example.com", refused: true},
		{local: "10.0.0.1:3001", host: "shop.example.com", origin: "https://shop.example.com.evil.com", refused: true},
		{local: "10.0.0.1:3001", host: "shop.example.com", origin: "https://evil.com", refused: true},
		{local: "10.0.0.1:3001", host: "shop.example.com", origin: "null", refused: true},
		{local: "10.0.0.1:3001", host: "shop.example.com", origin: "http://localhost:5173", refused: true},
		{local: "127.0.0.1:3001", host: "localhost:3001", origin: "http://localhost:5173"},
		{local: "127.0.0.1:3001", host: "localhost:3001", origin: "http://[::1]:5173"},
		{local: "127.0.0.1:3001", host: "localhost:3001", origin: "http://localhost.evil.com", refused: true},
		{local: "127.0.0.1:3001", host: "localhost:3001", origin: "file://localhost", refused: true},
		{local: "127.0.0.1:3001", host: "evil.com:3001"},
		{local: "127.0.0.1:3001", host: "evil.com:3001", open: true, refused: true},
		{local: "[::1]:3001", host: "evil.com", open: true, refused: true},
		{local: "127.0.0.1:3001", host: "127.0.0.1:3001", open: true},
		{local: "127.0.0.1:3001", host: "LOCALHOST", open: true},
		{local: "127.0.0.1:3001", host: "shop.example.com", open: true},
		{local: "10.0.0.1:3001", host: "whatever", open: true},
	} {
		address, err := net.ResolveTCPAddr("tcp", c.local)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(address)), http.MethodPost, "http://"+c.host+"/mcp", nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		o := newOrigins(&closed)
		if c.open {
			o = newOrigins(&open)
		}
		if err := o.check(r); (err != nil) != c.refused {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestSecurityEvents: whoever watches over the app is told of refusals as over REST.
func TestSecurityEvents(t *testing.T) {
	a := start(t, "")
	a.call(dated, "echo", `{}`, "Authorization", "Bearer nxs_a_b")
	a.call(dated, "owners", `{}`)
	a.call(dated, "echo", `{"__proto__":1}`)
	a.call(dated, "scarce", `{}`)
	a.call(dated, "scarce", `{}`)
	a.call(dated, "scarce", `{}`)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, want := range []string{"Authentication failed", "Access denied", "Dangerous input blocked", "Rate limit exceeded"} {
		if !strings.Contains(a.security.String(), want) {
			t.Errorf("no %s in %s", want, a.security)
		}
	}
}
