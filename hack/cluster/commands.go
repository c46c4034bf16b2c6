package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/assets"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/layout"
	"github.com/nexus-operator/nexus-operator/hack/cluster/internal/progress"
)

type command struct {
	name string
	run  func(ctx context.Context, args []string) error
}

func commands() []command {
	return []command{
		{"assets", runAssets},
	}
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
