package cluster

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/host"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/layout"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/pki"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/replace"
)

//go:embed files
var files embed.FS

// network is the name of the pod network.
const network = "nexus-local"

var containerdSocket = layout.RunPath("containerd.sock")

// values fill the templates in files.
type values struct {
	State, Run, PKI, ContainerdSocket, CNIDir, Snapshotter, CgroupRoot string
	Network, PauseImage, CoreDNSImage, Upstreams, Corefile             string
	NodeIP, NodeName, PodCIDR, DNSService, ClusterDomain               string
	KubeletPort, KubeletHealthPort, ProxyHealthPort, ProxyMetricsPort  int
	MTU                                                                int
}

func (c *Cluster) values() (values, error) {
	cniDir, ok := host.CNIDir()
	if !ok {
		return values{}, fmt.Errorf("no network plugins found: install containernetworking-plugins")
	}
	v := values{
		State: c.layout.State, Run: layout.Run, PKI: string(c.pki), ContainerdSocket: containerdSocket, CNIDir: cniDir,
		Snapshotter: snapshotter(c.layout.State), CgroupRoot: host.CgroupRoot,
		Network: network, PauseImage: imageRef(c.bins.pause), CoreDNSImage: imageRef(c.bins.coredns),
		Upstreams: strings.Join(host.Upstreams(), " "),
		NodeIP:    layout.NodeIP, NodeName: layout.NodeName, PodCIDR: layout.PodCIDR, DNSService: layout.DNSService,
		ClusterDomain: layout.ClusterDomain,
		KubeletPort:   layout.KubeletPort, KubeletHealthPort: layout.KubeletHealthPort,
		ProxyHealthPort: layout.ProxyHealthPort, ProxyMetricsPort: layout.ProxyMetricsPort,
		MTU: smallestMTU(),
	}
	corefile, err := render("Corefile", v)
	v.Corefile = string(corefile)
	return v, err
}

// functions are what the templates call besides the built-in ones. A JSON string is a YAML string too.
var functions = template.FuncMap{
	"quote": func(s string) (string, error) {
		data, err := json.Marshal(s)
		return string(data), err
	},
	"digest": func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s)))[:12] },
}

func render(name string, v values) ([]byte, error) {
	tmpl, err := template.New(name).Funcs(functions).ParseFS(files, "files/"+name)
	if err != nil {
		return nil, fmt.Errorf("parsing %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, v); err != nil {
		return nil, fmt.Errorf("filling in %s: %w", name, err)
	}
	return out.Bytes(), nil
}

// writeConfig writes certificates, kubeconfigs and configuration files.
func (c *Cluster) writeConfig(v values) error {
	for _, dir := range []string{c.layout.In("config", "cni"), c.layout.In("logs", "pods"), c.layout.In("images")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("creating the state directory: %w", err)
		}
	}
	if err := c.pki.Ensure(subjects(), timeNow()); err != nil {
		return err
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"} {
		if err := c.pki.Kubeconfig(c.layout.In("config", name+".kubeconfig"), apiServer, name); err != nil {
			return err
		}
	}
	if err := c.pki.Kubeconfig(c.layout.Kubeconfig(), apiServer, "admin"); err != nil {
		return err
	}
	for name, path := range map[string]string{
		"containerd.toml": "containerd.toml",
		"cni.conflist":    filepath.Join("cni", network+".conflist"),
		"kubelet.yaml":    "kubelet.yaml",
		"kube-proxy.yaml": "kube-proxy.yaml",
	} {
		data, err := render(name, v)
		if err != nil {
			return err
		}
		if err := replace.File(c.layout.In("config", path), data, 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

// subjects are the members of the cluster. The names and groups are those that the API server's built-in roles are bound
// to.
func subjects() []pki.Subject {
	node := "system:node:" + layout.NodeName
	return []pki.Subject{
		{Name: "etcd", CommonName: "etcd", IPs: []string{"127.0.0.1"}},
		{Name: "apiserver", CommonName: "kube-apiserver", IPs: []string{layout.NodeIP, layout.APIService, "127.0.0.1"},
			DNSNames: []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc",
				"kubernetes.default.svc." + layout.ClusterDomain, "localhost"}},
		{Name: "apiserver-etcd-client", CommonName: "kube-apiserver-etcd-client"},
		{Name: "apiserver-kubelet-client", CommonName: "kube-apiserver-kubelet-client", Organization: "system:masters"},
		{Name: "kube-controller-manager", CommonName: "system:kube-controller-manager", IPs: []string{"127.0.0.1"}},
		{Name: "kube-scheduler", CommonName: "system:kube-scheduler", IPs: []string{"127.0.0.1"}},
		{Name: "kube-proxy", CommonName: "system:kube-proxy"},
		{Name: "kubelet", CommonName: node, Organization: "system:nodes"},
		{Name: "kubelet-server", CommonName: node, Organization: "system:nodes",
			IPs: []string{layout.NodeIP}, DNSNames: []string{layout.NodeName}},
		{Name: "admin", CommonName: "nexus-local-admin", Organization: "system:masters"},
	}
}

// snapshotter is overlayfs, except where the state directory itself lies on an overlay, as in a container: overlays do
// not stack, and copying works everywhere.
func snapshotter(dir string) string {
	const overlayMagic = 0x794c7630
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err == nil && int64(fs.Type) == overlayMagic { //nolint:unconvert // the type differs between architectures
		return "native"
	}
	return "overlayfs"
}

// smallestMTU keeps pod packets within what the machine's own links carry.
func smallestMTU() int {
	const ethernet, least = 1500, 1280
	mtu := ethernet
	interfaces, err := net.Interfaces()
	if err != nil {
		return mtu
	}
	for _, i := range interfaces {
		isPlainLink := i.Flags&net.FlagUp != 0 && i.Flags&net.FlagLoopback == 0 && i.Name != layout.Bridge &&
			!strings.HasPrefix(i.Name, "veth")
		if isPlainLink && i.MTU >= least {
			mtu = min(mtu, i.MTU)
		}
	}
	return mtu
}
