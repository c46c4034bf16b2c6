package call

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/egress"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// authenticated makes requests through the guard that prove who calls, as the policy
// says; without a policy they do not. Redirects are followed or are responses like any
// other. Bodies have a bound: see bounded. A request whose body cannot be had again
// (GetBody) is not repeated.
func (c *Caller) authenticated(a *workflow.Authentication, redirect bool) http.RoundTripper {
	var exchange http.RoundTripper = c.guard
	if a != nil {
		exchange = &credentials{caller: c, policy: a}
	}
	if redirect {
		exchange = following{c.guard.Follow(exchange)}
	}
	return bounded{exchange}
}

// following follows redirects.
type following struct{ client *http.Client }

// RoundTrip implements http.RoundTripper.
func (f following) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err // the client may return a response besides it
	}
	return resp, nil
}

// credentials makes exchanges that prove who calls.
type credentials struct {
	caller *Caller
	policy *workflow.Authentication
}

// RoundTrip implements http.RoundTripper. Where a redirect left the host that the policy
// is for, nobody proves anything.
func (r *credentials) RoundTrip(req *http.Request) (*http.Response, error) {
	if egress.Strayed(req) {
		return r.caller.guard.RoundTrip(req)
	}
	switch p := r.policy; p.Scheme {
	case workflow.AuthenticateBasic:
		switch {
		case strings.Contains(p.Username, ":"):
			return refuse(req, "basic.username: it has a colon, which the scheme does not allow")
		case !plainValue(p.Username) || !plainValue(p.Password):
			return refuse(req, "basic: the username or the password has a line break or another control character")
		}
		return r.send(req, "Basic "+base64.StdEncoding.EncodeToString([]byte(p.Username+":"+p.Password)))
	case workflow.AuthenticateBearer:
		if !plainToken(p.Token) {
			return refuse(req, "bearer.token: it is empty, or has a space, a line break or another character that no token has")
		}
		return r.send(req, "Bearer "+p.Token)
	case workflow.AuthenticateDigest:
		return r.digest(req)
	case workflow.AuthenticateOAuth2, workflow.AuthenticateOIDC:
		return r.oauth(req)
	default:
		return refuse(req, "authentication: it is none of basic, bearer, digest, oauth2 and oidc")
	}
}

// send makes one exchange with an Authorization header.
func (r *credentials) send(req *http.Request, authorization string) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", authorization)
	return r.caller.guard.RoundTrip(req)
}

// refuse ends a request that is not made, for a reason that the policy's author can
// mend.
func refuse(req *http.Request, detail string) (*http.Response, error) {
	closeBody(req)
	return nil, workflow.NewError(workflow.ConfigurationError, nil, "%s", detail)
}

// closeBody closes the body of a request that is not made, as a RoundTripper has to.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// again returns a request like one that was made before, nil when its body is gone.
func again(req *http.Request) *http.Request {
	next := req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return next
	}
	if req.GetBody == nil {
		return nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil
	}
	next.Body = body
	return next
}

// drop closes a response that is not looked at. A short body is read before, so that the
// connection can serve on.
func drop(resp *http.Response) {
	if 0 <= resp.ContentLength && resp.ContentLength <= 4<<10 {
		_, _ = io.CopyN(io.Discard, resp.Body, resp.ContentLength)
	}
	_ = resp.Body.Close()
}

// plainToken says whether a text can be a bearer token: visible ASCII without a space
// (a little more than RFC 6750, section 2.1, since some are made of other characters).
func plainToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
