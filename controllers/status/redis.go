package status

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// toldProblems bounds how many problems a message names.
const toldProblems = 3

// RedisAnswers are what the ready pods of an app have told of Redis.
type RedisAnswers struct {
	// Up says whether any of them can use it. Down cannot, Silent did not answer, and
	// Unasked were not asked yet.
	Up                    bool
	Down, Silent, Unasked int
	// Problems are the words for what those that are down have met, each once.
	Problems []string
	// Stale can use it by former settings, and StaleProblems are the words for what keeps
	// them from using the present ones, each once.
	Stale         int
	StaleProblems []string
}

// setRedisReady tells what the pods say of Redis: it is present only while the app has
// one. It never gates Ready: pods serve without.
func (s *summary) setRedisReady() {
	if s.spec.Redis == nil {
		meta.RemoveStatusCondition(&s.status.Conditions, v1alpha1.ConditionRedisReady)
		return
	}
	switch {
	case s.pods.ready == 0:
		s.set(v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "no pod is ready, so none can tell")
	case s.Redis.Down > 0:
		s.set(v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonPodsDisconnected,
			fmt.Sprintf("%d of %d ready pods cannot use Redis: %s; %s", s.Redis.Down, s.pods.ready, redisProblems(s.Redis.Problems, s.spec.Redis), meanwhile(&s.spec.RateLimit)))
	case s.Redis.Stale > 0:
		s.set(v1alpha1.ConditionRedisReady, metav1.ConditionFalse, v1alpha1.ReasonSettingsNotInUse,
			fmt.Sprintf("%d of %d ready pods keep the former settings, since the new ones cannot be used: %s", s.Redis.Stale, s.pods.ready, redisProblems(s.Redis.StaleProblems, s.spec.Redis)))
	case s.Redis.Silent > 0:
		s.set(v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved,
			fmt.Sprintf("%d of %d ready pods do not answer the operator on port 9090: let its pods reach them", s.Redis.Silent, s.pods.ready))
	case s.Redis.Up && s.Redis.Unasked == 0:
		s.set(v1alpha1.ConditionRedisReady, metav1.ConditionTrue, v1alpha1.ReasonAllPodsConnected, "every ready pod can use Redis")
	default:
		s.keepRedisReady()
	}
}

// keepRedisReady lets stand what was told last, until the pods have been asked: after a
// restart of the operator, or at the end of a rollout.
func (s *summary) keepRedisReady() {
	last := meta.FindStatusCondition(s.app.Status.Conditions, v1alpha1.ConditionRedisReady)
	if last == nil || last.Status == metav1.ConditionUnknown {
		s.set(v1alpha1.ConditionRedisReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "the pods have not been asked yet")
		return
	}
	s.set(v1alpha1.ConditionRedisReady, last.Status, last.Reason, last.Message)
}

// redisSentences say what the runtime's words for a problem mean, and what to do. {url}
// and {ca} are the entries that hold the settings.
var redisSentences = map[string]string{
	"connecting":  "no connection was made yet: wait, it is tried again and again",
	"files":       "the mounted settings are missing or cannot be read: correct {url}, and what spec.redis.caSecretRef names if it is set",
	"refused":     "nobody listens at the address: check host and port in {url}, and that Redis runs",
	"timeout":     "no answer in time: check host and port in {url}, that Redis runs and is not overloaded, and that no NetworkPolicy at its end keeps the pods out",
	"closed":      "Redis, or something before it, closes the connection: check that the port in {url} is Redis's, whether it asks for TLS (rediss://), and Redis's maxclients and log",
	"dns":         "the host's name cannot be resolved: correct the host in {url}, with the namespace for a Service of another one (redis.NAMESPACE.svc)",
	"tls":         "the certificate is not trusted, or there is no TLS at the port: check rediss:// and the host in {url}, and {ca}",
	"auth":        "Redis refuses the user or password: correct {url}",
	"permission":  "the user of {url} lacks a right in Redis's ACL: docs/limits.md lists what it needs",
	"readonly":    "the server is a replica, which cannot be written to: name the master in {url}, or use redis+sentinel://",
	"loading":     "Redis is loading its data, or a replica has lost its master: wait",
	"oom":         "Redis is out of memory: raise its maxmemory, or let it evict (maxmemory-policy)",
	"misconf":     "Redis refuses writes since it cannot save to its disk: see Redis's log",
	"clusterdown": "the Redis cluster is down: see 'redis-cli cluster info'",
	"answer":      "Redis answers with an error that the runtime does not expect: see Redis's log, and whether {url} names a Redis",
	"network":     "the address cannot be reached: check host and port in {url}, and routes and NetworkPolicies on the way",
}

// redisProblems is a sentence for each of the words, of which pods may make up any.
func redisProblems(words []string, redis *v1alpha1.Redis) string {
	entry := func(field string, ref *v1alpha1.SecretKeyReference) string {
		if ref == nil {
			return field
		}
		return fmt.Sprintf("the entry %q of Secret %q (%s)", ref.Key, ref.Name, field)
	}
	fill := strings.NewReplacer("{url}", entry("spec.redis.urlSecretRef", &redis.URLSecretRef), "{ca}", entry("spec.redis.caSecretRef", redis.CASecretRef))
	var sentences []string
	for _, word := range words {
		text, known := redisSentences[word]
		if !known {
			text = "a problem that is not known here: see the pods' logs, and check {url}"
		}
		if text = fill.Replace(text); !slices.Contains(sentences, text) {
			sentences = append(sentences, text)
		}
	}
	return strings.Join(sentences[:min(len(sentences), toldProblems)], "; ")
}

// meanwhile is what happens to the limits in the pods that cannot use Redis.
func meanwhile(limit *v1alpha1.RateLimit) string {
	switch {
	case limit.Mode == v1alpha1.RateLimitDisabled:
		return "spec.rateLimit.mode is Disabled, so nothing else changes"
	case limit.Mode == v1alpha1.RateLimitShadow:
		return "spec.rateLimit.mode is Shadow, so nobody is refused"
	case limit.OnStoreError == v1alpha1.StoreErrorDeny:
		return "meanwhile they answer 503 (spec.rateLimit.onStoreError is Deny)"
	case limit.OnStoreError == v1alpha1.StoreErrorAllow:
		return "meanwhile they limit nobody (spec.rateLimit.onStoreError is Allow)"
	default:
		return "meanwhile each counts its limits by itself (spec.rateLimit.onStoreError is Local)"
	}
}
