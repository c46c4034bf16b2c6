package workflow

import (
	"context"
	"reflect"
	"strings"
	"testing"
)

// authenticated is a list of tasks that begins with a call under a policy: with more in
// its with, and with more tasks.
func authenticated(policy, with, task, tasks string) string {
	return `"use":{"secrets":["pricing","stock"],"authentications":{"p":` + policy + `}},"do":[{"a":{"call":"http","with":{"method":"get","endpoint":{"uri":"https://a.example","authentication":{"use":"p"}}` + with + `}` + task + `}}` + tasks + `]`
}

func TestAuthentication(t *testing.T) {
	secrets := map[string]any{"pricing": "tok-1234\n", "stock": map[string]any{"username": "me", "password": "pw-1234", "client.id": "id-1", "client.secret": "cs-1234"}}
	for name, tt := range map[string]struct {
		policy string
		want   Authentication
	}{
		"bearer":             {`{"bearer":{"token":"${ .token }"}}`, Authentication{Scheme: AuthenticateBearer, Token: "from-input"}},
		"bearer of a secret": {`{"bearer":{"use":"pricing"}}`, Authentication{Scheme: AuthenticateBearer, Token: "tok-1234"}},
		"basic":              {`{"basic":{"username":"me","password":"${ $secrets.stock.password }"}}`, Authentication{Scheme: AuthenticateBasic, Username: "me", Password: "pw-1234"}},
		"basic of a secret":  {`{"basic":{"use":"stock"}}`, Authentication{Scheme: AuthenticateBasic, Username: "me", Password: "pw-1234"}},
		"digest":             {`{"digest":{"use":"stock"}}`, Authentication{Scheme: AuthenticateDigest, Username: "me", Password: "pw-1234"}},
		"oauth2": {`{"oauth2":{"authority":"https://id.example/{realm}","endpoints":{"token":"/token","revocation":"/r"},"grant":"client_credentials","client":{"id":"me","secret":"${ $secrets.stock[\"client.secret\"] }","authentication":"client_secret_basic"},"request":{"encoding":"application/json"},"scopes":["a","${ .scope }"],"audiences":["x"],"issuers":["https://id.example"]}}`,
			Authentication{Scheme: AuthenticateOAuth2, OAuth2: &OAuth2{Authority: "https://id.example/shop", TokenPath: "/token", ClientID: "me", ClientSecret: "cs-1234", ClientAuthentication: "client_secret_basic", Encoding: "application/json", Scopes: []string{"a", "b"}, Audiences: []string{"x"}, Issuers: []string{"https://id.example"}}}},
		"oidc": {`{"oidc":{"authority":"${ .authority }","grant":"client_credentials","client":{"authentication":"none"}}}`, Authentication{Scheme: AuthenticateOIDC, OAuth2: &OAuth2{Authority: "https://other.example", ClientAuthentication: "none"}}},
	} {
		t.Run(name, func(t *testing.T) {
			caller := &recorder{}
			mustRun(t, compileFor(t, authenticated(tt.policy, "", "", "")), map[string]any{"token": "from-input", "scope": "b", "realm": "shop", "authority": "https://other.example"}, &Host{Caller: caller, Secrets: func() map[string]any { return secrets }})
			if got := caller.http[0].Authentication; !reflect.DeepEqual(got, &tt.want) {
				t.Errorf("got %+v %+v", got, got.OAuth2)
			}
		})
	}
}

