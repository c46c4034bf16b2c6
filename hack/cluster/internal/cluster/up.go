package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/assets"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/host"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/image"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/layout"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/proc"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/progress"
)

// readyTimeout bounds the wait for one part of the cluster. All are ready within seconds; a machine that is busy with
// something else gets some patience.
const readyTimeout = 3 * time.Minute

// stopGrace is how long a process may take to end by itself.
const stopGrace = 3 * time.Second

// Up starts what does not run, and leaves alone what does.
func (c *Cluster) Up(ctx context.Context) error {
	if err := c.layout.CheckState(); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.checkOwner(); err != nil {
		return err
	}
	if err := host.InstallPackages(ctx, c.report); err != nil {
		return err
	}
	if err := c.build(ctx); err != nil {
		return err
	}
	v, err := c.prepare(ctx)
	if err != nil {
		return err
	}
	started, err := c.startAll(ctx)
	if err != nil {
		return err
	}
	if err := c.settle(ctx, v); err != nil {
		return err
	}
	if started == 0 {
		c.report.Printf("already up and healthy")
	} else {
		c.report.Printf("cluster ready, %d of %d processes started", started, len(c.components()))
	}
	return nil
}

func (c *Cluster) build(ctx context.Context) error {
	builder := assets.Builder{Source: c.layout.Source(), Cache: c.layout.Cache, Report: c.report}
	for _, b := range []struct {
		artifact assets.Artifact
		dir      *string
	}{
		{assets.Kube(), &c.bins.kube}, {assets.Containerd(), &c.bins.containerd},
		{assets.CoreDNS(), &c.bins.coredns}, {assets.Pause(), &c.bins.pause},
	} {
		var err error
		if *b.dir, err = builder.Ensure(ctx, b.artifact); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes the state directory and everything the processes need on the machine.
func (c *Cluster) prepare(ctx context.Context) (values, error) {
	if err := os.MkdirAll(c.layout.State, 0o755); err != nil {
		return values{}, fmt.Errorf("creating the state directory: %w", err)
	}
	for name, content := range map[string]string{
		".gitignore": "*\n",
		marker:       "Made by hack/cluster; 'go -C hack/cluster run . down' removes this directory.\n",
	} {
		if err := os.WriteFile(c.layout.In(name), []byte(content), 0o644); err != nil {
			return values{}, fmt.Errorf("creating the state directory: %w", err)
		}
	}
	if err := c.claim(); err != nil {
		return values{}, err
	}
	for _, step := range []func() error{
		host.CheckAddresses,
		func() error { return host.Remember(ctx, c.layout.In("before.json")) },
		host.EnsureCgroups,
		func() error { return host.EnsureBridge(ctx) },
		host.EnableForwarding,
		func() error { return host.EnsureRules(ctx) },
	} {
		if err := step(); err != nil {
			return values{}, err
		}
	}
	v, err := c.values()
	if err != nil {
		return values{}, err
	}
	if err := c.writeConfig(v); err != nil {
		return values{}, err
	}
	return v, c.shareKubeconfig()
}

// shareKubeconfig gives the kubeconfig to the user behind sudo.
func (c *Cluster) shareKubeconfig() error {
	uid, errUID := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, errGID := strconv.Atoi(os.Getenv("SUDO_GID"))
	if errUID != nil || errGID != nil {
		return nil //nolint:nilerr // nobody is behind sudo
	}
	if err := os.Chown(c.layout.Kubeconfig(), uid, gid); err != nil {
		return fmt.Errorf("giving the kubeconfig to its user: %w", err)
	}
	return nil
}

// startAll starts what does not run and waits until everything is healthy. It returns how many were started.
//
// etcd and containerd need nobody, the API server needs etcd, the rest needs the API server; the kubelet also wants its
// sandbox image, which is imported while the API server starts.
func (c *Cluster) startAll(ctx context.Context) (int, error) {
	byName := map[string]component{}
	for _, p := range c.components() {
		byName[p.name] = p
	}
	started := 0
	for _, wave := range [][]string{
		{"etcd", "containerd"},
		{"kube-apiserver"},
		{"kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"},
	} {
		for _, name := range wave {
			fresh, err := c.ensure(ctx, byName[name])
			if err != nil {
				return started, err
			}
			if fresh {
				started++
			}
		}
		if wave[0] == "kube-apiserver" {
			if err := c.importOwnImages(ctx); err != nil {
				return started, err
			}
		}
		for _, name := range wave {
			if err := c.await(ctx, byName[name]); err != nil {
				return started, err
			}
		}
	}
	return started, nil
}

// ensure starts a process unless it runs with the arguments and files it should have.
func (c *Cluster) ensure(ctx context.Context, p component) (bool, error) {
	spec, err := p.spec()
	if err != nil {
		return false, err
	}
	record, err := c.book.Load(p.name)
	if err != nil {
		return false, err
	}
	if record.Alive() {
		if record.Spec == spec {
			return false, nil
		}
		c.report.Printf("restarting %s: its configuration changed", p.name)
		if err := record.Stop(ctx, stopGrace); err != nil {
			return false, err
		}
	} else if record.PID != 0 {
		c.report.Printf("%s (pid %d) is gone, starting it again", p.name, record.PID)
	}
	record, err = proc.Start(proc.Command{Name: p.name, Args: p.args, Env: p.env(), Log: c.logFile(p.name), Spec: spec})
	if err != nil {
		return false, err
	}
	return true, c.book.Save(record)
}

func (c *Cluster) logFile(name string) string { return c.layout.In("logs", name+".log") }

// env is all of a process's environment. Nothing is inherited: etcd takes options from variables, every client takes
// proxies from them, and none of that is meant for this cluster.
func (p component) env() []string {
	return []string{"PATH=" + p.path + host.Path, "HOME=/", "LANG=C.UTF-8"}
}

// spec is a digest of everything a process was started with.
func (p component) spec() (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q\n", p.args, p.env())
	for _, path := range p.inputs {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("reading the configuration of %s: %w", p.name, err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", path, len(data), data)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// await waits until a process is healthy, or has ended, in which case it shows the end of its log.
func (c *Cluster) await(ctx context.Context, p component) error {
	record, err := c.book.Load(p.name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	waited := false
	err = c.report.Poll(ctx, p.name, func(ctx context.Context) error {
		err := p.healthy(ctx)
		if err != nil && !record.Alive() {
			return fmt.Errorf("%w: it ended right away; the end of %s:\n%s", progress.ErrHopeless, c.logFile(p.name),
				tail(c.logFile(p.name)))
		}
		waited = waited || err != nil
		return err
	})
	if err != nil {
		return fmt.Errorf("%w\nits log is %s", err, c.logFile(p.name))
	}
	if waited {
		c.report.Printf("%s ready", p.name)
	}
	return nil
}

// tail returns the last lines of a log.
func tail(path string) string {
	const lines = 15
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(all[max(len(all)-lines, 0):], "\n")
}

// importOwnImages packs and imports the images that the cluster itself consists of, once.
func (c *Cluster) importOwnImages(ctx context.Context) error {
	for _, dir := range []string{c.bins.pause, c.bins.coredns} {
		ref := imageRef(dir)
		archive := c.layout.In("images", filepath.Base(dir)+".tar")
		if _, err := os.Stat(archive); err == nil {
			continue
		}
		name, _, _ := strings.Cut(filepath.Base(dir), "-")
		partial := archive + ".partial"
		if _, err := image.Write(image.Program(ref, filepath.Join(dir, name)), partial); err != nil {
			return err
		}
		if err := c.Import(ctx, partial); err != nil {
			return err
		}
		// Its name says that it was imported; nobody needs its content any more.
		if err := errors.Join(os.Truncate(partial, 0), os.Rename(partial, archive)); err != nil {
			return fmt.Errorf("recording image %s: %w", ref, err)
		}
	}
	return nil
}

// imageRef names the image of a binary after the directory it was compiled into, so that a new binary is a new image.
func imageRef(dir string) string {
	name, tag, _ := strings.Cut(filepath.Base(dir), "-")
	return "nexus.local/" + name + ":" + tag
}

// settle deploys DNS and waits until the node is ready and DNS answers.
func (c *Cluster) settle(ctx context.Context, v values) error {
	manifest, err := render("coredns.yaml", v)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	apply := []string{"apply", "--server-side", "--force-conflicts", "--field-manager=hack-cluster", "-f", "-"}
	if err := c.kubectl(ctx, manifest, apply...); err != nil {
		return fmt.Errorf("deploying DNS: %w", err)
	}
	if err := c.report.Poll(ctx, "the node to be ready", c.nodeReady); err != nil {
		return err
	}
	c.report.Printf("node %s ready", layout.NodeName)
	if err := c.report.Poll(ctx, "DNS to answer", dnsAnswers); err != nil {
		return fmt.Errorf("%w\nsee: kubectl --kubeconfig %s -n kube-system describe pods", err, c.layout.Kubeconfig())
	}
	c.report.Printf("DNS answers on %s", net.JoinHostPort(layout.DNSService, "53"))
	return nil
}
