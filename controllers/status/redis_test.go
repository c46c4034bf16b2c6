package status

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Every word of the runtime has a sentence, and no other has.
func TestEveryProblemOfRedisHasASentence(t *testing.T) {
	source, err := os.ReadFile("../../runtime/redis/problem.go")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for _, match := range regexp.MustCompile(` Problem += "([a-z]+)"`).FindAllSubmatch(source, -1) {
		words[string(match[1])] = true
	}
	for word := range words {
		if redisSentences[word] == "" {
			t.Errorf("nothing says what %q means", word)
		}
	}
	for word := range redisSentences {
		if !words[word] {
			t.Errorf("the runtime does not say %q", word)
		}
	}
}

func TestRedisProblems(t *testing.T) {
	redis := &v1alpha1.Redis{
		URLSecretRef: v1alpha1.SecretKeyReference{Name: "shop-redis", Key: "url"},
		CASecretRef:  &v1alpha1.SecretKeyReference{Name: "shop-ca", Key: "ca.crt"},
	}
	for name, c := range map[string]struct {
		words  []string
		redis  *v1alpha1.Redis
		want   []string
		wanted int
	}{
		"a word":             {[]string{"auth"}, redis, []string{`Redis refuses the user or password: correct the entry "url" of Secret "shop-redis" (spec.redis.urlSecretRef)`}, 1},
		"the authorities":    {[]string{"tls"}, redis, []string{"rediss://", `the entry "ca.crt" of Secret "shop-ca" (spec.redis.caSecretRef)`}, 1},
		"no authorities":     {[]string{"tls"}, &v1alpha1.Redis{URLSecretRef: redis.URLSecretRef}, []string{"and spec.redis.caSecretRef"}, 1},
		"rights":             {[]string{"permission"}, redis, []string{"docs/limits.md"}, 1},
		"two words":          {[]string{"dns", "refused"}, redis, []string{"cannot be resolved", "nobody listens"}, 2},
		"words made up":      {[]string{"visit", "me", "now", "please"}, redis, []string{"see the pods' logs"}, 1},
		"known ones as well": {[]string{"a", "auth", "b"}, redis, []string{"see the pods' logs", "user or password"}, 2},
		"many":               {[]string{"auth", "dns", "network", "oom", "tls"}, redis, []string{"user or password", "cannot be resolved", "cannot be reached"}, 3},
	} {
		got := redisProblems(c.words, c.redis)
		for _, text := range c.want {
			if !strings.Contains(got, text) {
				t.Errorf("%s: the message does not hold %q: %s", name, text, got)
			}
		}
		if sentences := strings.Split(got, "; "); len(sentences) != c.wanted || strings.ContainsAny(got, "{}") || strings.Contains(got, "visit") {
			t.Errorf("%s: %d sentences, want %d: %s", name, len(sentences), c.wanted, got)
		}
	}
}
