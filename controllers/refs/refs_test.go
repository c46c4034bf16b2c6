package refs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

func entry(expires string) []byte {
	sum := sha256.Sum256([]byte("key"))
	return fmt.Appendf(nil, `{"id":"abcd1234","sha256":%q%s}`, hex.EncodeToString(sum[:]), expires)
}

func TestCheckAPIKeys(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	reference := Reference{Path: "spec.auth.apiKeys.secretRef.name", Secret: "keys", Use: APIKeys}
	many := map[string][]byte{}
	for i := range 30 {
		many[fmt.Sprintf("client%02d", i)] = []byte("secret-value")
	}
	for name, c := range map[string]struct {
		data   map[string][]byte
		broken []string
		// problem holds what the message must say; nil when the Secret can be used.
		problem []string
	}{
		"one key":           {data: map[string][]byte{"web": entry("")}},
		"a key for a while": {data: map[string][]byte{"web": entry(`,"expires":"2026-07-01T00:00:00Z"`)}},
		"one of two":        {data: map[string][]byte{"web": entry(""), "app": []byte("secret-value")}, broken: []string{"app"}},
		"empty":             {problem: []string{"it has no entry"}},
		"broken":            {data: map[string][]byte{"web": []byte("secret-value")}, problem: []string{`entry "web": not the JSON`}},
		"expired":           {data: map[string][]byte{"web": entry(`,"expires":"2026-05-01T00:00:00Z"`)}, problem: []string{`entry "web": expired`}},
		"many":              {data: many, problem: []string{`"client00"`, "and 20 more"}},
	} {
		t.Run(name, func(t *testing.T) {
			broken, problem := checkAPIKeys(reference, c.data, now)
			if fmt.Sprint(broken) != fmt.Sprint(c.broken) {
				t.Errorf("broken: %v, want %v", broken, c.broken)
			}
			if (problem != nil) != (c.problem != nil) {
				t.Fatalf("problem: %v, want %v", problem, c.problem)
			}
			if problem == nil {
				return
			}
			for _, text := range append(c.problem, reference.Path, "nexus keys new") {
				if !strings.Contains(problem.Message, text) {
					t.Errorf("the message does not hold %q: %s", text, problem.Message)
				}
			}
			if problem.Reason != v1alpha1.ReasonSecretInvalid || strings.Contains(problem.Message, "secret-value") {
				t.Errorf("reason %s, message %s", problem.Reason, problem.Message)
			}
		})
	}
}

// Whatever differs between two Secrets differs in the digest, and so does what must not
// be compared: other apps, other keys.
func TestDigest(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	base := digest(key, "uid", "keys", map[string][]byte{"a": []byte("b"), "c": []byte("d")})
	if again := digest(key, "uid", "keys", map[string][]byte{"c": []byte("d"), "a": []byte("b")}); again != base {
		t.Error("the order of entries matters")
	}
	seen := map[string]string{base: "base"}
	for name, d := range map[string]string{
		"another app":     digest(key, types.UID("uid2"), "keys", map[string][]byte{"a": []byte("b"), "c": []byte("d")}),
		"another Secret":  digest(key, "uid", "keys2", map[string][]byte{"a": []byte("b"), "c": []byte("d")}),
		"another key":     digest([]byte("another key of thirty-two bytes!"), "uid", "keys", map[string][]byte{"a": []byte("b"), "c": []byte("d")}),
		"another value":   digest(key, "uid", "keys", map[string][]byte{"a": []byte("b"), "c": []byte("e")}),
		"shifted borders": digest(key, "uid", "keys", map[string][]byte{"ab": []byte(""), "c": []byte("d")}),
		"one entry less":  digest(key, "uid", "keys", map[string][]byte{"a": []byte("bcd")}),
		"shifted names":   digest(key, "uidk", "eys", map[string][]byte{"a": []byte("b"), "c": []byte("d")}),
	} {
		if other, taken := seen[d]; taken {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[d] = name
	}
}

func TestRecords(t *testing.T) {
	records := Records{"b": {Version: "u/2", Digest: "22"}, "a": {Version: "u/1", Digest: "11", Broken: []string{"x"}}}
	back := ParseRecords(records.String())
	if back.String() != records.String() || back.Digest() != records.Digest() {
		t.Errorf("%v came back as %v", records, back)
	}
	moved := Records{"b": {Version: "u/9", Digest: "22"}, "a": {Version: "u/1", Digest: "11"}}
	if moved.Digest() != records.Digest() {
		t.Error("the combined digest follows more than the contents")
	}
	if (Records{"a": {Digest: "22"}, "b": {Digest: "11"}}).Digest() == records.Digest() {
		t.Error("swapped contents have the same digest")
	}
	for _, damaged := range []string{"", "{", `["a"]`, `{"a":1}`} {
		if got := ParseRecords(damaged); len(got) != 0 {
			t.Errorf("%q was read as %v", damaged, got)
		}
	}
	if s := (Records{}).String(); s != "" || Records(nil).Digest() != "" {
		t.Errorf("no records are %q", s)
	}
}

func TestOf(t *testing.T) {
	spec := &v1alpha1.NexusAppSpec{
		Auth:             v1alpha1.Auth{APIKeys: &v1alpha1.APIKeys{SecretRef: v1alpha1.LocalReference{Name: "keys"}}},
		ImagePullSecrets: []v1alpha1.LocalReference{{Name: "registry"}, {Name: "keys"}},
	}
	if got := fmt.Sprint(SecretNames(spec)); got != "[keys registry]" {
		t.Errorf("the spec names %s", got)
	}
	if (Records{"registry": {}}).Complete(spec) || !(Records{"keys": {}}).Complete(spec) {
		t.Error("the mounted Secret, and no other, needs a record")
	}
}
