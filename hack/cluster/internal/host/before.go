package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/proc"
)

// sysctls are the kernel settings that the network plugins, kube-proxy and the kubelet change.
var sysctls = []string{
	"kernel.keys.root_maxbytes", "kernel.keys.root_maxkeys", "kernel.panic", "kernel.panic_on_oops",
	"net.ipv4.conf.all.route_localnet", "net.ipv4.ip_forward", "vm.overcommit_memory", "vm.panic_on_oom",
}

// sharedDirs are directories outside our own that the kubelet, the network plugins and mount(8) make at a fixed place.
// Other programs use them too, so down removes them only if up did not find them, and only once they are empty. Those
// inside others come first.
var sharedDirs = []string{
	"/var/lib/kubelet/device-plugins", "/var/lib/kubelet", "/var/log/containers", "/var/lib/cni/results", "/var/lib/cni",
	"/run/mount",
}

// Before is what the machine was like before the cluster.
type Before struct {
	Sysctls map[string]string `json:"sysctls"`
	Absent  []string          `json:"absent"` // sharedDirs that were not there
	Chains  []string          `json:"chains"` // firewall chains of another kube-proxy or CNI user
}

// Remember looks at the machine, unless file says that it was already done, and keeps the answer there.
func Remember(ctx context.Context, file string) error {
	if exists(file) {
		return nil
	}
	b := Before{Sysctls: map[string]string{}}
	for _, name := range sysctls {
		if value, err := os.ReadFile(sysctlFile(name)); err == nil {
			b.Sysctls[name] = strings.TrimSpace(string(value))
		}
	}
	for _, path := range sharedDirs {
		if !exists(path) {
			b.Absent = append(b.Absent, path)
		}
	}
	var err error
	if b.Chains, err = Chains(ctx); err != nil {
		return err
	}
	if slices.ContainsFunc(b.Chains, func(c string) bool { return strings.HasSuffix(c, " KUBE-SERVICES") }) {
		return errors.New("another kube-proxy already writes firewall rules on this machine (chain KUBE-SERVICES) and the " +
			"two would undo each other: use that cluster through its KUBECONFIG, or remove it with 'kube-proxy --cleanup'")
	}
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return fmt.Errorf("recording the state of the machine: %w", err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return fmt.Errorf("recording the state of the machine: %w", err)
	}
	return nil
}

// Recall reads what Remember wrote; without it nothing was changed, and nothing is to be restored.
func Recall(file string) (Before, error) {
	var b Before
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &b)
	}
	if err != nil {
		return b, fmt.Errorf("reading the state of the machine before the cluster: %w", err)
	}
	return b, nil
}

// Restore puts kernel settings back and removes the shared directories that were not there.
func (b Before) Restore() error {
	for _, name := range sysctls {
		want, known := b.Sysctls[name]
		now, err := os.ReadFile(sysctlFile(name))
		if !known || err != nil || strings.TrimSpace(string(now)) == want {
			continue
		}
		if err := os.WriteFile(sysctlFile(name), []byte(want), 0); err != nil {
			return fmt.Errorf("restoring %s: %w", name, err)
		}
	}
	for _, dir := range b.Absent {
		err := syscall.Rmdir(dir)
		if err != nil && !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ENOTEMPTY) {
			return fmt.Errorf("removing %s: %w", dir, err)
		}
	}
	return nil
}

// RemoveStrays removes the files that the cluster's programs leave in sharedDirs: the kubelet its socket and the links to
// container logs below state, the network plugins the results of pods that were killed.
func RemoveStrays(state, network string) error {
	strays := []string{
		"/var/lib/kubelet/device-plugins/kubelet.sock", "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint",
		"/var/lib/kubelet/device-plugins/DEPRECATION",
	}
	links, _ := filepath.Glob("/var/log/containers/*.log")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, state+"/") {
			strays = append(strays, link)
		}
	}
	const results = "/var/lib/cni/results/"
	ours, _ := filepath.Glob(results + network + "-*-eth0")
	for _, result := range ours {
		id := strings.TrimSuffix(strings.TrimPrefix(result, results+network+"-"), "-eth0")
		strays = append(strays, result, results+"cni-loopback-"+id+"-lo")
	}
	for _, stray := range strays {
		if err := os.Remove(stray); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing %s: %w", stray, err)
		}
	}
	return nil
}

// EnableForwarding lets the machine route between pods.
func EnableForwarding() error {
	if err := os.WriteFile(sysctlFile("net.ipv4.ip_forward"), []byte("1"), 0); err != nil {
		return fmt.Errorf("enabling IP forwarding: %w", err)
	}
	return nil
}

func sysctlFile(name string) string {
	return filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
}

func isZombie(pid int) bool {
	stat, err := proc.ReadStat(pid)
	return err != nil || stat.Zombie
}

func waitABit() { time.Sleep(20 * time.Millisecond) }
