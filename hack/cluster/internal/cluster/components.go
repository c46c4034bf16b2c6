package cluster

import (
	"context"
	"fmt"
	"net"
	"path/filepath"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/layout"
)

// component is one process of the cluster.
type component struct {
	name    string
	args    []string
	path    string   // put before the directories of the system's tools
	inputs  []string // configuration files: when one changes, the process is started anew
	healthy func(ctx context.Context) error
}

// components lists the processes in the order they are started.
func (c *Cluster) components() []component {
	return []component{
		c.etcd(), c.containerd(), c.apiServer(), c.controllerManager(), c.scheduler(), c.kubelet(), c.proxy(),
	}
}

func (c *Cluster) bin(name string) string { return filepath.Join(c.bins.kube, name) }

// answers is healthy when the URL gives a 200.
func (c *Cluster) answers(identity, format string, args ...any) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := c.get(ctx, fmt.Sprintf(format, args...), identity)
		return err
	}
}

func (c *Cluster) certFiles(names ...string) []string {
	files := []string{c.pki.Cert("ca")}
	for _, name := range names {
		files = append(files, c.pki.Cert(name))
	}
	return files
}

func (c *Cluster) etcd() component {
	client, peer := fmt.Sprintf("https://127.0.0.1:%d", layout.EtcdPort), fmt.Sprintf("https://127.0.0.1:%d", layout.EtcdPeerPort)
	cert, key, ca := c.pki.Cert("etcd"), c.pki.Key("etcd"), c.pki.Cert("ca")
	return component{
		name: "etcd",
		args: []string{
			c.bin("etcd"), "--name=" + layout.NodeName, "--data-dir=" + c.layout.In("etcd"),
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=" + layout.NodeName + "=" + peer,
			"--cert-file=" + cert, "--key-file=" + key, "--trusted-ca-file=" + ca, "--client-cert-auth",
			"--peer-cert-file=" + cert, "--peer-key-file=" + key, "--peer-trusted-ca-file=" + ca, "--peer-client-cert-auth",
			// The data is thrown away with the cluster; a power cut may have it.
			"--unsafe-no-fsync", "--log-level=warn",
		},
		inputs:  c.certFiles("etcd"),
		healthy: c.answers("apiserver-etcd-client", "%s/health", client),
	}
}

func (c *Cluster) containerd() component {
	config := c.layout.In("config", "containerd.toml")
	program := filepath.Join(c.bins.containerd, "containerd")
	return component{
		name:   "containerd",
		args:   []string{program, "--config", config},
		path:   c.bins.containerd + ":", // of the shim
		inputs: []string{config, c.layout.In("config", "cni", network+".conflist")},
		healthy: func(ctx context.Context) error {
			conn, err := (&net.Dialer{Timeout: probeTimeout}).DialContext(ctx, "unix", containerdSocket)
			if err != nil {
				return err
			}
			_ = conn.Close()
			return c.ctr(ctx, "version")
		},
	}
}

func (c *Cluster) apiServer() component {
	issuer := "https://kubernetes.default.svc." + layout.ClusterDomain
	return component{
		name: "kube-apiserver",
		args: []string{
			c.bin("kube-apiserver"), "--bind-address=" + layout.NodeIP, "--advertise-address=" + layout.NodeIP,
			fmt.Sprintf("--secure-port=%d", layout.APIPort), "--service-cluster-ip-range=" + layout.ServiceCIDR,
			fmt.Sprintf("--etcd-servers=https://127.0.0.1:%d", layout.EtcdPort), "--etcd-cafile=" + c.pki.Cert("ca"),
			"--etcd-certfile=" + c.pki.Cert("apiserver-etcd-client"), "--etcd-keyfile=" + c.pki.Key("apiserver-etcd-client"),
			"--tls-cert-file=" + c.pki.Cert("apiserver"), "--tls-private-key-file=" + c.pki.Key("apiserver"),
			"--client-ca-file=" + c.pki.Cert("ca"), "--kubelet-certificate-authority=" + c.pki.Cert("ca"),
			"--kubelet-client-certificate=" + c.pki.Cert("apiserver-kubelet-client"),
			"--kubelet-client-key=" + c.pki.Key("apiserver-kubelet-client"),
			// Nobody resolves the node's name; logs, exec and port-forward go to its address.
			"--kubelet-preferred-address-types=InternalIP",
			"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
			"--service-account-issuer=" + issuer, "--service-account-jwks-uri=" + issuer + "/openid/v1/jwks",
			"--service-account-key-file=" + c.pki.ServiceAccountPublicKey(),
			"--service-account-signing-key-file=" + c.pki.Key("sa"),
		},
		inputs:  append(c.certFiles("apiserver", "apiserver-etcd-client", "apiserver-kubelet-client"), c.pki.ServiceAccountPublicKey()),
		healthy: c.answers("admin", "%s/readyz", apiServer),
	}
}

