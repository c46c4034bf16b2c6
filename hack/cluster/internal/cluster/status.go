package cluster

import (
	"context"
	"path/filepath"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/assets"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/layout"
)

// Status is how the cluster is.
type Status struct {
	Healthy    bool   `json:"healthy"` // everything below is
	State      string `json:"stateDir"`
	Kubeconfig string `json:"kubeconfig"`
	Parts      []Part `json:"components"`
	Node       Part   `json:"node"`
	DNS        Part   `json:"dns"`
}

// Part is one process of the cluster, or one thing they achieve together.
type Part struct {
	Name    string `json:"name"`
	PID     int    `json:"pid,omitempty"` // 0 when it does not run
	Healthy bool   `json:"healthy"`
	Problem string `json:"problem,omitempty"`
}

// Status looks at every part. Nothing is started or built.
func (c *Cluster) Status(ctx context.Context) (Status, error) {
	if err := c.checkOwner(); err != nil {
		return Status{}, err
	}
	if err := c.locate(); err != nil {
		return Status{}, err
	}
	s := Status{Healthy: true, State: c.layout.State, Kubeconfig: c.layout.Kubeconfig()}
	for _, p := range c.components() {
		part, err := c.part(ctx, p)
		if err != nil {
			return Status{}, err
		}
		s.Healthy = s.Healthy && part.Healthy
		s.Parts = append(s.Parts, part)
	}
	s.Node = Part{Name: "node " + layout.NodeName, Problem: "the API server is not running"}
	s.DNS = Part{Name: "dns " + layout.DNSService, Problem: "the API server is not running"}
	if exists(c.layout.Kubeconfig()) {
		s.Node, s.DNS = judge(s.Node, c.nodeReady(ctx)), judge(s.DNS, dnsAnswers(ctx))
	}
	s.Healthy = s.Healthy && s.Node.Healthy && s.DNS.Healthy
	return s, nil
}

// locate finds where the binaries are, or would be.
func (c *Cluster) locate() error {
	builder := assets.Builder{Source: c.layout.Source(), Cache: c.layout.Cache}
	var err error
	if c.bins.kube, err = builder.Dir(assets.Kube()); err != nil {
		return err
	}
	c.bins.containerd, err = builder.Dir(assets.Containerd())
	return err
}

func (c *Cluster) part(ctx context.Context, p component) (Part, error) {
	record, err := c.book.Load(p.name)
	if err != nil {
		return Part{}, err
	}
	part := Part{Name: p.name}
	if !record.Alive() {
		part.Problem = "not running"
		if log := c.logFile(p.name); exists(log) {
			part.Problem += "; see " + filepath.Clean(log)
		}
		return part, nil
	}
	part.PID = record.PID
	return judge(part, p.healthy(ctx)), nil
}

func judge(p Part, err error) Part {
	p.Healthy, p.Problem = err == nil, ""
	if err != nil {
		p.Problem = err.Error()
	}
	return p
}
