package refs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

func entry(expires string) []byte {
	sum := sha256.Sum256([]byte("key"))
	return fmt.Appendf(nil, `{"id":"abcd1234","sha256":%q%s}`, hex.EncodeToString(sum[:]), expires)
}

func TestCheckAPIKeys(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	reference := Reference{Field: "spec.auth.apiKeys.secretRef", Secret: "keys", Use: APIKeys}
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
			var record Record
			problem := record.check(reference, c.data, now)
			if fmt.Sprint(record.Broken) != fmt.Sprint(c.broken) {
				t.Errorf("broken: %v, want %v", record.Broken, c.broken)
			}
			if (problem != nil) != (c.problem != nil) {
				t.Fatalf("problem: %v, want %v", problem, c.problem)
			}
			if problem == nil {
				return
			}
			for _, text := range append(c.problem, "spec.auth.apiKeys.secretRef.name", "nexus keys new") {
				if !strings.Contains(problem.Error(), text) {
					t.Errorf("the message does not hold %q: %v", text, problem)
				}
			}
			if strings.Contains(problem.Error(), "secret-value") {
				t.Errorf("the message tells a value: %v", problem)
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
	spec := &v1alpha1.NexusAppSpec{
		Auth: v1alpha1.Auth{
			APIKeys: &v1alpha1.APIKeys{SecretRef: v1alpha1.LocalReference{Name: "a"}},
			JWT:     []v1alpha1.JWTIssuer{{HMACSecretRef: &v1alpha1.SecretKeyReference{Name: "b", Key: "hmac"}}},
		},
		Redis: &v1alpha1.Redis{URLSecretRef: v1alpha1.SecretKeyReference{Name: "c", Key: "url"}, CASecretRef: &v1alpha1.SecretKeyReference{Name: "b", Key: "ca.crt"}},
	}
	records := Records{"b": {Version: "u/2", Digest: "22"}, "a": {Version: "u/1", Digest: "11", Broken: []string{"x"}}}
	back := ParseRecords(records.String())
	if back.String() != records.String() || back.Digest(spec) != records.Digest(spec) {
		t.Errorf("%v came back as %v", records, back)
	}
	moved := Records{"b": {Version: "u/9", Digest: "22"}, "a": {Version: "u/1", Digest: "11"}}
	if moved.Digest(spec) != records.Digest(spec) {
		t.Error("the combined digest follows more than the contents")
	}
	if (Records{"a": {Digest: "22"}, "b": {Digest: "11"}}).Digest(spec) == records.Digest(spec) {
		t.Error("swapped contents have the same digest")
	}
	if (Records{"a": {Digest: "11"}, "b": {Digest: "22"}, "c": {Digest: "33"}}).Digest(spec) != records.Digest(spec) {
		t.Error("a Secret that only Redis needs rolls the pods")
	}
	if (Records{"a": {Digest: "11"}, "b": {Digest: "33"}}).Digest(spec) == records.Digest(spec) {
		t.Error("a Secret that Redis and an issuer need does not roll the pods")
	}
	workflows := &v1alpha1.NexusAppSpec{Secrets: []v1alpha1.WorkflowSecret{{Name: "x", SecretRef: v1alpha1.WorkflowSecretReference{Name: "d"}}}}
	if (Records{"d": {Digest: "44"}}).Digest(workflows) == (Records{"d": {Digest: "55"}}).Digest(workflows) {
		t.Error("a Secret of the workflows does not roll the pods")
	}
	if digest := (Records{"c": {Digest: "33"}}).Digest(&v1alpha1.NexusAppSpec{Redis: spec.Redis}); digest != "" {
		t.Errorf("with nothing but Redis there is the digest %q", digest)
	}
	for _, damaged := range []string{"", "{", `["a"]`, `{"a":1}`} {
		if got := ParseRecords(damaged); len(got) != 0 {
			t.Errorf("%q was read as %v", damaged, got)
		}
	}
	if s := (Records{}).String(); s != "" || Records(nil).Digest(spec) != "" {
		t.Errorf("no records are %q", s)
	}
}

func TestOf(t *testing.T) {
	spec := &v1alpha1.NexusAppSpec{
		Auth: v1alpha1.Auth{
			APIKeys: &v1alpha1.APIKeys{SecretRef: v1alpha1.LocalReference{Name: "keys"}},
			JWT: []v1alpha1.JWTIssuer{
				{PublicKeySecretRef: &v1alpha1.SecretKeyReference{Name: "tokens", Key: "pub"}},
				{JWKSURI: "https://id.example.com/keys"},
				{HMACSecretRef: &v1alpha1.SecretKeyReference{Name: "tokens", Key: "hmac"}},
			},
		},
		Redis: &v1alpha1.Redis{
			URLSecretRef: v1alpha1.SecretKeyReference{Name: "redis", Key: "url"},
			CASecretRef:  &v1alpha1.SecretKeyReference{Name: "tokens", Key: "ca.crt"},
		},
		Secrets: []v1alpha1.WorkflowSecret{
			{Name: "pricing", SecretRef: v1alpha1.WorkflowSecretReference{Name: "pricing", Key: "token"}},
			{Name: "login", SecretRef: v1alpha1.WorkflowSecretReference{Name: "login"}},
		},
		ImagePullSecrets: []v1alpha1.LocalReference{{Name: "registry"}, {Name: "keys"}},
	}
	var fields []string
	for _, r := range Of(spec) {
		fields = append(fields, fmt.Sprintf("%s=%s/%s:%s", r.Field, r.Secret, r.Key, r.Use))
	}
	want := "spec.auth.apiKeys.secretRef=keys/:APIKeys spec.auth.jwt[0].publicKeySecretRef=tokens/pub:PublicKeys " +
		"spec.auth.jwt[2].hmacSecretRef=tokens/hmac:HMACKeys spec.redis.urlSecretRef=redis/url:RedisTLSURL spec.redis.caSecretRef=tokens/ca.crt:RedisCA " +
		"spec.secrets[0].secretRef=pricing/token:WorkflowSecret spec.secrets[1].secretRef=login/:WorkflowSecret " +
		"spec.imagePullSecrets[0]=registry/:ImagePull spec.imagePullSecrets[1]=keys/:ImagePull"
	if got := strings.Join(fields, " "); got != want {
		t.Errorf("the references are\n%s, want\n%s", got, want)
	}
	if got := fmt.Sprint(SecretNames(spec)); got != "[keys login pricing redis registry tokens]" {
		t.Errorf("the spec names %s", got)
	}
	for _, missing := range []string{"keys", "tokens", "redis", "pricing", "login", "registry"} {
		records := Records{"keys": {}, "tokens": {}, "redis": {}, "pricing": {}, "login": {}, "registry": {}}
		delete(records, missing)
		if got, want := records.Complete(spec), missing == "registry"; got != want {
			t.Errorf("without %s the records are complete: %v, want %v", missing, got, want)
		}
	}
}

func TestMissingSecretNamesWhatToCreate(t *testing.T) {
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "s")
	for name, c := range map[string]struct {
		references []Reference
		want       string
	}{
		"API keys":              {[]Reference{{Secret: "s", Use: APIKeys}}, `create it with 'nexus keys new --client NAME --secret-name s', the`},
		"an entry of workflows": {[]Reference{{Secret: "s", Key: "t", Use: WorkflowSecret}}, `create it with entry "t": the secret that workflows use, as text, the`},
		"all of one":            {[]Reference{{Secret: "s", Use: WorkflowSecret}}, `create it with the entries that workflows use, the`},
		"a pull":                {[]Reference{{Secret: "s", Use: ImagePull}}, `create it, the app then follows by itself`},
		"Redis":                 {[]Reference{{Secret: "s", Key: "url", Use: RedisURL}}, `create it with entry "url": rediss://USER:PASSWORD@HOST:PORT, the`},
		"Redis's CA":            {[]Reference{{Secret: "s", Key: "ca", Use: RedisCA}}, `entry "ca": the PEM certificates`},
		"public keys":           {[]Reference{{Secret: "s", Key: "pub", Use: PublicKeys}}, `entry "pub": the issuer's public keys, in PEM or as a JWK set`},
		"two entries": {[]Reference{{Secret: "s", Key: "url", Use: RedisTLSURL}, {Secret: "s", Key: "hmac", Use: HMACKeys}, {Secret: "s", Key: "hmac", Use: HMACKeys}},
			`create it with entry "url": rediss://USER:PASSWORD@HOST:PORT; entry "hmac": at least 32 random bytes, as 'openssl rand -base64 48' prints, the`},
	} {
		problems, err := unreadable(c.references, missing)
		if err != nil || len(problems) != 1 || problems[0].Reason != v1alpha1.ReasonSecretNotFound || !strings.Contains(problems[0].Message, c.want) {
			t.Errorf("%s: %v (%v), want %q", name, problems, err, c.want)
		}
	}
	for use := range purposes {
		if examples[use] == "" {
			t.Errorf("nothing says what to create for %s", use)
		}
	}
}

