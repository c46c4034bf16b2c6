package call

import (
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

func request(t *testing.T, address string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// TestDigestVectors are the examples of RFC 7616, section 3.9.1, of RFC 2617, section 3.5,
// and of RFC 2069, section 2.4, as its erratum has it.
func TestDigestVectors(t *testing.T) {
	const rfc7616 = `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=%s, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
	for _, tc := range []struct {
		challenge, cnonce, user, password string
		want                              []string
	}{
		{fmt.Sprintf(rfc7616, "MD5"), "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "Mufasa", "Circle of Life", []string{`response="8ca523f5e9506fed4657c9700eebdbec"`, `username="Mufasa"`, `uri="/dir/index.html"`, "algorithm=MD5", "nc=00000001", "qop=auth,", `opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`}},
		{fmt.Sprintf(rfc7616, "SHA-256"), "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "Mufasa", "Circle of Life", []string{`response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"`, "algorithm=SHA-256"}},
		{`Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`, "0a4f113b", "Mufasa", "Circle Of Life", []string{`response="6629fae49393a05397450978507c4ef1"`}},
		{`Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`, "", "Mufasa", "CircleOfLife", []string{`response="1949323746fe6a43ef61f9606e7febea"`}},
	} {
		session := strongest(challengesOf([]string{tc.challenge}))
		session.cnonce = tc.cnonce
		got, err := session.authorize(request(t, "http://www.example.org/dir/index.html"), tc.user, tc.password)
		for _, part := range tc.want {
			if err != nil || !strings.Contains(got, part) {
				t.Errorf("got %s, %v; want %s in it", got, err, part)
			}
		}
	}
}

func TestStrongest(t *testing.T) {
	for _, tc := range []struct {
		header string
		want   string // algorithm and qop
	}{
		{`Digest nonce=a, qop="auth", algorithm=MD5, Digest nonce=b, qop="auth", algorithm=SHA-256`, "SHA-256 auth"},
		{`Digest nonce=a, qop="auth", algorithm=sha-256-SESS, Digest nonce=b, algorithm=MD5`, "sha-256-SESS auth"},
		{`Digest nonce=a, qop="auth", algorithm=SHA-512-256, Digest nonce=b, qop="auth"`, " auth"},
		{`Basic realm=x, Digest nonce=b, qop="auth-int"`, " auth-int"},
		{`Digest nonce=b, qop="token, AUTH"`, " auth"},
		{`Digest nonce=b`, " "},
		{`Digest nonce=b, qop="token"`, "none"},
		{`Digest nonce=b, qop=""`, "none"},
		{`Digest nonce=b, algorithm=TOKEN`, "none"},
		{`Digest realm=b`, "none"},
		{"Digest nonce=\"a\x01\"", "none"},
		{`Basic realm=x`, "none"},
	} {
		got := "none"
		if s := strongest(challengesOf([]string{tc.header})); s != nil {
			got = s.algorithm + " " + s.qop
		}
		if got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.header, got, tc.want)
		}
	}
}

// verifier is a server that asks for digests, written from the RFC and nothing else.
type verifier struct {
	algorithm, qop, user, password string
	userhash                       bool
	// uses is how often a nonce may be used; 0: for ever.
	uses int

	mu       sync.Mutex
	nonces   map[string]int // by nonce, how often it was used
	asked    int            // requests without credentials
	accepted int
	last     string // the Authorization
}

const digestRealm = `re"a\lm`

func (v *verifier) hash(format string, args ...any) string {
	if strings.HasPrefix(strings.ToUpper(v.algorithm), "SHA-256") {
		return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, format, args...)))
	}
	return fmt.Sprintf("%x", md5.Sum(fmt.Appendf(nil, format, args...)))
}

var digestParameter = regexp.MustCompile(`([a-z]+\*?)=(?:"((?:\\.|[^"\\])*)"|([^",\s]*))(?:,\s*|$)`)

func (v *verifier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	v.last = r.Header.Get("Authorization")
	text, ok := strings.CutPrefix(v.last, "Digest ")
	stale := ""
	if ok {
		p := map[string]string{}
		for _, m := range digestParameter.FindAllStringSubmatch(text, -1) {
			p[m[1]] = regexp.MustCompile(`\\(.)`).ReplaceAllString(m[2], "$1") + m[3]
		}
		used, known := v.nonces[p["nonce"]]
		count := fmt.Sprintf("%08x", used+1)
		switch {
		case !known || v.uses > 0 && used >= v.uses || v.qop != "" && p["nc"] != count:
			stale = ", stale=true"
		case v.verify(p, r, body):
			v.nonces[p["nonce"]]++
			v.accepted++
			_, _ = fmt.Fprintf(w, "%s %s", r.Method, body)
			return
		}
	} else {
		v.asked++
	}
	nonce := fmt.Sprintf("n%d/+==", len(v.nonces))
	if v.nonces == nil {
		v.nonces = map[string]int{}
	}
	v.nonces[nonce] = 0
	challenge := fmt.Sprintf(`Digest realm="re\"a\\lm", nonce="%s", opaque="o p"%s`, nonce, stale)
	if v.algorithm != "" {
		challenge += ", algorithm=" + v.algorithm
	}
	if v.qop != "" {
		challenge += fmt.Sprintf(`, qop="%s"`, v.qop)
	}
	if v.userhash {
		challenge += ", userhash=true"
	}
	w.Header().Add("WWW-Authenticate", `Basic realm="do not"`)
	w.Header().Add("WWW-Authenticate", challenge)
	w.WriteHeader(http.StatusUnauthorized)
}

