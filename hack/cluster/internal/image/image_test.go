package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prog")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWriteIsDeterministic(t *testing.T) {
	var archives [2][]byte
	var infos [2]Info
	for i := range archives {
		binary := writeFile(t, strings.Repeat("binary", 1000))
		if err := os.Chtimes(binary, time.Unix(int64(i), 0), time.Unix(int64(i), 0)); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "image.tar")
		info, err := Write(Program("ghcr.io/x/y:tag", binary), out)
		if err != nil {
			t.Fatal(err)
		}
		if archives[i], err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
		info.Archive = ""
		infos[i] = info
	}
	if !bytes.Equal(archives[0], archives[1]) || infos[0] != infos[1] {
		t.Errorf("the same input gave two archives: %+v, %+v", infos[0], infos[1])
	}
	if infos[0].LayerBytes <= 0 || infos[0].LayerBytes > 6000 {
		t.Errorf("layer size %d is not that of a compressed layer", infos[0].LayerBytes)
	}
}

func TestConfig(t *testing.T) {
	spec := Program("ghcr.io/x/y:tag", writeFile(t, "x"))
	spec.User, spec.Expose, spec.Env = "1000:1000", []string{"8080", "53/udp"}, []string{"A=b"}
	out := filepath.Join(t.TempDir(), "image.tar")
	if _, err := Write(spec, out); err != nil {
		t.Fatal(err)
	}
	img, err := tarball.ImageFromPath(out, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got := config.Config; got.User != "1000:1000" || !reflect.DeepEqual(got.Entrypoint, []string{"/prog"}) {
		t.Errorf("user %q, entrypoint %q", got.User, got.Entrypoint)
	}
	want := map[string]struct{}{"8080/tcp": {}, "53/udp": {}}
	if !reflect.DeepEqual(config.Config.ExposedPorts, want) {
		t.Errorf("ports %v, want %v", config.Config.ExposedPorts, want)
	}
}

func TestLayerHasParentsBeforeFiles(t *testing.T) {
	host := writeFile(t, "x")
	data, err := layerTar([]File{{host, "/usr/lib/b", 0o644}, {host, "app", 0o755}, {host, "/usr/lib/a", 0o644}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h.Name)
	}
	want := []string{"app", "usr/", "usr/lib/", "usr/lib/a", "usr/lib/b"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWriteRefuses(t *testing.T) {
	host := writeFile(t, "x")
	tests := []struct {
		name string
		spec Spec
		want string
	}{
		{"a name without a tag", Program("ghcr.io/x/y", host), "registry/repository:tag"},
		{"an empty image", Spec{Name: "ghcr.io/x/y:t"}, "no files"},
		{"a missing file", Program("ghcr.io/x/y:t", host+"-missing"), "no such file"},
		{"two files in one place", Spec{Name: "ghcr.io/x/y:t", Files: []File{{host, "/a", 0}, {host, "a", 0}}}, "two files"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Write(tt.spec, filepath.Join(t.TempDir(), "o.tar"))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
