package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/jwk"
	"github.com/nexus-operator/nexus-operator/runtime/mounted"
)

// secretFile is an entry of a mounted Secret that holds the keys of an issuer. Only one
// goroutine at a time uses it.
type secretFile struct {
	dir   string
	ref   v1alpha1.SecretKeyReference
	parse func([]byte) (*jwk.Set, jwk.Notes, error)
	// last is what the file held, or why it could not be read.
	last outcome
}

type outcome struct {
	value  string
	absent bool
	failed string
}

func newSecretFile(secretsDir string, ref v1alpha1.SecretKeyReference, parse func([]byte) (*jwk.Set, jwk.Notes, error)) *secretFile {
	return &secretFile{dir: filepath.Join(secretsDir, ref.Name), ref: ref, parse: parse}
}

// read reads the file again. differs says whether anything has changed since the time
// before. A file that vanished holds no keys: they are revoked. The set is nil, with an
// error, when the file cannot be read or used; what it held before is still good then.
func (f *secretFile) read() (set *jwk.Set, skipped jwk.Notes, differs bool, err error) {
	now := f.look()
	if now == f.last {
		return nil, nil, false, nil
	}
	f.last = now
	switch {
	case now.absent:
		return &jwk.Set{}, nil, true, f.problem(fmt.Sprintf("it does not exist (looked in %s)", f.dir))
	case now.failed != "":
		return nil, nil, true, f.problem(now.failed)
	}
	set, skipped, err = f.parse([]byte(now.value))
	if err != nil {
		return nil, nil, true, f.problem(err.Error())
	}
	return set, skipped, true, nil
}

func (f *secretFile) look() outcome {
	value, err := mounted.Entry(f.dir, f.ref.Key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return outcome{absent: true}
	case err != nil:
		return outcome{failed: mounted.Cause(err)}
	default:
		return outcome{value: string(value)}
	}
}

func (f *secretFile) problem(why string) error {
	return fmt.Errorf("the entry %q of the Secret %q: %s", f.ref.Key, f.ref.Name, why)
}
