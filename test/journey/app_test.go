// Package journey takes one policy after the other the whole way: the same YAML that a
// user applies is rendered, loaded and served, and an HTTP request gets the verdict.
package journey

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/server"
)

// echo is a workflow that returns its inputs.
const echo = `
  - name: echo
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: echo, version: 1.0.0}
      do: [{reply: {set: "${ . }"}}]
`

// manifest puts fields of the spec and workflows into a NexusApp with API keys.
func manifest(spec, workflows string) string {
	return `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: shop, namespace: team-a}
spec:
  environment: Production
  acknowledgedRisks: [{name: PerPodLimits, reason: "a test"}]
  auth: {apiKeys: {secretRef: {name: keys}}}
` + spec + "\n  workflows:" + workflows
}

// render takes a manifest to the document that a pod would load.
func render(tb testing.TB, text string) (config.Document, string) {
	tb.Helper()
	return renderWith(tb, text, nil, nil)
}

// renderWith does it with what the operator knows of the cluster, and with its ConfigMaps.
func renderWith(tb testing.TB, text string, cluster *config.ClusterIssuer, configMaps config.Source) (config.Document, string) {
	tb.Helper()
	app, problems := config.ReadManifest([]byte(text))
	if len(problems) > 0 {
		tb.Fatalf("the manifest: %v", problems)
	}
	rendered, errs := config.FromApp(app, configMaps)
	if len(errs) > 0 {
		tb.Fatalf("the manifest: %v", errs)
	}
	rendered.Cluster = cluster
	raw, err := rendered.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	hash := config.Hash(raw)
	doc, err := config.Load(raw, hash)
	if err != nil {
		tb.Fatal(err)
	}
	return doc, hash
}

// keyring is a Secret with API keys, published as the kubelet publishes a volume.
type keyring struct {
	tb      testing.TB
	root    string
	version int
	entries map[string]string
}

func newKeyring(tb testing.TB) *keyring {
	tb.Helper()
	return &keyring{tb: tb, root: tb.TempDir(), entries: map[string]string{}}
}

// mint makes a key and puts it under the entry's name; publish brings it out.
func (k *keyring) mint(entry string, roles ...string) string {
	k.tb.Helper()
	key, err := auth.NewKey()
	if err != nil {
		k.tb.Fatal(err)
	}
	value, err := json.Marshal(v1alpha1.APIKeyEntry{ID: key.ID, SHA256: key.SHA256, Roles: roles})
	if err != nil {
		k.tb.Fatal(err)
	}
	k.entries[entry] = string(value)
	return key.Key
}

// write writes an entry of another Secret, or of a ConfigMap.
func (k *keyring) write(secret, entry, value string) {
	k.tb.Helper()
	if err := os.MkdirAll(filepath.Join(k.root, secret), 0o700); err != nil {
		k.tb.Fatal(err)
	}
	// Renamed into place, so that no reader sees half of it.
	path := filepath.Join(k.root, secret, entry)
	if err := os.WriteFile(path+"~", []byte(value), 0o600); err != nil {
		k.tb.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		k.tb.Fatal(err)
	}
}

// entry reads what was written as an entry of a ConfigMap.
func (k *keyring) entry(e config.Entry) (string, error) {
	text, err := os.ReadFile(filepath.Join(k.root, e.ConfigMap, e.Key))
	return string(text), err
}

func (k *keyring) publish() {
	k.tb.Helper()
	k.version++
	dir, version := filepath.Join(k.root, "keys"), fmt.Sprintf("..%d", k.version)
	must := func(err error) {
		if err != nil {
			k.tb.Helper()
			k.tb.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, version), 0o700))
	for name, value := range k.entries {
		must(os.WriteFile(filepath.Join(dir, version, name), []byte(value), 0o600))
	}
	old, _ := os.Readlink(filepath.Join(dir, "..data"))
	must(os.Symlink(version, filepath.Join(dir, "..data_tmp")))
	must(os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	if old != "" {
		must(os.RemoveAll(filepath.Join(dir, old)))
	}
}

// logs collects what a server logs and lets a test await a line.
type logs struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.wrote)
	l.wrote = make(chan struct{})
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await returns once the log holds the text.
func (l *logs) await(t *testing.T, text string) {
	t.Helper()
	for {
		l.mu.Lock()
		found, wrote := strings.Contains(l.text.String(), text), l.wrote
		l.mu.Unlock()
		if found {
			return
		}
		select {
		case <-wrote:
		case <-t.Context().Done():
			t.Fatalf("the log never said %q", text)
		}
	}
}

