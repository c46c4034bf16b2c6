package mounted

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// volume is a directory that is published as the kubelet publishes a volume.
type volume struct {
	t       *testing.T
	dir     string
	version int
}

// publish swaps in a version of the volume with these entries.
func (v *volume) publish(entries map[string]string) {
	v.t.Helper()
	v.version++
	version := fmt.Sprintf("..v%d", v.version)
	must := func(err error) {
		if err != nil {
			v.t.Helper()
			v.t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(v.dir, version), 0o755))
	for name, value := range entries {
		must(os.WriteFile(filepath.Join(v.dir, version, name), []byte(value), 0o600))
	}
	old, _ := os.Readlink(filepath.Join(v.dir, "..data"))
	must(os.Symlink(version, filepath.Join(v.dir, "..data_tmp")))
	must(os.Rename(filepath.Join(v.dir, "..data_tmp"), filepath.Join(v.dir, "..data")))
	for name := range entries {
		if _, err := os.Lstat(filepath.Join(v.dir, name)); err != nil {
			must(os.Symlink(filepath.Join("..data", name), filepath.Join(v.dir, name)))
		}
	}
	if old != "" {
		must(os.RemoveAll(filepath.Join(v.dir, old)))
	}
}

func TestRead(t *testing.T) {
	v := &volume{t: t, dir: filepath.Join(t.TempDir(), "volume")}
	if _, err := Read(v.dir); err == nil || Cause(err) != "no such file or directory" {
		t.Errorf("a directory that does not exist: %v", err)
	}
	for _, entries := range []map[string]string{{"a": "1", "b": "2"}, {"a": "3"}, {}} {
		v.publish(entries)
		if got, err := Read(v.dir); err != nil || !maps.Equal(got, entries) {
			t.Errorf("got %v, %v; want %v", got, err, entries)
		}
	}
	v.publish(map[string]string{"a": "3"})
	if got, err := Entry(v.dir, "a"); err != nil || string(got) != "3" {
		t.Errorf("one entry: %q, %v", got, err)
	}
	if _, err := Entry(filepath.Dir(v.dir), "volume"); err == nil {
		t.Error("a directory was read as an entry")
	}
}

// TestFollow awaits a look after the kubelet's swap, by events and by polling.
func TestFollow(t *testing.T) {
	for _, by := range []string{"events", "polling"} {
		t.Run(by, func(t *testing.T) {
			v := &volume{t: t, dir: filepath.Join(t.TempDir(), "volume")}
			v.publish(map[string]string{"a": "0"})
			watched, ticks := []string{v.dir}, make(chan time.Time)
			if by == "polling" {
				watched = nil
			}
			seen := make(chan string)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				follow(ctx, func() {
					value, _ := Entry(v.dir, "a")
					select {
					case seen <- string(value):
					case <-ctx.Done():
					}
				}, watched, ticks)
			}()
			for i := range 3 {
				want := fmt.Sprint(i)
				if i > 0 {
					v.publish(map[string]string{"a": want})
					if by == "polling" {
						ticks <- time.Now()
					}
				}
				for got := <-seen; got != want; { // an event may come before the last symlink
					got = <-seen
				}
			}
			cancel()
			<-done
		})
	}
}
