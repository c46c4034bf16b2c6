package call

import (
	"crypto/md5" //nolint:gosec // the scheme's first algorithm, which many servers still ask for
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// maxNonces is how many servers and users the nonces are kept of.
const maxNonces = 256

// digests are the challenges that were met lately, so that most requests need no other
// exchange before them.
type digests struct {
	mu    sync.Mutex
	known map[string]*digestSession // by digestOf server and user
}

func (d *digests) get(key string) *digestSession {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[key]
}

// keep makes a session that has worked the one for the next requests.
func (d *digests) keep(key string, s *digestSession) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[string]*digestSession{}
	}
	for other := range d.known {
		if len(d.known) < maxNonces {
			break
		}
		delete(d.known, other)
	}
	d.known[key] = s
}

// digest makes a request with the scheme Digest (RFC 7616). Nothing is said about the
// password before the server has asked, now or lately. Its answer to a nonce that it does
// not know any more is a new one, which gets another try.
func (r *credentials) digest(req *http.Request) (*http.Response, error) {
	p := r.policy
	if !plainValue(p.Username) {
		return refuse(req, "digest.username: it has a line break or another control character")
	}
	key := digestOf(req.URL.Scheme, req.URL.Host, p.Username, p.Password)
	session, fresh := r.caller.digests.get(key), false
	try := req.Clone(req.Context())
	for tries := 1; ; tries++ {
		if session != nil {
			authorization, err := session.authorize(try, p.Username, p.Password)
			if err != nil {
				closeBody(try)
				return nil, err
			}
			try.Header.Set("Authorization", authorization)
		}
		resp, err := r.caller.guard.RoundTrip(try)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusUnauthorized {
			if fresh {
				r.caller.digests.keep(key, session)
			}
			return resp, nil
		}
		asked := strongest(challengesOf(resp.Header.Values("WWW-Authenticate")))
		if tries == 3 || asked == nil || fresh && !asked.stale {
			return resp, nil
		}
		next := again(req)
		if next == nil {
			return resp, nil
		}
		drop(resp)
		session, fresh, try = asked, true, next
	}
}

// digestSession is a challenge that can be met, and how often it was.
type digestSession struct {
	realm, nonce, opaque string
	// algorithm is as the server wrote it, empty when it did not.
	algorithm string
	hash      func() hash.Hash
	// inSession says that the first nonces of the session are part of the key.
	inSession bool
	// qop is auth, auth-int, or empty for a server of before 1999 (RFC 2069).
	qop string
	// userhash says that the server wants the name's hash.
	userhash bool
	// stale says that the last nonce, not the password, was what it did not take.
	stale bool
	// cnonce is ours, the same for the life of the server's.
	cnonce string

	mu    sync.Mutex
	count uint32
}

// digestAlgorithm is a way to hash.
type digestAlgorithm struct {
	name string
	hash func() hash.Hash
}

// algorithms are those of RFC 7616, the stronger ones first, but for SHA-512-256, which
// next to no server offers.
var algorithms = []digestAlgorithm{
	{"sha-256", sha256.New}, {"sha-256-sess", sha256.New}, {"md5", md5.New}, {"md5-sess", md5.New},
}

// strongest returns the best of the challenges that can be met, nil when none can.
func strongest(challenges []challenge) *digestSession {
	var best *digestSession
	rank := len(algorithms)
	for _, c := range challenges {
		if c.scheme != "digest" {
			continue
		}
		s := &digestSession{
			realm: c.parameters["realm"], nonce: c.parameters["nonce"], opaque: c.parameters["opaque"], algorithm: c.parameters["algorithm"],
			userhash: strings.EqualFold(c.parameters["userhash"], "true"), stale: strings.EqualFold(c.parameters["stale"], "true"), cnonce: rand.Text(),
		}
		name := strings.ToLower(s.algorithm)
		if name == "" {
			name = "md5"
		}
		at := slices.IndexFunc(algorithms, func(a digestAlgorithm) bool { return a.name == name })
		if at < 0 || at >= rank || s.nonce == "" || !plainValue(s.realm+s.nonce+s.opaque) {
			continue
		}
		if qop, ok := c.parameters["qop"]; ok {
			if s.qop = protection(qop); s.qop == "" {
				continue
			}
		}
		s.hash, s.inSession = algorithms[at].hash, strings.HasSuffix(name, "-sess")
		best, rank = s, at
	}
	return best
}

