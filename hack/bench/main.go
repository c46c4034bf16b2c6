// Command bench measures what the project promises, as ratios within one run: the
// policy path against net/http handlers, the runtime's start-up and size, a tool call
// against a server of the official SDK, and what the operator costs per NexusApp on a
// control plane of its own. Nothing here is a test: a slow machine prints other figures
// and fails nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// row is one line of the report.
type row struct{ what, value, bar string }

type options struct {
	nexus, baseline, manager, image, assets, crds, ts string
	rounds, requests, apps                            int
	only                                              string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var o options
	flag.StringVar(&o.nexus, "nexus", "bin/nexus", "nexus executable")
	flag.StringVar(&o.manager, "manager", "bin/manager", "manager executable")
	flag.StringVar(&o.baseline, "baseline", "bin/baseline", "baseline executable (hack/bench/baseline)")
	flag.StringVar(&o.image, "image", "dist/runtime.tar", "archive of the runtime image")
	flag.StringVar(&o.assets, "assets", os.Getenv("KUBEBUILDER_ASSETS"), "folder with kube-apiserver and etcd")
	flag.StringVar(&o.crds, "crds", "config/crd/bases", "folder with the CustomResourceDefinitions")
	flag.StringVar(&o.ts, "ts", "test/mcp/ts", "folder with server.mjs, and with Node and the packages that hack/node.sh installs")
	flag.IntVar(&o.rounds, "rounds", 9, "rounds of each measurement")
	flag.IntVar(&o.requests, "requests", 20000, "requests per round and target")
	flag.IntVar(&o.apps, "apps", 200, "NexusApps on the control plane")
	flag.StringVar(&o.only, "only", "", "runtime, mcp or operator (default: all)")
	flag.Parse()
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	log, err := os.CreateTemp("", "nexus-bench-*.log")
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	var rows []row
	for _, part := range []struct {
		name string
		run  func(context.Context, options, *os.File) ([]row, error)
	}{{"runtime", benchRuntime}, {"mcp", benchMCP}, {"operator", benchOperator}} {
		if o.only != "" && o.only != part.name {
			continue
		}
		more, err := part.run(ctx, o, log)
		if err != nil {
			return fmt.Errorf("measuring the %s: %w (the servers' log is %s)", part.name, err, log.Name())
		}
		rows = append(rows, more...)
	}
	printTable(rows)
	return os.Remove(log.Name())
}

func printTable(rows []row) {
	what, value := 0, 0
	for _, r := range rows {
		what, value = max(what, len([]rune(r.what))), max(value, len([]rune(r.value)))
	}
	fmt.Printf("%-*s  %-*s  %s\n", what, "WHAT", value, "MEASURED", "BAR")
	for _, r := range rows {
		fmt.Printf("%s\n", strings.TrimRight(fmt.Sprintf("%-*s  %-*s  %s", what, r.what, value, r.value, r.bar), " "))
	}
}
