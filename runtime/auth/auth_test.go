package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// mint makes a key and its entry.
func mint(t *testing.T, expires time.Time, roles ...string) (string, v1alpha1.APIKeyEntry) {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key.Key, v1alpha1.APIKeyEntry{ID: key.ID, SHA256: key.SHA256, Roles: roles, Expires: expires}
}

func TestNewKey(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		key, err := NewKey()
		if err != nil {
			t.Fatal(err)
		}
		if !LooksLikeKey(key.Key) || strings.Trim(key.Key[idStart:idEnd]+key.Key[secretStart:], base62) != "" || seen[key.Key] {
			t.Fatalf("%s is no fresh key", key.Key)
		}
		seen[key.Key] = true
	}
}

// What is meant to be a key is never taken for a token, and the other way round.
func TestIsKey(t *testing.T) {
	key, _ := mint(t, time.Time{})
	for credential, want := range map[string]bool{key: true, key[:10]: true, "nxs_": true, "nxs": false, "": false, "eyJhbGciOiJub25lIn0.e30.": false} {
		if IsKey(credential) != want {
			t.Errorf("IsKey(%q) is %v", credential, !want)
		}
	}
}

func TestToken(t *testing.T) {
	for _, c := range []struct {
		name          string
		authorization []string
		apiKey        []string
		want          string
		reason        Reason
	}{
		{name: "none", reason: Missing},
		{name: "empty header", apiKey: []string{""}, reason: Missing},
		{name: "bearer", authorization: []string{"Bearer abc"}, want: "abc"},
		{name: "any case", authorization: []string{"bEaReR  abc"}, want: "abc"},
		{name: "header", apiKey: []string{"abc"}, want: "abc"},
		{name: "the same twice", authorization: []string{"Bearer abc"}, apiKey: []string{"abc"}, want: "abc"},
		{name: "two different ones", authorization: []string{"Bearer abc"}, apiKey: []string{"abd"}, reason: Ambiguous},
		{name: "one of them empty", authorization: []string{"Bearer abc"}, apiKey: []string{""}, reason: Ambiguous},
		{name: "duplicate Authorization", authorization: []string{"Bearer abc", "Bearer abc"}, reason: Ambiguous},
		{name: "duplicate X-API-Key", apiKey: []string{"abc", "abc"}, reason: Ambiguous},
		{name: "other scheme", authorization: []string{"Basic YTpi"}, reason: Malformed},
		{name: "scheme alone", authorization: []string{"Bearer "}, reason: Malformed},
		{name: "empty", authorization: []string{""}, reason: Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, reason := Credentials{c.authorization, c.apiKey}.Token()
			if got != c.want || reason != c.reason {
				t.Errorf("got %q, %q; want %q, %q", got, reason, c.want, c.reason)
			}
		})
	}
}

func TestAuthenticate(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ring := &Keyring{records: map[keyID]*record{}}
	key, entry := mint(t, time.Time{}, "buyer", "auditor")
	rotated, entry2 := mint(t, now.Add(time.Second))
	expired, entry3 := mint(t, now)
	unknown, _ := mint(t, time.Time{})
	for name, e := range map[string]v1alpha1.APIKeyEntry{"alice.1": entry, "alice.2": entry2, "bob": entry3} {
		if !ring.add(name, e) {
			t.Fatalf("entry %s was not taken", name)
		}
	}
	last := key[len(key)-1]
	for _, c := range []struct {
		name, key string
		subject   string
		reason    Reason
	}{
		{name: "valid", key: key, subject: "key|alice"},
		{name: "second live key of the client", key: rotated, subject: "key|alice"},
		{name: "expired", key: expired, reason: Expired},
		{name: "unknown id", key: unknown, reason: Unknown},
		{name: "wrong secret", key: key[:len(key)-1] + string(base62[(strings.IndexByte(base62, last)+1)%62]), reason: Unknown},
		{name: "cut short", key: key[:len(key)-1], reason: Malformed},
		{name: "too long", key: key + "x", reason: Malformed},
		{name: "far too long", key: strings.Repeat("x", 1<<20), reason: Malformed},
		{name: "other prefix", key: "abc_" + key[4:], reason: Malformed},
		{name: "id alone", key: key[:idEnd], reason: Malformed},
		{name: "empty", key: "", reason: Malformed},
		{name: "zeros", key: strings.Repeat("\x00", keyLength), reason: Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, reason := ring.Authenticate(c.key, now)
			if reason != c.reason || (p != nil) != (c.subject != "") || p != nil && p.Subject != c.subject {
				t.Errorf("got %+v, %q; want %q, %q", p, reason, c.subject, c.reason)
			}
		})
	}
	p, _ := ring.Authenticate(rotated, now)
	if p.Name != "alice" || p.Issuer != "" || !p.Expires.Equal(entry2.Expires) {
		t.Errorf("the principal of a key is %+v", p)
	}
	p, _ = ring.Authenticate(key, now)
	if !p.HasAnyRole([]string{"seller", "auditor"}) || p.HasAnyRole([]string{"seller"}) || p.HasAnyRole(nil) {
		t.Errorf("roles of %+v", p)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	key, _ := NewKey()
	ring := &Keyring{records: map[keyID]*record{}}
	ring.add("a", v1alpha1.APIKeyEntry{ID: key.ID, SHA256: key.SHA256})
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, reason := ring.Authenticate(key.Key, now); reason != Accepted {
			b.Fatal(reason)
		}
	}
}
