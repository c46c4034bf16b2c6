package call

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

func TestOIDC(t *testing.T) {
	a := newAuthority(t)
	now := time.Now()
	c := New(Options{Guard: guardTo(t, a.Server), Now: func() time.Time { return now }})
	for _, authority := range []string{a.URL, a.URL + "/", a.URL + "/realms/x", a.URL + "/realms/x" + discoveryPath} {
		r := a.call(func(o *workflow.OAuth2) { o.Authority = authority })
		r.Authentication.Scheme = workflow.AuthenticateOIDC
		if resp := answered(t, c, r); resp.Status != 200 || a.path != "/oidc/token" {
			t.Errorf("%s: %d, asked %s", authority, resp.Status, a.path)
		}
	}
}

func TestDiscovery(t *testing.T) {
	document, status, discoveries := "", 200, 0
	var server *httptest.Server
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != discoveryPath {
			_, _ = io.WriteString(w, `{"access_token": "t", "token_type": "bearer", "expires_in": 0}`)
			return
		}
		discoveries++
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.ReplaceAll(document, "URL", server.URL))
	}
	server = serveTLS(t, handler)
	service := serve(t, echo)
	now := time.Now()
	c := New(Options{Guard: guardTo(t, server, service), Now: func() time.Time { return now }})
	r := &workflow.HTTPRequest{Method: "GET", URL: service.URL, Authentication: &workflow.Authentication{
		Scheme: workflow.AuthenticateOIDC, OAuth2: &workflow.OAuth2{Authority: server.URL, ClientID: "c", ClientSecret: "s3cret"}}}
	for _, tc := range []struct {
		document string
		status   int
		kind     workflow.ErrorKind
		want     int
		detail   string
	}{
		{`{"issuer": "https://evil.test", "token_endpoint": "URL/token"}`, 200, workflow.AuthenticationError, 401, "is that of another one"},
		{`{"token_endpoint": "URL/token"}`, 200, workflow.AuthenticationError, 401, "is that of another one"},
		{`{"issuer": "URL"}`, 200, workflow.CommunicationError, 502, "names no token endpoint"},
		{`{"issuer": "URL", "token_endpoint": "/token"}`, 200, workflow.CommunicationError, 502, "names no token endpoint"},
		{`{"issuer": "URL", "token_endpoint": "http://127.0.0.1/token"}`, 200, workflow.CommunicationError, 502, "without TLS"},
		{`{"issuer": "URL", "token_endpoint": "https://evil.test/token"}`, 200, workflow.ConfigurationError, 400, "spec.egress does not let the app reach the authority"},
		{`<html>`, 200, workflow.CommunicationError, 502, "sends no discovery document"},
		{`{"issuer": "URL", "token_endpoint": "URL/token"}`, 404, workflow.CommunicationError, 503, "cannot be reached"},
		{`{"issuer": "URL", "token_endpoint": "URL/token"}` + strings.Repeat(" ", 1<<16), 200, workflow.CommunicationError, 503, "cannot be reached"},
	} {
		document, status = tc.document, tc.status
		now = now.Add(discoveryLife)
		_, err := c.HTTP(t.Context(), r)
		mustFail(t, tc.document, err, tc.kind, tc.want, tc.detail, "evil.test", "html")
	}
	document, status, discoveries = `{"issuer": "URL/", "token_endpoint": "URL/token"}`, 200, 0
	for i, step := range []struct {
		after time.Duration
		want  int
	}{{discoveryLife, 1}, {0, 1}, {discoveryLife - time.Second, 1}, {time.Second, 2}} {
		now = now.Add(step.after)
		if resp := answered(t, c, r); resp.Status != 200 || discoveries != step.want {
			t.Errorf("step %d: %d, %d discoveries", i, resp.Status, discoveries)
		}
	}
	for i := range 3 * maxAuthorities {
		c.authorities.keep(fmt.Sprint(i), "x", now)
		if len(c.authorities.found) > maxAuthorities {
			t.Fatalf("%d are kept", len(c.authorities.found))
		}
	}
}
