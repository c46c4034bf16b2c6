// Command kube is the whole Kubernetes control plane, the node agents, kubectl and etcd in one file, so that they are
// compiled and linked once. The component is the base name it is called by (symlinks named kube-apiserver, etcd,
// kubectl, ...), or else the first argument.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "time/tzdata" // CronJob time zones, in the API server and the controller manager
)

// component runs with os.Args as if its binary had been called directly; most never return.
type component struct {
	name string
	run  func()
}

// components lists every name the binary answers to. No command is built until it is chosen: their constructors
// register flags and feature gates process-wide.
var components = []component{
	{"etcd", runEtcd},
	{"kube-apiserver", runAPIServer},
	{"kube-controller-manager", runControllerManager},
	{"kube-proxy", runProxy},
	{"kube-scheduler", runScheduler},
	{"kubectl", runKubectl},
	{"kubelet", runKubelet},
}

func main() {
	if run := byName(filepath.Base(os.Args[0])); run != nil {
		run()
		return
	}
	if len(os.Args) > 1 {
		if run := byName(os.Args[1]); run != nil {
			os.Args = os.Args[1:]
			run()
			return
		}
	}
	var names []string
	for _, c := range components {
		names = append(names, c.name)
	}
	fmt.Fprintf(os.Stderr, "usage: kube COMPONENT [flags], with COMPONENT one of %s\n", strings.Join(names, ", "))
	os.Exit(2)
}

func byName(name string) func() {
	i := slices.IndexFunc(components, func(c component) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return components[i].run
}