func (c *Cluster) controllerManager() component {
	const name = "kube-controller-manager"
	config := c.layout.In("config", name+".kubeconfig")
	return component{
		name: name,
		args: []string{
			c.bin(name), "--kubeconfig=" + config, "--bind-address=127.0.0.1",
			fmt.Sprintf("--secure-port=%d", layout.ControllerManagerPort),
			"--tls-cert-file=" + c.pki.Cert(name), "--tls-private-key-file=" + c.pki.Key(name),
			"--use-service-account-credentials=true", "--leader-elect=false",
			"--root-ca-file=" + c.pki.Cert("ca"), "--service-account-private-key-file=" + c.pki.Key("sa"),
			"--cluster-signing-cert-file=" + c.pki.Cert("ca"), "--cluster-signing-key-file=" + c.pki.Key("ca"),
			// The default of 20 requests a second holds its start back by five seconds.
			"--kube-api-qps=200", "--kube-api-burst=400",
			"--allocate-node-cidrs=false", "--configure-cloud-routes=false",
			"--flex-volume-plugin-dir=" + c.layout.In("kubelet-plugins"),
		},
		inputs:  c.certFiles(name),
		healthy: c.answers("admin", "https://127.0.0.1:%d/healthz", layout.ControllerManagerPort),
	}
}

func (c *Cluster) scheduler() component {
	const name = "kube-scheduler"
	return component{
		name: name,
		args: []string{
			c.bin(name), "--kubeconfig=" + c.layout.In("config", name+".kubeconfig"), "--bind-address=127.0.0.1",
			fmt.Sprintf("--secure-port=%d", layout.SchedulerPort),
			"--tls-cert-file=" + c.pki.Cert(name), "--tls-private-key-file=" + c.pki.Key(name), "--leader-elect=false",
		},
		inputs:  c.certFiles(name),
		healthy: c.answers("admin", "https://127.0.0.1:%d/healthz", layout.SchedulerPort),
	}
}

func (c *Cluster) kubelet() component {
	config := c.layout.In("config", "kubelet.yaml")
	return component{
		name: "kubelet",
		args: []string{
			c.bin("kubelet"), "--config=" + config, "--kubeconfig=" + c.layout.In("config", "kubelet.kubeconfig"),
			"--root-dir=" + c.layout.In("kubelet"), "--cert-dir=" + c.layout.In("kubelet", "pki"),
			"--hostname-override=" + layout.NodeName, "--node-ip=" + layout.NodeIP,
		},
		inputs:  append(c.certFiles("kubelet", "kubelet-server"), config),
		healthy: c.answers("admin", "http://127.0.0.1:%d/healthz", layout.KubeletHealthPort),
	}
}

func (c *Cluster) proxy() component {
	config := c.layout.In("config", "kube-proxy.yaml")
	return component{
		name:    "kube-proxy",
		args:    []string{c.bin("kube-proxy"), "--config=" + config},
		inputs:  append(c.certFiles("kube-proxy"), config),
		healthy: c.answers("admin", "http://127.0.0.1:%d/livez", layout.ProxyHealthPort),
	}
}
