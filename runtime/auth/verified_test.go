package auth

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

func cached(v *Tokens, token string, now time.Time) bool {
	p, ok := v.Cached(token, now)
	return ok && p != nil
}

func TestCachedUntil(t *testing.T) {
	signer := tokens.NewEd25519("")
	v := trusting(t, byPublicKey(), signer.PEM())
	long, short := signer.Sign(claims()), signer.Sign(claims(map[string]any{"exp": noon.Add(20 * time.Second).Unix()}))
	late := signer.Sign(claims(map[string]any{"exp": noon.Add(-20 * time.Second).Unix()}))
	for _, token := range []string{long, short, late} {
		if cached(v, token, noon) {
			t.Error("a token that nobody verified is in the cache")
		}
		if _, reason := v.Verify(t.Context(), token, noon); reason != Accepted {
			t.Fatal(reason)
		}
	}
	if !cached(v, long, noon.Add(remembered-renewal-1)) || cached(v, long, noon.Add(remembered)) {
		t.Error("a token counts for a minute, if it is not used in its last quarter")
	}
	if !cached(v, short, noon.Add(20*time.Second-1)) || cached(v, short, noon.Add(20*time.Second)) {
		t.Error("a token counts until it expires, and the leeway is no part of that")
	}
	if cached(v, late, noon) || v.verified.size() != 2 {
		t.Error("a token in its leeway is in the cache")
	}
	entry := v.verified.get(short)
	if cached(v, short, noon.Add(19*time.Second)); v.verified.get(short) != entry {
		t.Error("a token is verified again although it cannot count for longer")
	}
	if cached(v, strings.Repeat("x", maxTokenLength+1), noon) || cached(v, "", noon) || cached(v, long+"x", noon) {
		t.Error("what is no token is in the cache")
	}
}

// Refused tokens leave nothing behind.
func TestOnlySuccessesAreCached(t *testing.T) {
	signer := tokens.NewEd25519("")
	v := trusting(t, byPublicKey(), signer.PEM())
	for _, token := range []string{
		tokens.NewEd25519("").Sign(claims()), signer.Sign(claims(map[string]any{"aud": "x"})), signer.Sign(claims(map[string]any{"exp": 1})), "x",
	} {
		v.Verify(t.Context(), token, noon)
	}
	if n := v.verified.size(); n != 0 {
		t.Errorf("%d entries", n)
	}
}

// A caller who calls all the time is verified again before the entry ends, once for all
// of its calls.
func TestRenewal(t *testing.T) {
	signer := tokens.NewEd25519("")
	v := trusting(t, byPublicKey(), signer.PEM())
	token := signer.Sign(claims())
	if _, reason := v.Verify(t.Context(), token, noon); reason != Accepted {
		t.Fatal(reason)
	}
	first := v.verified.get(token)
	for d := time.Duration(0); d < 5*time.Minute; d += renewal {
		if !cached(v, token, noon.Add(d)) {
			t.Errorf("not in the cache after %s", d)
		}
	}
	if cached(v, token, noon.Add(5*time.Minute)) {
		t.Error("renewed beyond its expiry")
	}
	if first.due(noon.Add(remembered - renewal)) {
		t.Error("an entry is verified again twice")
	}

	// Only one of many callers does it.
	second := signer.Sign(claims(map[string]any{"sub": "bob"}))
	v.Verify(t.Context(), second, noon)
	before := v.verified.get(second)
	due := noon.Add(remembered - time.Second)
	var mu sync.Mutex
	var running sync.WaitGroup
	elected := 0
	for range 16 {
		running.Go(func() {
			if before.due(due) {
				mu.Lock()
				defer mu.Unlock()
				elected++
			}
		})
	}
	running.Wait()
	if elected != 1 || before.due(due) {
		t.Errorf("%d callers were told to verify the token again", elected)
	}
	// The others go on with what is there.
	if !cached(v, second, due) || v.verified.get(second) != before {
		t.Error("another caller did not use the entry, or verified the token too")
	}
}

