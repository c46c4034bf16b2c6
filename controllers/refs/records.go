package refs

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Record is what is remembered of a Secret that the pods mount: everything that is
// needed of it, so that it is read again only when it changed.
type Record struct {
	// Version is "<uid>/<resourceVersion>": a Secret that still has it is not read again.
	Version string `json:"version"`
	// Digest stands for the contents.
	Digest string `json:"digest"`
	// Checked are the uses that the Secret was found good for. For any other, it is read
	// again.
	Checked []string `json:"checked,omitempty"`
	// Broken names the API keys that cannot be used.
	Broken []string `json:"broken,omitempty"`
	// Expires says when the API keys end that ever do, the next ones to end.
	Expires map[string]time.Time `json:"expires,omitempty"`
	// Ports are those of Redis. Its hosts and credentials are not remembered.
	Ports []uint16 `json:"ports,omitempty"`
}

// covers says whether a Secret of this version need not be read for these references.
func (r Record) covers(references []Reference, version string) bool {
	return version != "" && r.Version == version && slices.Equal(r.Checked, uses(references))
}

// uses is what a Record keeps of the references that it was made for.
func uses(references []Reference) []string {
	out := make([]string, 0, len(references))
	for _, r := range references {
		use := string(r.Use)
		if r.Key != "" {
			use += "/" + r.Key
		}
		out = append(out, use)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Records are the records of an app's Secrets, by name.
type Records map[string]Record

// ParseRecords reads the value of v1alpha1.AnnotationSecrets. A value that somebody has
// damaged is as good as none: the Secrets are read again.
func ParseRecords(annotation string) Records {
	var out Records
	if json.Unmarshal([]byte(annotation), &out) != nil {
		return nil
	}
	return out
}

// String is the value of v1alpha1.AnnotationSecrets, empty without records.
func (r Records) String() string {
	if len(r) == 0 {
		return ""
	}
	raw, err := json.Marshal(r)
	if err != nil { // texts, numbers and dates that were read from JSON always encode
		return ""
	}
	return string(raw)
}

// Complete says whether there is a record of every Secret that the pods mount: without
// one the pods could not start.
func (r Records) Complete(spec *v1alpha1.NexusAppSpec) bool {
	_, secrets := mounted(spec)
	for _, secret := range secrets {
		if _, ok := r[secret]; !ok {
			return false
		}
	}
	return true
}

// RedisPorts are the ports that the pods of a spec reach Redis at; none without Redis.
func (r Records) RedisPorts(spec *v1alpha1.NexusAppSpec) []uint16 {
	if spec.Redis == nil {
		return nil
	}
	return r[spec.Redis.URLSecretRef.Name].Ports
}

// Expiry says when the API keys of a spec end that ever do; known is false as long as
// their Secret has not been read, and without API keys.
func (r Records) Expiry(spec *v1alpha1.NexusAppSpec) (expires map[string]time.Time, known bool) {
	if spec.Auth.APIKeys == nil {
		return nil, false
	}
	record, known := r[spec.Auth.APIKeys.SecretRef.Name]
	return record.Expires, known
}
