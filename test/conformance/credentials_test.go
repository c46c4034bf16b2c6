package conformance

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// guarded are the paths of httpbin.org that want credentials. Each checks them really.
func (s *services) guarded(mux *http.ServeMux, host string) {
	mux.HandleFunc("GET "+host+"/basic-auth/{user}/{password}", func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		if !ok || user != r.PathValue("user") || password != r.PathValue("password") {
			w.Header().Set("WWW-Authenticate", `Basic realm="Fake Realm"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		reply(w, http.StatusOK, map[string]any{"authenticated": true, "user": user})
	})
	mux.HandleFunc("GET "+host+"/bearer", func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		reply(w, http.StatusOK, map[string]any{"authenticated": true, "length": len(token)})
	})
	mux.HandleFunc(host+"/digest-auth/{qop}/{user}/{password}/{algorithm}", digest)
	// whoami takes the tokens that the issuer gave out, and tells what they were given for.
	mux.HandleFunc("GET "+host+"/whoami", func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		granted, ok := s.granted(token)
		if !ok {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		reply(w, http.StatusOK, granted)
	})
}

const nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"

var digestParameter = regexp.MustCompile(`(\w+)=(?:"([^"]*)"|([^\s,]+))`)

// digest asks for digest credentials (RFC 7616) and checks the response to it.
func digest(w http.ResponseWriter, r *http.Request) {
	algorithm, qop := r.PathValue("algorithm"), r.PathValue("qop")
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Digest ")
	if !ok {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Digest realm="here, there", qop="%s", nonce="%s", opaque="5ccc069c", algorithm=%s, stale=FALSE`, qop, nonce, algorithm))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	given := map[string]string{}
	for _, match := range digestParameter.FindAllStringSubmatch(text, -1) {
		given[match[1]] = match[2] + match[3]
	}
	a1 := hashed(algorithm, r.PathValue("user")+":here, there:"+r.PathValue("password"))
	if strings.HasSuffix(algorithm, "-sess") {
		a1 = hashed(algorithm, a1+":"+nonce+":"+given["cnonce"])
	}
	a2 := hashed(algorithm, r.Method+":"+r.URL.RequestURI())
	want := hashed(algorithm, strings.Join([]string{a1, nonce, given["nc"], given["cnonce"], given["qop"], a2}, ":"))
	switch {
	case given["username"] != r.PathValue("user"), given["realm"] != "here, there", given["nonce"] != nonce, given["uri"] != r.URL.RequestURI(),
		given["opaque"] != "5ccc069c", given["qop"] != qop, given["nc"] == "", given["cnonce"] == "",
		subtle.ConstantTimeCompare([]byte(want), []byte(given["response"])) == 0:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		reply(w, http.StatusOK, map[string]any{"authenticated": true, "user": given["username"]})
	}
}

func hashed(algorithm, text string) string {
	if strings.HasPrefix(algorithm, "SHA-256") {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	}
	return fmt.Sprintf("%x", md5.Sum([]byte(text)))
}
