package cluster

import (
	"context"
	"fmt"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/assets"
)

// Import loads an image archive into the cluster's containerd.
func (c *Cluster) Import(ctx context.Context, archive string) error {
	if err := c.ctr(ctx, "images", "import", "--local", archive); err != nil {
		return fmt.Errorf("importing %s: %w", archive, err)
	}
	return nil
}

// Load imports an archive into a cluster that is up.
func (c *Cluster) Load(ctx context.Context, archive string) error {
	who, err := owner()
	if err != nil {
		return err
	}
	if who != c.layout.State {
		return fmt.Errorf("the cluster of %s is not up: run 'go -C hack/cluster run . up' first", c.layout.State)
	}
	builder := assets.Builder{Source: c.layout.Source(), Cache: c.layout.Cache, Report: c.report}
	if c.bins.containerd, err = builder.Ensure(ctx, assets.Containerd()); err != nil {
		return err
	}
	return c.Import(ctx, archive)
}