// protection chooses among the qualities of protection that a server offers. Covering
// the body too costs a pass over it, and TLS does it better.
func protection(offer string) string {
	offers := strings.FieldsFunc(strings.ToLower(offer), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	for _, qop := range []string{"auth", "auth-int"} {
		if slices.Contains(offers, qop) {
			return qop
		}
	}
	return ""
}

// authorize returns the Authorization header of a request.
func (s *digestSession) authorize(req *http.Request, username, password string) (string, error) {
	s.mu.Lock()
	s.count++
	count := fmt.Sprintf("%08x", s.count)
	s.mu.Unlock()
	body := ""
	if s.qop == "auth-int" {
		var err error
		if body, err = s.hashBody(req); err != nil {
			return "", err
		}
	}
	target := req.URL.RequestURI()
	out := []string{s.user(username), "realm=" + quote(s.realm), "nonce=" + quote(s.nonce), "uri=" + quote(target)}
	out = append(out, `response="`+s.response(req.Method, target, count, body, username, password)+`"`)
	if s.algorithm != "" {
		out = append(out, "algorithm="+s.algorithm)
	}
	if s.qop != "" {
		out = append(out, "qop="+s.qop, "nc="+count)
	}
	if s.qop != "" || s.inSession {
		out = append(out, "cnonce="+quote(s.cnonce))
	}
	if s.opaque != "" {
		out = append(out, "opaque="+quote(s.opaque))
	}
	if s.userhash {
		out = append(out, "userhash=true")
	}
	return "Digest " + strings.Join(out, ", "), nil
}

// user is the parameter that says who calls (RFC 7616, section 3.4).
func (s *digestSession) user(username string) string {
	switch {
	case s.userhash:
		return `username="` + s.sum(username, s.realm) + `"`
	case strings.ContainsFunc(username, func(r rune) bool { return r >= 0x7f }):
		return "username*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(username), "+", "%20")
	default:
		return "username=" + quote(username)
	}
}

// response proves that the password is known (RFC 7616, section 3.4.1).
func (s *digestSession) response(method, target, count, body, username, password string) string {
	secret := s.sum(username, s.realm, password)
	if s.inSession {
		secret = s.sum(secret, s.nonce, s.cnonce)
	}
	switch s.qop {
	case "":
		return s.sum(secret, s.nonce, s.sum(method, target))
	case "auth-int":
		return s.sum(secret, s.nonce, count, s.cnonce, s.qop, s.sum(method, target, body))
	default:
		return s.sum(secret, s.nonce, count, s.cnonce, s.qop, s.sum(method, target))
	}
}

func (s *digestSession) sum(parts ...string) string {
	h := s.hash()
	_, _ = io.WriteString(h, strings.Join(parts, ":"))
	return hex.EncodeToString(h.Sum(nil))
}

func (s *digestSession) hashBody(req *http.Request) (string, error) {
	h := s.hash()
	if copied := again(req); copied != nil && copied.Body != nil {
		defer copied.Body.Close()
		if _, err := io.Copy(h, copied.Body); err != nil {
			return "", fmt.Errorf("reading the body of the request: %w", err)
		}
	} else if copied == nil {
		return "", workflow.NewError(workflow.ConfigurationError, nil, "digest: the server wants a digest of a body that cannot be read twice")
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// quote writes a quoted string (RFC 9110, section 5.6.4).
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
