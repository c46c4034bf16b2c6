// Package refs reads what a NexusApp refers to and says whether it can be used. Values
// of Secrets never leave the package: what comes out are digests.
package refs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Use says what a Secret is for.
type Use string

// The uses of a Secret.
const (
	// APIKeys is a Secret with API keys. It is mounted, and its contents roll the pods.
	APIKeys Use = "APIKeys"
	// ImagePull is a Secret that the kubelet pulls the image with. It only has to exist.
	ImagePull Use = "ImagePull"
)

// Reference is a Secret that a spec names.
type Reference struct {
	// Path is the field that names it.
	Path   string
	Secret string
	Use    Use
}

// Of returns the references of a spec.
func Of(spec *v1alpha1.NexusAppSpec) []Reference {
	var out []Reference
	if spec.Auth.APIKeys != nil {
		out = append(out, Reference{Path: "spec.auth.apiKeys.secretRef.name", Secret: spec.Auth.APIKeys.SecretRef.Name, Use: APIKeys})
	}
	for i, s := range spec.ImagePullSecrets {
		out = append(out, Reference{Path: fmt.Sprintf("spec.imagePullSecrets[%d].name", i), Secret: s.Name, Use: ImagePull})
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

// Record is what is remembered of a Secret whose contents roll the pods.
type Record struct {
	// Version is "<uid>/<resourceVersion>": a Secret that still has it is not read again.
	Version string `json:"version"`
	// Digest stands for the contents.
	Digest string `json:"digest"`
	// Broken names the entries that cannot be used.
	Broken []string `json:"broken,omitempty"`
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
	if err != nil { // a map of strings always encodes
		return ""
	}
	return string(raw)
}

// Problem says why a Secret cannot be used.
type Problem struct {
	Reference
	// Reason is one of the reasons of v1alpha1.ConditionReferencesResolved.
	Reason string
	// Message names the field, the Secret and the fix; never a value.
	Message string
}

// Resolved is what the references of a spec come to.
type Resolved struct {
	// Count is the number of references.
	Count int
	// Records are those of the Secrets whose contents roll the pods. A Secret with a
	// problem keeps the record it had, so that the pods keep serving.
	Records Records
	// Problems are empty when every reference can be used.
	Problems []Problem
	// Note says what is odd about a Secret that can be used.
	Note string
}

// Complete says whether there is a record of every Secret that the pods mount: without
// one the pods could not start.
func (r Records) Complete(spec *v1alpha1.NexusAppSpec) bool {
	for _, ref := range Of(spec) {
		if _, ok := r[ref.Secret]; ref.Use == APIKeys && !ok {
			return false
		}
	}
	return true
}

// Resolver reads Secrets.
type Resolver struct {
	// Metadata reads the metadata of Secrets from the cache.
	Metadata client.Reader
	// Live reads from the API server.
	Live client.Reader
	// Key is the key of the digests.
	Key *DigestKey
}

// Resolve looks at every reference of a spec. Records are what is remembered from the
// last time; a Secret that has not changed since is not read. An error is the API
// server's and worth another try.
func (r *Resolver) Resolve(ctx context.Context, app *v1alpha1.NexusApp, spec *v1alpha1.NexusAppSpec, records Records) (Resolved, error) {
	references := Of(spec)
	out := Resolved{Count: len(references), Records: Records{}}
	var notes []string
	for _, reference := range references {
		record, known := records[reference.Secret]
		current, problem, err := r.resolve(ctx, app, reference, record)
		if err != nil {
			return Resolved{}, err
		}
		if problem != nil {
			out.Problems = append(out.Problems, *problem)
			current = record
		}
		if reference.Use == APIKeys && (problem == nil || known) {
			out.Records[reference.Secret] = current
		}
		if problem == nil && len(current.Broken) > 0 {
			notes = append(notes, fmt.Sprintf("Secret %q has entries that cannot be used: %s; make them again with 'nexus keys new --client NAME'",
				reference.Secret, strings.Join(current.Broken, ", ")))
		}
	}
	out.Note = strings.Join(notes, ". ")
	return out, nil
}

// resolve looks at one reference. It returns the record of a usable Secret, or the
// problem of one that cannot be used.
func (r *Resolver) resolve(ctx context.Context, app *v1alpha1.NexusApp, reference Reference, record Record) (Record, *Problem, error) {
	key := client.ObjectKey{Namespace: app.Namespace, Name: reference.Secret}
	if version, err := r.cachedVersion(ctx, key); err != nil {
		return Record{}, nil, err
	} else if version != "" && (reference.Use == ImagePull || version == record.Version) {
		return record, nil, nil
	}
	if reference.Use == ImagePull {
		var meta metav1.PartialObjectMetadata
		meta.SetGroupVersionKind(secretKind)
		problem, err := readProblem(reference, r.Live.Get(ctx, key, &meta))
		return Record{}, problem, err
	}
	var secret corev1.Secret
	if problem, err := readProblem(reference, r.Live.Get(ctx, key, &secret)); problem != nil || err != nil {
		return Record{}, problem, err
	}
	broken, problem := checkAPIKeys(reference, secret.Data, time.Now())
	if problem != nil {
		return Record{}, problem, nil
	}
	hmacKey, err := r.Key.Get(ctx)
	if err != nil {
		return Record{}, nil, err
	}
	return Record{Version: versionOf(&secret), Digest: digest(hmacKey, app.UID, secret.Name, secret.Data), Broken: broken}, nil, nil
}

var secretKind = corev1.SchemeGroupVersion.WithKind("Secret")

// cachedVersion is the version of a Secret as the cache knows it, empty when it does not.
func (r *Resolver) cachedVersion(ctx context.Context, key client.ObjectKey) (string, error) {
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(secretKind)
	if err := r.Metadata.Get(ctx, key, &meta); err != nil {
		if apierrors.IsNotFound(err) {
			return "", nil
		}
		return "", fmt.Errorf("reading the metadata of Secret %s: %w", key.Name, err)
	}
	return versionOf(&meta), nil
}

func versionOf(o metav1.Object) string { return string(o.GetUID()) + "/" + o.GetResourceVersion() }

// readProblem turns what a read came to into the user's problem, or into an error that
// is worth another try.
func readProblem(reference Reference, err error) (*Problem, error) {
	switch {
	case err == nil:
		return nil, nil
	case apierrors.IsNotFound(err):
		fix := "create it, the app then follows by itself"
		if reference.Use == APIKeys {
			fix = fmt.Sprintf("create it with 'nexus keys new --client NAME --secret-name %s', the app then follows by itself", reference.Secret)
		}
		return &Problem{Reference: reference, Reason: v1alpha1.ReasonSecretNotFound,
			Message: fmt.Sprintf("%s: Secret %q does not exist: %s", reference.Path, reference.Secret, fix)}, nil
	case apierrors.IsForbidden(err):
		return &Problem{Reference: reference, Reason: v1alpha1.ReasonSecretForbidden,
			Message: fmt.Sprintf("%s: the operator may not read Secret %q: allow its ServiceAccount to get Secrets in this namespace", reference.Path, reference.Secret)}, nil
	default:
		return nil, fmt.Errorf("reading Secret %s: %w", reference.Secret, err)
	}
}
