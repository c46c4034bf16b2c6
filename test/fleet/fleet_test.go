// Package fleet runs several runtime processes of one app, as its replicas, with a real
// Redis between them, and counts what they let through.
package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
)

var binary string

// TestMain builds the runtime once, as it is shipped: without the race detector.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nexus-fleet-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "nexus")
	build := exec.Command("go", "build", "-o", binary, "./runtime/cmd/nexus")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building nexus: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// files are the Secrets and the manifest of an app.
type files struct {
	t   *testing.T
	dir string
}

func newFiles(t *testing.T) *files {
	t.Helper()
	return &files{t, t.TempDir()}
}

// write writes an entry of a Secret.
func (f *files) write(secret, entry, value string) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Join(f.dir, secret), 0o700); err != nil {
		f.t.Fatal(err)
	}
	// Renamed into place, so that no reader sees half of it.
	path := filepath.Join(f.dir, secret, entry)
	if err := os.WriteFile(path+"~", []byte(value), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		f.t.Fatal(err)
	}
}

// key makes an API key of a client and lets it in.
func (f *files) key(client string) string {
	f.t.Helper()
	key, err := auth.NewKey()
	if err != nil {
		f.t.Fatal(err)
	}
	value, err := json.Marshal(v1alpha1.APIKeyEntry{ID: key.ID, SHA256: key.SHA256})
	if err != nil {
		f.t.Fatal(err)
	}
	f.write("keys", client, string(value))
	return key.Key
}

// manifest is an app with an echo workflow, these further fields of its spec, and further
// workflows.
func manifest(environment, spec string, workflows ...string) string {
	return `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: shop, namespace: team-a}
spec:
  environment: ` + environment + `
` + spec + `
  workflows:
  - name: echo
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: echo, version: 1.0.0}
      do: [{reply: {set: "${ . }"}}]
` + strings.Join(workflows, "")
}

// define is a workflow with these tasks.
func define(name, tasks string) string {
	return `  - name: ` + name + `
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: ` + name + `, version: 1.0.0}
      do: ` + tasks + "\n"
}

// replica is one process.
type replica struct {
	t          *testing.T
	api, admin string
	process    *exec.Cmd
	// end signals the process, once; ended is closed when it has ended.
	end   func(os.Signal)
	ended chan struct{}
}

// start runs n replicas of an app until the test ends, with more in their environment.
func (f *files) start(n int, manifest string, environment ...string) []*replica {
	f.t.Helper()
	if err := os.WriteFile(f.app(), []byte(manifest), 0o600); err != nil {
		f.t.Fatal(err)
	}
	replicas := make([]*replica, n)
	for i := range replicas {
		replicas[i] = f.startOne(environment...)
	}
	return replicas
}

func (f *files) app() string { return filepath.Join(f.dir, "app.yaml") }

func (f *files) startOne(environment ...string) *replica {
	f.t.Helper()
	r := &replica{t: f.t, ended: make(chan struct{}), process: exec.Command(binary, "serve", "-f", f.app(), "--secrets-dir", f.dir, "--configmaps-dir", f.dir,
		"--api-addr", "127.0.0.1:0", "--mcp-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--drain-delay", "0s")}
	r.process.Env = append(os.Environ(), environment...)
	log, err := r.process.StderrPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := r.process.Start(); err != nil {
		f.t.Fatal(err)
	}
	var once sync.Once
	var killed atomic.Bool
	r.end = func(signal os.Signal) {
		once.Do(func() {
			killed.Store(signal == os.Kill)
			_ = r.process.Process.Signal(signal)
		})
	}
	f.t.Cleanup(func() {
		client.CloseIdleConnections() // one that was never used is waited for when a server drains
		r.end(syscall.SIGTERM)
		<-r.ended
	})
	// The line that names the addresses is logged once both ports are open.
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	var said strings.Builder
	for r.api == "" && lines.Scan() {
		var line struct{ Msg, API, Admin string }
		_ = json.Unmarshal(lines.Bytes(), &line)
		if line.Msg == "Serving" {
			r.api, r.admin = "http://"+line.API, "http://"+line.Admin
		}
		said.WriteString(lines.Text() + "\n")
	}
	go func() {
		defer close(r.ended)
		_, _ = io.Copy(io.Discard, log)
		if err := r.process.Wait(); err != nil && !killed.Load() {
			f.t.Errorf("a replica ended with %v", err)
		}
	}()
	if r.api == "" {
		f.t.Fatalf("a replica did not come to serve:\n%s", said.String())
	}
	return r
}

// client keeps enough connections for every concurrent request.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000, DisableCompression: true}}

// call runs the workflow once and returns the status.
func (r *replica) call(ctx context.Context, header ...string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.api+"/workflows/echo/execute", strings.NewReader(`{"inputs":{}}`))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// metric returns the value of a series on the admin port.
func (r *replica) metric(series string) string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.admin+"/metrics", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// await asks every replica for a metric until all of them give the value.
func await(t *testing.T, replicas []*replica, series, value string) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, r := range replicas {
		for r.metric(series) != value {
			select {
			case <-tick.C:
			case <-deadline.C:
				t.Fatalf("%s is %s after 30 s, want %s", series, r.metric(series), value)
			}
		}
	}
}
