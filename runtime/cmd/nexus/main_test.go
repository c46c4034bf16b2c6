package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/transport/cli"
)

const good = `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: shop, namespace: team-a}
spec:
  environment: Staging
  auth: {apiKeys: {secretRef: {name: keys}}}
  workflows:
  - name: echo
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: echo, version: 1.0.0}
      do: [{reply: {set: {all: "${ . }"}}}]
`

// TestMain keeps the tests apart from who runs them: from their contexts and credentials.
func TestMain(m *testing.M) {
	if err := errors.Join(os.Setenv(cli.ConfigVariable, "/does/not/exist"), os.Setenv(cli.TokenVariable, "")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// nexus runs a command.
func nexus(t *testing.T, in string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestValidate(t *testing.T) {
	_, echo, _ := strings.Cut(good, "  workflows:\n")
	second := strings.ReplaceAll(echo, "echo", "again")
	for _, c := range []struct {
		name, manifest string
		args           []string
		code           int
		want, warnings []string
	}{
		{name: "valid", manifest: good, want: []string{"nexusapp/shop is valid: 1 workflow\n"}},
		{name: "two workflows", manifest: good + second, want: []string{"nexusapp/shop is valid: 2 workflows\n"}},
		{name: "a null is only a warning", manifest: strings.Replace(good, `all: "${ . }"`, "a/b: null", 1),
			want: []string{"nexusapp/shop is valid: 1 workflow\n"}, warnings: []string{"WARNING  spec.workflows[0].definition/do/0/reply/set/a~1b\n", "kubectl apply drops a literal null: write ${ null }"}},
		{name: "unknown field", manifest: strings.Replace(good, "environment:", "environmentName:", 1), code: exitInvalid,
			want: []string{"PROBLEM", "spec.environmentName"}},
		{name: "a workflow", manifest: strings.Replace(good, "${ . }", "${ ] }", 1), code: exitInvalid,
			want: []string{"PROBLEM  spec.workflows[0].definition/do/0/reply/set/all"}},
		{name: "rules and workflows together", manifest: strings.NewReplacer("${ . }", "${ ] }", "  auth: {apiKeys: {secretRef: {name: keys}}}\n", "").Replace(good), code: exitInvalid,
			want: []string{"spec.auth", "spec.workflows[0].definition/do/0/reply/set/all"}},
		{name: "not YAML", manifest: "a: [", code: exitInvalid, want: []string{"(manifest)"}},
		{name: "without its Secret", manifest: good, args: []string{"--secrets-dir", t.TempDir()}, code: exitInvalid,
			want: []string{"PROBLEM  spec.auth.apiKeys.secretRef.name\n", `Secret "keys"`, "nexus keys new"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errOut := nexus(t, c.manifest, append([]string{"validate", "-f", "-"}, c.args...)...)
			counted := fmt.Sprintf("nexus: - is not valid: %s\n", count(strings.Count(out, "PROBLEM "), "problem"))
			if code != c.code || code == 0 && len(c.warnings) == 0 && errOut != "" || code != 0 && errOut != counted {
				t.Errorf("exit code %d, want %d; %s", code, c.code, errOut)
			}
			for _, want := range c.warnings {
				if !strings.Contains(errOut, want) {
					t.Errorf("no %q in\n%s", want, errOut)
				}
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
}

func TestValidateJSON(t *testing.T) {
	code, out, _ := nexus(t, "", "validate", "-f", write(t, "app.yaml", strings.Replace(good, "${ . }", "${ ] }", 1)), "--output", "json")
	var got struct {
		Valid              bool
		Problems, Warnings []finding
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitInvalid || got.Valid || len(got.Problems) != 1 ||
		got.Problems[0].Field != "spec.workflows[0].definition/do/0/reply/set/all" || got.Problems[0].Message == "" || got.Warnings == nil {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"validate", "-f", "/does/not/exist"}, exitUsage, "no such file or directory"},
		{[]string{"validate", "--nonsense"}, exitUsage, "nexus validate --help"},
		{[]string{"validate", "-f", "-", "-o", "xml"}, exitUsage, "use table or json"},
		{[]string{"bogus"}, exitUsage, `unknown command "bogus" for "nexus": see 'nexus --help'`},
		{[]string{"--nonsense"}, exitUsage, "see 'nexus --help'"},
		{[]string{"keys", "bogus"}, exitUsage, "see 'nexus keys --help'"},
		{[]string{"keys", "new"}, exitUsage, `"client" not set: see 'nexus keys new --help'`},
		{[]string{"validate"}, exitUsage, `"filename" not set: see 'nexus validate --help'`},
		{[]string{"validate", "app.yaml"}, exitUsage, `unexpected argument "app.yaml": see 'nexus validate --help'`},
		{[]string{"version", "1"}, exitUsage, "see 'nexus version --help'"},
		{[]string{"serve"}, exitUsage, "[filename config] is required: see 'nexus serve --help'"},
		{[]string{"serve", "-f", "-", "--config", "x"}, exitUsage, "were all set: see 'nexus serve --help'"},
		{[]string{"serve", "-f", "-", "--cluster-issuer", "x"}, exitUsage, "missing [cluster-keys]: see 'nexus serve --help'"},
		{[]string{"serve", "-f", "-", "--drain-delay", "-1s"}, exitUsage, "--drain-delay -1s is negative: see 'nexus serve --help'"},
		{[]string{"serve", "--config", "/does/not/exist"}, exitUsage, "no such file or directory"},
		{[]string{"keys", "new", "--client", "a.b"}, exitUsage, "--client"},
		{[]string{"keys", "new", "--client", "a", "--expires", "soon"}, exitUsage, "90d"},
		{[]string{"keys", "new", "--client", "a", "--expires", "-1h"}, exitUsage, "not in the future"},
		{[]string{"keys", "new", "--client", "a", "--expires", "99999999d"}, exitUsage, "a duration of at most 100 years"},
		{[]string{"keys", "new", "--client", "a", "--role", ""}, exitUsage, "--role: each must"},
		{[]string{"keys", "new", "--client", "a", "--secret-name", "My_Secret"}, exitUsage, `--secret-name "My_Secret": `},
		{[]string{"keys", "new", "--client", "a", "--secret-name", ""}, exitUsage, "--secret-name is empty"},
		{[]string{"keys", "new", "--client", "a", "--namespace", "team.a"}, exitUsage, `--namespace "team.a": `},
		{[]string{"keys", "new", "--client", "a", "-o", "json", "--manifest", "x"}, exitUsage, "leave one of the two out"},
		{[]string{"keys", "new", "--client", "a", "--manifest", "/does/not/exist"}, exitUsage, "no such file or directory"},
	} {
		code, _, errOut := nexus(t, "", c.args...)
		if code != c.code || !strings.Contains(errOut, c.want) || !strings.HasPrefix(errOut, "nexus: ") {
			t.Errorf("%v: exit code %d, want %d; %s", c.args, code, c.code, errOut)
		}
	}
	for _, arg := range []string{"version", "--version"} {
		if code, out, _ := nexus(t, "", arg); code != 0 || out != "dev\n" {
			t.Errorf("%s: %d %s", arg, code, out)
		}
	}
}

// TestServeRefuses: what cannot be enforced does not start, and each problem has a line.
func TestServeRefuses(t *testing.T) {
	doc := func(change string) string {
		app, _ := config.ReadManifest([]byte(good))
		d, _ := config.FromApp(app, nil)
		raw, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Replace(string(raw), `"requestsPerMinute": 100`, change, 1)
	}
	same := `"requestsPerMinute": 100`
	empty := t.TempDir()
	// everything names a file that is not there in each field that can.
	everything := strings.Replace(good, "  auth:", "  trust: {caBundle: {configMapRef: {name: ours, key: ca.crt}}}\n  redis: {urlSecretRef: {name: redis, key: url}}\n  auth:", 1)
	issuer := strings.Replace(good, "{apiKeys: {secretRef: {name: keys}}}", "{jwt: [{issuer: 'https://login.example.com', audiences: [shop], publicKeySecretRef: {name: login, key: pem}}]}", 1)
	for _, c := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"manifest", []string{"-f", write(t, "a", strings.NewReplacer("${ . }", "${ ] }", "Staging", "Nowhere").Replace(good))}, exitInvalid, []string{"spec.environment"}},
		{"no Secret", []string{"-f", write(t, "a", good), "--secrets-dir", empty}, exitFailure, []string{`nexus: spec.auth.apiKeys.secretRef.name: the Secret "keys"`, "(looked in " + empty + "/keys: "}},
		{"no file", []string{"-f", write(t, "a", everything), "--secrets-dir", empty, "--configmaps-dir", empty}, exitFailure, []string{
			"nexus: spec.auth.apiKeys.secretRef.name: ", "(looked in " + empty + "/keys: ",
			"nexus: spec.trust.caBundle: ", "(looked in " + empty + "/ours)",
			"nexus: spec.redis.urlSecretRef: ", "(looked in " + empty + "/redis)"}},
		{"no key of an issuer", []string{"-f", write(t, "a", issuer), "--secrets-dir", empty}, exitFailure, []string{
			"nexus: spec.auth.jwt[0].publicKeySecretRef: ", "(looked in " + empty + "/login)"}},
		{"hash", []string{"--config", write(t, "c", doc(`"requestsPerMinute": 999`)), "--config-sha256", config.Hash([]byte(doc(same)))}, exitFailure, []string{"not the one"}},
		{"unknown field", []string{"--config", write(t, "c", doc(`"nonsense": 1, `+same))}, exitFailure, []string{"nonsense"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, errOut := nexus(t, "", append([]string{"serve", "--api-addr", "127.0.0.1:0", "--mcp-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"}, c.args...)...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.want {
				if !strings.Contains(errOut, want) {
					t.Errorf("no %q in %s", want, errOut)
				}
			}
			for line := range strings.Lines(errOut) {
				if !strings.HasPrefix(line, "nexus: ") {
					t.Errorf("the line %q", line)
				}
			}
		})
	}
}

// lines hands on what a server logs.
type lines chan string

func (l lines) Write(p []byte) (int, error) { l <- string(p); return len(p), nil }

func TestServe(t *testing.T) {
	dir := t.TempDir()
	key := makeKey(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	out, done := make(lines, 100), make(chan int)
	go func() {
		done <- run(ctx, []string{"serve", "-f", write(t, "app.yaml", good), "--secrets-dir", dir, "--api-addr", "127.0.0.1:0", "--mcp-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--drain-delay", "0"}, nil, os.Stdout, out)
	}()
	var serving struct{ API, Admin, Document string }
	for serving.API == "" {
		if err := json.Unmarshal([]byte(<-out), &serving); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+serving.API+"/workflows/echo/execute", strings.NewReader(`{"inputs":{"a":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
	called := []string{"run", "echo", "--server", "http://" + serving.API, "--input", "a=1"}
	if code, text, errOut := nexus(t, "", append(called, "--token-file", write(t, "key", key))...); code != 0 || !strings.Contains(text, `"a": 1`) {
		t.Errorf("run: %d %s %s", code, text, errOut)
	}
	if code, _, errOut := nexus(t, "", called...); code != cli.ExitDenied || !strings.Contains(errOut, "unauthenticated") || !strings.Contains(errOut, "--token-file") {
		t.Errorf("run without a credential: %d %s", code, errOut)
	}
	if code, text, errOut := nexus(t, "", "health", "--url", "http://"+serving.Admin+"/readyz"); code != 0 || !strings.Contains(text, serving.Document) {
		t.Errorf("health: %d %s %s", code, text, errOut)
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
	close(out)
	said := ""
	for line := range out {
		said += line
	}
	if !strings.Contains(said, `"msg":"Draining","delay":"0s","longestRun":"1m0s"`) {
		t.Errorf("no durations as text in\n%s", said)
	}
	if code, _, errOut := nexus(t, "", "health", "--url", "http://"+serving.Admin+"/readyz"); code != exitFailure || errOut == "" {
		t.Errorf("health of nobody: %d", code)
	}
}

func TestHealthOfWhoIsNotReady(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
	}))
	defer s.Close()
	if code, _, errOut := nexus(t, "", "health", "--url", s.URL); code != exitFailure || !strings.Contains(errOut, "503: not ready") {
		t.Errorf("%d %s", code, errOut)
	}
}

// makeKey makes a key with the command line, puts its entry into dir and returns it.
func makeKey(t *testing.T, dir string) string {
	t.Helper()
	code, out, _ := nexus(t, "", "keys", "new", "--client", "web", "--role", "buyer", "--expires", "90d", "--output", "json")
	var made newKeyReply
	if err := json.Unmarshal([]byte(out), &made); err != nil || code != 0 {
		t.Fatalf("keys new: %d %s", code, out)
	}
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "keys", made.Entry), []byte(made.Value), 0o600); err != nil {
		t.Fatal(err)
	}
	return made.Key
}

// TestKeysNew: the key that is shown is let in by the manifest, which does not hold it.
func TestKeysNew(t *testing.T) {
	check := func(t *testing.T, key, manifest string) {
		t.Helper()
		var secret struct {
			Kind       string
			Metadata   struct{ Name, Namespace string }
			StringData map[string]string
		}
		if err := yaml.Unmarshal([]byte(manifest), &secret); err != nil || secret.Kind != "Secret" || secret.Metadata.Name != "shop-keys" || len(secret.StringData) != 1 {
			t.Fatalf("the manifest: %v\n%s", err, manifest)
		}
		if strings.Contains(manifest, key) {
			t.Error("the manifest holds the key")
		}
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, "shop-keys"), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, value := range secret.StringData {
			if !strings.HasPrefix(name, "web.") || v1alpha1.APIKeyClient(name) != "web" {
				t.Errorf("the entry is called %s", name)
			}
			if err := os.WriteFile(filepath.Join(root, "shop-keys", name), []byte(value), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		keys, err := auth.Open(root, "shop-keys")
		if err != nil {
			t.Fatal(err)
		}
		p, reason := keys.Keyring().Authenticate(key, time.Now())
		if reason != auth.Accepted || p.Subject != "key|web" || !p.HasAnyRole([]string{"buyer"}) {
			t.Errorf("the key is let in as %+v, %q", p, reason)
		}
	}
	args := []string{"keys", "new", "--client", "web", "--role", "buyer", "--secret-name", "shop-keys"}

	code, out, errOut := nexus(t, "", append(args, "--namespace", "team-a")...)
	key := ""
	for field := range strings.FieldsSeq(errOut) {
		if auth.LooksLikeKey(field) {
			key = field
		}
	}
	if code != 0 || key == "" || !strings.Contains(errOut, "kubectl patch secret shop-keys --namespace team-a --type merge") {
		t.Fatalf("%d: %s", code, errOut)
	}
	check(t, key, out)

	path := filepath.Join(t.TempDir(), "secret.yaml")
	code, out, errOut = nexus(t, "", append(args, "--manifest", path)...)
	manifest, err := os.ReadFile(path)
	if code != 0 || err != nil || errOut != "" {
		t.Fatalf("%d %v: %s", code, err, errOut)
	}
	check(t, strings.TrimSpace(out), string(manifest))
}

func TestParseExpiry(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "90d": now.AddDate(0, 0, 90), "12h": now.Add(12 * time.Hour), "2026-02-01T00:00:00Z": time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := parseExpiry(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if got, err := parseExpiry("36500d", now); err != nil || got.Year() != 2125 {
		t.Errorf("a hundred years: %v, %v", got, err)
	}
	for _, text := range []string{"36501d", "876001h", "106752d", "-106752d", "99999999d", "-99999999d", "99999999999999999999d", "xd", "1", "-1d", "0d", "2025-01-01T00:00:00Z", "2026-02-30"} {
		if got, err := parseExpiry(text, now); err == nil {
			t.Errorf("%q passed as %v", text, got)
		}
	}
}
