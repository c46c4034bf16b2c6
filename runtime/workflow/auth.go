package workflow

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
)

// authentication is a compiled authentication policy. Its properties have the names
// that they have in a definition, with dots: client.secret.
type authentication struct {
	scheme     AuthenticationScheme
	at         string
	properties map[string]*template
	// authority is that of OAuth 2, in which variables may stand.
	authority *uri
	// secret, when not empty, is the name of the secret that holds the properties.
	secret string
}

// schemes are the authentication schemes, with their properties; required ones first.
var schemes = map[string]struct {
	fields   fieldSet
	required []string
}{
	"basic":  {fieldSet{supported: []string{"username", "password"}}, []string{"username", "password"}},
	"digest": {fieldSet{supported: []string{"username", "password"}}, []string{"username", "password"}},
	"bearer": {fieldSet{supported: []string{"token"}}, []string{"token"}},
	"oauth2": {oauth2Fields, []string{"authority", "grant"}},
	"oidc":   {oauth2Fields, []string{"authority", "grant"}},
}

// authentication compiles the member authentication: a policy, or {use: NAME} of
// use.authentications.
func (c *compiler) authentication(at pointer, parent map[string]any) *authentication {
	value, ok := c.object(at, parent, "authentication")
	if !ok {
		return nil
	}
	at = at.child("authentication")
	if name, ok := c.text(at, value, "use", false); ok {
		c.fields(at, value, useOnlyFields)
		definition, found := c.named(at.child("use"), "authentications", name)
		if !found {
			return nil
		}
		at = useAt("authentications", name)
		if value, ok = definition.(map[string]any); !ok {
			c.problem(at, "must be an object with one member, the scheme: write for example {bearer: {token: ...}}")
			return nil
		}
	}
	c.fields(at, value, authenticationFields)
	if len(value) != 1 {
		c.problem(at, "must have one member, the scheme: write for example {bearer: {token: ...}}")
		return nil
	}
	for scheme := range value {
		if _, known := schemes[scheme]; known {
			return c.scheme(at, scheme, value)
		}
	}
	return nil
}

func (c *compiler) scheme(at pointer, scheme string, parent map[string]any) *authentication {
	policy, ok := c.object(at, parent, scheme)
	if !ok {
		return nil
	}
	at = at.child(scheme)
	a := &authentication{scheme: AuthenticationScheme(scheme), at: string(at), properties: map[string]*template{}}
	if name, ok := c.text(at, policy, "use", false); ok {
		c.fields(at, policy, useOnlyFields)
		c.secret(at.child("use"), name)
		a.secret = name
		return a
	}
	known := schemes[scheme]
	c.fields(at, policy, known.fields)
	for _, name := range known.required {
		if _, present := policy[name]; !present {
			c.problem(at.child(name), "is required; or write {use: NAME} of a secret that holds it")
		}
	}
	c.properties(a, at, "", policy)
	if scheme == "oauth2" || scheme == "oidc" {
		c.oauth2(a, at, policy)
	}
	return a
}

// properties compiles the properties of a policy, those of objects in it too.
func (c *compiler) properties(a *authentication, at pointer, prefix string, policy map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(policy)) {
		here := at.child(name)
		switch value := policy[name].(type) {
		case map[string]any:
			known, ok := oauth2Parts[name]
			if !ok || prefix != "" {
				c.problem(here, "must be a text, not an object")
				continue
			}
			c.fields(here, value, known)
			c.properties(a, here, name+".", value)
		case []any:
			if !slices.Contains(oauth2Lists, name) || prefix != "" {
				c.problem(here, "must be a text, not an array")
			}
			a.properties[prefix+name] = c.template(here, value, siteTask)
		case string:
			a.properties[prefix+name] = c.template(here, value, siteTask)
		default:
			c.problem(here, "must be a text, not %s: put it in quotes", kindOf(value))
		}
	}
}

// oauth2 checks what of an OAuth 2 policy is known beforehand.
func (c *compiler) oauth2(a *authentication, at pointer, policy map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(oauth2Values)) {
		allowed := oauth2Values[name]
		parent, key, nested := strings.Cut(name, ".")
		here, holder := at, policy
		if nested {
			here = at.child(parent)
			holder, _ = policy[parent].(map[string]any)
		} else {
			key = name
		}
		if text, ok := holder[key].(string); ok {
			if _, dynamic := unwrap(text); !dynamic {
				c.oneOf(here.child(key), text, allowed)
			}
		}
	}
	if authority, ok := policy["authority"].(string); ok {
		delete(a.properties, "authority")
		a.authority = c.uri(at.child("authority"), authority)
		c.reached(at.child("authority"), a.authority)
	}
	client, _ := policy["client"].(map[string]any)
	method, _ := client["authentication"].(string)
	if _, present := client["id"]; !present && method != "none" {
		c.problem(at.child("client").child("id"), "is required, unless client.authentication is none")
	}
	if _, present := client["assertion"]; !present && method == "private_key_jwt" {
		c.problem(at.child("client").child("assertion"), "is required with private_key_jwt: a signed JWT")
	}
}