// A Secret is read again when it changed, and when it is named for something else.
func TestRecordCovers(t *testing.T) {
	tokens := []Reference{{Secret: "s", Key: "hmac", Use: HMACKeys}, {Secret: "s", Key: "pub", Use: PublicKeys}}
	record := Record{Version: "u/1", Checked: uses(tokens)}
	for name, c := range map[string]struct {
		references []Reference
		version    string
		want       bool
	}{
		"as it was":         {tokens, "u/1", true},
		"another order":     {[]Reference{tokens[1], tokens[0]}, "u/1", true},
		"named twice":       {append(tokens, tokens[0]), "u/1", true},
		"another version":   {tokens, "u/2", false},
		"another Secret":    {tokens, "v/1", false},
		"unknown version":   {tokens, "", false},
		"another entry":     {[]Reference{{Secret: "s", Key: "hmac2", Use: HMACKeys}, tokens[1]}, "u/1", false},
		"for something new": {append(tokens, Reference{Secret: "s", Key: "hmac", Use: RedisURL}), "u/1", false},
		"for less":          {tokens[:1], "u/1", false},
	} {
		if got := record.covers(c.references, c.version); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if (Record{}).covers(nil, "") {
		t.Error("nothing is a record")
	}
}

func TestExpiriesAreBounded(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	data := map[string][]byte{"never": entry("")}
	for i := range 200 {
		data[fmt.Sprintf("k%03d", i)] = entry(fmt.Sprintf(`,"expires":%q`, now.Add(time.Duration(200-i)*time.Hour).Format(time.RFC3339)))
	}
	var record Record
	if err := record.check(Reference{Secret: "keys", Use: APIKeys}, data, now); err != nil {
		t.Fatal(err)
	}
	if len(record.Expires) != rememberedExpiries || !record.Expires["k199"].Equal(now.Add(time.Hour)) {
		t.Errorf("%d dates are remembered, the next one is %v", len(record.Expires), record.Expires["k199"])
	}
	spec := &v1alpha1.NexusAppSpec{Auth: v1alpha1.Auth{APIKeys: &v1alpha1.APIKeys{SecretRef: v1alpha1.LocalReference{Name: "keys"}}}}
	back := ParseRecords(Records{"keys": record}.String())
	if got, known := back.Expiry(spec); !known || len(got) != rememberedExpiries {
		t.Errorf("the dates came back as %v (%v)", got, known)
	}
	if _, known := (Records{}).Expiry(spec); known {
		t.Error("the dates of a Secret that was never read are known")
	}
}

// Workflows use text: an entry, or every entry of a Secret.
func TestCheckWorkflowSecrets(t *testing.T) {
	for name, c := range map[string]struct {
		key  string
		data map[string][]byte
		want string
	}{
		"an entry":             {"token", map[string][]byte{"token": []byte("é"), "more": {0xff}}, ""},
		"an empty entry":       {"token", map[string][]byte{"token": {}}, ""},
		"all entries":          {"", map[string][]byte{"username": []byte("u"), "password": []byte("do-not-tell")}, ""},
		"no entry":             {"", nil, `spec.secrets[0].secretRef.name: Secret "login" has no entry: add those that workflows use`},
		"a missing entry":      {"token", map[string][]byte{"other": nil}, `spec.secrets[0].secretRef.key: Secret "login" has no entry "token": add it, or name the entry that holds the secret of the workflows`},
		"an entry of bytes":    {"token", map[string][]byte{"token": []byte("do-not-tell\xff")}, `spec.secrets[0].secretRef: entry "token" of Secret "login": is not text in UTF-8`},
		"bytes in one of them": {"", map[string][]byte{"a": []byte("do-not-tell"), "b": []byte("do-not-tell\xff")}, `spec.secrets[0].secretRef: entry "b" of Secret "login": is not text in UTF-8`},
	} {
		var record Record
		err := record.check(Reference{Field: "spec.secrets[0].secretRef", Secret: "login", Key: c.key, Use: WorkflowSecret}, c.data, time.Now())
		switch {
		case (err != nil) != (c.want != ""):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		case err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "do-not-tell")):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
