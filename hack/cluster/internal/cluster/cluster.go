// Package cluster brings the local cluster up and down and says how it is.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/host"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/layout"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/pki"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/proc"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/progress"
)

// apiServer is where programs of the host and pods reach the API server. It does not listen anywhere else.
var apiServer = fmt.Sprintf("https://%s:%d", layout.NodeIP, layout.APIPort)

// Cluster is the local cluster of one clone.
type Cluster struct {
	layout layout.Layout
	report *progress.Reporter
	pki    pki.Dir
	book   proc.Book
	bins   binaries
}

// binaries are the directories that the artifacts were compiled into.
type binaries struct {
	kube, containerd, coredns, pause string
}

// New describes the cluster; nothing is started or looked at.
func New(l layout.Layout, report *progress.Reporter) *Cluster {
	return &Cluster{layout: l, report: report, pki: pki.Dir(l.In("pki")), book: proc.Book(layout.RunPath("procs"))}
}

// CheckRoot explains why the caller must be root.
func CheckRoot(command string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return fmt.Errorf("%s needs root, to make network devices, mounts and containers: "+
		"run it as 'sudo -E env \"PATH=$PATH\" go -C hack/cluster run . %s'", command, command)
}

// lock keeps up and down of all clones apart. The returned function lets go.
func (c *Cluster) lock(ctx context.Context) (func(), error) {
	if err := os.MkdirAll(layout.Run, 0o755); err != nil {
		return nil, fmt.Errorf("creating %s: %w", layout.Run, err)
	}
	file, err := os.OpenFile(layout.RunPath("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", layout.Run, err)
	}
	err = c.report.Poll(ctx, "another up or down to end", func(context.Context) error {
		return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	})
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return func() { _ = file.Close() }, nil
}

// owner reads which state directory the machine's cluster belongs to; none is an empty string.
func owner() (string, error) {
	data, err := os.ReadFile(layout.RunPath("owner"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the owner of the cluster: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// checkOwner reports a cluster of another clone that still holds the bridge or runs processes.
func (c *Cluster) checkOwner() error {
	who, err := owner()
	if err != nil || who == "" || who == c.layout.State {
		return err
	}
	alive, err := c.aliveNames()
	if err != nil {
		return err
	}
	if len(alive) == 0 && !host.HasBridge() {
		return nil
	}
	return fmt.Errorf("this machine already has a local cluster, that of %s (one fits on a machine); take it down with: "+
		"NEXUS_CLUSTER_DIR=%s go -C hack/cluster run . down", who, who)
}

func (c *Cluster) aliveNames() ([]string, error) {
	names, err := c.book.Names()
	if err != nil {
		return nil, err
	}
	var alive []string
	for _, name := range names {
		r, err := c.book.Load(name)
		if err != nil {
			return nil, err
		}
		if r.Alive() {
			alive = append(alive, name)
		}
	}
	return alive, nil
}

// claim makes the machine's cluster this clone's.
func (c *Cluster) claim() error {
	if err := os.WriteFile(layout.RunPath("owner"), []byte(c.layout.State+"\n"), 0o644); err != nil {
		return fmt.Errorf("claiming the machine: %w", err)
	}
	return nil
}
