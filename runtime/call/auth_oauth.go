package call

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

const (
	// maxAuthorityBytes is how much of an authority's answer is read.
	maxAuthorityBytes = 64 << 10
	// assertionLife is how long a client's signed assertion is good for.
	assertionLife = time.Minute
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// oauth makes a request with a token of the authority. Where the service does not take a
// token that was kept, it may have been revoked: one more try is made with a new one.
func (r *credentials) oauth(req *http.Request) (*http.Response, error) {
	ctx, key := req.Context(), keyOf(r.policy)
	fetch := func(ctx context.Context) (grant, error) { return r.caller.grant(ctx, r.policy) }
	token, kept, err := r.caller.tokens.get(ctx, key, fetch)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := r.send(req, "Bearer "+token)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !kept {
		return resp, err
	}
	next := again(req)
	if next == nil || !r.caller.tokens.drop(key, token) {
		return resp, nil
	}
	drop(resp)
	if token, _, err = r.caller.tokens.get(ctx, key, fetch); err != nil {
		closeBody(next)
		return nil, err
	}
	return r.send(next, "Bearer "+token)
}

// grant asks the authority for a token with the grant client_credentials (RFC 6749,
// section 4.4). An error is a *workflow.Error, or has that of the context in it.
func (c *Caller) grant(ctx context.Context, a *workflow.Authentication) (grant, error) {
	if a.OAuth2 == nil {
		return grant{}, misconfigured(nil, "authority", "it is missing")
	}
	endpoint, err := c.tokenEndpoint(ctx, a)
	if err != nil {
		return grant{}, err
	}
	req, err := tokenRequest(ctx, endpoint, a.OAuth2, c.now())
	if err != nil {
		return grant{}, err
	}
	resp, err := c.guard.RoundTrip(req) // a redirect would take the client's secret along
	if err != nil {
		return grant{}, failure(ctx, theAuthority, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(http.MaxBytesReader(nil, resp.Body, maxAuthorityBytes))
	if err != nil {
		return grant{}, unreadable(ctx, theAuthority, err)
	}
	return grantOf(resp.StatusCode, raw, a.OAuth2.Issuers)
}

func misconfigured(cause error, field, detail string) error {
	return workflow.NewError(workflow.ConfigurationError, cause, "%s of the authentication policy: %s", field, detail)
}

// tokenRequest is the request for a token.
func tokenRequest(ctx context.Context, endpoint string, o *workflow.OAuth2, now time.Time) (*http.Request, error) {
	fields, authorization, err := clientFields(endpoint, o, now)
	if err != nil {
		return nil, err
	}
	fields["grant_type"] = []string{"client_credentials"}
	if len(o.Scopes) > 0 {
		fields["scope"] = []string{strings.Join(o.Scopes, " ")}
	}
	if len(o.Audiences) > 0 {
		fields["audience"] = o.Audiences
	}
	var body []byte
	encoding := o.Encoding
	switch encoding {
	case "", formType:
		encoding = formType
		body = []byte(url.Values(fields).Encode())
	case jsonType:
		body, err = json.Marshal(singles(fields))
	default:
		err = misconfigured(nil, "request.encoding", "use "+formType+" or "+jsonType)
	}
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, misconfigured(err, "authority", "it is no URL that can be called")
	}
	req.Header = http.Header{"Content-Type": {encoding}, "Accept": {jsonType}, "User-Agent": {"nexus"}}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return req, nil
}

// singles are the fields as JSON has them: a list only where there are several.
func singles(fields map[string][]string) map[string]any {
	out := make(map[string]any, len(fields))
	for name, values := range fields {
		if out[name] = values; len(values) == 1 {
			out[name] = values[0]
		}
	}
	return out
}

// clientFields are the fields, or else the Authorization header, that prove who the
// client is.
func clientFields(endpoint string, o *workflow.OAuth2, now time.Time) (map[string][]string, string, error) {
	method := o.ClientAuthentication
	if method == "" {
		method = "client_secret_post"
	}
	needsSecret := strings.HasPrefix(method, "client_secret_")
	switch {
	case method != "none" && o.ClientID == "":
		return nil, "", misconfigured(nil, "client.id", "it is missing or empty")
	case needsSecret && o.ClientSecret == "":
		return nil, "", misconfigured(nil, "client.secret", "it is missing or empty")
	case method == "private_key_jwt" && o.Assertion == "":
		return nil, "", misconfigured(nil, "client.assertion", "it is missing or empty")
	}
	fields := map[string][]string{}
	if o.ClientID != "" {
		fields["client_id"] = []string{o.ClientID}
	}
	switch method {
	case "none":
	case "client_secret_post":
		fields["client_secret"] = []string{o.ClientSecret}
	case "client_secret_basic": // RFC 6749, section 2.3.1
		pair := url.QueryEscape(o.ClientID) + ":" + url.QueryEscape(o.ClientSecret)
		return map[string][]string{}, "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)), nil
	case "client_secret_jwt":
		fields["client_assertion_type"] = []string{assertionType}
		fields["client_assertion"] = []string{signedAssertion(endpoint, o, now)}
	case "private_key_jwt":
		fields["client_assertion_type"] = []string{assertionType}
		fields["client_assertion"] = []string{o.Assertion}
	default:
		return nil, "", misconfigured(nil, "client.authentication", "use client_secret_post, client_secret_basic, client_secret_jwt, private_key_jwt or none")
	}
	return fields, "", nil
}

// signedAssertion proves the client's secret without telling it (RFC 7523, section 3;
// the algorithm HS256 is RFC 7518, section 3.2).
func signedAssertion(endpoint string, o *workflow.OAuth2, now time.Time) string {
	claims, _ := json.Marshal(map[string]any{ // cannot fail: texts and numbers
		"iss": o.ClientID, "sub": o.ClientID, "aud": endpoint, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	mac := hmac.New(sha256.New, []byte(o.ClientSecret))
	_, _ = io.WriteString(mac, signed)
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// errorCodes are the registered ones that an authority may answer a request for a token
// with (RFC 6749, section 5.2; RFC 8707, section 2). A caller may see them.
var errorCodes = map[string]bool{
	"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unauthorized_client": true,
	"unsupported_grant_type": true, "invalid_scope": true, "invalid_target": true,
}

// tokenAnswer is what an authority answers, good or bad (RFC 6749, section 5).
type tokenAnswer struct {
	AccessToken string      `json:"access_token"`
	TokenType   string      `json:"token_type"`
	ExpiresIn   json.Number `json:"expires_in"` // some write it as a string
	Error       string      `json:"error"`
	Description string      `json:"error_description"`
}

// grantOf reads the answer of an authority.
func grantOf(status int, raw []byte, issuers []string) (grant, error) {
	var answer tokenAnswer
	err := json.Unmarshal(raw, &answer)
	switch {
	case status >= 500 || status == http.StatusTooManyRequests:
		out := workflow.NewError(workflow.CommunicationError, fmt.Errorf("the authority answers %d", status), "%s is overloaded or out of order", theAuthority)
		out.Status = http.StatusServiceUnavailable
		return grant{}, out
	case answer.Error != "":
		detail := "the authority refuses to give a token"
		if errorCodes[answer.Error] {
			detail += ": " + answer.Error
		}
		return grant{}, workflow.NewError(workflow.AuthenticationError, fmt.Errorf("the authority answers %d: %.64q: %.256q", status, answer.Error, answer.Description), "%s", detail)
	case status >= 400:
		return grant{}, workflow.NewError(workflow.AuthenticationError, fmt.Errorf("the authority answers %d", status), "the authority refuses to give a token")
	case status != http.StatusOK:
		return grant{}, badResponse(fmt.Errorf("the authority answers %d to the request for a token", status), "%s does not answer with a token", theAuthority)
	case err != nil:
		return grant{}, badResponse(fmt.Errorf("reading the authority's answer: %w", err), "%s does not answer with a bearer token", theAuthority)
	case !plainToken(answer.AccessToken) || !strings.EqualFold(answer.TokenType, "Bearer"):
		return grant{}, badResponse(fmt.Errorf("the authority's answer has no access_token, or its token_type is another one than Bearer: %.64q", answer.TokenType), "%s does not answer with a bearer token", theAuthority)
	}
	if err := checkIssuer(answer.AccessToken, issuers); err != nil {
		return grant{}, err
	}
	return grant{token: answer.AccessToken, life: lifeOf(answer.ExpiresIn)}, nil
}
