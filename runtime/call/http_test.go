package call

import (
	"encoding/json"
	"io"
	"maps"
	"math"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"method": r.Method, "uri": r.RequestURI, "header": r.Header, "host": r.Host,
		"length": r.ContentLength, "body": string(body), "proto": r.Proto,
	})
}

type echoed struct {
	Method, URI, Host, Body, Proto string
	Length                         int64
	Header                         http.Header
}

func echoOf(t *testing.T, resp *workflow.HTTPResponse) echoed {
	t.Helper()
	var got echoed
	if err := json.Unmarshal(resp.Body, &got); err != nil {
		t.Fatalf("%s: %v", resp.Body, err)
	}
	return got
}

func TestRequest(t *testing.T) {
	for _, server := range []*httptest.Server{serve(t, echo), serveTLS(t, echo)} {
		c := callerTo(t, server)
		got := echoOf(t, answered(t, c, &workflow.HTTPRequest{
			Method: "PUT", URL: server.URL + "/a%20b/c?x=1&y=a%2Fb#part",
			Header:  map[string]string{"x-one": "1", "Accept": "text/plain"},
			Query:   map[string]any{"y": []any{"ü&", 2, nil, true}, "b": new(big.Int).Lsh(big.NewInt(1), 80), "f": 1.5, "e": 1e21, "none": nil, "a": ""},
			HasBody: true, Body: map[string]any{"n": 9007199254740993, "big": new(big.Int).Lsh(big.NewInt(1), 70), "f": 0.1, "html": "<&>"},
		}))
		want := echoed{
			Method: "PUT", Host: server.Listener.Addr().String(), Length: 80, Proto: got.Proto,
			URI:  "/a%20b/c?x=1&y=a%2Fb&a=&b=1208925819614629174706176&e=1e%2B21&f=1.5&y=%C3%BC%26&y=2&y=true",
			Body: `{"big":1180591620717411303424,"f":0.1,"html":"<&>","n":9007199254740993}`,
		}
		want.Length = int64(len(want.Body))
		for name, value := range map[string]string{"Content-Type": "application/json", "X-One": "1", "User-Agent": "nexus", "Accept": "text/plain", "Accept-Encoding": "gzip"} {
			if got.Header.Get(name) != value {
				t.Errorf("%s is %q", name, got.Header.Get(name))
			}
		}
		if got.Header = nil; got.Method != want.Method || got.URI != want.URI || got.Host != want.Host || got.Body != want.Body || got.Length != want.Length {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if wantProto := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[server.TLS != nil]; got.Proto != wantProto {
			t.Errorf("%s, want %s", got.Proto, wantProto)
		}
	}
}

func TestBodies(t *testing.T) {
	server := serve(t, echo)
	c := callerTo(t, server)
	for _, tc := range []struct {
		name, contentType string
		body              any
		want              string
	}{
		{"text as JSON", "", "a\"b", `"a\"b"`},
		{"text as JSON by its type", "application/problem+json; charset=utf-8", "a", `"a"`},
		{"null", "", nil, `null`},
		{"list", "", []any{1, "2", nil, math.MaxInt64}, `[1,"2",null,9223372036854775807]`},
		{"text as it stands", "text/plain", "a\"b\r\n", "a\"b\r\n"},
		{"text of a type that cannot be read", "text/", "a", "a"},
		{"an object of another type", "text/plain", map[string]any{"a": 1}, `{"a":1}`},
		{"empty text", "text/plain", "", ""},
		{"form", "application/x-www-form-urlencoded", map[string]any{"b": []any{1, "x y"}, "a": "ü&=", "n": nil}, "a=%C3%BC%26%3D&b=1&b=x+y"},
		{"form as text", "application/x-www-form-urlencoded;charset=utf-8", "a=b", "a=b"},
		{"empty form", "application/x-www-form-urlencoded", map[string]any{}, ""},
	} {
		r := &workflow.HTTPRequest{Method: "POST", URL: server.URL, HasBody: true, Body: tc.body, Header: map[string]string{}}
		if tc.contentType != "" {
			r.Header["content-type"] = tc.contentType
		}
		got := echoOf(t, answered(t, c, r))
		if got.Body != tc.want || tc.contentType != "" && got.Header.Get("Content-Type") != tc.contentType {
			t.Errorf("%s: got %q of type %s, want %q", tc.name, got.Body, got.Header.Get("Content-Type"), tc.want)
		}
	}
	got := echoOf(t, answered(t, c, &workflow.HTTPRequest{Method: "POST", URL: server.URL}))
	if got.Body != "" || got.Length != 0 || got.Header["Content-Type"] != nil {
		t.Errorf("no body: %+v", got)
	}
}

// TestBadRequests: none of them leaves.
func TestBadRequests(t *testing.T) {
	asked := atomic.Int32{}
	server := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	c := callerTo(t, server)
	with := func(change func(*workflow.HTTPRequest)) *workflow.HTTPRequest {
		r := &workflow.HTTPRequest{Method: "POST", URL: server.URL, Header: map[string]string{}, Query: map[string]any{}}
		change(r)
		return r
	}
	header := func(name, value string) *workflow.HTTPRequest {
		return with(func(r *workflow.HTTPRequest) { r.Header[name] = value })
	}
	query := func(value any) *workflow.HTTPRequest {
		return with(func(r *workflow.HTTPRequest) { r.Query["limit"] = value })
	}
	to := func(url string) *workflow.HTTPRequest {
		return with(func(r *workflow.HTTPRequest) { r.URL = url })
	}
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	for _, tc := range []struct {
		name    string
		request *workflow.HTTPRequest
		kind    workflow.ErrorKind
		detail  string
	}{
		{"line break in a header", header("X-A", "s3cret\r\nX-Admin: 1"), workflow.ConfigurationError, "the header X-A has a line break"},
		{"line feed in a header", header("X-A", "s3cret\nX-Admin: 1"), workflow.ConfigurationError, "the header X-A has a line break"},
		{"NUL in a header", header("X-A", "\x00"), workflow.ConfigurationError, "the header X-A has a line break"},
		{"line break in a name", header("X-A: s3cret\r\nX", "1"), workflow.ConfigurationError, "headers: a name has"},
		{"no name", header("", "s3cret"), workflow.ConfigurationError, "headers: a name has"},
		{"space before the colon", header("Content-Length ", "1"), workflow.ConfigurationError, "headers: a name has"},
		{"Host", header("hOST", "evil.test"), workflow.ConfigurationError, "the header hOST is not for workflows to set"},
		{"Content-Length", header("Content-Length", "1"), workflow.ConfigurationError, "the header Content-Length is not"},
		{"Transfer-Encoding", header("transfer-encoding", "chunked"), workflow.ConfigurationError, "the header transfer-encoding is not"},
		{"Connection", header("Connection", "X-A"), workflow.ConfigurationError, "the header Connection is not"},
		{"Upgrade", header("Upgrade", "h2c"), workflow.ConfigurationError, "the header Upgrade is not"},
		{"TE", header("TE", "trailers"), workflow.ConfigurationError, "the header TE is not"},
		{"Proxy-Authorization", header("Proxy-Authorization", "Basic s3cret"), workflow.ConfigurationError, "the header Proxy-Authorization is not"},
		{"Authorization besides a policy", with(func(r *workflow.HTTPRequest) {
			r.Header["authorization"] = "Bearer s3cret"
			r.Authentication = &workflow.Authentication{Scheme: workflow.AuthenticateBearer, Token: "t"}
		}), workflow.ConfigurationError, "the header authorization is set by the authentication policy"},
		{"twice", with(func(r *workflow.HTTPRequest) { r.Header["x-a"], r.Header["X-A"] = "s3cret", "1" }), workflow.ConfigurationError, "the header x-a is there twice"},
		{"method", with(func(r *workflow.HTTPRequest) { r.Method = "GET / HTTP/1.1\r\n" }), workflow.ConfigurationError, "method: use one of HTTP"},
		{"no method", with(func(r *workflow.HTTPRequest) { r.Method = "" }), workflow.ConfigurationError, "method: use one of HTTP"},
		{"tunnel", with(func(r *workflow.HTTPRequest) { r.Method = "CONNECT" }), workflow.ConfigurationError, "method: use one of HTTP"},
		{"an object in the query", query(map[string]any{"s3cret": 1}), workflow.ExpressionError, "the query parameter limit is neither"},
		{"a list in a list", query([]any{[]any{"s3cret"}}), workflow.ExpressionError, "the query parameter limit is neither"},
		{"no number", query(math.NaN()), workflow.ExpressionError, "the query parameter limit is neither"},
		{"no number in the body", with(func(r *workflow.HTTPRequest) { r.HasBody, r.Body = true, []any{math.Inf(1)} }), workflow.ExpressionError, "body: it holds something that JSON has not"},
		{"a list as a form", with(func(r *workflow.HTTPRequest) { r.HasBody, r.Body, r.Header = true, []any{}, form }), workflow.ExpressionError, "give an object with its fields"},
		{"an object in a form", with(func(r *workflow.HTTPRequest) {
			r.HasBody, r.Body, r.Header = true, map[string]any{"a": map[string]any{}}, form
		}), workflow.ExpressionError, "body: the field a is neither"},
		{"URL", to("http://127.0.0.1:x/s3cret"), workflow.ConfigurationError, "the endpoint is no URL"},
		{"line break in the URL", to(server.URL + "/\r\nX: s3cret"), workflow.ConfigurationError, "the endpoint is no URL"},
		{"relative URL", to("/s3cret"), workflow.ConfigurationError, "spec.egress does not let the app reach the service that the task calls"},
		{"scheme", to("file:///etc/s3cret"), workflow.ConfigurationError, "spec.egress does not let the app reach"},
		{"user in the URL", to(strings.Replace(server.URL, "//", "//u:s3cret@", 1)), workflow.ConfigurationError, "spec.egress does not let the app reach"},
		{"host", to("http://evil.test/s3cret"), workflow.ConfigurationError, "list in spec.egress.allow each host"},
		{"address", to("http://cloud.test/s3cret"), workflow.ConfigurationError, "spec.egress does not let the app reach"},
	} {
		_, err := c.HTTP(t.Context(), tc.request)
		mustFail(t, tc.name, err, tc.kind, 400, tc.detail, "evil.test", "cloud.test", "169.254")
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests were made", n)
	}
	_, err := c.HTTP(t.Context(), to("http://evil.test/"))
	if cause := mustFail(t, "cause", err, workflow.ConfigurationError, 400, ""); !strings.Contains(cause, "evil.test:80 is not in spec.egress.allow") {
		t.Errorf("the log does not tell the host: %v", cause)
	}
}

// TestQueryEscapes: what the URL has of its own stays as it is, but for what would break
// the request.
func TestQueryEscapes(t *testing.T) {
	server := serve(t, echo)
	c := callerTo(t, server)
	for query, want := range map[string]string{
		"a=b+c&d=%20;e":         "a=b+c&d=%20;e",
		"a=b c HTTP/1.1&x=\"<>": "a=b%20c%20HTTP/1.1&x=%22%3C%3E",
		"q=ü":                   "q=%C3%BC",
		"":                      "",
	} {
		if got := echoOf(t, answered(t, c, get(server.URL+"/?"+query))).URI; got != "/?"+want && (want != "" || got != "/?") && got != "/" {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}

func TestResponse(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["x-many"] = []string{"a", "b"}
		w.Header()["X-Latin"] = []string{"caf\xe9"}
		w.WriteHeader(418)
		_, _ = w.Write([]byte{0, 0xff, 'x'})
	})
	got := answered(t, callerTo(t, server), &workflow.HTTPRequest{Method: "GET", URL: server.URL + "/p?q=1#f", Header: map[string]string{
		"Authorization": "Custom  a=b, c", "Cookie": "s3cret", "X-API-Key": "s3cret", "X-Other": "o"}})
	if got.Status != 418 || string(got.Body) != "\x00\xffx" || got.Header["X-Many"] != "a, b" || got.Header["X-Latin"] != "caf\uFFFD" {
		t.Errorf("got %+v", got)
	}
	if got.Method != "GET" || got.URL != server.URL+"/p?q=1" || got.Scheme != "Custom" || got.Parameter != "a=b, c" {
		t.Errorf("got %s %s, %s %s", got.Method, got.URL, got.Scheme, got.Parameter)
	}
	want := map[string]string{"User-Agent": "nexus", "X-Other": "o", "Accept-Encoding": "gzip"}
	if !maps.Equal(got.RequestHeader, want) {
		t.Errorf("the request's header: %v", got.RequestHeader)
	}
}

func TestRedirects(t *testing.T) {
	other := serve(t, echo)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/end":
			echo(w, r)
		case "/nowhere":
			w.WriteHeader(http.StatusFound)
		case "/odd":
			w.Header().Set("Location", "/s3cret%zz")
			w.WriteHeader(http.StatusFound)
		case "/loop":
			w.Header().Set("Location", "/loop")
			w.WriteHeader(http.StatusFound)
		case "/not-modified":
			w.WriteHeader(http.StatusNotModified)
		case "/keep":
			w.Header().Set("Location", r.URL.Query().Get("to"))
			w.WriteHeader(http.StatusTemporaryRedirect)
		default:
			w.Header().Set("Location", r.URL.Query().Get("to"))
			w.WriteHeader(http.StatusSeeOther)
		}
	})
	c := callerTo(t, server, other)
	to := func(path, to string, redirect bool) *workflow.HTTPRequest {
		return &workflow.HTTPRequest{Method: "POST", URL: byName(server) + path, Query: map[string]any{"to": to}, HasBody: true, Body: "b", Redirect: redirect,
			Authentication: &workflow.Authentication{Scheme: workflow.AuthenticateBearer, Token: "s3cret"}}
	}
	for name, r := range map[string]*workflow.HTTPRequest{
		"not followed": to("/", "/end", false), "not followed, with a Location that is no URL": to("/odd", "", false),
		"nowhere": to("/nowhere", "", true), "not modified": to("/not-modified", "", true),
	} {
		if got := answered(t, c, r); got.Status/100 != 3 || got.Scheme != "Bearer" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	got := answered(t, c, to("/", "/end", true))
	if e := echoOf(t, got); got.Status != 200 || got.Method != "GET" || got.URL != byName(server)+"/end" || e.Header.Get("Authorization") != "Bearer s3cret" || e.Body != "" {
		t.Errorf("see other: %+v, %+v", got, e)
	}
	got = answered(t, c, to("/keep", "/end", true))
	if e := echoOf(t, got); e.Method != "POST" || e.Body != `"b"` || e.Header.Get("Authorization") != "Bearer s3cret" {
		t.Errorf("temporary redirect: %+v, %+v", got, e)
	}
	for name, there := range map[string]string{
		"to another host": other.URL, "by another name of it": server.URL + "/end", "there and back": server.URL + "/keep?to=" + byName(server) + "/end",
	} {
		got = answered(t, c, to("/keep", there, true))
		if e := echoOf(t, got); e.Body != `"b"` || e.Header["Authorization"] != nil || e.Header["Referer"] != nil || got.Scheme != "" {
			t.Errorf("%s: %+v, %+v", name, got, e)
		}
	}
	for name, there := range map[string]string{
		"forbidden": "http://evil.test/?s3cret", "forbidden address": "http://cloud.test/s3cret", "forbidden port": "http://localhost:1/",
		"scheme": "file:///etc/passwd", "for ever": "/loop",
	} {
		_, err := c.HTTP(t.Context(), to("/keep", there, true))
		mustFail(t, name, err, workflow.ConfigurationError, 400, "each host that is called or redirected to", "evil.test", "cloud.test")
	}
	_, err := c.HTTP(t.Context(), to("/odd", "", true))
	mustFail(t, "a Location that is no URL", err, workflow.ConfigurationError, 400, "")
}

// TestConnections: calls share connections, and many at once are no harm.
func TestConnections(t *testing.T) {
	goroutines.Settle(t)
	var mu sync.Mutex
	peers := map[string]bool{}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		peers[r.RemoteAddr] = true
		mu.Unlock()
		echo(w, r)
	})
	c := callerTo(t, server)
	var calls sync.WaitGroup
	for range 200 {
		calls.Go(func() {
			for range 3 {
				if _, err := c.HTTP(t.Context(), get(server.URL)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
	if n := len(peers); n > 100 { // one for each run would be 200
		t.Errorf("%d connections", n)
	}
	before := len(peers)
	for range 10 {
		answered(t, c, get(server.URL))
	}
	if n := len(peers); n > before {
		t.Errorf("%d new connections for calls one after the other", n-before)
	}
}
