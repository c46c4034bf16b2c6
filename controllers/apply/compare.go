package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// covers says whether a live object holds everything that is wanted. Both went through
// the same Go type, so numbers and quantities are spelt alike.
func covers(live client.Object, wanted map[string]any) (bool, error) {
	have, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return false, fmt.Errorf("encoding %T %s: %w", live, live.GetName(), err)
	}
	// An object from the cache does not say its own kind.
	have["apiVersion"], have["kind"] = wanted["apiVersion"], wanted["kind"]
	if len(live.GetManagedFields()) == 0 { // it went through Slim
		if wanted, err = slimmed(wanted); err != nil {
			return false, err
		}
	}
	return contains(have, wanted), nil
}

// contains says whether everything in wanted is in live.
func contains(live, wanted any) bool {
	switch w := wanted.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			return len(w) == 0 && live == nil
		}
		for key, value := range w {
			if !contains(l[key], value) {
				return false
			}
		}
		return true
	case []any:
		l, ok := live.([]any)
		if !ok {
			return len(w) == 0 && live == nil
		}
		return containsList(l, w)
	default:
		return live == wanted
	}
}

// listKeys are the fields by which the API tells the items of a list apart, the most
// telling first. An item has the identity of all those that it carries.
var listKeys = [][]string{
	{"mountPath"}, {"containerPort", "protocol"}, {"port", "protocol"}, {"topologyKey", "whenUnsatisfiable"}, {"uid"}, {"name"},
}

// containsList matches the items of lists that the API merges by key; somebody else's
// items may stand among them. Every other list is owned as a whole.
func containsList(live, wanted []any) bool {
	key := keyOf(wanted)
	if key == nil {
		if len(live) != len(wanted) {
			return false
		}
		for i := range wanted {
			if !contains(live[i], wanted[i]) {
				return false
			}
		}
		return true
	}
	byKey := make(map[string]any, len(live))
	for _, item := range live {
		byKey[identity(item, key)] = item
	}
	for _, item := range wanted {
		found, ok := byKey[identity(item, key)]
		if !ok || !contains(found, item) {
			return false
		}
	}
	return true
}

// keyOf returns the first key that every item has, and that tells them apart.
func keyOf(items []any) []string {
next:
	for _, key := range listKeys {
		seen := make(map[string]bool, len(items))
		for _, item := range items {
			m, ok := item.(map[string]any)
			if !ok {
				return nil
			}
			for _, field := range key {
				if _, ok := m[field]; !ok {
					continue next
				}
			}
			seen[identity(item, key)] = true
		}
		if len(seen) == len(items) && len(items) > 0 {
			return key
		}
	}
	return nil
}

func identity(item any, key []string) string {
	m, _ := item.(map[string]any)
	var id strings.Builder
	for _, field := range key {
		fmt.Fprintf(&id, "%v\x00", m[field])
	}
	return id.String()
}

// slimmed is what Slim leaves of an object that is to be applied.
func slimmed(wanted map[string]any) (map[string]any, error) {
	kind, _ := wanted["kind"].(string)
	if !immutable(kind) {
		return wanted, nil
	}
	data, slim := child(wanted, "data"), map[string]any{}
	if kind == "ConfigMap" {
		for key, value := range data {
			text, _ := value.(string)
			slim[key] = textDigest(text)
		}
	} else {
		sum, err := digest(data)
		if err != nil {
			return nil, err
		}
		slim["sha256"] = sum
	}
	out := maps.Clone(wanted)
	out["data"] = slim
	return out, nil
}

func slimConfigMap(c *corev1.ConfigMap) {
	for key, value := range c.Data {
		c.Data[key] = textDigest(value)
	}
	c.BinaryData = nil
}

func slimRevision(r *appsv1.ControllerRevision) error {
	// Decoded as ToUnstructured does, so that numbers are spelt alike.
	var data any
	if err := utiljson.Unmarshal(r.Data.Raw, &data); err != nil {
		return fmt.Errorf("decoding the ControllerRevision %s: %w", r.Name, err)
	}
	sum, err := digest(data)
	if err != nil {
		return err
	}
	r.Data = runtime.RawExtension{Raw: []byte(`{"sha256":"` + sum + `"}`)}
	return nil
}

// digest is a short digest of a value in JSON, whose keys are sorted.
func digest(value any) (string, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	return textDigest(string(raw)), nil
}

func textDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// digestOf is the digest that toApply has written on an object.
func digestOf(wanted map[string]any) string {
	digest, _ := child(child(wanted, "metadata"), "annotations")[v1alpha1.AnnotationApplied].(string)
	return digest
}

// child returns a nested object, nil when there is none.
func child(object map[string]any, key string) map[string]any {
	c, _ := object[key].(map[string]any)
	return c
}