// app is a served manifest.
type app struct {
	t          *testing.T
	api, admin string
	log        *logs
	// stop sends what SIGTERM would; ended is closed when the server is done.
	stop  context.CancelFunc
	ended chan struct{}
	err   error
}

// serve serves a manifest on loopback until the test ends.
func serve(t *testing.T, text string, keys *keyring) *app {
	t.Helper()
	return serveWith(t, text, keys, server.Options{})
}

func serveWith(t *testing.T, text string, keys *keyring, o server.Options) *app {
	t.Helper()
	a := &app{t: t, log: &logs{wrote: make(chan struct{})}, ended: make(chan struct{})}
	var configMaps config.Source
	if keys != nil {
		keys.publish()
		o.SecretsDir, configMaps = keys.root, keys.entry
	}
	o.Document, o.Hash = renderWith(t, text, o.Document.Cluster, configMaps)
	o.APIAddr, o.MCPAddr, o.AdminAddr, o.Output, o.Version = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", a.log, "test"
	s, err := server.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	a.api, a.admin, a.stop = "http://"+s.APIAddr(), "http://"+s.AdminAddr(), stop
	go func() {
		defer close(a.ended)
		a.err = s.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-a.ended
		if a.err != nil {
			t.Errorf("the server ended with %v", a.err)
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", a.log)
		}
	})
	a.log.await(t, `"Serving"`)
	return a
}

// answer is a reply, read whole.
type answer struct {
	status int
	header http.Header
	body   string
	// closed says that the server asked to close the connection.
	closed bool
}

// problem is the part of a problem+json reply that tests look at.
type problem struct {
	Type       string   `json:"type"`
	Status     int      `json:"status"`
	Code       string   `json:"code"`
	Detail     string   `json:"detail"`
	RequestID  string   `json:"requestId"`
	Policies   []string `json:"violated-policies"`
	Violations []struct{ Pointer, Rule string }
	// Error is that of the workflow language.
	Error *fault.Problem `json:"error"`
}

// send sends a request; header is pairs of name and value.
func (a *app) send(method, path, body string, header ...string) answer {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.api+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return a.do(req)
}

func (a *app) do(req *http.Request) answer {
	a.t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(raw), res.Close}
}

// execute runs a workflow with inputs as JSON.
func (a *app) execute(workflow, inputs, key string, header ...string) answer {
	a.t.Helper()
	if key != "" {
		header = append(header, "X-API-Key", key)
	}
	return a.send(http.MethodPost, "/workflows/"+workflow+"/execute", `{"inputs":`+inputs+`}`, append(header, "Content-Type", "application/json")...)
}

// wantOK checks that a reply is 200 with these outputs.
func (a *app) wantOK(got answer, outputs string) {
	a.t.Helper()
	var reply struct {
		Outputs json.RawMessage `json:"outputs"`
		Status  string          `json:"status"`
	}
	if got.status != http.StatusOK || json.Unmarshal([]byte(got.body), &reply) != nil || reply.Status != "completed" || string(reply.Outputs) != outputs {
		a.t.Errorf("got %d %s, want 200 with the outputs %s", got.status, got.body, outputs)
	}
}

// wantProblem checks that a reply is a well-formed problem with this status and code.
func (a *app) wantProblem(got answer, status int, code string) problem {
	a.t.Helper()
	var p problem
	err := json.Unmarshal([]byte(got.body), &p)
	if got.status != status || err != nil || p.Code != code {
		a.t.Errorf("got %d %s, want %d with the code %s", got.status, got.body, status, code)
		return p
	}
	if p.Status != status || p.Type == "" || p.Detail == "" || p.RequestID == "" || p.RequestID != got.header.Get("X-Request-Id") ||
		got.header.Get("Content-Type") != "application/problem+json" {
		a.t.Errorf("not a proper problem: %v %s", got.header, got.body)
	}
	if got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Cache-Control") != "no-store" {
		a.t.Errorf("security headers are missing: %v", got.header)
	}
	return p
}

// metric returns the value of a series on the admin port.
func (a *app) metric(series string) string {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.admin+"/metrics", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	for line := range strings.Lines(a.do(req).body) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (a *app) wantMetric(series, value string) {
	a.t.Helper()
	if got := a.metric(series); got != value {
		a.t.Errorf("%s is %q, want %s", series, got, value)
	}
}

// status is what the admin port tells.
func (a *app) status() string {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.admin+"/status", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.do(req).body
}

// ready asks the admin port.
func (a *app) ready() int {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.admin+"/readyz", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.do(req).status
}
