package call

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

func TestBasicAndBearer(t *testing.T) {
	server := serve(t, echo)
	c := callerTo(t, server)
	for _, tc := range []struct {
		policy workflow.Authentication
		want   string
	}{
		{workflow.Authentication{Scheme: workflow.AuthenticateBasic, Username: "Aladdin", Password: "open sesame"}, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, // RFC 7617, section 2
		{workflow.Authentication{Scheme: workflow.AuthenticateBasic, Username: "test", Password: "123\u00a3"}, "Basic dGVzdDoxMjPCow=="},                  // and 2.1
		{workflow.Authentication{Scheme: workflow.AuthenticateBasic, Username: "", Password: ":"}, "Basic Ojo="},
		{workflow.Authentication{Scheme: workflow.AuthenticateBearer, Token: "mF_9.B5f-4.1JqM"}, "Bearer mF_9.B5f-4.1JqM"},
	} {
		r := get(server.URL)
		r.Authentication = &tc.policy
		resp := answered(t, c, r)
		if got := echoOf(t, resp).Header.Get("Authorization"); got != tc.want || resp.Scheme+" "+resp.Parameter != tc.want || resp.RequestHeader["Authorization"] != "" {
			t.Errorf("got %s, told %s %s; want %s", got, resp.Scheme, resp.Parameter, tc.want)
		}
	}
}

func TestBadPolicies(t *testing.T) {
	c := callerTo(t, serve(t, echo))
	for name, policy := range map[string]workflow.Authentication{
		"basic.username: it has a colon":   {Scheme: workflow.AuthenticateBasic, Username: "s3cret:x"},
		"basic: the username or the passw": {Scheme: workflow.AuthenticateBasic, Username: "u", Password: "s3cret\n"},
		"bearer.token: it is empty":        {Scheme: workflow.AuthenticateBearer, Token: "s3cret\r\nX-Admin: 1"},
		"bearer.token: it is empty, or":    {Scheme: workflow.AuthenticateBearer},
		"bearer.token: it is empty, or ha": {Scheme: workflow.AuthenticateBearer, Token: "a s3cret"},
		"digest.username: it has a line b": {Scheme: workflow.AuthenticateDigest, Username: "s3cret\r\n"},
		"authentication: it is none of":    {Scheme: "negotiate"},
		"authority of the authentication":  {Scheme: workflow.AuthenticateOAuth2},
	} {
		r := get("http://127.0.0.1:1/")
		r.Authentication = &policy
		_, err := c.HTTP(t.Context(), r)
		mustFail(t, name, err, workflow.ConfigurationError, 400, name)
	}
}

// closeable tells when it is closed.
type closeable struct {
	io.Reader
	closed *bool
}

func (c closeable) Close() error { *c.closed = true; return nil }

// TestRoundTripper: what other clients are given does as they expect: it leaves their
// request alone, closes its body, and does not repeat one that it cannot read again.
func TestRoundTripper(t *testing.T) {
	asked := 0
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("WWW-Authenticate", `Digest realm="r", nonce="n", qop="auth"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	c := callerTo(t, server)
	for _, policy := range []*workflow.Authentication{
		nil,
		{Scheme: workflow.AuthenticateBearer, Token: "t"}, {Scheme: workflow.AuthenticateBearer},
		{Scheme: workflow.AuthenticateDigest, Username: "u"},
		{Scheme: workflow.AuthenticateOAuth2}, {Scheme: "none"},
	} {
		for _, redirect := range []bool{false, true} {
			asked = 0
			closed := false
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, closeable{strings.NewReader("body"), &closed})
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.authenticated(policy, redirect).RoundTrip(req)
			if err == nil {
				if resp.StatusCode != 401 {
					t.Errorf("%+v: %s", policy, resp.Status)
				}
				resp.Body.Close()
			}
			if !closed || len(req.Header) != 0 || asked > 1 {
				t.Errorf("%+v: closed %v, header %v, asked %d times, %v", policy, closed, req.Header, asked, err)
			}
		}
	}
}

// TestForeignClient: a client of its own kind that follows redirects by its own rules does
// not take the credentials along, not even to a name below the first one.
func TestForeignClient(t *testing.T) {
	asked := &verifier{algorithm: "MD5", qop: "auth", user: "u", password: "s3cret"}
	there := serve(t, asked.ServeHTTP)
	here := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusTeapot)
		}
		w.Header().Set("Location", strings.Replace(there.URL, "127.0.0.1", "localhost", 1))
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	c := callerTo(t, here, there)
	for _, policy := range []workflow.Authentication{
		{Scheme: workflow.AuthenticateBearer, Token: "s3cret"}, {Scheme: workflow.AuthenticateBasic, Username: "u", Password: "s3cret"},
	} {
		client := http.Client{Transport: c.authenticated(&policy, false)}
		req := request(t, byName(here))
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 401 || asked.last != "" {
			t.Errorf("%s: %d, sent %s", policy.Scheme, resp.StatusCode, asked.last)
		}
	}
}
