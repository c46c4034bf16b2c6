package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// The one client that the issuer knows. Its secret has what a form and a header encode.
const (
	clientID        = "shop"
	clientSecret    = "open: sesame & 100%"
	clientAssertion = "header.claims.signature" // what the client's own key signed
)

// issuer gives out tokens for the grant client_credentials.
type issuer struct{ tokens map[string]grant }

// grant is what a token was given for.
type grant struct {
	Client         string   `json:"client"`
	Authentication string   `json:"authentication"`
	Encoding       string   `json:"encoding"`
	Scopes         []string `json:"scopes"`
	Audiences      []string `json:"audiences"`
}

func (s *services) granted(token string) (grant, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.issuer.tokens[token]
	return g, ok
}

// identity stands in for an authorization server.
func (s *services) identity(mux *http.ServeMux) {
	const host, realm = "id.example.com", "/realms/shop"
	for _, path := range []string{"/oauth2/token", "/custom/token", realm + "/oauth2/token", realm + "/connect/token"} {
		mux.HandleFunc("POST "+host+path, s.token)
	}
	mux.HandleFunc("GET "+host+realm+"/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"issuer": "https://" + host + realm, "token_endpoint": "https://" + host + realm + "/connect/token"})
	})
	mux.HandleFunc("GET "+host+"/realms/liar/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"issuer": "https://elsewhere.example.com", "token_endpoint": "https://" + host + realm + "/connect/token"})
	})
}

func (s *services) token(w http.ResponseWriter, r *http.Request) {
	form, encoding, err := tokenRequest(r)
	method := authenticated(r, form)
	switch {
	case err != nil || form.Get("grant_type") != "client_credentials":
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
		return
	case method == "":
		reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "ldap-3.internal knows no such client"})
		return
	}
	g := grant{clientID, method, encoding, strings.Fields(form.Get("scope")), form["audience"]}
	s.mu.Lock()
	token := fmt.Sprintf("token-%d", len(s.issuer.tokens)+1)
	s.issuer.tokens[token] = g
	s.mu.Unlock()
	reply(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600})
}

// tokenRequest reads the parameters of a request for a token, in either encoding.
func tokenRequest(r *http.Request) (url.Values, string, error) {
	encoding := r.Header.Get("Content-Type")
	if encoding != "application/json" {
		err := r.ParseForm()
		return r.PostForm, encoding, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, encoding, err
	}
	var object map[string]any
	if err := json.Unmarshal(body, &object); err != nil {
		return nil, encoding, err
	}
	form := url.Values{}
	for name, value := range object {
		switch value := value.(type) {
		case string:
			form.Add(name, value)
		case []any:
			for _, item := range value {
				form.Add(name, fmt.Sprint(item))
			}
		}
	}
	return form, encoding, nil
}

// authenticated is how the client proved who it is; empty when it did not.
func authenticated(r *http.Request, form url.Values) string {
	const jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	if user, password, ok := r.BasicAuth(); ok {
		// RFC 6749, 2.3.1: both are form-encoded first.
		id, idErr := url.QueryUnescape(user)
		secret, secretErr := url.QueryUnescape(password)
		if idErr == nil && secretErr == nil && id == clientID && secret == clientSecret {
			return "client_secret_basic"
		}
		return ""
	}
	assertion := form.Get("client_assertion")
	switch {
	case form.Get("client_id") == clientID && form.Get("client_secret") == clientSecret:
		return "client_secret_post"
	case assertion == "" && form.Get("client_id") == "public" && form.Get("client_secret") == "":
		return "none"
	case assertion == "" || form.Get("client_assertion_type") != jwtBearer:
		return ""
	case assertion == clientAssertion:
		return "private_key_jwt"
	}
	token, err := jwt.Parse(assertion, func(*jwt.Token) (any, error) { return []byte(clientSecret), nil }, jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
	if err != nil {
		return ""
	}
	subject, _ := token.Claims.GetSubject()
	by, _ := token.Claims.GetIssuer()
	audience, _ := token.Claims.GetAudience()
	here := "https://" + r.Host + r.URL.Path
	if subject != clientID || by != clientID || !slices.Contains(audience, here) {
		return ""
	}
	return "client_secret_jwt"
}
