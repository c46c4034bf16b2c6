package refs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Entry is an entry of a ConfigMap that a spec, or a definition, names.
type Entry struct {
	// Field is what names it.
	Field string
	// ConfigMap is the name of the ConfigMap, and Key that of the entry.
	ConfigMap, Key string
	// Holds says what is to be found there.
	Holds string
}

// Text returns an entry of a ConfigMap that belongs to what workflows are made of, or is a
// prompt. The
// problem is the user's; an error is the API server's and worth another try.
func (r *Reading) Text(ctx context.Context, e Entry) (string, *Problem, error) {
	r.texts++
	return r.entry(ctx, e)
}

// ConfigMaps returns the names of the ConfigMaps that were asked for.
func (r *Reading) ConfigMaps() []string { return slices.Collect(maps.Keys(r.maps)) }

func (r *Reading) entry(ctx context.Context, e Entry) (string, *Problem, error) {
	object, err := r.configMap(ctx, e.ConfigMap)
	switch {
	case apierrors.IsNotFound(err):
		return "", &Problem{Reason: v1alpha1.ReasonConfigMapNotFound,
			Message: fmt.Sprintf("%s: ConfigMap %q does not exist: create it with entry %q: %s, the app then follows by itself", e.member("name"), e.ConfigMap, e.Key, e.Holds)}, nil
	case apierrors.IsForbidden(err):
		return "", &Problem{Reason: v1alpha1.ReasonConfigMapForbidden,
			Message: fmt.Sprintf("%s: the operator may not read ConfigMap %q: allow its ServiceAccount to get ConfigMaps in this namespace", e.member("name"), e.ConfigMap)}, nil
	case err != nil:
		return "", nil, fmt.Errorf("reading ConfigMap %s: %w", e.ConfigMap, err)
	}
	if text, ok := object.Data[e.Key]; ok {
		return text, nil, nil
	}
	if binary, ok := object.BinaryData[e.Key]; ok {
		return string(binary), nil, nil
	}
	return "", &Problem{Reason: v1alpha1.ReasonConfigMapInvalid,
		Message: fmt.Sprintf("%s: ConfigMap %q has no entry %q: add it, or name the entry that holds %s", e.member("key"), e.ConfigMap, e.Key, e.Holds)}, nil
}

// member is a member of the field, where that is an object with a name and a key.
func (e Entry) member(name string) string {
	if strings.HasSuffix(e.Field, "Ref") {
		return e.Field + "." + name
	}
	return e.Field
}

// configMap reads a ConfigMap from the API server, once. The operator's cache holds only
// ConfigMaps of its own, and of others their versions.
func (r *Reading) configMap(ctx context.Context, name string) (*corev1.ConfigMap, error) {
	done, ok := r.maps[name]
	if !ok {
		if r.Follow != nil {
			r.Follow(client.ObjectKeyFromObject(r.app), name)
		}
		done.object = &corev1.ConfigMap{}
		done.err = r.Live.Get(ctx, r.key(name), done.object)
		r.maps[name] = done
	}
	return done.object, done.err
}
