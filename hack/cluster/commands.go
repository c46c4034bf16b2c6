package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/assets"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/cluster"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/layout"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/progress"
)

type command struct {
	name string
	run  func(ctx context.Context, args []string) error
}

func commands() []command {
	return []command{
		{"up", runUp},
		{"down", runDown},
		{"status", runStatus},
		{"kubeconfig", runKubeconfig},
		{"load-image", runLoadImage},
		{"pack-image", runPackImage},
		{"assets", runAssets},
	}
}

// open finds the repository and describes its cluster. Progress goes to stderr: stdout is for what scripts read.
func open(name string) (*cluster.Cluster, layout.Layout, error) {
	l, err := layout.Find()
	if err != nil {
		return nil, l, err
	}
	return cluster.New(l, progress.New(os.Stderr, name)), l, nil
}

func runUp(ctx context.Context, args []string) error {
	if err := parse(flag.NewFlagSet("up", flag.ExitOnError), args); err != nil {
		return err
	}
	if err := cluster.CheckRoot("up"); err != nil {
		return err
	}
	c, l, err := open("up")
	if err != nil {
		return err
	}
	if err := c.Up(ctx); err != nil {
		return err
	}
	fmt.Println(l.Kubeconfig())
	return nil
}

func runDown(ctx context.Context, args []string) error {
	if err := parse(flag.NewFlagSet("down", flag.ExitOnError), args); err != nil {
		return err
	}
	if err := cluster.CheckRoot("down"); err != nil {
		return err
	}
	c, _, err := open("down")
	if err != nil {
		return err
	}
	return c.Down(ctx)
}

func runStatus(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("status", flag.ExitOnError)
	output := flags.String("output", "table", "table or json")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := cluster.CheckRoot("status"); err != nil {
		return err
	}
	c, _, err := open("status")
	if err != nil {
		return err
	}
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if err := printStatus(os.Stdout, s, *output); err != nil {
		return err
	}
	if !s.Healthy {
		return errors.New("not everything is healthy; 'go -C hack/cluster run . up' starts what is missing")
	}
	return nil
}

func runKubeconfig(_ context.Context, args []string) error {
	if err := parse(flag.NewFlagSet("kubeconfig", flag.ExitOnError), args); err != nil {
		return err
	}
	_, l, err := open("kubeconfig")
	if err != nil {
		return err
	}
	if _, err := os.Stat(l.Kubeconfig()); err != nil {
		return fmt.Errorf("the cluster is not up: %w; run 'go -C hack/cluster run . up' first", err)
	}
	fmt.Println(l.Kubeconfig())
	return nil
}

func runAssets(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("assets", flag.ExitOnError)
	all := flags.Bool("all", false, "also compile what only up needs: containerd, CoreDNS, the pause program")
	if err := parse(flags, args); err != nil {
		return err
	}
	l, err := layout.Find()
	if err != nil {
		return err
	}
	builder := assets.Builder{Source: l.Source(), Cache: l.Cache, Report: progress.New(os.Stderr, "assets")}
	dir, err := builder.Ensure(ctx, assets.Kube())
	if err != nil {
		return err
	}
	if *all {
		for _, a := range assets.All() {
			if _, err := builder.Ensure(ctx, a); err != nil {
				return err
			}
		}
	}
	fmt.Println(dir)
	return nil
}

// parse refuses arguments that are not flags: no command takes any.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s takes no argument %q", flags.Name(), flags.Arg(0))
	}
	return nil
}
