package call

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// authority gives tokens, and is the service that takes them too.
type authority struct {
	*httptest.Server

	mu     sync.Mutex
	answer func(w http.ResponseWriter, n int) // instead of the n-th token
	grants int
	path   string
	header http.Header
	fields map[string]any // of the last request, lists where there are several
	valid  map[string]bool
	calls  int
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{valid: map[string]bool{}}
	a.Server = serve(t, a.serve)
	return a
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case r.URL.Path == "/service":
		a.calls++
		if token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !a.valid[token] {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.Copy(w, r.Body)
		return
	case strings.HasSuffix(r.URL.Path, discoveryPath):
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": a.URL + strings.TrimSuffix(r.URL.Path, discoveryPath), "token_endpoint": a.URL + "/oidc/token"})
		return
	}
	a.grants++
	a.path, a.header, a.fields = r.RequestURI, r.Header, map[string]any{}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media == jsonType {
		_ = json.NewDecoder(r.Body).Decode(&a.fields)
	} else {
		_ = r.ParseForm()
		for name, values := range r.PostForm {
			if a.fields[name] = values; len(values) == 1 {
				a.fields[name] = values[0]
			}
		}
	}
	if a.answer != nil {
		a.answer(w, a.grants)
		return
	}
	token := fmt.Sprintf("token-%d", a.grants)
	a.valid = map[string]bool{token: true}
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "bearer", "expires_in": 300})
}

// revoke makes the tokens so far invalid.
func (a *authority) revoke() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.valid = map[string]bool{}
}

func (a *authority) counts() (grants, calls int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grants, a.calls
}

// call is a request to the service with a token of the authority.
func (a *authority) call(change func(*workflow.OAuth2)) *workflow.HTTPRequest {
	o := &workflow.OAuth2{Authority: a.URL, ClientID: "shop", ClientSecret: "s3cret"}
	if change != nil {
		change(o)
	}
	return &workflow.HTTPRequest{Method: "POST", URL: a.URL + "/service", HasBody: true, Body: "b",
		Authentication: &workflow.Authentication{Scheme: workflow.AuthenticateOAuth2, OAuth2: o}}
}

