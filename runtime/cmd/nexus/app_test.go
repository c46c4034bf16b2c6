package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/server"
	"github.com/nexus-operator/nexus-operator/runtime/transport/cli"
)

// shop is an app with something of everything; hush is a secret that no output may hold.
const shop = `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: shop, namespace: team-a}
spec:
  environment: Staging
  auth: {apiKeys: {secretRef: {name: keys}}}
  secrets: [{name: pricing, secretRef: {name: pricing, key: token}}]
  workflows:
  - name: quote
    routes: [{method: GET, path: /api/quote}]
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: quote, version: 1.0.0, title: Quote an order}
      input:
        schema:
          document:
            type: object
            required: [sku]
            additionalProperties: false
            properties:
              sku: {type: string, description: What is ordered, x-mcp-header: Sku}
              quantity: {type: integer, default: 1}
      do:
      - price: {set: {sku: "${ .sku }", total: "${ (.quantity // 1) * 10 }"}}
  - name: refused
    authorization: {anyRole: [admin]}
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: refused, version: 1.0.0}
      do: [{one: {set: {a: 1}}}]
  - name: raises
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: raises, version: 1.0.0}
      do: [{look: {raise: {error: {type: "https://shop.example.com/sold-out", status: 409, title: Sold out}}}}]
  - name: naps
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: naps, version: 1.0.0}
      do: [{rest: {wait: {seconds: 50}}}]
  - name: leaks
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: leaks, version: 1.0.0}
      use: {secrets: [pricing]}
      do: [{say: {set: {secret: "${ $secrets.pricing }"}}}]
  - name: limited
    rateLimit: {requestsPerMinute: 1, burst: 1}
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: limited, version: 1.0.0}
      do: [{one: {set: {a: 1}}}]
`

// served is the app on a server: arguments name it, and the file with its key.
type served struct{ api, mcp, keyFile, key, secretsDir string }

