package refs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/jwk"
)

// Resolver looks at what apps refer to.
type Resolver struct {
	// Metadata reads the metadata of Secrets from the cache.
	Metadata client.Reader
	// Live reads from the API server.
	Live client.Reader
	// Key is the key of the digests.
	Key *DigestKey
	// Follow, when not nil, is told of each ConfigMap before it is read for an app: what
	// happens to it from then on matters to the app.
	Follow func(app types.NamespacedName, configMap string)
}

// Reading is one look at what one app refers to, for the time of a reconcile. What it
// has read once it does not read again, although two specs of the app name it: the
// current one, and the one in force while that is refused.
type Reading struct {
	*Resolver
	app *v1alpha1.NexusApp
	// records are what is remembered from the last time.
	records Records
	secrets map[string]read[*corev1.Secret]
	maps    map[string]read[*corev1.ConfigMap]
	// texts is how many entries of ConfigMaps were asked for by Text.
	texts int
}

// read is what reading an object came to.
type read[T any] struct {
	object T
	err    error
}

// Read begins a look at what an app refers to. Records are what is remembered from the
// last time; a Secret that has not changed since is not read.
func (r *Resolver) Read(app *v1alpha1.NexusApp, records Records) *Reading {
	return &Reading{Resolver: r, app: app, records: records,
		secrets: map[string]read[*corev1.Secret]{}, maps: map[string]read[*corev1.ConfigMap]{}}
}

// Resolve looks at every reference of a spec of the app. An error is the API server's
// and worth another try.
func (r *Reading) Resolve(ctx context.Context, spec *v1alpha1.NexusAppSpec) (Resolved, error) {
	out := Resolved{Count: len(Of(spec)) + r.texts, Records: Records{}}
	bySecret, order := mounted(spec)
	var notes []string
	for _, secret := range order {
		record, known := r.records[secret]
		current, problems, err := r.resolveSecret(ctx, secret, bySecret[secret])
		if err != nil {
			return Resolved{}, err
		}
		out.addMounted(problems)
		switch {
		case len(problems) == 0:
			out.Records[secret] = current
			notes = append(notes, brokenKeys(secret, current.Broken)...)
		case known:
			out.Records[secret] = record
		}
	}
	for _, reference := range Of(spec) {
		if reference.Use == ImagePull {
			problem, err := r.resolveImagePull(ctx, reference)
			if err != nil {
				return Resolved{}, err
			}
			out.Problems = append(out.Problems, problem...)
		}
	}
	if bundle := spec.Trust.CABundle; bundle != nil {
		out.Count++
		problem, err := r.resolveTrust(ctx, bundle.ConfigMapRef)
		if err != nil {
			return Resolved{}, err
		}
		out.addMounted(problem)
	}
	out.Note = strings.Join(notes, ". ")
	return out, nil
}

// addMounted adds problems with something that the pods mount. What only the operator
// may not read keeps no pod from starting.
func (r *Resolved) addMounted(problems []Problem) {
	r.Problems = append(r.Problems, problems...)
	for _, p := range problems {
		r.Blocked = r.Blocked || p.Reason != v1alpha1.ReasonSecretForbidden
	}
}

// resolveSecret looks at one Secret that the pods mount. It returns its record, or the
// problems that keep it from being used.
func (r *Reading) resolveSecret(ctx context.Context, name string, references []Reference) (Record, []Problem, error) {
	version, err := r.cachedVersion(ctx, name)
	if err != nil {
		return Record{}, nil, err
	}
	last := r.records[name]
	if last.covers(references, version) {
		return last, nil, nil
	}
	secret, err := r.secret(ctx, name)
	if err != nil {
		problem, err := unreadable(references, err)
		return Record{}, problem, err
	}
	record := Record{Version: versionOf(secret), Checked: uses(references)}
	var problems []Problem
	for _, reference := range references {
		if err := record.check(reference, secret.Data, time.Now()); err != nil {
			problems = append(problems, Problem{Reason: v1alpha1.ReasonSecretInvalid, Message: err.Error()})
		}
	}
	if len(problems) > 0 {
		return Record{}, problems, nil
	}
	if last.Version == record.Version {
		record.Digest = last.Digest // it stands, although there may be another key
		return record, nil, nil
	}
	key, err := r.Key.Get(ctx)
	if err != nil {
		return Record{}, nil, err
	}
	record.Digest = digest(key, r.app.UID, name, secret.Data)
	return record, nil, nil
}