func TestTokenRequests(t *testing.T) {
	basic := func(id, secret string) http.Header {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
		return r.Header
	}
	type fields = map[string]any
	for name, tc := range map[string]struct {
		change func(*workflow.OAuth2)
		path   string
		fields fields
		header http.Header
	}{
		"defaults": {nil, "/oauth2/token", fields{"grant_type": "client_credentials", "client_id": "shop", "client_secret": "s3cret"}, nil},
		"everything": {func(o *workflow.OAuth2) {
			o.Authority += "/realms/x/"
			o.TokenPath = "protocol/token?v=1"
			o.ClientAuthentication = "client_secret_post"
			o.Scopes, o.Audiences = []string{"a", "b"}, []string{"x", "y"}
		}, "/realms/x/protocol/token?v=1", fields{"grant_type": "client_credentials", "client_id": "shop", "client_secret": "s3cret", "scope": "a b", "audience": []string{"x", "y"}}, nil},
		"JSON": {func(o *workflow.OAuth2) {
			o.Encoding, o.Scopes, o.Audiences = jsonType, []string{"a", "b"}, []string{"x", "y"}
		}, "/oauth2/token", fields{"grant_type": "client_credentials", "client_id": "shop", "client_secret": "s3cret", "scope": "a b", "audience": []any{"x", "y"}}, nil},
		"basic": {func(o *workflow.OAuth2) {
			o.ClientID, o.ClientSecret, o.ClientAuthentication = "sh:op", "s3cret %&ü", "client_secret_basic"
		}, "/oauth2/token", fields{"grant_type": "client_credentials"}, basic("sh:op", "s3cret %&ü")},
		"given assertion": {func(o *workflow.OAuth2) { o.Assertion, o.ClientAuthentication = "a.b.c", "private_key_jwt" }, "/oauth2/token",
			fields{"grant_type": "client_credentials", "client_id": "shop", "client_assertion": "a.b.c", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, nil},
		"none":             {func(o *workflow.OAuth2) { o.ClientAuthentication = "none" }, "/oauth2/token", fields{"grant_type": "client_credentials", "client_id": "shop"}, nil},
		"none, nobody":     {func(o *workflow.OAuth2) { o.ClientAuthentication, o.ClientID = "none", "" }, "/oauth2/token", fields{"grant_type": "client_credentials"}, nil},
		"form by its name": {func(o *workflow.OAuth2) { o.Encoding = formType }, "/oauth2/token", fields{"grant_type": "client_credentials", "client_id": "shop", "client_secret": "s3cret"}, nil},
	} {
		a := newAuthority(t)
		r := a.call(tc.change)
		before := *r.Authentication.OAuth2
		resp := answered(t, callerTo(t, a.Server), r)
		if resp.Status != 200 || string(resp.Body) != `"b"` || resp.Scheme != "Bearer" || resp.Parameter != "token-1" {
			t.Errorf("%s: %+v", name, resp)
		}
		if a.path != tc.path || !reflect.DeepEqual(a.fields, tc.fields) || a.header.Get("Authorization") != tc.header.Get("Authorization") || a.header.Get("Accept") != jsonType {
			t.Errorf("%s: asked %s with %v, %v", name, a.path, a.fields, a.header)
		}
		if !reflect.DeepEqual(before, *r.Authentication.OAuth2) {
			t.Errorf("%s: the policy was changed", name)
		}
	}
}

// TestClientSecretJWT has another library verify the assertion.
func TestClientSecretJWT(t *testing.T) {
	a := newAuthority(t)
	answered(t, callerTo(t, a.Server), a.call(func(o *workflow.OAuth2) { o.ClientAuthentication = "client_secret_jwt" }))
	text, _ := a.fields["client_assertion"].(string)
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(text, claims, func(*jwt.Token) (any, error) { return []byte("s3cret"), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithAudience(a.URL+"/oauth2/token"), jwt.WithIssuer("shop"), jwt.WithSubject("shop"), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	if err != nil || claims["jti"] == "" || a.fields["client_secret"] != nil || a.fields["client_id"] != "shop" {
		t.Errorf("%v: %v, %v", err, claims, a.fields)
	}
}

func TestBadTokenPolicies(t *testing.T) {
	a := newAuthority(t)
	c := callerTo(t, a.Server)
	for detail, change := range map[string]func(*workflow.OAuth2){
		"client.id of the authentication policy: it is missing": func(o *workflow.OAuth2) { o.ClientID = "" },
		"client.secret of the authentication policy":            func(o *workflow.OAuth2) { o.ClientSecret = "" },
		"client.assertion of the authentication policy":         func(o *workflow.OAuth2) { o.ClientAuthentication = "private_key_jwt" },
		"client.authentication of the authentication policy":    func(o *workflow.OAuth2) { o.ClientAuthentication = "tls_client_auth" },
		"request.encoding of the authentication policy: use":    func(o *workflow.OAuth2) { o.Encoding = "text/plain" },
		"authority of the authentication policy: it is no URL":  func(o *workflow.OAuth2) { o.Authority = "id.example.com" },
		"authority of the authentication policy":                func(o *workflow.OAuth2) { o.Authority += "?s3cret" },
		"endpoints.token of the authentication policy":          func(o *workflow.OAuth2) { o.TokenPath = "https://evil.test/token" },
		"the authority that gives the task its token: list in":  func(o *workflow.OAuth2) { o.Authority = "http://evil.test" },
	} {
		_, err := c.HTTP(t.Context(), a.call(change))
		mustFail(t, detail, err, workflow.ConfigurationError, 400, detail, "evil.test")
	}
	if a.grants+a.calls > 0 {
		t.Error("requests were made")
	}
}

func TestRefusedTokens(t *testing.T) {
	signed := func(claims jwt.MapClaims) string {
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("k"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	token := func(text string) string { return `{"access_token": "` + text + `", "token_type": "Bearer"}` }
	for _, tc := range []struct {
		name   string
		status int
		body   string
		kind   workflow.ErrorKind // empty when the token is taken
		want   int
		detail string
	}{
		{"registered code", 400, `{"error": "invalid_client", "error_description": "s3cret"}`, workflow.AuthenticationError, 401, "the authority refuses to give a token: invalid_client"},
		{"code with 200", 200, `{"error": "invalid_scope"}`, workflow.AuthenticationError, 401, "invalid_scope"},
		{"code of its own", 401, `{"error": "s3cret"}`, workflow.AuthenticationError, 401, "the authority refuses to give a token"},
		{"no JSON", 403, `s3cret`, workflow.AuthenticationError, 401, "the authority refuses to give a token"},
		{"another kind of JSON", 400, `{"error": {"code": "s3cret"}}`, workflow.AuthenticationError, 401, "the authority refuses to give a token"},
		{"out of order", 503, `{"error": "invalid_client"}`, workflow.CommunicationError, 503, "overloaded or out of order"},
		{"too often", 429, ``, workflow.CommunicationError, 503, "overloaded or out of order"},
		{"redirect", 307, ``, workflow.CommunicationError, 502, "does not answer with a token"},
		{"accepted", 202, token("t"), workflow.CommunicationError, 502, "does not answer with a token"},
		{"page", 200, `<html>s3cret`, workflow.CommunicationError, 502, "does not answer with a bearer token"},
		{"no token", 200, `{"token_type": "bearer"}`, workflow.CommunicationError, 502, "does not answer with a bearer token"},
		{"no type", 200, `{"access_token": "s3cret"}`, workflow.CommunicationError, 502, "does not answer with a bearer token"},
		{"type", 200, `{"access_token": "s3cret", "token_type": "mac"}`, workflow.CommunicationError, 502, "does not answer with a bearer token"},
		{"line break", 200, token(`s3cret\r\nX: 1`), workflow.CommunicationError, 502, "does not answer with a bearer token"},
		{"large", 200, token(strings.Repeat("x", 1<<16)), workflow.CommunicationError, 502, "sends more than 65536 bytes"},
		{"another issuer", 200, token(signed(jwt.MapClaims{"iss": "https://evil.test"})), workflow.AuthenticationError, 401, "an issuer that the authentication policy does not list"},
		{"no issuer", 200, token(signed(jwt.MapClaims{"sub": "x"})), workflow.AuthenticationError, 401, "an issuer that the authentication policy does not list"},
		{"claims that are none", 200, token("eyJhbGciOiJub25lIn0.bm9uZQ."), workflow.AuthenticationError, 401, "an issuer that the authentication policy does not list"},
		{"a listed issuer", 200, token(signed(jwt.MapClaims{"iss": "https://b"})), "", 0, ""},
		{"opaque", 200, token("opaque"), "", 0, ""},
		{"opaque with dots", 200, token("v1.a.b"), "", 0, ""},
		{"opaque JSON", 200, token("e30.e30.x"), "", 0, ""},
		{"life as text", 200, `{"access_token": "t", "token_type": "Bearer", "expires_in": "60"}`, "", 0, ""},
		{"life that is null", 200, `{"access_token": "t", "token_type": "Bearer", "expires_in": null}`, "", 0, ""},
	} {
		a := newAuthority(t)
		a.answer = func(w http.ResponseWriter, _ int) {
			w.Header().Set("Location", a.URL+"/elsewhere")
			w.WriteHeader(tc.status)
			_, _ = io.WriteString(w, tc.body)
		}
		_, err := callerTo(t, a.Server).HTTP(t.Context(), a.call(func(o *workflow.OAuth2) { o.Issuers = []string{"https://a", "https://b"} }))
		if tc.kind == "" {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		mustFail(t, tc.name, err, tc.kind, tc.want, tc.detail, "evil.test", "html")
		if grants, calls := a.counts(); grants != 1 || calls != 0 {
			t.Errorf("%s: %d requests for a token, %d calls", tc.name, grants, calls)
		}
	}
	gone := &authority{Server: nobody()}
	_, err := callerTo(t, gone.Server).HTTP(t.Context(), gone.call(nil))
	mustFail(t, "gone", err, workflow.CommunicationError, 503, "the authority that gives the task its token cannot be reached")
}

// TestTokenLife: a token is used until shortly before its end.
func TestTokenLife(t *testing.T) {
	a := newAuthority(t)
	now := time.Now()
	c := New(Options{Guard: guardTo(t, a.Server), Now: func() time.Time { return now }})
	for i, step := range []struct {
		after  time.Duration
		grants int
	}{{0, 1}, {269 * time.Second, 1}, {2 * time.Second, 2}, {time.Hour, 3}} {
		now = now.Add(step.after)
		if resp := answered(t, c, a.call(nil)); resp.Status != 200 || a.grants != step.grants {
			t.Errorf("step %d: %d, %d tokens", i, resp.Status, a.grants)
		}
	}
	// Another policy has a token of its own, whichever field it is that differs.
	grants := a.grants
	for i, change := range []func(*workflow.OAuth2){
		func(o *workflow.OAuth2) { o.Authority += "/" }, func(o *workflow.OAuth2) { o.TokenPath = "/t" }, func(o *workflow.OAuth2) { o.ClientID = "x" },
		func(o *workflow.OAuth2) { o.ClientSecret = "x" }, func(o *workflow.OAuth2) { o.ClientAuthentication = "client_secret_basic" },
		func(o *workflow.OAuth2) { o.Assertion = "x" }, func(o *workflow.OAuth2) { o.Encoding = jsonType }, func(o *workflow.OAuth2) { o.Scopes = []string{"a", "b"} },
		func(o *workflow.OAuth2) { o.Scopes = []string{"a b"} }, func(o *workflow.OAuth2) { o.Audiences = []string{"a b"} }, func(o *workflow.OAuth2) { o.Issuers = []string{"a b"} },
	} {
		if answered(t, c, a.call(change)); a.grants != grants+i+1 {
			t.Errorf("policy %d: %d tokens", i, a.grants-grants)
		}
	}
}

// TestRevokedToken: a kept token that the service does not take any more is replaced,
// once; a service that takes none is no flood at the authority.
func TestRevokedToken(t *testing.T) {
	a := newAuthority(t)
	now := time.Now()
	c := New(Options{Guard: guardTo(t, a.Server), Now: func() time.Time { return now }})
	answered(t, c, a.call(nil))
	a.revoke()
	resp := answered(t, c, a.call(nil))
	if grants, calls := a.counts(); resp.Status != 200 || string(resp.Body) != `"b"` || resp.Parameter != "token-2" || grants != 2 || calls != 3 {
		t.Errorf("revoked: %d %s, %s, %d tokens, %d calls", resp.Status, resp.Body, resp.Parameter, grants, calls)
	}
	a.answer = func(w http.ResponseWriter, n int) {
		_, _ = fmt.Fprintf(w, `{"access_token": "bad-%d", "token_type": "bearer", "expires_in": 300}`, n)
	}
	a.revoke()
	for range 10 { // within the ten seconds since the last one was thrown away
		if resp := answered(t, c, a.call(nil)); resp.Status != 401 || string(resp.Body) != `"b"` {
			t.Errorf("refused: %+v", resp)
		}
	}
	if a.grants != 2 {
		t.Errorf("%d tokens", a.grants)
	}
	now = now.Add(dropInterval)
	for range 10 {
		if resp := answered(t, c, a.call(nil)); resp.Status != 401 {
			t.Errorf("refused: %+v", resp)
		}
	}
	if a.grants != 3 {
		t.Errorf("%d tokens", a.grants)
	}
	// The authority has gone out of order meanwhile.
	now = now.Add(dropInterval)
	a.answer = func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusInternalServerError) }
	_, err := c.HTTP(t.Context(), a.call(nil))
	mustFail(t, "no new token", err, workflow.CommunicationError, 503, "the authority that gives the task its token is overloaded")
}

// TestFreshToken: one that was just given and is refused gets no other try.
func TestFreshToken(t *testing.T) {
	a := newAuthority(t)
	a.answer = func(w http.ResponseWriter, _ int) {
		_, _ = io.WriteString(w, `{"access_token": "bad", "token_type": "bearer", "expires_in": 300}`)
	}
	resp := answered(t, callerTo(t, a.Server), a.call(nil))
	if grants, calls := a.counts(); resp.Status != 401 || grants != 1 || calls != 1 {
		t.Errorf("%d, %d tokens, %d calls", resp.Status, grants, calls)
	}
}

// TestTokenElsewhere: no token where a redirect leads.
func TestTokenElsewhere(t *testing.T) {
	other := serve(t, echo)
	a := newAuthority(t)
	front := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	r := a.call(nil)
	r.URL, r.Redirect = front.URL, true
	if got := echoOf(t, answered(t, callerTo(t, a.Server, other, front), r)); got.Header["Authorization"] != nil {
		t.Errorf("sent %v", got.Header)
	}
}
