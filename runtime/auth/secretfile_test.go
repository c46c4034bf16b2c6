package auth

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

func TestRotationInASecret(t *testing.T) {
	s := newSecret(t)
	a, b := tokens.NewEd25519("a"), tokens.NewEd25519("b")
	publish := func(value []byte) { s.publish(map[string]string{"public": string(value)}) }
	publish(tokens.Set(a))
	now := noon
	var told []IssuerHealth
	v, err := NewTokens(TokenOptions{
		Issuers: withDefaults(byPublicKey()), SecretsDir: s.root,
		Now: func() time.Time { return now }, Notify: func(h IssuerHealth) { told = append(told, h) },
	})
	if err != nil {
		t.Fatal(err)
	}
	read := func(changes int) IssuerHealth {
		t.Helper()
		now = now.Add(time.Second)
		before := len(told)
		v.readFiles()
		v.readFiles()
		if len(told)-before != changes || changes > 0 && told[len(told)-1] != v.Health()[0] {
			t.Errorf("told %+v", told[before:])
		}
		return v.Health()[0]
	}
	check := func(signer *tokens.Signer, want Reason) {
		t.Helper()
		if _, reason := v.Verify(t.Context(), signer.Sign(claims()), noon); reason != want {
			t.Errorf("%s: got %q, want %q", signer.KID, reason, want)
		}
	}
	if h := read(0); h != (IssuerHealth{Issuer: testIssuer, Source: "publicKey", Keys: 1, LastSuccess: noon}) {
		t.Errorf("at start: %+v", h)
	}

	publish(tokens.Set(a, b))
	if h := read(1); h.Keys != 2 || !h.LastSuccess.Equal(now) || h.Problem != "" {
		t.Errorf("with a second key: %+v", h)
	}
	check(a, Accepted)
	check(b, Accepted)

	publish([]byte("hunter2"))
	if h := read(1); h.Keys != 2 || !h.Stale || h.Problem != `the entry "public" of the Secret "keys": neither PEM nor a JWK set: put the issuer's public keys there, from BEGIN PUBLIC KEY on, or {"keys": [...]} (its last good value stays in force)` {
		t.Errorf("broken: %+v", h)
	}
	check(a, Accepted)

	publish(tokens.SetOf(b.JWK(), map[string]any{"kty": "oct", "k": "hunter2"}))
	if h := read(1); h.Keys != 1 || h.Stale || !strings.Contains(h.Problem, "key 2 of the set is not used") || strings.Contains(h.Problem, "hunter2") {
		t.Errorf("with a key that is not used: %+v", h)
	}
	check(a, UnknownKey)
	check(b, Accepted)

	s.publish(map[string]string{"other": "x"})
	if h := read(1); h.Keys != 0 || h.Stale || !strings.HasSuffix(h.Problem, "it does not exist (looked in "+s.dir()+")") {
		t.Errorf("vanished: %+v", h)
	}
	check(b, KeysUnavailable)

	publish([]byte("hunter2"))
	if h := read(1); h.Keys != 0 || h.Stale {
		t.Errorf("back, and broken: %+v", h)
	}
	check(b, KeysUnavailable)

	publish(tokens.Set(b))
	if h := read(1); h.Keys != 1 || h.Problem != "" {
		t.Errorf("back: %+v", h)
	}
	check(b, Accepted)

	if err := os.RemoveAll(s.dir()); err != nil {
		t.Fatal(err)
	}
	read(1)
	check(b, KeysUnavailable)
}

// A file that cannot be read is no reason to withdraw the keys.
func TestUnreadableSecret(t *testing.T) {
	signer := tokens.NewEd25519("a")
	dir := secretsWith(t, tokens.Set(signer))
	v, err := NewTokens(TokenOptions{Issuers: withDefaults(byPublicKey()), SecretsDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "keys", "public")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	v.readFiles()
	if h := v.Health()[0]; h.Keys != 1 || !h.Stale || !strings.Contains(h.Problem, "not a regular file") {
		t.Errorf("health %+v", h)
	}
}

// TestRunFollowsSecrets awaits new keys, and that nothing is left of Run.
func TestRunFollowsSecrets(t *testing.T) {
	s := newSecret(t)
	rotated := make(chan IssuerHealth, 16)
	secrets := [2][]byte{[]byte(strings.Repeat("a", 32)), []byte(strings.Repeat("b", 32))}
	s.publish(map[string]string{"public": string(secrets[0])})
	server := tokens.NewTLSIssuer(tokens.NewEd25519("x"))
	defer server.Close()
	remote := v1alpha1.JWTIssuer{Issuer: server.URL, Audiences: []string{testAudience}}
	v, err := NewTokens(TokenOptions{
		Issuers: withDefaults(byHMAC(), remote), SecretsDir: s.root, Fetch: server.Get,
		Notify: func(h IssuerHealth) { rotated <- h },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.Run(ctx)
	}()
	if h := <-rotated; h.Source != "discovery" || h.Keys != 1 || h.Problem != "" || server.Discoveries() != 1 || server.Fetches() != 1 {
		t.Errorf("after the fetch: %+v", h)
	}
	s.publish(map[string]string{"public": string(secrets[1])})
	for h := range rotated {
		_, reason := v.Verify(t.Context(), tokens.NewHMAC("", "HS256", secrets[1]).Sign(claims()), noon)
		if h.Source == "hmac" && reason == Accepted {
			break // an event may come before the last symlink
		}
	}
	cancel()
	<-done
	deadline := time.After(10 * time.Second)
	for stacks := make([]byte, 1<<20); ; {
		if all := string(stacks[:runtime.Stack(stacks, true)]); !strings.Contains(all, "auth.(*") {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("goroutines are left of Run:\n%s", stacks)
		default:
			runtime.Gosched() // one that has told that it is done may not be gone yet
		}
	}
}
