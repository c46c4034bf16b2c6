package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/host"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/layout"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/proc"
)

// marker is the file that tells a state directory from any other directory someone may name in NEXUS_CLUSTER_DIR.
const marker = "NEXUS-CLUSTER"

// downGrace is short: what a process would still save is removed anyway.
const downGrace = 500 * time.Millisecond

// Down ends the cluster's processes and pods and removes what up made. What is gone already is no error.
func (c *Cluster) Down(ctx context.Context) error {
	if err := c.checkOwner(); err != nil {
		return err
	}
	if !exists(layout.Run) && !exists(c.layout.In(marker)) {
		c.report.Printf("nothing is up")
		return nil
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	before, err := host.Recall(c.layout.In("before.json"))
	if err != nil {
		return err
	}
	if err := c.stopAll(ctx); err != nil {
		return err
	}
	c.report.Printf("processes and pods ended")
	for _, step := range []func() error{
		func() error { return host.Unmount(c.layout.State, layout.Run) },
		host.RemoveCgroups,
		func() error { return host.RemoveBridge(ctx) },
		func() error { return host.RemoveRules(ctx, before.Chains) },
		func() error { return host.RemoveStrays(c.layout.State, network) },
		before.Restore,
		c.removeState,
		func() error { return host.RemoveTree(layout.Run) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	c.report.Printf("mounts, devices, firewall rules and files removed")
	return nil
}

// stopAll ends the node's agents first, so that nobody restarts the pods, then the pods, then everything else.
func (c *Cluster) stopAll(ctx context.Context) error {
	if err := c.stop(ctx, "kubelet", "kube-proxy", "kube-controller-manager", "kube-scheduler", "kube-apiserver"); err != nil {
		return err
	}
	if _, err := host.KillPods(); err != nil {
		return err
	}
	if err := c.stop(ctx, "containerd", "etcd"); err != nil {
		return err
	}
	if err := stopShims(ctx); err != nil {
		return err
	}
	// A component of an older version of this program may have another name.
	names, err := c.book.Names()
	if err != nil {
		return err
	}
	return c.stop(ctx, names...)
}

func (c *Cluster) stop(ctx context.Context, names ...string) error {
	results := make(chan error, len(names))
	for _, name := range names {
		go func() {
			record, err := c.book.Load(name)
			if err == nil {
				err = record.Stop(ctx, downGrace)
			}
			if err == nil {
				err = c.book.Forget(name)
			}
			results <- err
		}()
	}
	var all error
	for range names {
		all = errors.Join(all, <-results)
	}
	return all
}

// stopShims ends the shims of our containerd: those that were told to report to its socket.
func stopShims(ctx context.Context) error {
	all, err := proc.All()
	if err != nil {
		return err
	}
	for _, p := range all {
		if !isOurShim(p.Args) {
			continue
		}
		record := proc.Record{Name: "containerd-shim", PID: p.PID, StartTicks: p.StartTicks, Command: p.Args[0]}
		if err := record.Stop(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

func isOurShim(args []string) bool {
	if len(args) == 0 || filepath.Base(args[0]) != "containerd-shim-runc-v2" {
		return false
	}
	i := slices.Index(args, "-address")
	return i >= 0 && i+1 < len(args) && args[i+1] == containerdSocket
}

func (c *Cluster) removeState() error {
	if !exists(c.layout.State) {
		return nil
	}
	if !exists(c.layout.In(marker)) {
		return fmt.Errorf("%s is not a state directory of the local cluster (no file %s in it): left alone",
			c.layout.State, marker)
	}
	return host.RemoveTree(c.layout.State)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