// check looks at what a reference names in a Secret, and adds to the record what is to
// be remembered of it. The error is the user's: it says what to write where.
func (r *Record) check(reference Reference, data map[string][]byte, now time.Time) error {
	switch {
	case reference.Use == APIKeys:
		return r.checkAPIKeys(reference, data, now)
	case reference.Use == WorkflowSecret && reference.Key == "":
		return checkTexts(reference, data)
	}
	value, ok := data[reference.Key]
	if !ok {
		return fmt.Errorf("%s.key: Secret %q has no entry %q: add it, or name the entry that holds %s",
			reference.Field, reference.Secret, reference.Key, purposes[reference.Use])
	}
	var err error
	switch reference.Use {
	case PublicKeys:
		_, _, err = jwk.ParsePublic(value)
	case HMACKeys:
		_, _, err = jwk.ParseSecrets(value)
	case RedisURL, RedisTLSURL:
		r.Ports, err = redisPorts(value, reference.Use)
	case WorkflowSecret:
		err = checkText(value)
	default:
		err = checkCertificates(value)
	}
	if err != nil {
		return fmt.Errorf("%s: entry %q of Secret %q: %w", reference.Field, reference.Key, reference.Secret, err)
	}
	return nil
}

var purposes = map[Use]string{
	PublicKeys: "the issuer's public keys", HMACKeys: "the secret of the signatures",
	RedisURL: "the URL of Redis", RedisTLSURL: "the URL of Redis", RedisCA: "the certificates of Redis's authorities",
	WorkflowSecret: "the secret of the workflows",
}

// examples are what a Secret that has to be made holds in an entry.
var examples = map[Use]string{
	PublicKeys:     "the issuer's public keys, in PEM or as a JWK set",
	HMACKeys:       "at least 32 random bytes, as 'openssl rand -base64 48' prints",
	RedisURL:       "rediss://USER:PASSWORD@HOST:PORT",
	RedisTLSURL:    "rediss://USER:PASSWORD@HOST:PORT",
	RedisCA:        "the PEM certificates of Redis's authorities",
	WorkflowSecret: "the secret that workflows use, as text",
}

// resolveImagePull only asks whether the Secret exists.
func (r *Reading) resolveImagePull(ctx context.Context, reference Reference) ([]Problem, error) {
	if version, err := r.cachedVersion(ctx, reference.Secret); err != nil || version != "" {
		return nil, err
	}
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(secretKind)
	if err := r.Live.Get(ctx, r.key(reference.Secret), &meta); err != nil {
		return unreadable([]Reference{reference}, err)
	}
	return nil, nil
}

func (r *Reading) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: r.app.Namespace, Name: name}
}

// secret reads a Secret from the API server, once.
func (r *Reading) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	done, ok := r.secrets[name]
	if !ok {
		done.object = &corev1.Secret{}
		done.err = r.Live.Get(ctx, r.key(name), done.object)
		r.secrets[name] = done
	}
	return done.object, done.err
}

var secretKind = corev1.SchemeGroupVersion.WithKind("Secret")

// cachedVersion is the version of a Secret as the cache knows it, empty when it does not.
func (r *Reading) cachedVersion(ctx context.Context, name string) (string, error) {
	var meta metav1.PartialObjectMetadata
	meta.SetGroupVersionKind(secretKind)
	if err := r.Metadata.Get(ctx, r.key(name), &meta); err != nil {
		if apierrors.IsNotFound(err) {
			return "", nil
		}
		return "", fmt.Errorf("reading the metadata of Secret %s: %w", name, err)
	}
	return versionOf(&meta), nil
}

func versionOf(o metav1.Object) string { return string(o.GetUID()) + "/" + o.GetResourceVersion() }

// unreadable turns what reading a Secret came to into the user's problem, or into an
// error that is worth another try.
func unreadable(references []Reference, err error) ([]Problem, error) {
	reference := references[0]
	switch {
	case apierrors.IsNotFound(err):
		return []Problem{{Reason: v1alpha1.ReasonSecretNotFound,
			Message: fmt.Sprintf("%s.name: Secret %q does not exist: create it%s, the app then follows by itself", reference.Field, reference.Secret, contents(references))}}, nil
	case apierrors.IsForbidden(err):
		return []Problem{{Reason: v1alpha1.ReasonSecretForbidden,
			Message: fmt.Sprintf("%s.name: the operator may not read Secret %q: allow its ServiceAccount to get Secrets in this namespace", reference.Field, reference.Secret)}}, nil
	default:
		return nil, fmt.Errorf("reading Secret %s: %w", reference.Secret, err)
	}
}

// contents says how a Secret comes to hold what the references name of it.
func contents(references []Reference) string {
	var entries []string
	for _, r := range references {
		if r.Use == APIKeys {
			return fmt.Sprintf(" with 'nexus keys new --client NAME --secret-name %s'", r.Secret)
		}
		entry := fmt.Sprintf("entry %q: %s", r.Key, examples[r.Use])
		if r.Key == "" {
			entry = "the entries that workflows use"
		}
		if r.Use != ImagePull && !slices.Contains(entries, entry) {
			entries = append(entries, entry)
		}
	}
	if len(entries) == 0 {
		return ""
	}
	return " with " + strings.Join(atMost(entries), "; ")
}

// brokenKeys is the note on API keys that cannot be used while others can.
func brokenKeys(secret string, broken []string) []string {
	if len(broken) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Secret %q has entries that cannot be used: %s; make them again with 'nexus keys new --client NAME'",
		secret, strings.Join(broken, ", "))}
}
