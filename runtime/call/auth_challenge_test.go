package call

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestChallenges(t *testing.T) {
	type parameters = map[string]string
	for _, tc := range []struct {
		headers []string
		want    []challenge
	}{
		{[]string{`Basic realm="a, b", charset="UTF-8"`}, []challenge{{"basic", parameters{"realm": "a, b", "charset": "UTF-8"}}}},
		{[]string{`Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple"`}, []challenge{ // RFC 9110, section 11.6.1
			{"newauth", parameters{"realm": "apps", "type": "1", "title": `Login to "apps"`}}, {"basic", parameters{"realm": "simple"}}}},
		{[]string{"Negotiate", "NTLM", `DIGEST Realm = "x" ,	nonce="\\"`}, []challenge{
			{"negotiate", parameters{}}, {"ntlm", parameters{}}, {"digest", parameters{"realm": "x", "nonce": `\`}}}},
		{[]string{`Negotiate YWJj/+==, Basic realm=x`}, []challenge{{"negotiate", parameters{}}, {"basic", parameters{"realm": "x"}}}},
		{[]string{` , ,Negotiate , Basic realm="x",,qop=auth,`}, []challenge{{"negotiate", parameters{}}, {"basic", parameters{"realm": "x", "qop": "auth"}}}},
		{[]string{`Digest realm="", realm="b"`}, []challenge{{"digest", parameters{"realm": ""}}}},
		{[]string{`Digest realm="unclosed`, `Basic realm="x"`}, []challenge{{"digest", parameters{}}, {"basic", parameters{"realm": "x"}}}},
		{[]string{`Digest realm="x" nonce="y", Basic realm="z"`}, []challenge{{"digest", parameters{}}}},
		{[]string{`realm="x"`}, nil},
		{[]string{`Digest "x"`, `Digest a="\`, `"`, `=`, ``}, []challenge{{"digest", parameters{}}, {"digest", parameters{}}}},
	} {
		if got := challengesOf(tc.headers); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%q:\ngot  %v\nwant %v", tc.headers, got, tc.want)
		}
	}
}

// FuzzChallenges: whatever a server sends, reading it ends, and what was read can be
// written and read again; a challenge that can be met makes a header that can be sent.
func FuzzChallenges(f *testing.F) {
	f.Add(`Digest realm="a\"b", nonce="n", qop="auth,auth-int", algorithm=SHA-256-sess, opaque="o", stale=TRUE, Basic realm=x`)
	f.Add(`Negotiate YWJj==, Digest nonce=n`)
	f.Add(`Digest username*=UTF-8''x, nonce="\`)
	f.Fuzz(func(t *testing.T, header string) {
		read := challengesOf([]string{header})
		var again []challenge
		for _, c := range read {
			written := []string{}
			for name, value := range c.parameters {
				written = append(written, name+"="+quote(value))
			}
			again = append(again, challengesOf([]string{c.scheme + " " + strings.Join(written, ", ")})...)
		}
		if fmt.Sprint(read) != fmt.Sprint(again) {
			t.Errorf("%q: %v, written and read again %v", header, read, again)
		}
		if session := strongest(read); session != nil {
			authorization, err := session.authorize(request(t, "http://h/p?q"), "u\"", "p")
			if err != nil || !plainValue(authorization) {
				t.Errorf("%q: %q, %v", header, authorization, err)
			}
			sent := challengesOf([]string{authorization})
			if len(sent) != 1 || sent[0].scheme != "digest" || sent[0].parameters["nonce"] != session.nonce || sent[0].parameters["realm"] != session.realm {
				t.Errorf("%q: %q is read as %v", header, authorization, sent)
			}
		}
	})
}