func (v *verifier) verify(p map[string]string, r *http.Request, body []byte) bool {
	user := p["username"]
	if coded, ok := strings.CutPrefix(p["username*"], "UTF-8''"); ok {
		user, _ = url.PathUnescape(coded)
	}
	wantUser := v.user
	if v.userhash {
		wantUser = v.hash("%s:%s", v.user, digestRealm)
	}
	if user != wantUser || p["realm"] != digestRealm || p["opaque"] != "o p" || p["uri"] != r.RequestURI || v.userhash != (p["userhash"] == "true") {
		return false
	}
	ha1 := v.hash("%s:%s:%s", v.user, digestRealm, v.password)
	if strings.HasSuffix(strings.ToLower(v.algorithm), "-sess") {
		ha1 = v.hash("%s:%s:%s", ha1, p["nonce"], p["cnonce"])
	}
	ha2 := v.hash("%s:%s", r.Method, p["uri"])
	if p["qop"] == "auth-int" {
		ha2 = v.hash("%s:%s:%s", r.Method, p["uri"], v.hash("%s", body))
	}
	if v.qop == "" {
		return p["response"] == v.hash("%s:%s:%s", ha1, p["nonce"], ha2)
	}
	return strings.Contains(v.qop, p["qop"]) && p["response"] == v.hash("%s:%s:%s:%s:%s:%s", ha1, p["nonce"], p["nc"], p["cnonce"], p["qop"], ha2)
}

func variants() []*verifier {
	var out []*verifier
	for _, algorithm := range []string{"", "MD5", "MD5-sess", "SHA-256", "SHA-256-sess"} {
		for _, qop := range []string{"auth", "auth-int,auth"} {
			out = append(out, &verifier{algorithm: algorithm, qop: qop, user: `Muf"asa`, password: "Circle of Life"})
		}
	}
	return out
}

// TestVerifier has another client than ours talk to the verifier, so that it is not only
// right about what we do.
func TestVerifier(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed, and there is no other client to compare with: install it, as 'make test' does")
	}
	for _, v := range variants() {
		server := httptest.NewServer(v)
		for password, want := range map[string]string{v.password: "POST a=b", "wrong": ""} {
			out, err := exec.CommandContext(t.Context(), curl, "--noproxy", "*", "-s", "--digest", "-u", v.user+":"+password, "-d", "a=b", server.URL+"/dir?q=1").Output()
			if err != nil || string(out) != want {
				t.Errorf("%s, %s: got %q, %v; want %q", v.algorithm, v.qop, out, err, want)
			}
		}
		server.Close()
	}
}

func digestPolicy(user, password string) *workflow.Authentication {
	return &workflow.Authentication{Scheme: workflow.AuthenticateDigest, Username: user, Password: password}
}

func TestDigest(t *testing.T) {
	all := append(variants(),
		&verifier{algorithm: "SHA-256", qop: "auth-int", user: "u", password: "p"},
		&verifier{algorithm: "MD5-sess", qop: "auth-int", user: "u", password: "p"},
		&verifier{qop: "", user: "u", password: ""},
		&verifier{algorithm: "SHA-256", qop: "auth", user: "Jäsøn Doe+%", password: "Secret, or nöt?"},
		&verifier{algorithm: "SHA-256", qop: "auth", user: "Jäsøn Doe", password: "p", userhash: true},
	)
	for _, v := range all {
		name := v.algorithm + " " + v.qop + " " + v.user
		server := serve(t, v.ServeHTTP)
		c := callerTo(t, server)
		for i := range 3 {
			resp := answered(t, c, &workflow.HTTPRequest{Method: "POST", URL: server.URL + "/dir?a=b%20c", HasBody: true, Body: "b", Authentication: digestPolicy(v.user, v.password)})
			if resp.Status != 200 || string(resp.Body) != `POST "b"` || resp.Scheme+" "+resp.Parameter != v.last || resp.Scheme != "Digest" {
				t.Errorf("%s: %d %s, %s %s", name, resp.Status, resp.Body, resp.Scheme, resp.Parameter)
			}
			if v.asked != 1 || v.accepted != i+1 {
				t.Errorf("%s: asked %d times and accepted %d times after %d calls", name, v.asked, v.accepted, i+1)
			}
		}
		if resp := answered(t, c, &workflow.HTTPRequest{Method: "GET", URL: server.URL, Authentication: digestPolicy(v.user, "wrong")}); resp.Status != 401 {
			t.Errorf("%s: the wrong password gets %d", name, resp.Status)
		}
		if strings.Contains(v.last, "Basic") {
			t.Errorf("%s: sent %s", name, v.last)
		}
	}
}