// TestAuthenticationOfSecrets: a Secret may be given as a whole, as an entry that holds a
// JSON object, or as an entry that is the token.
func TestAuthenticationOfSecrets(t *testing.T) {
	oauth := Authentication{Scheme: AuthenticateOAuth2, OAuth2: &OAuth2{Authority: "https://id.example", ClientID: "me", ClientSecret: "cs-1234", Scopes: []string{"a", "b"}}}
	for name, tt := range map[string]struct {
		policy string
		secret any
		want   *Authentication
		kind   ErrorKind
	}{
		"whole":                       {`{"oauth2":{"use":"pricing"}}`, map[string]any{"authority": "https://id.example", "grant": "client_credentials", "client.id": "me", "client.secret": "cs-1234", "scopes": "a b"}, &oauth, ""},
		"an object":                   {`{"oauth2":{"use":"pricing"}}`, `{"authority":"https://id.example","client":{"id":"me","secret":"cs-1234"},"scopes":["a","b"]}`, &oauth, ""},
		"an object for bearer":        {`{"bearer":{"use":"pricing"}}`, `{"token":"tok-1234"}`, &Authentication{Scheme: AuthenticateBearer, Token: "tok-1234"}, ""},
		"a text for basic":            {`{"basic":{"use":"pricing"}}`, `me:pw-1234`, nil, ConfigurationError},
		"no password":                 {`{"basic":{"use":"pricing"}}`, map[string]any{"username": "me"}, nil, ConfigurationError},
		"a number":                    {`{"bearer":{"use":"pricing"}}`, `{"token":1234}`, nil, ConfigurationError},
		"another grant":               {`{"oauth2":{"use":"pricing"}}`, map[string]any{"authority": "https://id.example", "grant": "password"}, nil, ConfigurationError},
		"scopes that are no texts":    {`{"oauth2":{"use":"pricing"}}`, `{"authority":"https://id.example","scopes":[1]}`, nil, ConfigurationError},
		"not there":                   {`{"bearer":{"use":"pricing"}}`, nil, nil, AuthorizationError},
		"not there, in an expression": {`{"bearer":{"token":"${ $secrets.pricing }"}}`, nil, nil, AuthorizationError},
		"empty":                       {`{"bearer":{"token":"${ \"\" }"}}`, "x", nil, ConfigurationError},
	} {
		t.Run(name, func(t *testing.T) {
			secrets, caller := map[string]any{}, &recorder{}
			if tt.secret != nil {
				secrets["pricing"] = tt.secret
			}
			host := &Host{Caller: caller, Secrets: func() map[string]any { return secrets }}
			p := compileFor(t, authenticated(tt.policy, "", "", ""))
			if tt.kind != "" {
				e, f := mustFail(t, p, nil, host)
				if !e.IsKind(tt.kind) || e.Instance != "/do/0/a" || f.Status != 500 || len(caller.http) != 0 {
					t.Errorf("got %v, %d", e, f.Status)
				}
				if text := f.Error(); strings.Contains(text, "1234") {
					t.Errorf("it shows the secret: %s", text)
				}
				return
			}
			mustRun(t, p, nil, host)
			if got := caller.http[0].Authentication; !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v %+v", got, got.OAuth2)
			}
		})
	}
}

// TestAuthorizationDescriptor: $authorization is there in the call where it is known
// beforehand, and after it as the caller tells; and the run tells nobody.
func TestAuthorizationDescriptor(t *testing.T) {
	const (
		with  = `,"headers":{"X-Copy":"${ $authorization.parameter // \"none\" }"}`
		task  = `,"output":{"as":"{a: $authorization.scheme, length: ($authorization.parameter | length)}"},"export":{"as":"{parameter: $authorization.parameter}"}`
		tasks = `,{"b":{"set":{"a":"${ .a }","length":"${ .length }","told":"${ $context.parameter }","now":"${ $authorization }"}}}`
	)
	for name, tt := range map[string]struct{ policy, scheme, parameter, copied, want string }{
		"bearer": {`{"bearer":{"token":"tok-1234"}}`, "Bearer", "tok-1234", "tok-1234", `{"a":"Bearer","length":8,"told":"[redacted]","now":null}`},
		"basic":  {`{"basic":{"username":"me","password":"pw-1234"}}`, "", "", "bWU6cHctMTIzNA==", `{"a":"Basic","length":16,"told":"[redacted]","now":null}`},
		"oauth2": {`{"oauth2":{"authority":"https://id.example","grant":"client_credentials","client":{"id":"me"}}}`, "Bearer", "eyJhbGci", "none", `{"a":"Bearer","length":8,"told":"[redacted]","now":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			caller := &recorder{answer: func(context.Context, string) (*HTTPResponse, error) {
				return &HTTPResponse{Status: 200, Scheme: tt.scheme, Parameter: tt.parameter}, nil
			}}
			got := mustRun(t, compileFor(t, authenticated(tt.policy, with, task, tasks)), nil, &Host{Caller: caller})
			if !sameJSON(t, got, value(t, tt.want)) || caller.http[0].Header["X-Copy"] != tt.copied {
				t.Errorf("got %v and %v", got, caller.http[0].Header)
			}
		})
	}
}
