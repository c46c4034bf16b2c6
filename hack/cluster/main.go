// Command cluster runs a real Kubernetes on one Linux machine, without Docker and without pulling an image.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		os.Exit(1)
	}
}

const usage = `usage: go -C hack/cluster run . COMMAND [flags]     (or hack/cluster/cluster COMMAND [flags])

  up           start the cluster, or repair it, and print its KUBECONFIG
  down         take it down without a trace
  status       say what runs              [--output json]
  kubeconfig   print the path of the administrator's kubeconfig
  load-image   import an image            --archive FILE | --name REF --binary FILE [...]
  pack-image   write an image archive     --name REF --binary FILE --out FILE.tar [...]
  assets       compile kube-apiserver, etcd and kubectl and print their directory (KUBEBUILDER_ASSETS); needs no root

NEXUS_CLUSTER_DIR    state directory (default: .cluster in the repository)
NEXUS_CLUSTER_CACHE  compiled binaries (default: the user's cache directory + /nexus-operator)
`

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("no command given")
	}
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the local cluster is made of Linux processes and does not run on %s: "+
			"point KUBECONFIG at a kind cluster, and for tests get KUBEBUILDER_ASSETS from setup-envtest", runtime.GOOS)
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:])
		}
	}
	switch args[0] {
	case "help", "-h", "--help":
		fmt.Print(usage)
		return nil
	}
	fmt.Fprint(os.Stderr, usage)
	return fmt.Errorf("unknown command %q", args[0])
}