// TestDigestOfBody: a server that wants the body in the digest gets that of an empty one
// too; a body that can be read only once can be in none.
func TestDigestOfBody(t *testing.T) {
	v := &verifier{algorithm: "SHA-256", qop: "auth-int", user: "u", password: "p"}
	server := serve(t, v.ServeHTTP)
	c := callerTo(t, server)
	if resp := answered(t, c, &workflow.HTTPRequest{Method: "GET", URL: server.URL, Authentication: digestPolicy("u", "p")}); resp.Status != 200 {
		t.Errorf("no body: %d", resp.Status)
	}
	closed := false
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, closeable{strings.NewReader("body"), &closed})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.authenticated(digestPolicy("u", "p"), false).RoundTrip(req)
	if err == nil {
		resp.Body.Close()
	}
	mustFail(t, "once", err, workflow.ConfigurationError, 400, "a body that cannot be read twice")
	if !closed || v.accepted != 1 {
		t.Errorf("closed %v, %d accepted", closed, v.accepted)
	}
}

// TestDigestStale: a nonce that the server has had enough of is replaced, and one that it
// never takes is no endless loop.
func TestDigestStale(t *testing.T) {
	v := &verifier{algorithm: "MD5", qop: "auth", user: "u", password: "p", uses: 2}
	server := serve(t, v.ServeHTTP)
	c := callerTo(t, server)
	for i := range 5 {
		if resp := answered(t, c, &workflow.HTTPRequest{Method: "GET", URL: server.URL, Authentication: digestPolicy("u", "p")}); resp.Status != 200 {
			t.Errorf("call %d: %d", i, resp.Status)
		}
	}
	if v.asked != 1 || len(v.nonces) != 3 {
		t.Errorf("asked %d times, %d nonces", v.asked, len(v.nonces))
	}
	v.uses, v.nonces = 0, map[string]int{} // a restart
	if resp := answered(t, c, &workflow.HTTPRequest{Method: "GET", URL: server.URL, Authentication: digestPolicy("u", "p")}); resp.Status != 200 {
		t.Errorf("after a restart: %d", resp.Status)
	}
	asked := 0
	never := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("WWW-Authenticate", `Digest realm="r", nonce="n", qop="auth", stale=true`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	if resp := answered(t, callerTo(t, never), &workflow.HTTPRequest{Method: "GET", URL: never.URL, Authentication: digestPolicy("u", "p")}); resp.Status != 401 || asked != 3 {
		t.Errorf("never satisfied: %d after %d requests", resp.Status, asked)
	}
}

// TestDigestAtOnce: a server that insists on the order of the counts is satisfied too,
// in the end or with the answer that it has not been.
func TestDigestAtOnce(t *testing.T) {
	goroutines.Settle(t)
	v := &verifier{algorithm: "SHA-256", qop: "auth", user: "u", password: "p"}
	server := serve(t, v.ServeHTTP)
	c := callerTo(t, server)
	var calls sync.WaitGroup
	for range 50 {
		calls.Go(func() {
			resp, err := c.HTTP(t.Context(), &workflow.HTTPRequest{Method: "GET", URL: server.URL, Authentication: digestPolicy("u", "p")})
			if err != nil || resp.Status != 200 {
				t.Errorf("%v, %v", resp, err)
			}
		})
	}
	calls.Wait()
	if v.accepted != 50 {
		t.Errorf("%d accepted", v.accepted)
	}
}

// TestDigestElsewhere: what a redirect leads to gets no credentials, whatever it asks.
func TestDigestElsewhere(t *testing.T) {
	thief := &verifier{algorithm: "MD5", qop: "auth", user: "u", password: "p"}
	there := serve(t, thief.ServeHTTP)
	v := &verifier{algorithm: "MD5", qop: "auth", user: "u", password: "p"}
	here := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, there.URL, http.StatusFound)
		case "/home":
			http.Redirect(w, r, "/end", http.StatusFound)
		default:
			v.ServeHTTP(w, r)
		}
	})
	c := callerTo(t, here, there)
	r := &workflow.HTTPRequest{Method: "GET", URL: here.URL + "/home", Redirect: true, Authentication: digestPolicy("u", "p")}
	for range 2 {
		if resp := answered(t, c, r); resp.Status != 200 || v.last == "" {
			t.Errorf("at home: %d", resp.Status)
		}
	}
	r.URL = here.URL + "/away"
	if resp := answered(t, c, r); resp.Status != 401 || thief.last != "" || resp.Scheme != "" {
		t.Errorf("away: %d, %s", resp.Status, thief.last)
	}
}

func TestDigestsAreBounded(t *testing.T) {
	var d digests
	for i := range 2 * maxNonces {
		d.keep(fmt.Sprint(i), &digestSession{})
		if d.get(fmt.Sprint(i)) == nil || len(d.known) > maxNonces {
			t.Fatalf("%d are kept", len(d.known))
		}
	}
}
