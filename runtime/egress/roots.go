package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/nexus-operator/nexus-operator/runtime/mounted"
)

// Roots are the authorities whose certificates are trusted: the public ones that come
// with the binary (the same on every machine: the image has none of a system's), and
// those of spec.trust.caBundle. It may be used by several goroutines at once.
type Roots struct {
	dir, entry string

	mu sync.Mutex
	// own are the certificates of the bundle in PEM, the last good ones.
	own []byte
	// public and pool are nil until they are needed: they take a millisecond and half a
	// mebibyte, which an app without TLS calls never spends.
	public, pool *x509.CertPool
}

// OpenRoots returns the public authorities and those in the entry of a directory, such
// as a mounted ConfigMap; without a directory, the public ones alone. It is an error
// when the entry has no certificate.
func OpenRoots(dir, entry string) (*Roots, error) {
	r := &Roots{dir: dir, entry: entry}
	if dir == "" {
		return r, nil
	}
	own, err := r.read()
	if err != nil {
		return nil, fmt.Errorf("spec.trust.caBundle: the entry %q of the ConfigMap %w (looked in %s): put the PEM certificates of your authorities there", entry, err, dir)
	}
	r.own = own
	return r, nil
}

var (
	errTooLarge      = fmt.Errorf("has more than %d bytes", mounted.MaxEntryBytes)
	errNoCertificate = errors.New("holds no PEM certificate")
)

// read returns the bundle as it is now. An error reads on from the entry's name.
func (r *Roots) read() ([]byte, error) {
	own, err := mounted.Entry(r.dir, r.entry)
	switch {
	case err != nil:
		return nil, errors.New("cannot be read: " + mounted.Cause(err))
	case len(own) > mounted.MaxEntryBytes:
		return nil, errTooLarge
	case !x509.NewCertPool().AppendCertsFromPEM(own):
		return nil, errNoCertificate
	}
	return own, nil
}

// Watch keeps the authorities in step with the bundle until the context ends. Each time
// something changed, changed is called in this goroutine: with nil when a new bundle is
// in force, with an error when the bundle cannot be used and the last good one stays.
func (r *Roots) Watch(ctx context.Context, changed func(error)) {
	if r.dir == "" {
		<-ctx.Done()
		return
	}
	problem := ""
	mounted.Follow(ctx, func() {
		own, err := r.read()
		switch {
		case err != nil && err.Error() != problem:
			problem = err.Error()
			changed(fmt.Errorf("spec.trust.caBundle: the entry %q of the ConfigMap %w (its last good value stays in force)", r.entry, err))
		case err == nil && (r.replace(own) || problem != ""):
			problem = ""
			changed(nil)
		}
	}, r.dir)
}

// replace puts a bundle in force and says whether it differs from the last one.
func (r *Roots) replace(own []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if string(own) == string(r.own) {
		return false
	}
	r.own, r.pool = own, nil
	return true
}

// Pool returns the authorities. It is another pool only after the bundle changed.
func (r *Roots) Pool() *x509.CertPool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pool == nil {
		if r.public == nil {
			r.public = publicRoots()
		}
		r.pool = r.public.Clone()
		r.pool.AppendCertsFromPEM(r.own)
	}
	return r.pool
}

// publicRoots are the roots of the Mozilla programme.
func publicRoots() *x509.CertPool {
	pool := x509.NewCertPool()
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		switch {
		case err != nil: // the library's own tests parse them all
		case root.Constraint == nil:
			pool.AddCert(cert)
		default:
			pool.AddCertWithConstraint(cert, root.Constraint)
		}
	}
	return pool
}
