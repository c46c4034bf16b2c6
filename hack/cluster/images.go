package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/cluster"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/image"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/layout"
)

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

// imageFlags are the flags that describe an image to pack.
type imageFlags struct {
	name, binary, user, entrypoint, output string
	expose, files, env, labels             list
}

func (f *imageFlags) register(flags *flag.FlagSet) {
	flags.StringVar(&f.name, "name", "", "image name with a tag, such as ghcr.io/x/y:tag")
	flags.StringVar(&f.binary, "binary", "", "static program to pack")
	flags.StringVar(&f.user, "user", "", "UID:GID to run as (default: root)")
	flags.StringVar(&f.entrypoint, "entrypoint", "", "path of the program in the image (default: / and its name)")
	flags.StringVar(&f.output, "output", "text", "text or json")
	flags.Var(&f.expose, "expose", "port such as 8080 or 53/udp; may be repeated")
	flags.Var(&f.files, "file", "HOST:DEST, a file to add; may be repeated")
	flags.Var(&f.env, "env", "NAME=VALUE; may be repeated")
	flags.Var(&f.labels, "label", "NAME=VALUE; may be repeated")
}

func (f *imageFlags) spec() (image.Spec, error) {
	if f.name == "" || f.binary == "" {
		return image.Spec{}, errors.New("give --name and --binary")
	}
	binary, err := layout.Abs(f.binary)
	if err != nil {
		return image.Spec{}, err
	}
	if _, err := os.Stat(binary); err != nil {
		return image.Spec{}, fmt.Errorf("%w; after 'go -C hack/cluster' relative paths start in hack/cluster: "+
			"use an absolute one, or hack/cluster/cluster", err)
	}
	s := image.Program(f.name, binary)
	if f.entrypoint != "" {
		s.Files[0].Dest, s.Entrypoint = f.entrypoint, []string{path.Clean("/" + f.entrypoint)}
	}
	s.User, s.Expose, s.Env, s.Labels = f.user, f.expose, f.env, map[string]string{}
	for _, label := range f.labels {
		key, value, ok := strings.Cut(label, "=")
		if !ok {
			return image.Spec{}, fmt.Errorf("label %q is not NAME=VALUE", label)
		}
		s.Labels[key] = value
	}
	for _, file := range f.files {
		host, dest, ok := strings.Cut(file, ":")
		if !ok {
			return image.Spec{}, fmt.Errorf("file %q is not HOST:DEST", file)
		}
		if host, err = layout.Abs(host); err != nil {
			return image.Spec{}, err
		}
		info, err := os.Stat(host)
		if err != nil {
			return image.Spec{}, err
		}
		s.Files = append(s.Files, image.File{Host: host, Dest: dest, Mode: int64(info.Mode().Perm() | 0o444)})
	}
	return s, nil
}

func (f *imageFlags) print(info image.Info) error {
	if f.output == "json" {
		return printJSON(os.Stdout, info)
	}
	fmt.Printf("%s %s, layer %d bytes compressed (%.1f MiB)\n", info.Name, info.Digest, info.LayerBytes,
		float64(info.LayerBytes)/(1<<20))
	return nil
}

func runPackImage(_ context.Context, args []string) error {
	var f imageFlags
	flags := flag.NewFlagSet("pack-image", flag.ExitOnError)
	f.register(flags)
	out := flags.String("out", "", "archive to write; 'docker load' and 'ctr images import' read it")
	if err := parse(flags, args); err != nil {
		return err
	}
	s, err := f.spec()
	if err != nil {
		return fmt.Errorf("packing an image: %w", err)
	}
	if *out == "" {
		return errors.New("packing an image: give --out, the archive to write")
	}
	archive, err := layout.Abs(*out)
	if err != nil {
		return err
	}
	info, err := image.Write(s, archive)
	if err != nil {
		return err
	}
	return f.print(info)
}

func runLoadImage(ctx context.Context, args []string) error {
	var f imageFlags
	flags := flag.NewFlagSet("load-image", flag.ExitOnError)
	f.register(flags)
	archive := flags.String("archive", "", "archive to import, instead of packing a binary")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := cluster.CheckRoot("load-image"); err != nil {
		return err
	}
	c, _, err := open("load-image")
	if err != nil {
		return err
	}
	if *archive != "" {
		path, err := layout.Abs(*archive)
		if err != nil {
			return err
		}
		return c.Load(ctx, path)
	}
	s, err := f.spec()
	if err != nil {
		return fmt.Errorf("loading an image: %w (or --archive)", err)
	}
	dir, err := os.MkdirTemp("", "load-image-")
	if err != nil {
		return fmt.Errorf("loading %s: %w", s.Name, err)
	}
	defer os.RemoveAll(dir)
	info, err := image.Write(s, filepath.Join(dir, "image.tar"))
	if err != nil {
		return err
	}
	if err := c.Load(ctx, info.Archive); err != nil {
		return err
	}
	return f.print(info)
}
