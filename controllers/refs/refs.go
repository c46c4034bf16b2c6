// Package refs reads what a NexusApp refers to and says whether it can be used. Values
// of Secrets never leave the package: what comes out are digests, ports and dates.
package refs

import (
	"fmt"
	"maps"
	"slices"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Use says what a Secret, or an entry of one, is for.
type Use string

// The uses of Secrets. All but ImagePull are mounted. The contents roll the pods, but for
// those of Redis: see rolls.
const (
	// APIKeys is a Secret with API keys: all of its entries.
	APIKeys Use = "APIKeys"
	// PublicKeys is an entry with the public keys of an issuer of tokens.
	PublicKeys Use = "PublicKeys"
	// HMACKeys is an entry with the secret of an issuer of tokens.
	HMACKeys Use = "HMACKeys"
	// RedisURL is an entry with the URL of Redis.
	RedisURL Use = "RedisURL"
	// RedisTLSURL is one too, of a Redis whose certificate is checked by a RedisCA.
	RedisTLSURL Use = "RedisTLSURL"
	// RedisCA is an entry with the authorities for Redis's own certificate.
	RedisCA Use = "RedisCA"
	// WorkflowSecret is what workflows use: an entry, or all entries.
	WorkflowSecret Use = "WorkflowSecret"
	// ImagePull is a Secret that the kubelet pulls the image with. It only has to exist.
	ImagePull Use = "ImagePull"
)

// Reference is a Secret that a spec names.
type Reference struct {
	// Field is the field that names it: an object with its name and, but for whole
	// Secrets, the key of the entry.
	Field  string
	Secret string
	// Key is the entry; empty for the whole Secret.
	Key string
	Use Use
}

// Of returns the Secrets that a spec names, field by field.
func Of(spec *v1alpha1.NexusAppSpec) []Reference {
	var out []Reference
	entry := func(field string, ref *v1alpha1.SecretKeyReference, use Use) {
		if ref != nil {
			out = append(out, Reference{Field: field, Secret: ref.Name, Key: ref.Key, Use: use})
		}
	}
	if spec.Auth.APIKeys != nil {
		out = append(out, Reference{Field: "spec.auth.apiKeys.secretRef", Secret: spec.Auth.APIKeys.SecretRef.Name, Use: APIKeys})
	}
	for i := range spec.Auth.JWT {
		j, at := &spec.Auth.JWT[i], fmt.Sprintf("spec.auth.jwt[%d]", i)
		entry(at+".publicKeySecretRef", j.PublicKeySecretRef, PublicKeys)
		entry(at+".hmacSecretRef", j.HMACSecretRef, HMACKeys)
	}
	if spec.Redis != nil {
		url := RedisURL
		if spec.Redis.CASecretRef != nil {
			url = RedisTLSURL
		}
		entry("spec.redis.urlSecretRef", &spec.Redis.URLSecretRef, url)
		entry("spec.redis.caSecretRef", spec.Redis.CASecretRef, RedisCA)
	}
	for i := range spec.Secrets {
		ref := &spec.Secrets[i].SecretRef
		out = append(out, Reference{Field: fmt.Sprintf("spec.secrets[%d].secretRef", i), Secret: ref.Name, Key: ref.Key, Use: WorkflowSecret})
	}
	for i, s := range spec.ImagePullSecrets {
		out = append(out, Reference{Field: fmt.Sprintf("spec.imagePullSecrets[%d]", i), Secret: s.Name, Use: ImagePull})
	}
	return out
}

// SecretNames returns the name of every Secret that a spec names, once.
func SecretNames(spec *v1alpha1.NexusAppSpec) []string {
	names := map[string]bool{}
	for _, r := range Of(spec) {
		names[r.Secret] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// rolls says whether contents that change replace the pods. Those of Redis do not: the
// runtime connects with new ones first, and new pods, which have no connection yet, could
// not work with wrong ones.
func (u Use) rolls() bool {
	return u == APIKeys || u == PublicKeys || u == HMACKeys || u == WorkflowSecret
}

// mounted returns the references that the pods mount, by Secret, and the Secrets in the
// order in which the spec names them.
func mounted(spec *v1alpha1.NexusAppSpec) (map[string][]Reference, []string) {
	bySecret, order := map[string][]Reference{}, []string(nil)
	for _, r := range Of(spec) {
		if r.Use == ImagePull {
			continue
		}
		if len(bySecret[r.Secret]) == 0 {
			order = append(order, r.Secret)
		}
		bySecret[r.Secret] = append(bySecret[r.Secret], r)
	}
	return bySecret, order
}

// Problem says why something that the spec names cannot be used.
type Problem struct {
	// Reason is one of the reasons of v1alpha1.ConditionReferencesResolved.
	Reason string
	// Message names the field, the object and the fix; never a value.
	Message string
}

// Resolved is what the references of a spec come to.
type Resolved struct {
	// Count is the number of references.
	Count int
	// Records are those of the Secrets that the pods mount. A Secret with a problem keeps
	// the record it had, so that the pods keep serving.
	Records Records
	// Problems are empty when every reference can be used.
	Problems []Problem
	// Blocked says whether a problem is with what the pods mount, so that none could start.
	Blocked bool
	// Note says what is odd about a Secret that can be used.
	Note string
}
