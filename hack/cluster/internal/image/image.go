// Package image packs a static binary and a few files into a one-layer image archive, the same bytes each time.
package image

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// File is a file of the host and where it goes in the image.
type File struct {
	Host string
	Dest string
	Mode int64 // permission bits in the image
}

// Spec describes an image.
type Spec struct {
	Name       string // with a tag: ghcr.io/x/y:tag
	Files      []File
	Entrypoint []string
	User       string   // "1000:1000"; empty leaves root
	Expose     []string // "8080/tcp"
	Env        []string
	Labels     map[string]string
}

// Info says what was packed.
type Info struct {
	Name       string `json:"name"`
	Archive    string `json:"archive"`
	Digest     string `json:"digest"`
	LayerBytes int64  `json:"layerBytes"` // compressed, as a registry would store and send it
}

// Write packs the image into an archive that "docker load" and "ctr images import" read.
func Write(s Spec, archive string) (Info, error) {
	tag, err := name.NewTag(s.Name, name.StrictValidation)
	if err != nil {
		return Info{}, fmt.Errorf("packing an image: %w; write the name as registry/repository:tag", err)
	}
	img, layer, err := build(s)
	if err != nil {
		return Info{}, fmt.Errorf("packing %s: %w", s.Name, err)
	}
	if err := tarball.WriteToFile(archive, tag, img); err != nil {
		return Info{}, fmt.Errorf("packing %s: %w", s.Name, err)
	}
	size, err := layer.Size()
	if err != nil {
		return Info{}, fmt.Errorf("packing %s: %w", s.Name, err)
	}
	digest, err := img.Digest()
	if err != nil {
		return Info{}, fmt.Errorf("packing %s: %w", s.Name, err)
	}
	return Info{Name: s.Name, Archive: archive, Digest: digest.String(), LayerBytes: size}, nil
}

func build(s Spec) (v1.Image, v1.Layer, error) {
	content, err := layerTar(s.Files)
	if err != nil {
		return nil, nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	})
	if err != nil {
		return nil, nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, nil, err
	}
	ports := map[string]struct{}{}
	for _, port := range s.Expose {
		if !strings.Contains(port, "/") {
			port += "/tcp"
		}
		ports[port] = struct{}{}
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{
		Entrypoint: s.Entrypoint, User: s.User, ExposedPorts: ports, Labels: s.Labels, WorkingDir: "/",
		Env: append([]string{"PATH=/usr/local/bin:/usr/bin:/bin"}, s.Env...),
	}
	img, err = mutate.ConfigFile(img, config)
	return img, layer, err
}

// layerTar writes the files and the directories above them, sorted, owned by root and without times.
func layerTar(files []File) ([]byte, error) {
	if len(files) == 0 {
		return nil, errors.New("no files in it")
	}
	files = slices.Clone(files)
	for i := range files {
		files[i].Dest = path.Clean("/" + files[i].Dest)
	}
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Dest, b.Dest) })
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	made := map[string]bool{"/": true}
	for i, f := range files {
		if i > 0 && files[i-1].Dest == f.Dest {
			return nil, fmt.Errorf("two files for %s", f.Dest)
		}
		if err := addDirs(w, path.Dir(f.Dest), made); err != nil {
			return nil, err
		}
		if err := addFile(w, f); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func addDirs(w *tar.Writer, dir string, made map[string]bool) error {
	if made[dir] {
		return nil
	}
	if err := addDirs(w, path.Dir(dir), made); err != nil {
		return err
	}
	made[dir] = true
	return w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeDir, Name: strings.TrimPrefix(dir, "/") + "/", Mode: 0o755, ModTime: time.Unix(0, 0),
	})
}

func addFile(w *tar.Writer, f File) error {
	data, err := os.ReadFile(f.Host)
	if err != nil {
		return err
	}
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: strings.TrimPrefix(f.Dest, "/"), Mode: f.Mode, Size: int64(len(data)),
		ModTime: time.Unix(0, 0),
	}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// Program is the usual image: one binary that is also the entrypoint.
func Program(ref, binary string) Spec {
	dest := "/" + filepath.Base(binary)
	return Spec{Name: ref, Files: []File{{Host: binary, Dest: dest, Mode: 0o755}}, Entrypoint: []string{dest}}
}
