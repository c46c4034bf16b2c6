// Package layout says where the local cluster keeps its files and which addresses and ports it takes.
package layout

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Run holds what must not outlive a reboot (sockets, process records, the claim on this machine). It is fixed: a socket
// path is limited to 107 bytes, and two clones must see each other's claim.
const Run = "/run/nexus-cluster"

// maxState leaves room for the longest socket path below the state directory
// (kubelet/pod-resources/kubelet.sock.<digits>) within the 107 bytes of a socket address.
const maxState = 65

// Layout is the set of directories of one clone's cluster.
type Layout struct {
	Repo  string // repository root
	State string // everything of the cluster that is not in Run; removed by down
	Cache string // compiled binaries, shared between clones
}

// Find locates the repository from the working directory upwards and applies NEXUS_CLUSTER_DIR and NEXUS_CLUSTER_CACHE.
func Find() (Layout, error) {
	repo, err := findRepo()
	if err != nil {
		return Layout{}, err
	}
	l := Layout{Repo: repo, State: filepath.Join(repo, ".cluster"), Cache: os.Getenv("NEXUS_CLUSTER_CACHE")}
	if dir := os.Getenv("NEXUS_CLUSTER_DIR"); dir != "" {
		l.State = dir
	}
	if l.Cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return Layout{}, fmt.Errorf("finding the cache directory: %w; set NEXUS_CLUSTER_CACHE", err)
		}
		l.Cache = filepath.Join(base, "nexus-operator")
	}
	for _, dir := range []*string{&l.State, &l.Cache} {
		if *dir, err = Abs(*dir); err != nil {
			return Layout{}, err
		}
	}
	// Mount points are compared by name with what the kernel reports, which has no symlinks in it.
	if resolved, err := filepath.EvalSymlinks(l.State); err == nil {
		l.State = resolved
	}
	return l, nil
}

// CheckState reports a state directory that the kubelet's sockets would not fit below.
func (l Layout) CheckState() error {
	if len(l.State) > maxState {
		return fmt.Errorf("the state directory %s is longer than %d characters and socket paths below it would not fit: "+
			"set NEXUS_CLUSTER_DIR to a shorter path", l.State, maxState)
	}
	return nil
}

// Source is the directory of this program's own source.
func (l Layout) Source() string { return filepath.Join(l.Repo, "hack", "cluster") }

// In is a path below the state directory.
func (l Layout) In(elem ...string) string {
	return filepath.Join(append([]string{l.State}, elem...)...)
}

// Kubeconfig is the administrator's kubeconfig.
func (l Layout) Kubeconfig() string { return l.In("kubeconfig") }

// RunPath is a path below Run.
func RunPath(elem ...string) string {
	return filepath.Join(append([]string{Run}, elem...)...)
}

// Abs makes a path absolute. "go -C" changes the directory before this program sees it, so the wrapper script passes the
// caller's own in NEXUS_CLUSTER_CWD.
func Abs(path string) (string, error) {
	if base := os.Getenv("NEXUS_CLUSTER_CWD"); base != "" && !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("resolving %s: %w", path, err)
	}
	return abs, nil
}

func findRepo() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "hack", "cluster", "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not inside the repository: run this as 'go -C hack/cluster run . COMMAND' from its root")
		}
		dir = parent
	}
}
