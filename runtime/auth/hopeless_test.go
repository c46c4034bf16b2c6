package auth

import (
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPlainKeyID(t *testing.T) {
	for header, want := range map[string]string{
		`{"alg":"ES256","kid":"a","typ":"JWT"}`: "a",
		`{"kid":"a b/c"}`:                       "a b/c",
		`{"kid":""}`:                            "",
		`{"kid" : "a"}`:                         "",
		`{"kid":"a","kid":"b"}`:                 "",
		`{"kid":"a","jwk":{"kid":"b"}}`:         "",
		`{"kid":"a\\"b"}`:                       "",
		`{"jwk":{"kid":"b"}}`:                   "",
		`{"kid":"a`:                             "",
		`{"kid":1}`:                             "",
		`{"KID":"a"}`:                           "",
		`{}`:                                    "",
		``:                                      "",
	} {
		if got, ok := plainKeyID([]byte(header)); got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v; want %q", header, got, ok, want)
		}
	}
}

// TestHopeless: a made-up key id is refused by the header alone while no fetch could bring
// the key, and a token that this look cannot judge is judged as always.
func TestHopeless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, v := serving(t)
		verify(t, v, with(p.signer), Accepted)
		hopeless := func(token string) bool { return v.hopeless(token, time.Now()) }
		unknown := with(p.signer.Named("nobody"))
		if !hopeless(unknown) {
			t.Error("no key has the id and none can be fetched, and yet there is hope")
		}
		for name, token := range map[string]string{
			"a known key": with(p.signer), "no id": with(p.signer.Named("")), "no token": "", "no base64": "%%%.x.y",
			"a long header": base64.RawURLEncoding.EncodeToString([]byte(`{"pad":"`+strings.Repeat("x", maxHeader)+`","kid":"nobody"}`)) + ".x.y",
		} {
			if hopeless(token) {
				t.Errorf("%s is hopeless", name)
			}
		}
		pass(coolDown)
		if hopeless(unknown) {
			t.Error("a fetch could bring the key, and there is no hope")
		}
	})
}
