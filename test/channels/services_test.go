package channels

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/test/tokens"
)

// services are what the apps call: an issuer of tokens, and a service for workflows.
type services struct {
	issuer *tokens.Issuer
	// signer signs the issuer's tokens, fixed those of an issuer whose key the app has in a
	// Secret; stranger has the id of signer's key, and another key.
	signer, fixed, stranger *tokens.Signer
	upstream                *httptest.Server
	// arrived tells of a request that is held, until something is sent to release.
	arrived, release chan struct{}
}

// fixedIssuer is the issuer whose key is in a Secret.
const fixedIssuer = "https://fixed.example.com"

func newServices() *services {
	s := &services{
		signer: tokens.NewEC("one", "ES256"), fixed: tokens.NewRSA("two"), stranger: tokens.NewEC("one", "ES256"),
		arrived: make(chan struct{}), release: make(chan struct{}),
	}
	s.issuer = tokens.NewTLSIssuer(s.signer)
	s.upstream = httptest.NewServer(http.HandlerFunc(s.answer))
	return s
}

func (s *services) close() {
	s.issuer.Close()
	s.upstream.Close()
}

// host is what spec.egress.allow has of the service.
func (s *services) host() string { return strings.TrimPrefix(s.upstream.URL, "http://") }

func (s *services) answer(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/held":
		for _, step := range []func() bool{
			func() bool {
				select {
				case s.arrived <- struct{}{}:
					return true
				case <-r.Context().Done():
					return false
				}
			},
			func() bool {
				select {
				case <-s.release:
					return true
				case <-r.Context().Done():
					return false
				}
			},
		} {
			if !step() {
				return
			}
		}
		w.WriteHeader(http.StatusNoContent)
	case "/gone":
		http.Error(w, "the inner secret of the service", http.StatusGone)
	default:
		http.NotFound(w, r)
	}
}

// claims are those of a good token of an issuer, with some changed; nil takes one out.
func claims(issuer string, changes map[string]any) map[string]any {
	out := tokens.Claims(issuer, "shop", "ada", time.Now())
	maps.Copy(out, changes)
	maps.DeleteFunc(out, func(_ string, value any) bool { return value == nil })
	return out
}
