package auth

import (
	"bytes"
	"encoding/base64"
	"strings"
	"time"
)

// maxHeader is the longest header of a token that is looked at by itself. Usual ones have
// less than a hundred bytes.
const maxHeader = 256

// hopeless says that no issuer has the key that a token names, and that none of them can
// be asked for it now. That takes a look at the token's header alone: made-up key ids, of
// which a flood has many, do not cost the reading of the claims. Whatever this look cannot
// make sense of is not hopeless; nothing is ever accepted by it.
func (t *Tokens) hopeless(token string, now time.Time) bool {
	part, _, _ := strings.Cut(token, ".")
	var space [maxHeader]byte
	if base64.RawURLEncoding.DecodedLen(len(part)) > len(space) {
		return false
	}
	n, err := base64.RawURLEncoding.Decode(space[:], []byte(part))
	if err != nil {
		return false
	}
	id, ok := plainKeyID(space[:n])
	if !ok {
		return false
	}
	for _, i := range t.issuers {
		if i.mayHave(id, now) {
			return false
		}
	}
	return true
}

// plainKeyID finds the id of the key in a header that is written as nearly all are: flat,
// with one id, without spaces and escapes around it. Reading JSON would cost as much as
// all the rest of a refusal.
func plainKeyID(header []byte) (string, bool) {
	const name, member = `"kid"`, `"kid":"`
	_, rest, found := bytes.Cut(header, []byte(member))
	if !found || bytes.Count(header, []byte(name)) != 1 || bytes.Count(header, []byte("{")) != 1 {
		return "", false
	}
	id, _, closed := bytes.Cut(rest, []byte(`"`))
	if !closed || len(id) == 0 || bytes.IndexByte(id, '\\') >= 0 {
		return "", false
	}
	return string(id), true
}

// mayHave says whether a key of the issuer has the id, or may come to have it by a fetch
// that a request could wait for.
func (i *issuer) mayHave(id string, now time.Time) bool {
	set := i.usable(now)
	return set.Len() == 0 || !set.Named() || set.Has(id) || i.fetcher != nil && i.fetcher.worthAsking()
}

// worthAsking says whether a fetch is under way, or could be asked for.
func (f *fetcher) worthAsking() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next != nil || !f.free.IsZero() && !time.Now().Before(f.free)
}
