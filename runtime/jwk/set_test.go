package jwk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

// everyKey is a signer for each algorithm.
func everyKey() map[v1alpha1.JWTAlgorithm]*tokens.Signer {
	all := map[v1alpha1.JWTAlgorithm]*tokens.Signer{"EdDSA": tokens.NewEd25519("ed")}
	for _, bits := range []string{"256", "384", "512"} {
		all[v1alpha1.JWTAlgorithm("RS"+bits)] = rsaKey().With("RS" + bits)
		all[v1alpha1.JWTAlgorithm("PS"+bits)] = rsaKey().With("PS" + bits)
		all[v1alpha1.JWTAlgorithm("ES"+bits)] = tokens.NewEC("es"+bits, "ES"+bits)
		all[v1alpha1.JWTAlgorithm("HS"+bits)] = tokens.NewHMAC("hs", "HS"+bits, secret32)
	}
	return all
}

// split cuts a token into what is signed and the signature.
func split(t *testing.T, token string) (string, []byte) {
	t.Helper()
	end := strings.LastIndexByte(token, '.')
	signature, err := decode("signature", token[end+1:])
	if err != nil {
		t.Fatal(err)
	}
	return token[:end], signature
}

// parse reads the keys of a signer, whatever they are.
func parse(t *testing.T, alg v1alpha1.JWTAlgorithm, raw []byte) *Set {
	t.Helper()
	read := ParsePublic
	if strings.HasPrefix(string(alg), "HS") {
		read = ParseSecrets
	}
	set, skipped, err := read(raw)
	if err != nil || set.Len() != 1 {
		t.Fatalf("%s: %d keys, %v, %s", alg, set.Len(), err, skipped)
	}
	return set
}

// A key that is meant for one algorithm verifies signatures by that one alone.
func TestVerify(t *testing.T) {
	all := everyKey()
	if len(all) != len(algorithms) {
		t.Fatalf("%d of %d algorithms are tested", len(all), len(algorithms))
	}
	for meant, signer := range all {
		if !Known(meant) {
			t.Errorf("%s is not known", meant)
		}
		set := parse(t, meant, tokens.Set(signer))
		for alg, other := range all {
			signed, signature := split(t, other.Sign(map[string]any{}))
			candidates := set.Candidates(alg, "")
			if (len(candidates) == 1) != (alg == meant) || set.keys[0].Verify(alg, signed, signature) != (alg == meant) {
				t.Errorf("a key meant for %s, a signature by %s: %d candidates", meant, alg, len(candidates))
			}
		}
		signed, signature := split(t, signer.Sign(map[string]any{}))
		for _, alg := range []v1alpha1.JWTAlgorithm{"", "none", "rs256"} {
			if Known(alg) || set.keys[0].Verify(alg, signed, signature) || set.Candidates(alg, "") != nil {
				t.Errorf("%q passes with a key for %s", alg, meant)
			}
		}
		if set.keys[0].Verify(meant, signed+"x", signature) || set.keys[0].Verify(meant, signed, nil) {
			t.Errorf("%s: anything passes", meant)
		}
	}
}

func TestCandidates(t *testing.T) {
	var signers []*tokens.Signer
	for n := range 6 {
		signers = append(signers, tokens.NewEd25519(fmt.Sprint(n)))
	}
	named, _, err := ParseSet(tokens.Set(append(signers, signers[0].Named(""))...))
	if err != nil {
		t.Fatal(err)
	}
	plain := parse(t, "EdDSA", signers[0].PEM())
	for _, c := range []struct {
		name string
		set  *Set
		id   string
		has  bool
		want int
	}{
		{"a key that is there", named, "5", true, 1},
		{"a key that is not", named, "x", false, 0},
		{"no key named", named, "", true, maxTries},
		{"a name, and a key without", plain, "x", false, 1},
		{"neither", plain, "", true, 1},
		{"no keys", &Set{}, "5", false, 0},
		{"nothing", nil, "5", false, 0},
	} {
		got := c.set.Candidates("EdDSA", c.id)
		if len(got) != c.want || c.set.Has(c.id) != c.has || c.set.Named() != (c.set == named) || len(c.set.Candidates("ES256", c.id)) > 0 {
			t.Errorf("%s: %d candidates, has it: %v, named: %v", c.name, len(got), c.set.Has(c.id), c.set.Named())
		}
	}
}

func TestSame(t *testing.T) {
	a, b := tokens.NewEd25519("a"), tokens.NewEd25519("b")
	set := func(signers ...*tokens.Signer) *Set {
		set, _, err := ParseSet(tokens.Set(signers...))
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	for name, c := range map[string]struct {
		one, other *Set
		want       bool
	}{
		"the same":       {set(a, b), set(a, b), true},
		"another order":  {set(a, b), set(b, a), true},
		"one is missing": {set(a, b), set(a), false},
		"another key":    {set(a), set(b), false},
		"another id":     {set(a), set(a.Named("c")), false},
		"no keys":        {set(), nil, true},
		"some and none":  {set(a), nil, false},
	} {
		if c.one.Same(c.other) != c.want || c.other.Same(c.one) != c.want {
			t.Errorf("%s: not %v", name, c.want)
		}
	}
}
