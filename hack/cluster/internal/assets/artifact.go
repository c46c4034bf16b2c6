// Package assets compiles the cluster's binaries into a cache that clones share.
package assets

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// KubeVersion is the version of k8s.io/kubernetes that kube/go.mod requires.
const KubeVersion = "v1.37.2"

// Artifact is a directory of binaries made by one run of "go build".
type Artifact struct {
	Name     string
	Version  string
	Source   string   // directory of the module or package, below this program's own
	Packages []string // what to build in Source; "tool" stands for the tools of its go.mod
	Tags     string
	LDFlags  string
	Binary   string   // file name when one package is built; empty keeps the packages' own names
	Links    []string // other names for Binary
}

// Kube is the control plane, the node agents, kubectl and etcd. Its directory can serve as KUBEBUILDER_ASSETS.
func Kube() Artifact {
	flags := []string{"-s", "-w"}
	// client-go keeps a version of its own, for the user agent. Without these the API server calls itself v0.0.0, which
	// clients and feature gates take for older than everything.
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		major, minor, _ := strings.Cut(strings.TrimPrefix(KubeVersion, "v"), ".")
		minor, _, _ = strings.Cut(minor, ".")
		for _, v := range []string{
			"gitVersion=" + KubeVersion, "gitMajor=" + major, "gitMinor=" + minor, "gitCommit=", "gitTreeState=clean",
		} {
			flags = append(flags, "-X", pkg+"."+v)
		}
	}
	return Artifact{
		Name: "kube", Version: KubeVersion, Source: "kube", Packages: []string{"."},
		LDFlags: strings.Join(flags, " "),
		Binary:  "kube",
		Links: []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl",
			"kubelet"},
	}
}

// Containerd is the container runtime: containerd, its runc shim and ctr.
func Containerd() Artifact {
	return Artifact{
		Name: "containerd", Version: "v2.4.2", Source: "containerd", Packages: []string{"tool"},
		Tags:    "no_btrfs no_devmapper no_zfs", // drivers that need cgo or are not used
		LDFlags: "-s -w -X github.com/containerd/containerd/v2/version.Version=v2.4.2",
	}
}

// CoreDNS is the cluster's DNS server.
func CoreDNS() Artifact {
	return Artifact{
		Name: "coredns", Version: "v1.15.0", Source: "coredns", Packages: []string{"."}, LDFlags: "-s -w", Binary: "coredns",
	}
}

// Pause is the process of a pod's sandbox.
func Pause() Artifact {
	return Artifact{
		Name: "pause", Version: "v1", Source: "pause", Packages: []string{"."}, LDFlags: "-s -w", Binary: "pause",
	}
}

// All is everything that up needs.
func All() []Artifact { return []Artifact{Kube(), Containerd(), CoreDNS(), Pause()} }

// key names the artifact's directory: its version for people, and a digest of everything that goes into it but the Go
// toolchain (a new patch release of Go is no reason to compile Kubernetes again).
func (a Artifact) key(source string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s/%s %q %q %q %q %q\n", runtime.GOOS, runtime.GOARCH, a.Packages, a.Tags, a.LDFlags, a.Binary, a.Links)
	dir := filepath.Join(source, a.Source)
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return "", fmt.Errorf("reading the source of %s: %w", a.Name, err)
	}
	for _, entry := range entries {
		name := entry.Name()
		isInput := filepath.Ext(name) == ".go" || name == "go.mod" || name == "go.sum"
		if !isInput || strings.HasSuffix(name, "_test.go") {
			continue
		}
		if err := addFile(sum, filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("reading the source of %s: %w", a.Name, err)
		}
	}
	return fmt.Sprintf("%s-%s-%s", a.Name, a.Version, hex.EncodeToString(sum.Sum(nil))[:12]), nil
}

func addFile(sum io.Writer, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(sum, "%s %d\n%s", filepath.Base(path), len(data), data)
	return err
}
