// Package mcp holds the runtime's MCP server against the public conformance suite and the
// official clients. The runtime is the program as it is shipped, in a process of its own;
// what needs Node is skipped where 'make conformance' did not say where Node is.
package mcp

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/test/manifests"
)

const root = "../.."

var binary string

// TestMain builds the runtime once, as it is shipped: without the race detector.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nexus-mcp-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "nexus")
	build := exec.Command("go", "build", "-o", binary, "./runtime/cmd/nexus")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building nexus: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// node is the Node that the suite and the official clients run on.
func node(t *testing.T) string {
	t.Helper()
	path := os.Getenv("NODE")
	if path == "" {
		t.Skip("the environment variable NODE does not name a Node: run 'make conformance', or set it to what hack/node.sh prints")
	}
	return path
}

// app is a manifest, and the Secrets and ConfigMaps beside it.
type app struct {
	t   *testing.T
	dir string
}

// newApp writes a manifest, and the objects that stand in it beside the NexusApp.
func newApp(t *testing.T, manifest []byte) *app {
	t.Helper()
	a := &app{t, t.TempDir()}
	a.write("app.yaml", string(manifest))
	_, beside := manifests.Split(t, manifest)
	for name, entries := range beside.ConfigMaps {
		for key, text := range entries {
			a.write(filepath.Join("configmaps", name, key), text)
		}
	}
	return a
}

func (a *app) write(path, text string) {
	a.t.Helper()
	path = filepath.Join(a.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// key makes an API key of a client, lets it in with these roles, and returns it.
func (a *app) key(secret, client string, roles ...string) string {
	a.t.Helper()
	made, err := auth.NewKey()
	if err != nil {
		a.t.Fatal(err)
	}
	value, err := json.Marshal(v1alpha1.APIKeyEntry{ID: made.ID, SHA256: made.SHA256, Roles: roles})
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(filepath.Join("secrets", secret, client), string(value))
	return made.Key
}

// The line that names the addresses is logged once all ports are open: as text in
// Development, else as JSON.
var (
	serving = regexp.MustCompile(`msg"?[=:]"?Serving\b`)
	address = regexp.MustCompile(`\bmcp"?[=:]"?([0-9.]+:[0-9]+)`)
)

// serve runs the app until the test ends and returns the URL of its MCP endpoint.
func (a *app) serve() string {
	a.t.Helper()
	process := exec.Command(binary, "serve", "-f", filepath.Join(a.dir, "app.yaml"), "--secrets-dir", filepath.Join(a.dir, "secrets"),
		"--configmaps-dir", filepath.Join(a.dir, "configmaps"), "--drain-delay", "0s",
		"--api-addr", "127.0.0.1:0", "--mcp-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0")
	log, err := process.StderrPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		a.t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	var said strings.Builder
	var found []string
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if serving.Match(lines.Bytes()) {
			found = address.FindStringSubmatch(lines.Text())
			break
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		rest, _ := io.ReadAll(log)
		if err := process.Wait(); err != nil {
			a.t.Errorf("the runtime ended with %v", err)
		}
		if a.t.Failed() {
			a.t.Logf("log of the runtime:\n%s%s", said.String(), rest)
		}
	}()
	a.t.Cleanup(func() {
		_ = process.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	if found == nil {
		a.t.Fatal("the runtime did not come to serve MCP")
	}
	return "http://" + found[1] + "/mcp"
}
