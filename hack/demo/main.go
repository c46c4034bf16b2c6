// Command demo tells the story of test/story on a cluster, a line per check.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nexus-operator/nexus-operator/test/story"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o story.Options
	flag.StringVar(&o.Root, "root", ".", "top folder of the repository")
	flag.StringVar(&o.Kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "kubeconfig of the cluster")
	flag.StringVar(&o.Kubectl, "kubectl", "kubectl", "kubectl executable")
	flag.StringVar(&o.Helm, "helm", "helm", "helm executable")
	flag.StringVar(&o.Nexus, "nexus", "bin/nexus", "nexus executable")
	flag.StringVar(&o.ManagerImage, "manager-image", "", "operator image, NAME:TAG, that the nodes have")
	flag.StringVar(&o.RuntimeImage, "runtime-image", "", "runtime image, NAME:TAG, that the nodes have")
	flag.StringVar(&o.ServicesImage, "services-image", "", "image of test/services, NAME:TAG, that the nodes have")
	flag.StringVar(&o.RedisImage, "redis-image", "", "Redis image, NAME:TAG, that the nodes have or can pull")
	flag.StringVar(&o.Via, "via", "", "how calls reach the pods: service or apiserver (default: whichever works)")
	down := flag.Bool("down", false, "remove what the demo made instead")
	flag.Parse()
	start := time.Now()
	o.Log = func(format string, args ...any) {
		fmt.Printf("[%5.1f s] %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
	env := story.New(o)
	if *down {
		return env.Teardown(ctx)
	}
	if err := env.Setup(ctx); err != nil {
		return err
	}
	if failed := tell(ctx, env); failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}

// tell runs the checks, prints a line each and a total, and returns how many failed.
func tell(ctx context.Context, env *story.Env) int {
	pass, fail := "ok  ", "FAIL"
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		pass, fail = "\x1b[32mok\x1b[0m  ", "\x1b[31mFAIL\x1b[0m"
	}
	passed, failed := 0, 0
	for _, c := range story.Checks() {
		seen, err := c.Run(ctx, env)
		if err != nil {
			failed++
			fmt.Printf("%s %s: %v\n", fail, c.Name, err)
			continue
		}
		passed++
		fmt.Printf("%s %s: %s\n", pass, c.Name, seen)
	}
	fmt.Printf("demo: %d passed, %d failed\n", passed, failed)
	return failed
}
