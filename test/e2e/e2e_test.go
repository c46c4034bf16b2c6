// Package e2e tells the user's story on a real cluster and asserts it. Run it with
// 'make e2e', which sets the variables that say where cluster and tools are.
package e2e

import (
	"os"
	"testing"

	"github.com/nexus-operator/nexus-operator/test/story"
)

// options reads where the cluster and the tools are; without them there is nothing
// to test, and saying so is a failure, not a pass.
func options(t *testing.T) story.Options {
	t.Helper()
	need := func(name string) string {
		value := os.Getenv(name)
		if value == "" {
			t.Fatalf("%s is not set: run 'make e2e', which sets it", name)
		}
		return value
	}
	return story.Options{
		Root: "../..", Kubeconfig: need("KUBECONFIG"), Kubectl: need("KUBECTL"), Helm: need("HELM"), Nexus: need("NEXUS"),
		ManagerImage: need("MANAGER_IMAGE"), RuntimeImage: need("RUNTIME_IMAGE"), ServicesImage: need("SERVICES_IMAGE"), RedisImage: need("REDIS_IMAGE"), Log: t.Logf,
	}
}

func TestStory(t *testing.T) {
	env := story.New(options(t))
	if err := env.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range story.Checks() {
		t.Run(c.Name, func(t *testing.T) {
			seen, err := c.Run(t.Context(), env)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(seen)
		})
	}
}
