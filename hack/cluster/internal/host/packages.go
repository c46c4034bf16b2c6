package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/progress"
)

// tools are the programs that are not compiled here, and the Debian package each comes from.
var tools = []struct{ program, pkg string }{
	{"runc", "runc"},
	{"iptables", "iptables"},
	{"iptables-save", "iptables"},
	{"iptables-restore", "iptables"},
	{"ip", "iproute2"},
	{"mount", "mount"},
}

// cniDirs is where distributions put the network plugins.
var cniDirs = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

// cniPlugins are the network plugins in use.
var cniPlugins = []string{"host-local", "loopback", "portmap", "ptp"}

// CNIDir is the first directory that has all the network plugins in use.
func CNIDir() (string, bool) {
	i := slices.IndexFunc(cniDirs, func(dir string) bool {
		return !slices.ContainsFunc(cniPlugins, func(plugin string) bool { return !exists(filepath.Join(dir, plugin)) })
	})
	if i < 0 {
		return "", false
	}
	return cniDirs[i], true
}

func missingPackages() []string {
	var missing []string
	for _, tool := range tools {
		if !hasProgram(tool.program) && !slices.Contains(missing, tool.pkg) {
			missing = append(missing, tool.pkg)
		}
	}
	if _, ok := CNIDir(); !ok {
		missing = append(missing, "containernetworking-plugins")
	}
	return missing
}

// InstallPackages installs the tools that are missing. The packages stay after down: they may be in other use by then.
func InstallPackages(ctx context.Context, report *progress.Reporter) error {
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	names := strings.Join(missing, " ")
	if !hasProgram("apt-get") {
		return fmt.Errorf("missing tools: install what your distribution calls the Debian packages %s "+
			"(network plugins are looked for in %s)", names, strings.Join(cniDirs, ", "))
	}
	report.Printf("installing Debian packages: %s", names)
	beat, stop := context.WithCancel(ctx)
	defer stop()
	go report.Beat(beat, func() string { return "still installing " + names })
	install := append([]string{"install", "-y", "--no-install-recommends"}, missing...)
	if _, err := run(ctx, "", "apt-get", install...); err != nil {
		// Package lists that are absent or old name files that the mirror no longer has.
		if _, err := run(ctx, "", "apt-get", "update"); err != nil {
			return fmt.Errorf("installing %s: %w", names, err)
		}
		if _, err := run(ctx, "", "apt-get", install...); err != nil {
			return fmt.Errorf("installing %s: %w", names, err)
		}
	}
	if left := missingPackages(); len(left) > 0 {
		return fmt.Errorf("installing %s: still missing afterwards: %s", names, strings.Join(left, " "))
	}
	return nil
}

// Upstreams are the DNS servers of the machine that a pod can reach: a stub resolver on loopback is not one of them.
func Upstreams() []string {
	for _, path := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if servers := nameservers(string(data)); len(servers) > 0 {
			return servers
		}
	}
	return nil
}
