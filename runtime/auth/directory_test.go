package auth

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/mounted"
)

// secret is a directory that is published as the kubelet publishes a volume.
type secret struct {
	t       *testing.T
	root    string
	version int
}

func newSecret(t *testing.T) *secret {
	t.Helper()
	return &secret{t: t, root: t.TempDir()}
}

func (s *secret) dir() string { return filepath.Join(s.root, "keys") }

func encode(t *testing.T, e v1alpha1.APIKeyEntry) string {
	t.Helper()
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// publish swaps in a version of the volume with these entries.
func (s *secret) publish(entries map[string]string) {
	s.t.Helper()
	s.version++
	version := "..v" + string(rune('0'+s.version))
	must := func(err error) {
		if err != nil {
			s.t.Helper()
			s.t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(s.dir(), version), 0o755))
	for name, value := range entries {
		must(os.WriteFile(filepath.Join(s.dir(), version, name), []byte(value), 0o600))
	}
	old, _ := os.Readlink(filepath.Join(s.dir(), "..data"))
	must(os.Symlink(version, filepath.Join(s.dir(), "..data_tmp")))
	must(os.Rename(filepath.Join(s.dir(), "..data_tmp"), filepath.Join(s.dir(), "..data")))
	for name := range entries {
		if _, err := os.Lstat(filepath.Join(s.dir(), name)); err != nil {
			must(os.Symlink(filepath.Join("..data", name), filepath.Join(s.dir(), name)))
		}
	}
	if old != "" {
		must(os.RemoveAll(filepath.Join(s.dir(), old)))
	}
}

func accepted(d *Directory, key string) bool {
	_, reason := d.Keyring().Authenticate(key, time.Now())
	return reason == Accepted
}

func TestOpenNeedsAUsableKey(t *testing.T) {
	_, expired := mint(t, time.Now().Add(-time.Hour))
	for name, c := range map[string]struct {
		entries map[string]string
		want    string
	}{
		"nothing":    {map[string]string{}, "there is no entry in it"},
		"no key":     {map[string]string{"alice": "hunter2"}, `entry "alice": not the JSON`},
		"expired":    {map[string]string{"alice": encode(t, expired)}, "every key in it has expired"},
		"far larger": {map[string]string{"alice": strings.Repeat(" ", mounted.MaxEntryBytes) + "{}"}, `entry "alice"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSecret(t)
			s.publish(c.entries)
			_, err := Open(s.root, "keys")
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `Secret "keys"`) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
		})
	}
	if _, err := Open(t.TempDir(), "keys"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a missing directory: %v", err)
	}
}

func TestReadFollowsTheDirectory(t *testing.T) {
	s := newSecret(t)
	key1, entry1 := mint(t, time.Time{})
	key2, entry2 := mint(t, time.Time{})
	key3, entry3 := mint(t, time.Time{})
	s.publish(map[string]string{"alice.1": encode(t, entry1), "bob": encode(t, entry2)})
	d, err := Open(s.root, "keys")
	if err != nil {
		t.Fatal(err)
	}
	if _, differs := d.read(); differs {
		t.Error("nothing changed, and that is a difference")
	}

	s.publish(map[string]string{"alice.1": encode(t, entry1), "alice.2": encode(t, entry3), "bob": "oops"})
	reload, differs := d.read()
	if !differs || !accepted(d, key1) || !accepted(d, key3) {
		t.Error("a new key of a client does not work beside the old one")
	}
	if !accepted(d, key2) || len(reload.Problems) != 1 || !strings.Contains(reload.Problems[0], `entry "bob"`) || strings.Contains(reload.Problems[0], "oops") {
		t.Errorf("an entry that does not parse keeps its last good value and is named: %q", reload.Problems)
	}

	s.publish(map[string]string{"alice.2": encode(t, entry3), "bob": "still broken"})
	d.read()
	if accepted(d, key1) || !accepted(d, key2) {
		t.Error("an entry that vanished is revoked, and the broken one still has its last good value")
	}

	s.publish(map[string]string{"alice.2": encode(t, entry3)})
	d.read()
	s.publish(map[string]string{"alice.2": encode(t, entry3), "bob": "broken again"})
	d.read()
	if accepted(d, key2) {
		t.Error("a revoked entry came back when its name came back broken")
	}

	dup := entry3
	s.publish(map[string]string{"alice.2": encode(t, entry3), "mallory": encode(t, dup)})
	reload, _ = d.read()
	if p, _ := d.Keyring().Authenticate(key3, time.Now()); len(reload.Problems) != 1 || p.Subject != "key|alice" {
		t.Errorf("two entries with one id: %q", reload.Problems)
	}

	if err := os.RemoveAll(s.dir()); err != nil {
		t.Fatal(err)
	}
	reload, differs = d.read()
	if !differs || accepted(d, key3) || len(reload.Problems) != 1 {
		t.Errorf("without the Secret no key is left: %+v", reload)
	}
}
