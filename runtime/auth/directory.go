package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/mounted"
)

// Entry is what may be told of one API key.
type Entry struct {
	// Name of the Secret's entry.
	Name string
	// Expires is zero when the key never does.
	Expires time.Time
}

// Reload is the outcome of reading the directory again.
type Reload struct {
	// Entries are the keys that were read, expired ones included.
	Entries []Entry
	// Problems are the entries that cannot be used, each in one line without any part
	// of its value. An entry that worked before stays in force as it was.
	Problems []string
}

// Directory is a keyring that follows a directory of entries, such as a mounted
// Secret: one file for each entry.
type Directory struct {
	path string
	ring atomic.Pointer[Keyring]
	// files is what was read last, and good the last value of each entry that parsed.
	// Only the goroutine that reads the directory uses them.
	files    map[string]string
	good     map[string]v1alpha1.APIKeyEntry
	last     Reload
	readFail bool
}

// Open reads the directory of the Secret called secret below secretsDir. It is an
// error when no key in it can be used.
func Open(secretsDir, secret string) (*Directory, error) {
	d := &Directory{path: filepath.Join(secretsDir, secret), good: map[string]v1alpha1.APIKeyEntry{}}
	d.ring.Store(&Keyring{})
	reload, _ := d.read()
	if d.ring.Load().usable(time.Now()) > 0 {
		return d, nil
	}
	why := "there is no entry in it"
	switch {
	case len(reload.Problems) > 0:
		why = strings.Join(reload.Problems, "; ")
	case len(reload.Entries) > 0:
		why = "every key in it has expired"
	}
	return nil, fmt.Errorf("spec.auth.apiKeys.secretRef.name: the Secret %q holds no API key that can be used (looked in %s: %s): make one with 'nexus keys new --client NAME --secret-name %s'", secret, d.path, why, secret)
}

// Keyring returns the keys in force.
func (d *Directory) Keyring() *Keyring { return d.ring.Load() }

// Last returns the outcome of the first reading.
func (d *Directory) Last() Reload { return d.last }

// read reads the directory and puts its keys in force. The second result says whether
// anything differs from the time before.
func (d *Directory) read() (Reload, bool) {
	files, err := mounted.Read(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		files = map[string]string{} // the Secret is gone: so are its keys
	case err != nil:
		changed := !d.readFail
		d.readFail = true
		return Reload{Entries: d.last.Entries, Problems: []string{"reading the directory: " + mounted.Cause(err)}}, changed
	}
	if !d.readFail && d.files != nil && maps.Equal(d.files, files) {
		return d.last, false
	}
	d.files, d.readFail = files, false
	d.last = d.build(files)
	if errors.Is(err, fs.ErrNotExist) {
		d.last.Problems = append(d.last.Problems, "the directory does not exist")
	}
	return d.last, true
}

// build makes the keyring of a snapshot. An entry that is gone is revoked; one that
// does not parse keeps its last good value.
func (d *Directory) build(files map[string]string) Reload {
	var reload Reload
	ring := &Keyring{records: make(map[keyID]*record, len(files))}
	good := make(map[string]v1alpha1.APIKeyEntry, len(files))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		entry, err := v1alpha1.ParseAPIKeyEntry([]byte(files[name]))
		if err != nil {
			before, worked := d.good[name]
			reload.Problems = append(reload.Problems, problem(name, err, worked))
			if !worked {
				continue
			}
			entry = before
		}
		if !ring.add(name, entry) {
			reload.Problems = append(reload.Problems, fmt.Sprintf("entry %q: another entry has the same id: remove one of the two", name))
			continue
		}
		good[name] = entry
		reload.Entries = append(reload.Entries, Entry{Name: name, Expires: entry.Expires})
	}
	d.good = good
	d.ring.Store(ring)
	return reload
}

func problem(name string, err error, worked bool) string {
	text := fmt.Sprintf("entry %q: %v", name, err)
	if worked {
		text += " (its last good value stays in force)"
	}
	return text
}

// Watch keeps the keyring in step with the directory until the context ends. Each
// time something changed, changed is called with the outcome, in this goroutine.
func (d *Directory) Watch(ctx context.Context, changed func(Reload)) {
	mounted.Follow(ctx, func() {
		if reload, differs := d.read(); differs {
			changed(reload)
		}
	}, d.path)
}
