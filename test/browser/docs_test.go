// Package browser looks at the page of the API with a browser, as its users do.
package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
)

const root = "../.."

// patience is what one browser has for one test, on a slow machine.
const patience = 2 * time.Minute

const spec = `
  workflows:
  - name: quote-order
    routes: [{method: POST, path: /api/quote}]
    rateLimit: {requestsPerMinute: 60}
    definition:
      document: {dsl: 1.0.3, namespace: team-a, name: quote-order, version: 1.0.0, title: Quote an order, summary: Adds up the items of an order., tags: {area: sales}}
      input:
        schema:
          document:
            type: object
            additionalProperties: false
            required: [customer, quantity]
            properties:
              customer: {type: string, minLength: 1, maxLength: 64, description: Who orders.}
              quantity: {$ref: "#/$defs/Quantity"}
              express: {type: boolean, description: Whether it is urgent.}
              currency: {enum: [EUR, USD], default: EUR}
              items: {type: array, items: {type: object, properties: {sku: {type: string}}}}
            $defs:
              Quantity: {type: integer, minimum: 1, description: How many.}
      do: [{reply: {set: {customer: "${ .customer }", total: "${ .quantity * 20 }", currency: "${ .currency }", items: "${ .items }"}}}]
  - name: echo
    definition:
      document: {dsl: 1.0.3, namespace: team-a, name: echo, version: 1.0.0, summary: Answers with what it was given.}
      do: [{answer: {set: "${ . }"}}]
`

var serving = regexp.MustCompile(`msg=Serving api=(\S+)`)

// serve serves a manifest with the program itself, and returns its URL.
func serve(t *testing.T, auth, secrets string) string {
	t.Helper()
	dir := t.TempDir()
	program, manifest := filepath.Join(dir, "nexus"), filepath.Join(dir, "app.yaml")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./runtime/cmd/nexus")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building nexus: %v\n%s", err, out)
	}
	text := "apiVersion: nexus.dev/v1alpha1\nkind: NexusApp\nmetadata: {name: shop, namespace: team-a}\nspec:\n  environment: Development\n" + auth + spec
	if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "serve", "-f", manifest, "--secrets-dir", secrets, "--drain-delay", "0s",
		"--api-addr", "127.0.0.1:0", "--mcp-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the context of the test has ended
	lines := bufio.NewScanner(log)
	var said strings.Builder
	for lines.Scan() {
		if found := serving.FindStringSubmatch(lines.Text()); found != nil {
			go func() {
				for lines.Scan() { // so that the log does not fill its pipe
				}
			}()
			return "http://" + found[1]
		}
		said.WriteString(lines.Text() + "\n")
	}
	t.Fatalf("it does not serve:\n%s", said.String())
	return ""
}

// browser is the path of one; where there is none and none can be installed, the test is
// skipped.
func browser(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "hack/browser.sh"))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("There is no browser, and none can be installed: %v: %s", err, said.String())
	}
	return strings.TrimSpace(string(out))
}

// run fills in the form and reads what came of it.
func run(p *tab, base string) {
	p.t.Helper()
	p.await(`document.querySelector('#list button[data-name="quote-order"]')?.click() ?? document.querySelector('h2')?.textContent === 'Quote an order'`)
	p.fill("customer", "Ada")
	p.fill("quantity", "3")
	if curl := p.await(`document.querySelector('#curl').textContent`); !strings.Contains(curl, base+"/workflows/quote-order/execute") || !strings.Contains(curl, `"quantity": 3`) || strings.Contains(curl, "nxs_") {
		p.t.Errorf("the command: %s", curl)
	}
	p.press()
	p.await(`document.querySelector('#answer')?.getAttribute('aria-busy') === 'false'`)
	status, reply := p.await(`document.querySelector('#status').textContent`), p.await(`document.querySelector('#reply').textContent`)
	if !strings.HasPrefix(status, "200") || !strings.Contains(strings.Join(strings.Fields(reply), ""), `"customer":"Ada","items":null,"total":60`) && !strings.Contains(reply, `"total": 60`) {
		p.t.Errorf("the reply: %s\n%s", status, reply)
	}
	if limit := p.await(`document.querySelector('#limit').textContent`); !strings.Contains(limit, "59 calls left, 60 in 60 s") {
		p.t.Errorf("the limit: %s", limit)
	}
}

// finish looks at what the page should not have done.
func finish(p *tab, base string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.complaints) > 0 {
		p.t.Errorf("the browser complains:\n%s", strings.Join(p.complaints, "\n"))
	}
	if len(p.requests) < 5 {
		p.t.Errorf("only these requests were seen: %q", p.requests)
	}
	for _, url := range p.requests {
		if !strings.HasPrefix(url, base+"/") {
			p.t.Errorf("the page asked for %s", url)
		}
	}
}

func TestAnonymous(t *testing.T) {
	path := browser(t)
	base := serve(t, "", t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := open(ctx, t, path, base+"/docs", false)
	run(p, base)
	p.picture("anonymous")
	// The other ways to give inputs and to get the reply.
	p.await(`document.querySelector('#list button[data-name="echo"]').click() ?? document.querySelector('h2').textContent === 'echo'`)
	p.await(`(document.querySelector('textarea').value = '{"n": 12345678901234567890}') && document.querySelector('textarea').dispatchEvent(new Event('input', {bubbles: true}))`)
	p.await(`document.querySelector('#run').click() ?? true`)
	if reply := p.await(`document.querySelector('#answer').getAttribute('aria-busy') === 'false' && document.querySelector('#reply').textContent`); !strings.Contains(reply, "12345678901234567890") {
		t.Errorf("the digits of a large number: %s", reply)
	}
	p.await(`(document.querySelector('#mode').value = 'stream') && (document.querySelector('#run').click() ?? true)`)
	if reply := p.await(`document.querySelector('#reply').textContent.includes('event: complete') && document.querySelector('#reply').textContent`); !strings.Contains(reply, "event: start") {
		t.Errorf("the events: %s", reply)
	}
	finish(p, base)
}

func TestWithKey(t *testing.T) {
	path := browser(t)
	secrets := t.TempDir()
	key, err := auth.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	entry, err := json.Marshal(v1alpha1.APIKeyEntry{ID: key.ID, SHA256: key.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(secrets, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(secrets, "keys", "web"), entry, 0o600); err != nil {
		t.Fatal(err)
	}
	base := serve(t, "  auth: {apiKeys: {secretRef: {name: keys}}}\n", secrets)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := open(ctx, t, path, base+"/docs", true)
	if says := p.await(`document.querySelector('#notice').textContent`); !strings.Contains(says, "asks for a credential") {
		t.Errorf("without a credential: %s", says)
	}
	p.fill("Credential", key.Key)
	p.press()
	run(p, base)
	p.picture("with-key")
	var jar struct{ Cookies []any }
	p.do("Network.getCookies", nil, &jar)
	if kept := p.await(`JSON.stringify([localStorage.length, sessionStorage.length, location.href.includes('nxs_')])`); kept != `[0,0,false]` || len(jar.Cookies) > 0 {
		t.Errorf("the credential, or something else, is kept: %s %v", kept, jar.Cookies)
	}
	finish(p, base)
	// The policy is in force: what the page does not do, it could not do either.
	refused := p.await(`new Promise((done) => {
		document.addEventListener('securitypolicyviolation', (e) => done(e.effectiveDirective));
		fetch('http://127.0.0.1:1/').catch(() => {});
	})`)
	if refused != "connect-src" {
		t.Errorf("a request to elsewhere: %s", refused)
	}
}
