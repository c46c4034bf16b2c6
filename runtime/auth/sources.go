package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/jwk"
	"github.com/nexus-operator/nexus-operator/runtime/mounted"
)

// open finds out where the keys of an issuer come from, and reads those that are at
// hand. With an error, it names the field that it is about.
func (i *issuer) open(o TokenOptions, now time.Time) (field string, err error) {
	var source string
	switch {
	case i.config.Issuer == v1alpha1.KubernetesIssuer:
		source, field, err = "cluster", "issuer", i.openCluster(o.Cluster, now)
	case i.config.PublicKeySecretRef != nil:
		i.file = newSecretFile(o.SecretsDir, *i.config.PublicKeySecretRef, jwk.ParsePublic)
		source, field, err = "publicKey", "publicKeySecretRef", i.openFile(now)
	case i.config.HMACSecretRef != nil:
		i.file = newSecretFile(o.SecretsDir, *i.config.HMACSecretRef, jwk.ParseSecrets)
		source, field, err = "hmac", "hmacSecretRef", i.openFile(now)
	default:
		i.fetcher = newFetcher(o.Fetch, i.config)
		source = "jwks"
		if i.config.JWKSURI == "" {
			source = "discovery"
		}
		i.health.Problem = "the keys have not been fetched yet"
	}
	i.health.Issuer, i.health.Source = i.name, source
	return field, err
}

func (i *issuer) openCluster(cluster *ClusterKeys, now time.Time) error {
	if cluster == nil || cluster.Issuer == "" {
		return errors.New("the issuer 'kubernetes' needs the cluster's issuer and keys, which the operator puts into the document")
	}
	set, skipped, err := jwk.ParseSet(cluster.Keys)
	if err == nil && set.Len() == 0 {
		err = errors.New(cmp.Or(skipped.String(), "the JWK set holds no key that can be used"))
	}
	if err != nil {
		return fmt.Errorf("the cluster's keys: %w", err)
	}
	i.name = cluster.Issuer
	i.install(set, now)
	i.health.LastSuccess, i.health.Problem = now, skipped.String()
	return nil
}

func (i *issuer) openFile(now time.Time) error {
	set, skipped, _, err := i.file.read()
	if err != nil {
		return err
	}
	i.install(set, now)
	i.health.LastSuccess, i.health.Problem = now, skipped.String()
	return nil
}

// took is told the outcome of a fetch. Keys that were fetched before stay in use when
// there are no newer ones.
func (t *Tokens) took(i *issuer, set *jwk.Set, skipped jwk.Notes, err error) {
	now := t.now()
	if err == nil {
		i.install(set, now)
	}
	i.update(func(h *IssuerHealth) {
		h.Fetches++
		h.LastFetch = now
		if err != nil {
			h.Failures++
			h.Stale, h.Problem = !h.LastSuccess.IsZero(), bounded(err.Error())
			return
		}
		h.LastSuccess, h.Stale, h.Problem = now, false, skipped.String()
		if set.Len() == 0 && h.Problem == "" {
			h.Problem = "the issuer's JWK set holds no key that can be used"
		}
	})
	t.tell(i)
}

// followFiles reads the issuers' files again whenever one of them may have changed.
func (t *Tokens) followFiles(ctx context.Context) {
	var dirs []string
	for _, i := range t.issuers {
		if i.file != nil {
			dirs = append(dirs, i.file.dir)
		}
	}
	if len(dirs) > 0 {
		mounted.Follow(ctx, t.readFiles, dirs...)
	}
}

func (t *Tokens) readFiles() {
	for _, i := range t.issuers {
		if i.file != nil {
			t.reread(i)
		}
	}
}

// reread puts what an issuer's file holds in force. A file that cannot be used leaves the
// last good keys there; one that vanished takes them with it.
func (t *Tokens) reread(i *issuer) {
	set, skipped, differs, err := i.file.read()
	if !differs {
		return
	}
	now := t.now()
	if set != nil {
		i.install(set, now)
	}
	i.update(func(h *IssuerHealth) {
		h.Stale = err != nil && i.usable(now).Len() > 0
		switch {
		case err == nil:
			h.LastSuccess, h.Problem = now, skipped.String()
		case h.Stale:
			h.Problem = bounded(err.Error() + " (its last good value stays in force)")
		default:
			h.Problem = bounded(err.Error())
		}
	})
	t.tell(i)
}

// tell passes on the health of an issuer, one at a time.
func (t *Tokens) tell(i *issuer) {
	t.telling.Lock()
	defer t.telling.Unlock()
	t.notify(i.report(t.now()))
}
