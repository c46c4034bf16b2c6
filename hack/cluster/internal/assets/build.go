package assets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/progress"
)

// Builder compiles artifacts from Source into Cache.
type Builder struct {
	Source string
	Cache  string
	Report *progress.Reporter
}

// Ensure returns the directory of the artifact's binaries and compiles them first when no clone on this machine has done
// so yet.
func (b Builder) Ensure(ctx context.Context, a Artifact) (string, error) {
	dir, err := b.Dir(a)
	if err != nil {
		return "", err
	}
	if isDir(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(b.Cache, 0o755); err != nil {
		return "", fmt.Errorf("creating the cache: %w; set NEXUS_CLUSTER_CACHE to a directory that can be written", err)
	}
	unlock, err := b.lock(ctx, filepath.Base(dir))
	if err != nil {
		return "", err
	}
	defer unlock()
	if isDir(dir) { // another clone built it while this one waited
		return dir, nil
	}
	if err := b.build(ctx, a, dir); err != nil {
		return "", err
	}
	return dir, nil
}

// Dir is where the artifact's binaries are, or will be.
func (b Builder) Dir(a Artifact) (string, error) {
	key, err := a.key(b.Source)
	return filepath.Join(b.Cache, key), err
}

// lock keeps two clones from compiling the same thing at the same time.
func (b Builder) lock(ctx context.Context, key string) (func(), error) {
	file, err := os.OpenFile(filepath.Join(b.Cache, key+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the cache: %w", err)
	}
	err = b.Report.Poll(ctx, "another build of "+key, func(context.Context) error {
		return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	})
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	// The file stays: removing it would let a third clone lock a new one while a second still waits on this one.
	return func() { _ = file.Close() }, nil
}

// build compiles into a directory beside dir and renames it at the end: what is in the cache is complete.
func (b Builder) build(ctx context.Context, a Artifact, dir string) error {
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return fmt.Errorf("building %s: %w", a.Name, err)
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return fmt.Errorf("building %s: %w", a.Name, err)
	}
	if err := b.compile(ctx, a, partial); err != nil {
		_ = os.RemoveAll(partial)
		return err
	}
	for _, link := range a.Links {
		if err := os.Symlink(a.Binary, filepath.Join(partial, link)); err != nil {
			return fmt.Errorf("building %s: %w", a.Name, err)
		}
	}
	if err := os.Rename(partial, dir); err != nil {
		return fmt.Errorf("building %s: %w", a.Name, err)
	}
	b.Report.Printf("built %s %s", a.Name, a.Version)
	return nil
}

func (b Builder) compile(ctx context.Context, a Artifact, out string) error {
	if _, err := exec.LookPath("go"); err != nil {
		return fmt.Errorf("building %s: %w; put the Go toolchain's bin directory on PATH (sudo resets it)", a.Name, err)
	}
	b.Report.Printf("building %s %s from source (once per machine)", a.Name, a.Version)
	output := out + string(filepath.Separator)
	if a.Binary != "" {
		output = filepath.Join(out, a.Binary)
	}
	args := []string{"build", "-v", "-trimpath", "-buildvcs=false", "-tags", a.Tags, "-ldflags", a.LDFlags, "-o", output}
	cmd := exec.CommandContext(ctx, "go", append(args, a.Packages...)...)
	cmd.Dir = filepath.Join(b.Source, a.Source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	// An interrupted link leaves temporary files unless the go command may tidy up.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	log := &buildLog{}
	cmd.Stdout, cmd.Stderr = log, log

	beat, stop := context.WithCancel(ctx)
	defer stop()
	go b.Report.Beat(beat, func() string { return fmt.Sprintf("building %s: %s", a.Name, log.summary()) })
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = errors.Join(ctx.Err(), err)
		}
		return fmt.Errorf("building %s: %w\n%s", a.Name, err, strings.TrimRight(log.tail(), "\n"))
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// lastLines is how much of a failed build's output is shown.
const lastLines = 30

func lastOf(data []byte, n int) []byte {
	lines := bytes.Split(bytes.TrimRight(data, "\n"), []byte("\n"))
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return bytes.Join(lines, []byte("\n"))
}
