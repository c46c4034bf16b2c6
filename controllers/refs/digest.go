package refs

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// The Secret with the key of the digests, in the operator's own namespace.
const (
	DigestKeySecret = "nexus-operator-digest-key"
	digestKeyEntry  = "key"
	digestKeyBytes  = 32
)

// DigestKey is the key with which digests of Secrets are made: a plain hash in a pod
// template would let whoever reads it try out guesses. The operator makes it once. A
// new key rolls nothing, since the digests of unchanged Secrets stand.
type DigestKey struct {
	// Live reads and writes on the API server.
	Live      client.Reader
	Writer    client.Writer
	Namespace string

	mu  sync.Mutex
	key []byte
}

// Get returns the key. It is read, or made, at the first call and kept in memory.
func (k *DigestKey) Get(ctx context.Context) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil {
		return k.key, nil
	}
	key, err := k.read(ctx)
	if apierrors.IsNotFound(err) {
		if err = k.create(ctx); err == nil || apierrors.IsAlreadyExists(err) {
			key, err = k.read(ctx)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("getting the digest key from Secret %s/%s: %w", k.Namespace, DigestKeySecret, err)
	}
	k.key = key
	return key, nil
}

func (k *DigestKey) read(ctx context.Context) ([]byte, error) {
	var secret corev1.Secret
	if err := k.Live.Get(ctx, client.ObjectKey{Namespace: k.Namespace, Name: DigestKeySecret}, &secret); err != nil {
		return nil, err
	}
	key := secret.Data[digestKeyEntry]
	if len(key) < digestKeyBytes {
		return nil, fmt.Errorf("entry %q has fewer than %d bytes: delete the Secret, the operator makes a new one", digestKeyEntry, digestKeyBytes)
	}
	return key, nil
}

func (k *DigestKey) create(ctx context.Context) error {
	key := make([]byte, digestKeyBytes)
	rand.Read(key) // never fails
	immutable := true
	return k.Writer.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: DigestKeySecret, Namespace: k.Namespace,
			Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy},
		},
		Immutable: &immutable,
		Data:      map[string][]byte{digestKeyEntry: key},
		// A write that reads are to wait for would make the client watch Secrets.
	}, client.DisableReadYourWritesConsistency)
}

// digest stands for the contents of a Secret. Every part is preceded by its length, so
// that no two Secrets are the same bytes; the app's uid keeps apps from being compared.
func digest(key []byte, app types.UID, secret string, data map[string][]byte) string {
	mac := hmac.New(sha256.New, key)
	part(mac, []byte(app))
	part(mac, []byte(secret))
	for _, name := range slices.Sorted(maps.Keys(data)) {
		part(mac, []byte(name))
		part(mac, data[name])
	}
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Digest combines the digests of the Secrets that roll the pods of a spec into the value
// of v1alpha1.AnnotationSecretsDigest; empty without any.
func (r Records) Digest(spec *v1alpha1.NexusAppSpec) string {
	digests := map[string]string{}
	for _, reference := range Of(spec) {
		if record, ok := r[reference.Secret]; ok && reference.Use.rolls() {
			digests[reference.Secret] = record.Digest
		}
	}
	if len(digests) == 0 {
		return ""
	}
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(digests)) {
		part(sum, []byte(name))
		part(sum, []byte(digests[name]))
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

func part(h hash.Hash, b []byte) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(b)))
	h.Write(length[:])
	h.Write(b)
}
