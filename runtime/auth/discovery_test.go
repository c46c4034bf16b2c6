package auth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

func TestDiscovery(t *testing.T) {
	const https, http = testIssuer, "http://id.example.com"
	for _, c := range []struct {
		name, issuer, document string
		want                   string // the address of the keys, or part of the error
	}{
		{"as it should be", https, `{"issuer":"https://id.example.com","jwks_uri":"https://keys.example.com/k?x=1"}`, "https://keys.example.com/k?x=1"},
		{"a slash more", https, `{"issuer":"https://id.example.com/","jwks_uri":"https://id.example.com/k"}`, `is of the issuer "https://id.example.com/": write the issuer exactly like that`},
		{"another issuer", https, `{"issuer":"https://evil.example.com","jwks_uri":"https://id.example.com/k"}`, "https://evil.example.com"},
		{"no issuer", https, `{"jwks_uri":"https://id.example.com/k"}`, `is of the issuer ""`},
		{"keys over http", https, `{"issuer":"https://id.example.com","jwks_uri":"http://id.example.com/k"}`, "is not https"},
		{"all over http", http, `{"issuer":"http://id.example.com","jwks_uri":"http://id.example.com/k"}`, "http://id.example.com/k"},
		{"keys over https", http, `{"issuer":"http://id.example.com","jwks_uri":"https://id.example.com/k"}`, "https://id.example.com/k"},
		{"keys in a file", http, `{"issuer":"http://id.example.com","jwks_uri":"file:///etc/passwd"}`, "is no URL"},
		{"keys in other hands", http, `{"issuer":"http://id.example.com","jwks_uri":"ftp://id.example.com/k"}`, "is not https"},
		{"a user", https, `{"issuer":"https://id.example.com","jwks_uri":"https://u:p@id.example.com/k"}`, "is no URL"},
		{"no keys", https, `{"issuer":"https://id.example.com"}`, "is no URL"},
		{"a list", https, `[]`, "is no JSON object"},
		{"HTML", https, `<html>`, "is no JSON object"},
		{"nothing", https, ``, "is no JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFetcher(func(context.Context, string, int64) ([]byte, error) { return []byte(c.document), nil }, v1alpha1.JWTIssuer{Issuer: c.issuer})
			address, err := f.discover(t.Context())
			if address != c.want && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %q, %v", address, err)
			}
		})
	}
}

// A query of jwksURI may be confidential, so no problem quotes the URL.
func TestProblemsDoNotQuoteURLs(t *testing.T) {
	f := newFetcher(func(_ context.Context, address string, _ int64) ([]byte, error) {
		return nil, fmt.Errorf("getting it: %w", &url.Error{Op: "Get", URL: address, Err: errors.New("connection refused")})
	}, v1alpha1.JWTIssuer{JWKSURI: keysURL + "?key=hunter2"})
	if _, _, err := f.get(t.Context()); err == nil || err.Error() != "fetching the keys: connection refused" {
		t.Errorf("got %v", err)
	}
	if long := bounded(strings.Repeat("é\n\x1b", 400)); len(long) > 310 || strings.ContainsAny(long, "\n\x1b") {
		t.Errorf("%d bytes: %q", len(long), long)
	}
}
