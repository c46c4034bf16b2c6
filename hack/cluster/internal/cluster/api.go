package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/host"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/layout"
)

// probeTimeout bounds one question to a component; a component that is up answers in milliseconds.
const probeTimeout = 3 * time.Second

// dnsTimeout bounds one question to the DNS. A packet sent before kube-proxy knows the Service is lost without a word, so
// asking again soon is quicker than waiting.
const dnsTimeout = 500 * time.Millisecond

func timeNow() time.Time { return time.Now() }

// get asks one URL, identifying by the named certificate, and wants a 200.
func (c *Cluster) get(ctx context.Context, url, identity string) ([]byte, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if strings.HasPrefix(url, "https:") {
		config, err := c.pki.ClientTLS(identity)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = config
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", url, err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	const limit = 4 << 20
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking %s: %s: %.300s", url, resp.Status, body)
	}
	return body, nil
}

// nodeReady asks the API server for the node's Ready condition.
func (c *Cluster) nodeReady(ctx context.Context) error {
	body, err := c.get(ctx, apiServer+"/api/v1/nodes/"+layout.NodeName, "admin")
	if err != nil {
		return err
	}
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.Unmarshal(body, &node); err != nil {
		return fmt.Errorf("reading the node: %w", err)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type != "Ready" {
			continue
		}
		if condition.Status == "True" {
			return nil
		}
		return errors.New("node not ready: " + condition.Message)
	}
	return errors.New("the node has not reported yet")
}

// dnsAnswers asks the cluster's DNS, by its Service address, for the API server's Service: the answer passes through
// kube-proxy, the pod network and CoreDNS's own watch of the API.
func dnsAnswers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	resolver := &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, net.JoinHostPort(layout.DNSService, "53"))
		},
	}
	name := "kubernetes.default.svc." + layout.ClusterDomain + "."
	addrs, err := resolver.LookupHost(ctx, name)
	if err != nil {
		return err
	}
	if len(addrs) != 1 || addrs[0] != layout.APIService {
		return fmt.Errorf("%s is %v, not %s", name, addrs, layout.APIService)
	}
	return nil
}

// kubectl runs kubectl as the administrator.
func (c *Cluster) kubectl(ctx context.Context, input []byte, args ...string) error {
	args = append([]string{"--kubeconfig", c.layout.Kubeconfig(), "--cache-dir", c.layout.In("kubectl-cache")}, args...)
	return tool(ctx, input, filepath.Join(c.bins.kube, "kubectl"), args...)
}

// ctr runs containerd's client on the images and containers of Kubernetes.
func (c *Cluster) ctr(ctx context.Context, args ...string) error {
	args = append([]string{"--address", containerdSocket, "--namespace", "k8s.io"}, args...)
	return tool(ctx, nil, filepath.Join(c.bins.containerd, "ctr"), args...)
}

func tool(ctx context.Context, input []byte, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Env = []string{"PATH=" + host.Path, "HOME=/"}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running %s: %w: %s", filepath.Base(program), err, strings.TrimSpace(string(out)))
	}
	return nil
}
