package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

func TestOptions(t *testing.T) {
	a := open(t)
	for path, want := range map[string]string{
		"/": "GET, HEAD, OPTIONS", "/workflows/echo/execute": "POST, OPTIONS", "/api/echo": "GET, HEAD, POST, OPTIONS", "/executions/x": "DELETE, GET, HEAD, OPTIONS",
	} {
		// Which methods there are is no secret: nobody has to log in.
		w := a.send(http.MethodOptions, path, "", "X-Api-Key", "another")
		if w.Code != http.StatusNoContent || w.Header().Get("Allow") != want || w.Body.Len() > 0 {
			t.Errorf("%s: %d, Allow: %s, %q", path, w.Code, w.Header().Get("Allow"), w.Body)
		}
		for name := range w.Header() {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: %s", path, name)
			}
		}
	}
	if w := a.send(http.MethodOptions, "/nothing", ""); w.Code != http.StatusNotFound {
		t.Errorf("a path that is not served: %d", w.Code)
	}
}

// TestHead: HEAD is GET without the body, and tells its length.
func TestHead(t *testing.T) {
	a := openWith(t, func(o *Options) { o.Docs = true })
	for _, path := range []string{"/", "/health", "/openapi.json", "/workflows", "/workflows/echo", "/executions", "/docs", "/docs/page.js"} {
		get, head := a.send(http.MethodGet, path, ""), a.send(http.MethodHead, path, "")
		if head.Code != get.Code || head.Body.Len() > 0 || get.Body.Len() == 0 || head.Header().Get("Content-Type") != get.Header().Get("Content-Type") {
			t.Errorf("%s: %d with %d bytes, GET is %d", path, head.Code, head.Body.Len(), get.Code)
		}
		if head.Header().Get("Content-Length") == "" {
			t.Errorf("%s: no Content-Length", path)
		}
	}
	if w := a.send(http.MethodHead, "/workflows/echo/execute", ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST, OPTIONS" {
		t.Errorf("HEAD where there is no GET: %d, Allow: %s", w.Code, w.Header().Get("Allow"))
	}
}

// TestSlashAtTheEnd: it leads to the path without, and never to another host.
func TestSlashAtTheEnd(t *testing.T) {
	a := open(t)
	for request, want := range map[string]string{
		"GET /workflows/":               "../workflows",
		"GET /workflows/?a=b":           "../workflows?a=b",
		"POST /workflows/echo/execute/": "../execute",
		"GET /api/echo/a%2Fb/":          "../a%2Fb",
		"GET /api/echo/a:b/":            "../a:b",
		"GET //":                        "",
		"GET //example.com/":            "",
		"GET //example.com/workflows/":  "",
		"GET /workflows//":              "",
		"GET /nothing/":                 "",
		"GET /workflows/echo/execute/":  "",
	} {
		method, path, _ := strings.Cut(request, " ")
		r := a.request(t.Context(), method, "/", "")
		r.RequestURI = path
		var err error
		if r.URL, err = r.URL.Parse("http://app.example.com" + path); err != nil {
			t.Fatal(err)
		}
		w := a.serve(r)
		status := http.StatusPermanentRedirect
		if want == "" {
			status = http.StatusNotFound
		}
		if w.Code != status || w.Header().Get("Location") != want {
			t.Errorf("%s: %d to %q, want %q", request, w.Code, w.Header().Get("Location"), want)
		}
	}
}

// TestNothingIsIgnored: what would not be read is refused by name.
func TestNothingIsIgnored(t *testing.T) {
	a := open(t)
	for _, c := range []struct{ request, body, says string }{
		{"POST /workflows/echo/execute?mode=async", `{}`, `"mode"`},
		{"POST /workflows/echo/execute?a%20b=1&c=2", `{}`, `"a b"`},
		{"POST /workflows/echo/execute?" + strings.Repeat("x", 1000), ``, strings.Repeat("x", 64) + "..."},
		{"GET /api/echo", `{"a":1}`, "no body"},
		{"GET /api/echo", `not JSON`, "no body"},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		w := a.send(method, path, c.body)
		if w.Code != http.StatusBadRequest || a.read(w).Code != string(fault.InvalidInput) || !strings.Contains(strings.ReplaceAll(w.Body.String(), `\"`, `"`), c.says) {
			t.Errorf("%s: %d %s", c.request, w.Code, w.Body)
		}
		// Who may not call learns nothing else.
		if w := a.send(method, path, c.body, "X-Api-Key", "another"); w.Code != http.StatusUnauthorized {
			t.Errorf("%s by somebody: %d", c.request, w.Code)
		}
	}
	if w := a.send(http.MethodGet, "/api/echo?a=1", ""); w.Code != http.StatusOK || w.Body.String() != `{"a":"1"}`+"\n" {
		t.Errorf("a query: %d %s", w.Code, w.Body)
	}
	// Some clients send a body without a length, and nothing in it.
	r := a.request(t.Context(), http.MethodGet, "/api/echo?a=1", "")
	r.Body, r.ContentLength = http.NoBody, -1
	if w := a.serve(r); w.Code != http.StatusOK {
		t.Errorf("an empty body: %d %s", w.Code, w.Body)
	}
}

// TestChallenge: where there are tokens to be had, a caller learns where (RFC 9728).
func TestChallenge(t *testing.T) {
	const metadata = "https://shop.example.com/.well-known/oauth-protected-resource"
	a := openWith(t, func(o *Options) { o.ResourceMetadata = metadata })
	for _, c := range []struct{ key, want string }{
		{"", `Bearer realm="shop", resource_metadata="` + metadata + `"`},
		{"another", `Bearer realm="shop", error="invalid_token", resource_metadata="` + metadata + `"`},
	} {
		r := a.request(t.Context(), http.MethodGet, "/workflows", "")
		r.Header.Del("X-Api-Key")
		if c.key != "" {
			r.Header.Set("X-Api-Key", c.key)
		}
		if w := a.serve(r); w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != c.want {
			t.Errorf("%q: %d, WWW-Authenticate: %s", c.key, w.Code, w.Header().Get("WWW-Authenticate"))
		}
	}
}
