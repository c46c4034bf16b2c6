package call

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

const (
	discoveryPath = "/.well-known/openid-configuration"
	// discoveryLife is how long a discovery document is believed.
	discoveryLife = 10 * time.Minute
	// maxAuthorities is how many authorities the token endpoints are kept of.
	maxAuthorities = 64
	// defaultTokenPath is the specification's.
	defaultTokenPath = "/oauth2/token"
)

// authorities are the token endpoints that discovery has found.
type authorities struct {
	mu    sync.Mutex
	found map[string]tokenEndpoint
}

type tokenEndpoint struct {
	url   string
	until time.Time
}

func (a *authorities) get(authority string, now time.Time) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.found[authority]; now.Before(e.until) {
		return e.url
	}
	return ""
}

func (a *authorities) keep(authority, endpoint string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.found) >= maxAuthorities || a.found == nil {
		a.found = map[string]tokenEndpoint{}
	}
	a.found[authority] = tokenEndpoint{endpoint, now.Add(discoveryLife)}
}

// tokenEndpoint is the URL at which an authority gives tokens.
func (c *Caller) tokenEndpoint(ctx context.Context, a *workflow.Authentication) (string, error) {
	o := a.OAuth2
	authority, err := url.Parse(o.Authority)
	if err != nil || authority.Host == "" || authority.RawQuery != "" || authority.Fragment != "" {
		return "", misconfigured(err, "authority", "it is no URL of a host and a path")
	}
	if a.Scheme == workflow.AuthenticateOIDC {
		return c.discovered(ctx, authority)
	}
	path := o.TokenPath
	if path == "" {
		path = defaultTokenPath
	}
	below, err := url.Parse(path)
	if err != nil || below.Scheme != "" || below.Host != "" || below.Fragment != "" {
		return "", misconfigured(err, "endpoints.token", "it is no path below the authority")
	}
	endpoint := authority.JoinPath(below.EscapedPath())
	endpoint.RawQuery = below.RawQuery
	return endpoint.String(), nil
}

// discovered finds the token endpoint in the authority's discovery document (OpenID
// Connect Discovery 1.0, section 4), which must be about that very authority.
func (c *Caller) discovered(ctx context.Context, authority *url.URL) (string, error) {
	issuer := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(authority.String(), "/"), discoveryPath), "/")
	if known := c.authorities.get(issuer, c.now()); known != "" {
		return known, nil
	}
	raw, err := c.guard.Fetch(ctx, issuer+discoveryPath, maxAuthorityBytes)
	if err != nil {
		return "", failure(ctx, theAuthority, err)
	}
	var document struct {
		Issuer        string `json:"issuer"`
		TokenEndpoint string `json:"token_endpoint"`
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		return "", badResponse(fmt.Errorf("reading the discovery document: %w", err), "%s sends no discovery document", theAuthority)
	}
	if strings.TrimSuffix(document.Issuer, "/") != issuer {
		return "", workflow.NewError(workflow.AuthenticationError, fmt.Errorf("the discovery document is of the issuer %.256q", document.Issuer), "the discovery document of the authority is that of another one")
	}
	endpoint, err := url.Parse(document.TokenEndpoint)
	switch {
	case err != nil || endpoint.Host == "":
		return "", badResponse(fmt.Errorf("token_endpoint is %.256q", document.TokenEndpoint), "the discovery document of the authority names no token endpoint")
	case endpoint.Scheme != "https" && authority.Scheme == "https":
		return "", badResponse(fmt.Errorf("token_endpoint is %.256q", document.TokenEndpoint), "the discovery document of the authority names a token endpoint without TLS")
	}
	c.authorities.keep(issuer, document.TokenEndpoint, c.now())
	return document.TokenEndpoint, nil
}

// checkIssuer says whether a token that is a JWT comes from one of the issuers. That is
// about whom the workflow trusts, not about the token's signature, which is for the
// service to verify.
func checkIssuer(token string, issuers []string) error {
	parts := strings.Split(token, ".")
	if len(issuers) == 0 || len(parts) != 3 {
		return nil
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	if !readPart(parts[0], &header) || header.Algorithm == "" {
		return nil // no JWT, but another text with two dots
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if !readPart(parts[1], &claims) || !slices.Contains(issuers, claims.Issuer) {
		return workflow.NewError(workflow.AuthenticationError, fmt.Errorf("the token's issuer is %.256q", claims.Issuer), "the authority gives a token of an issuer that the authentication policy does not list")
	}
	return nil
}

// readPart reads one of the JSON objects in a JWT.
func readPart(part string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(raw, into) == nil
}