// serveShop serves the app on loopback.
func serveShop(t *testing.T) served {
	t.Helper()
	dir := t.TempDir()
	s := served{key: makeKey(t, dir), secretsDir: dir}
	s.keyFile = write(t, "key", s.key)
	if err := os.MkdirAll(filepath.Join(dir, "pricing"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pricing", "token"), []byte("hush-hush-hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	doc, hash, err := loadDocument(serveFlags{manifest: write(t, "app.yaml", shop)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	app, err := server.New(t.Context(), server.Options{Document: doc, Hash: hash, SecretsDir: dir, Output: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Local(t.Context()))
	api, mcp := httptest.NewServer(app.Handler()), httptest.NewServer(app.MCPHandler())
	t.Cleanup(api.Close)
	t.Cleanup(mcp.Close)
	s.api, s.mcp = api.URL, mcp.URL
	return s
}

// varying is what differs from one run to the next.
var varying = regexp.MustCompile(`[0-9a-f]{32}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|after [0-9.]+[µm]?s`)

func constant(text string) string { return varying.ReplaceAllString(text, "*") }

// TestApp: what commands print and exit with is the same, whether a server serves the app
// or the manifest is given.
func TestApp(t *testing.T) {
	s := serveShop(t)
	ways := map[string][]string{
		"server": {"--server", s.api, "--token-file", s.keyFile},
		"file":   {"-f", write(t, "app.yaml", shop), "--secrets-dir", s.secretsDir, "--token-file", s.keyFile},
	}
	for _, c := range []struct {
		args []string
		code int
		out  string // the whole output
		err  string // what the errors begin with; empty when there are none
	}{
		{[]string{"list"}, 0, `NAME     VERSION  TITLE           ROUTES
quote    1.0.0    Quote an order  GET /api/quote
raises   1.0.0
naps     1.0.0
leaks    1.0.0
limited  1.0.0
`, ""},
		{[]string{"run", "quote", "--input", "sku=5", "--input", "quantity=3"}, 0, "{\n  \"sku\": \"5\",\n  \"total\": 30\n}\n", ""},
		{[]string{"run", "quote", "--input", "sku=5", "-o", "yaml"}, 0, "sku: \"5\"\ntotal: 10\n", ""},
		{[]string{"run", "quote", "--input", "sku=5", "-o", "table"}, 0, "sku    5\ntotal  10\n", ""},
		{[]string{"run", "quote", "--input", "sku=5", "--mode", "stream", "-o", "json"}, 0, "{\n  \"sku\": \"5\",\n  \"total\": 10\n}\n", "+ price (set) completed *\n"},
		{[]string{"run", "quote"}, exitInvalid, "", "nexus: schema_violation: "},
		{[]string{"run", "quote", "--input", "sku=a", "--input", "quantity=many"}, exitInvalid, "", "nexus: schema_violation: "},
		{[]string{"run", "quote", "--input", "__class__=a"}, exitInvalid, "", "nexus: invalid_input: "},
		{[]string{"run", "quote", "-o", "json"}, exitInvalid, "", `{"type":"https://nexus.dev/problems/schema_violation",`},
		{[]string{"run", "nothing"}, exitUsage, "", "nexus: workflow_not_found: "},
		{[]string{"run", "nothing", "--input", "a=1"}, exitUsage, "", "nexus: workflow_not_found: "},
		{[]string{"run", "refused", "--input", "a=1"}, cli.ExitDenied, "", "nexus: forbidden: "},
		{[]string{"info", "refused"}, exitUsage, "", "nexus: workflow_not_found: "},
		{[]string{"run", "raises"}, exitFailure, "", "nexus: workflow_failed: "},
		{[]string{"run", "raises", "--mode", "stream"}, exitFailure, "", "! look (raise) faulted *: Sold out\nnexus: workflow_failed: "},
		{[]string{"run", "naps", "--timeout", "50ms"}, exitFailure, "", "nexus: there was no answer within 50ms: --timeout gives it longer\n"},
		{[]string{"run", "naps", "--timeout", "50ms", "--mode", "stream"}, exitFailure, "", "nexus: there was no answer within 50ms: "},
		{[]string{"run", "leaks"}, 0, "{\n  \"secret\": \"[redacted]\"\n}\n", ""},
	} {
		for way, connection := range ways {
			code, out, errOut := nexus(t, "", append(c.args, connection...)...)
			if code != c.code || out != c.out || !strings.HasPrefix(constant(errOut), c.err) || c.err == "" && errOut != "" {
				t.Errorf("%v by %s: exit code %d, want %d\n%s%s\nwant\n%s%s", c.args, way, code, c.code, out, constant(errOut), c.out, c.err)
			}
			if strings.Contains(out+errOut, "hush") || strings.Contains(out+errOut, s.key) {
				t.Errorf("%v by %s prints a secret: %s%s", c.args, way, out, errOut)
			}
		}
	}
}

func TestInfo(t *testing.T) {
	s := serveShop(t)
	code, out, errOut := nexus(t, "", "info", "quote", "--server", s.api, "--token-file", s.keyFile)
	for _, want := range []string{"Title:", "POST /workflows/quote/execute\n", "GET /api/quote\n", "INPUT     TYPE     REQUIRED  DESCRIPTION\nsku       string   yes       What is ordered\nquantity  integer  no        (default 1)\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%d: no %q in\n%s%s", code, want, out, errOut)
		}
	}
}

func TestLimited(t *testing.T) {
	s := serveShop(t)
	args := []string{"run", "limited", "--server", s.api, "--token-file", s.keyFile}
	if code, _, errOut := nexus(t, "", args...); code != 0 {
		t.Fatalf("%d %s", code, errOut)
	}
	if code, out, errOut := nexus(t, "", args...); code != cli.ExitLimited || out != "" || !strings.Contains(errOut, "nexus: rate_limited: ") || !strings.Contains(errOut, "nexus:   try again in ") {
		t.Errorf("%d: %s%s", code, out, errOut)
	}
}

// TestExecutions: a run goes on without its caller, who finds and ends it.
func TestExecutions(t *testing.T) {
	s := serveShop(t)
	connection := []string{"--server", s.api, "--token-file", s.keyFile}
	code, out, errOut := nexus(t, "", append([]string{"run", "naps", "--mode", "async", "--idempotency-key", "once"}, connection...)...)
	var started cli.Execution
	if err := json.Unmarshal([]byte(out), &started); err != nil || code != 0 || started.ID == "" || !started.Running() {
		t.Fatalf("%d: %s%s", code, out, errOut)
	}
	if _, again, _ := nexus(t, "", append([]string{"run", "naps", "--mode", "async", "--idempotency-key", "once"}, connection...)...); !strings.Contains(again, started.ID) {
		t.Errorf("the same key starts another run: %s", again)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"status"}, 0, "RUN                               WORKFLOW  STATUS   CREATED               TOOK\n" + started.ID + "  naps      running  "},
		{[]string{"status", started.ID}, 0, "Status:    running\n"},
		{[]string{"__complete", "cancel"}, 0, started.ID + "\tnaps, running\n"},
		{[]string{"cancel", started.ID}, 0, "The run " + started.ID + " of naps "},
		{[]string{"status", "0123456789abcdef0123456789abcdef"}, exitUsage, "nexus: not_found: "},
		{[]string{"cancel", "../x"}, exitUsage, "nexus: not_found: "},
		{[]string{"status", "a", "b"}, exitUsage, "see 'nexus status --help'"},
		{[]string{"status", "-f", write(t, "app.yaml", shop)}, exitUsage, "the app has no spec.redis"},
	} {
		args := slices.Concat(c.args, connection)
		if c.args[0] == "__complete" {
			args = append(args, "")
		}
		if len(c.args) == 3 && c.args[1] == "-f" {
			args = c.args
		}
		if code, out, errOut := nexus(t, "", args...); code != c.code || !strings.Contains(out+errOut, c.want) {
			t.Errorf("%v: exit code %d, want %d\n%s%s\nwant %s", args, code, c.code, out, errOut, c.want)
		}
	}
	for done := false; !done; {
		_, out, _ = nexus(t, "", append([]string{"status", started.ID, "-o", "json"}, connection...)...)
		done = !strings.Contains(out, `"status": "running"`)
	}
	if !strings.Contains(out, `"status": "canceled"`) {
		t.Errorf("canceled: %s", out)
	}
	if _, out, _ := nexus(t, "", append([]string{"cancel", started.ID}, connection...)...); !strings.Contains(out, " has ended: canceled\n") {
		t.Errorf("canceled again: %s", out)
	}
}

// TestCredentials: where a token may come from, and which goes first.
func TestCredentials(t *testing.T) {
	s := serveShop(t)
	t.Setenv(cli.ConfigVariable, filepath.Join(t.TempDir(), "config.yaml"))
	wrong := write(t, "wrong", "nxs_wrong")
	for _, args := range [][]string{
		{"config", "set-context", "shop", "--server", s.api, "--mcp-server", s.mcp},
		{"config", "set-context", "shop", "--token-file", s.keyFile},
		{"config", "set-context", "wrong", "--server", s.api, "--token-file", wrong},
	} {
		if code, _, errOut := nexus(t, "", args...); code != 0 {
			t.Fatalf("%v: %s", args, errOut)
		}
	}
	for _, c := range []struct {
		in, environment string
		args            []string
		code            int
	}{
		{"", "", nil, 0}, // of the current context
		{"", "", []string{"--context", "wrong"}, cli.ExitDenied},
		{"", s.key, []string{"--context", "wrong"}, 0},
		{"", "nxs_wrong", nil, cli.ExitDenied},
		{"", "nxs_wrong", []string{"--token-file", s.keyFile}, 0},
		{s.key + "\n", "nxs_wrong", []string{"--token", "-"}, 0},
		// A server that is named gets nothing of the context.
		{"", "", []string{"--server", s.api}, cli.ExitDenied},
	} {
		t.Setenv(cli.TokenVariable, c.environment)
		if code, _, errOut := nexus(t, c.in, append([]string{"list"}, c.args...)...); code != c.code || strings.Contains(errOut, s.key) {
			t.Errorf("%q %v: exit code %d, want %d: %s", c.environment, c.args, code, c.code, errOut)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Setenv(cli.ConfigVariable, filepath.Join(t.TempDir(), "config.yaml"))
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"use-context", "shop"}, exitUsage, "there is no context \"shop\", and no other"},
		{[]string{"set-context", "shop"}, exitUsage, "--server: write the server's URL"},
		{[]string{"set-context", "shop", "--server", "https://shop.example.com", "--token-file", "/secret/token"}, 0, "Context \"shop\" is set.\n"},
		{[]string{"set-context", "local", "--server", "http://127.0.0.1:8000", "--insecure-http"}, 0, "is set"},
		{[]string{"set-context"}, exitUsage, "name one context: see 'nexus config set-context --help'"},
		{[]string{"get-contexts"}, 0, "CURRENT  NAME   SERVER                    TOKEN FILE\n*        shop   https://shop.example.com  /secret/token\n         local  http://127.0.0.1:8000\n"},
		{[]string{"use-context", "lokal"}, exitUsage, "there is no context \"lokal\": there is shop, local"},
		{[]string{"use-context", "local"}, 0, "is the current one"},
		{[]string{"delete-context", "shop"}, 0, "is deleted"},
		{[]string{"get-contexts", "-o", "yaml"}, 0, "contexts:\n- insecureHTTP: true\n  name: local\n  server: \"http://127.0.0.1:8000\"\ncurrentContext: local\n"},
	} {
		if code, out, errOut := nexus(t, "", append([]string{"config"}, c.args...)...); code != c.code || !strings.Contains(out+errOut, c.want) {
			t.Errorf("%v: exit code %d, want %d: %s%s\nwant %s", c.args, code, c.code, out, errOut, c.want)
		}
	}
	if _, out, _ := nexus(t, "", "__complete", "list", "--context", ""); !strings.HasPrefix(out, "local\thttp://127.0.0.1:8000\n") {
		t.Errorf("completed: %s", out)
	}
}

