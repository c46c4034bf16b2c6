package tokens

import (
	"context"
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// The tokens are what others take for tokens.
func TestSign(t *testing.T) {
	secret := []byte(strings.Repeat("s", 64))
	rsa := NewRSA("a")
	for _, s := range []*Signer{
		rsa, rsa.With("RS512"), rsa.With("PS384"), NewEC("a", "ES256"), NewEC("a", "ES384"), NewEC("a", "ES512"), NewEd25519("a"), NewHMAC("a", "HS512", secret),
	} {
		text := s.Sign(map[string]any{"sub": "alice"}, map[string]any{"typ": nil, "x": 1})
		token, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return s.Public(), nil }, jwt.WithValidMethods([]string{s.Algorithm}))
		if err != nil {
			t.Fatalf("%s: %v", s.Algorithm, err)
		}
		if sub, _ := token.Claims.GetSubject(); sub != "alice" || token.Header["kid"] != "a" || token.Header["typ"] != nil || token.Header["x"] == nil {
			t.Errorf("%s: %+v", s.Algorithm, token)
		}
	}
}

func TestIssuer(t *testing.T) {
	a, b := NewEd25519("a"), NewEd25519("b")
	for name, start := range map[string]func(...*Signer) *Issuer{"http": NewIssuer, "https": NewTLSIssuer} {
		t.Run(name, func(t *testing.T) {
			i := start(a)
			defer i.Close()
			if !strings.HasPrefix(i.URL, name+"://127.0.0.1:") || (len(i.CA()) > 0) != (name == "https") {
				t.Errorf("%s with the authority %q", i.URL, i.CA())
			}
			get := func(most int64) (string, error) {
				raw, err := i.Get(t.Context(), i.JWKSURI(), most)
				return string(raw), err
			}
			if got, err := get(1 << 20); err != nil || got != string(Set(a)) {
				t.Errorf("got %s, %v", got, err)
			}
			if _, err := get(10); err == nil {
				t.Error("more than was asked for")
			}
			if got, err := i.Get(t.Context(), i.URL+discoveryPath, 1<<20); err != nil || !strings.Contains(string(got), i.JWKSURI()) {
				t.Errorf("discovery: %s, %v", got, err)
			}
			i.Rotate(b)
			if got, err := get(1 << 20); err != nil || got != string(Set(b)) {
				t.Errorf("got %s, %v", got, err)
			}
			i.Fail(http.StatusBadGateway)
			if _, err := get(1 << 20); err == nil || !strings.Contains(err.Error(), "502") {
				t.Errorf("while it fails: %v", err)
			}
			i.Garbage()
			if got, err := get(1 << 20); err != nil || got == string(Set(b)) {
				t.Errorf("garbage: %s, %v", got, err)
			}
			i.Recover()
			if got, err := get(1 << 20); err != nil || got != string(Set(b)) {
				t.Errorf("got %s, %v", got, err)
			}
			if i.Fetches() != 6 || i.Discoveries() != 1 {
				t.Errorf("%d fetches, %d discoveries", i.Fetches(), i.Discoveries())
			}
		})
	}
}

// A client with the authority reaches it, and closing it ends what hangs.
func TestHang(t *testing.T) {
	i := NewTLSIssuer()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: i.Pool(), MinVersion: tls.VersionTLS13}}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.JWKSURI(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	i.Hang()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = i.Get(context.WithoutCancel(t.Context()), i.JWKSURI(), 1)
	}()
	for i.Fetches() < 2 {
		select {
		case <-ended:
			t.Fatal("it was answered")
		default:
		}
	}
	i.Close()
	<-ended
}