// oauth2Lists are the properties of OAuth 2 that may be lists.
var oauth2Lists = []string{"scopes", "audiences", "issuers"}

// oauth2Values are the values that some properties of OAuth 2 may have.
var oauth2Values = map[string][]string{
	"grant":                 {"client_credentials"},
	"client.authentication": {"client_secret_post", "client_secret_basic", "client_secret_jwt", "private_key_jwt", "none"},
	"request.encoding":      {"application/x-www-form-urlencoded", "application/json"},
}

// evaluate returns the policy with everything in place; no policy is none.
func (a *authentication) evaluate(r *run, input any) (*Authentication, error) {
	if a == nil {
		return nil, nil
	}
	values := map[string]any{}
	if a.secret != "" {
		var err error
		if values, err = r.secretProperties(a); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.properties)) {
		value, err := a.properties[name].apply(r, input)
		if err != nil {
			return nil, err
		}
		values[name] = value
	}
	if a.authority != nil {
		authority, err := a.authority.evaluate(r, input)
		if err != nil {
			return nil, err
		}
		values["authority"] = authority
	}
	p := properties{at: a.at, values: values}
	out := &Authentication{Scheme: a.scheme}
	switch a.scheme {
	case AuthenticateBasic, AuthenticateDigest:
		out.Username, out.Password = p.required("username"), p.required("password")
	case AuthenticateBearer:
		out.Token = p.required("token")
	case AuthenticateOAuth2, AuthenticateOIDC:
		out.OAuth2 = p.oauth2()
	}
	return out, p.err
}

// authorize evaluates the policy of a call, and makes $authorization of it where that is
// known before the call: the other schemes learn theirs from a server.
func (a *authentication) authorize(r *run, input any) (*Authentication, error) {
	out, err := a.evaluate(r, input)
	if err != nil || out == nil {
		return nil, err
	}
	switch out.Scheme {
	case AuthenticateBasic:
		err = r.authorized("Basic", base64.StdEncoding.EncodeToString([]byte(out.Username+":"+out.Password)))
	case AuthenticateBearer:
		err = r.authorized("Bearer", out.Token)
	case AuthenticateDigest, AuthenticateOAuth2, AuthenticateOIDC:
	}
	return out, err
}

// authorized sets $authorization, which is taken out of what the run tells.
func (r *run) authorized(scheme, parameter string) error {
	r.frame.authorization = map[string]any{"scheme": scheme, "parameter": parameter}
	if strings.EqualFold(scheme, "Digest") {
		r.shared.redact.setDigest(parameter)
		return nil
	}
	return r.reveal(parameter)
}

// maxCredential is the longest property of a policy, in bytes: what goes into a header.
const maxCredential = 16 << 10

// properties reads the values of a policy and keeps the first thing that is wrong.
type properties struct {
	at     string
	values map[string]any
	err    error
}

func (p *properties) fail(format string, args ...any) {
	if p.err == nil {
		p.err = NewError(ConfigurationError, nil, "the authentication at "+p.at+" "+format, args...)
	}
}

func (p *properties) optional(name string) string {
	value, present := p.values[name]
	if !present || value == nil {
		return ""
	}
	text, ok := value.(string)
	switch {
	case !ok:
		p.fail("has a %s that is not a text", name)
	case len(text) > maxCredential:
		p.fail("has a %s of more than %d bytes", name, maxCredential)
	}
	return text
}

func (p *properties) required(name string) string {
	text := p.optional(name)
	if text == "" {
		p.fail("has no %s", name)
	}
	return text
}

// texts reads a list of texts, or one text with spaces between them.
func (p *properties) texts(name string) []string {
	switch value := p.values[name].(type) {
	case string:
		return strings.Fields(value)
	case []any:
		out := make([]string, 0, len(value))
		for _, item := range value {
			text, ok := item.(string)
			if !ok {
				p.fail("has %s that are not all texts", name)
			}
			out = append(out, text)
		}
		return out
	}
	return nil
}

func (p *properties) oauth2() *OAuth2 {
	if grant := p.optional("grant"); grant != "" && grant != "client_credentials" {
		p.fail("has a grant that is not client_credentials")
	}
	return &OAuth2{
		Authority: p.required("authority"), TokenPath: p.optional("endpoints.token"),
		ClientID: p.optional("client.id"), ClientSecret: p.optional("client.secret"), Assertion: p.optional("client.assertion"),
		ClientAuthentication: p.optional("client.authentication"), Encoding: p.optional("request.encoding"),
		Scopes: p.texts("scopes"), Audiences: p.texts("audiences"), Issuers: p.texts("issuers"),
	}
}