func TestCompletion(t *testing.T) {
	s := serveShop(t)
	for _, connection := range [][]string{{"--server", s.api, "--token-file", s.keyFile}, {"-f", write(t, "app.yaml", shop), "--secrets-dir", s.secretsDir, "--token-file", s.keyFile}} {
		_, out, _ := nexus(t, "", append(append([]string{"__complete", "run"}, connection...), "")...)
		if want := "quote\tQuote an order\nraises\nnaps\nleaks\nlimited\n:4\n"; out != want {
			t.Errorf("%v: %s\nwant\n%s", connection[0], out, want)
		}
	}
	// No answer is no completion, and no error in the middle of what is typed.
	if code, out, errOut := nexus(t, "", "__complete", "info", "--server", "http://127.0.0.1:1", ""); code != 0 || out != ":4\n" || strings.Contains(errOut, "nexus:") {
		t.Errorf("%d: %s%s", code, out, errOut)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, _ := nexus(t, "", "completion", shell); code != 0 || !strings.Contains(out, "__complete") {
			t.Errorf("%s: %d", shell, code)
		}
	}
}

func TestVerify(t *testing.T) {
	for _, c := range []struct {
		manifest string
		args     []string
		code     int
		want     []string
		err      string
	}{
		{good, nil, 0, []string{"CHECK                RESULT  FOUND", "Authentication       passed  callers must present a credential\n", "checks of the production checklist pass in Staging\n"}, ""},
		{strings.Replace(good, "{apiKeys: {secretRef: {name: keys}}}", "{mode: Disabled}\n  acknowledgedRisks: [{name: AuthDisabled, reason: behind a proxy}]", 1), nil, 0,
			[]string{"Authentication       acknowledged  anyone who reaches the pods runs the workflows"}, ""},
		{strings.Replace(good, "{apiKeys: {secretRef: {name: keys}}}", "{mode: Disabled}", 1), nil, exitInvalid, []string{"Authentication       failed"}, "nexus: -: spec.auth.mode"},
		{"a: [", nil, exitInvalid, nil, "nexus: -: "},
		{"a: [", []string{"-o", "json"}, exitInvalid, []string{`"valid": false`, `"checks": []`}, "nexus: -: "},
		{strings.Replace(good, "environment: Staging", "environment: Staging\n  rateLimit: {requestsPerMinute: 50}", 1), []string{"-o", "yaml"}, 0, []string{"valid: true", "- RateLimitAtLeast100\n", "id: RateLimitAtLeast100\n  passed: false\n"}, ""},
	} {
		code, out, errOut := nexus(t, c.manifest, append([]string{"verify", "-f", "-"}, c.args...)...)
		if code != c.code || !strings.HasPrefix(errOut, c.err) || c.err == "" && errOut != "" {
			t.Errorf("exit code %d, want %d: %s", code, c.code, errOut)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
	}
}
