// Package host holds everything the cluster does to the machine itself, each act with its undoing: packages, a bridge
// device, firewall rules, kernel settings, control groups and mounts.
package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// run executes a command with input and returns what it printed; the error carries what it printed as an error.
func run(ctx context.Context, input string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "PATH="+Path, "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("running %s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// Path is where the system's tools are. It does not depend on the caller's PATH: processes are started with it, and would
// seem to need a restart whenever another shell runs up.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// hasProgram says whether a program is on Path.
func hasProgram(name string) bool {
	for _, dir := range filepath.SplitList(Path) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return true
		}
	}
	return false
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}