// A token that turns out to be wrong when it is verified again is forgotten.
func TestRenewalFails(t *testing.T) {
	signer := tokens.NewEd25519("")
	v := trusting(t, byPublicKey(), signer.PEM())
	token := signer.Sign(claims())
	v.Verify(t.Context(), token, noon)
	v.issuers[0].config.Audiences = []string{"another"}
	due := noon.Add(remembered - time.Second)
	if cached(v, token, due) || cached(v, token, noon) || v.verified.size() != 0 {
		t.Error("the token still counts")
	}
}

// When an issuer's keys change, its tokens are verified again, and no others.
func TestNewKeysDropWhatWasVerified(t *testing.T) {
	signer, other := tokens.NewEd25519("a"), tokens.NewEd25519("b")
	dir := t.TempDir()
	second := byPublicKey(func(j *v1alpha1.JWTIssuer) {
		j.Issuer = "https://two.example.com"
		j.PublicKeySecretRef = &v1alpha1.SecretKeyReference{Name: "two", Key: "public"}
	})
	writeSecret(t, dir, "keys", tokens.Set(signer))
	writeSecret(t, dir, "two", tokens.Set(signer))
	v, err := NewTokens(TokenOptions{Issuers: withDefaults(byPublicKey(), second), SecretsDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	one, two := signer.Sign(claims()), signer.Sign(claims(map[string]any{"iss": second.Issuer}))
	for _, token := range []string{one, two} {
		v.Verify(t.Context(), token, noon)
	}
	writeSecret(t, dir, "keys", tokens.Set(signer, other))
	v.readFiles()
	if cached(v, one, noon) || !cached(v, two, noon) {
		t.Error("exactly the tokens of the issuer with other keys are forgotten")
	}
	v.Verify(t.Context(), one, noon)
	writeSecret(t, dir, "keys", tokens.Set(other, signer))
	v.readFiles()
	if !cached(v, one, noon) {
		t.Error("the same keys in another order are other keys")
	}
}

func (c *verifiedTokens) size() int {
	n := 0
	for i := range c.shards {
		n += len(c.shards[i].tokens)
	}
	return n
}

func TestCacheIsBounded(t *testing.T) {
	i := newIssuer(byPublicKey())
	c := newVerifiedTokens()
	for n := range 3 * maxVerified {
		c.put(strconv.Itoa(n), &verified{issuer: i, until: noon.Add(time.Duration(n))})
		if n%1000 == 0 && c.size() > maxVerified {
			t.Fatalf("%d entries", c.size())
		}
	}
	if c.size() != maxVerified {
		t.Errorf("%d entries", c.size())
	}
	// What makes room is old, as far as a sample tells.
	young := 0
	for n := 3*maxVerified - maxVerified/2; n < 3*maxVerified; n++ {
		if c.get(strconv.Itoa(n)) != nil {
			young++
		}
	}
	if young < maxVerified/2*9/10 {
		t.Errorf("%d of the last %d entries are left", young, maxVerified/2)
	}
	// To replace an entry takes no room.
	c.put(strconv.Itoa(3*maxVerified-1), &verified{issuer: i, until: noon})
	if c.size() != maxVerified {
		t.Errorf("%d entries", c.size())
	}
}

func TestCachedDoesNotAllocate(t *testing.T) {
	signer := tokens.NewEd25519("")
	v := trusting(t, byPublicKey(), signer.PEM())
	token := signer.Sign(claims())
	v.Verify(t.Context(), token, noon)
	// The pool of buffers is emptied now and then, and by the race detector at random.
	if n := testing.AllocsPerRun(1000, func() { v.Cached(token, noon) }); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

// Many calls with a new token at once: those that waited for a place find it verified.
func TestWaitingCallsShareOneVerification(t *testing.T) {
	signer := tokens.NewEd25519("")
	v := trusting(t, byPublicKey(), signer.PEM())
	v.slots = make(slots, 1)
	token := signer.Sign(claims())
	p, _ := v.Verify(t.Context(), token, noon)
	if again, _ := v.Verify(t.Context(), token, noon); again != p {
		t.Error("a token that another call has verified was verified again")
	}
}
