package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/auth"
)

// quoteSchema is the input schema of the tool that both servers serve.
const quoteSchema = `{"type":"object","required":["customer","items"],"additionalProperties":false,"properties":{` +
	`"customer":{"type":"object","required":["id"],"properties":{"id":{"type":"string","maxLength":64},"name":{"type":"string"},"tier":{"enum":["gold","silver"]}}},` +
	`"items":{"type":"array","minItems":1,"maxItems":50,"items":{"type":"object","required":["sku","quantity","unitPrice"],"properties":{` +
	`"sku":{"type":"string","pattern":"^[A-Z0-9-]{3,32}$"},"quantity":{"type":"integer","minimum":1},"unitPrice":{"type":"number","minimum":0},"note":{"type":"string"}}}}}}`

// quoteManifest is the app with that tool. Its limit is never reached.
const quoteManifest = `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: bench, namespace: bench}
spec:
  environment: Production
  acknowledgedRisks: [{name: PerPodLimits, reason: benchmark}]
  auth: {apiKeys: {secretRef: {name: keys}}}
  rateLimit: {requestsPerMinute: 1000000, burst: 1000000}
  workflows:
  - name: quote
    definition:
      document: {dsl: "1.0.3", namespace: bench, name: quote, version: 1.0.0, summary: Repeats an order.}
      input: {schema: {format: json, document: ` + quoteSchema + `}}
      do:
      - reply: {set: {customer: "${ .customer }", items: "${ .items }"}}
`

// revisions are those of the protocol at which calls are measured: the newest, and the one
// before it, whose clients are still the most.
var revisions = []string{"2026-07-28", "2025-11-25"}

// rival is the share of the requests that the slower server gets: its CPU time is long
// enough to be read from the clock's ticks, and the benchmark ends today.
const rival = 10

// toolServers are the two servers of the same tool.
type toolServers struct {
	options
	folder, key string
	log         *os.File
	nexus, sdk  server
}

// benchMCP measures the CPU time of a tool call, with an API key, a limit and a schema,
// against a server of the official TypeScript SDK that only has the schema; and what a
// call leaves to the garbage collector.
func benchMCP(ctx context.Context, o options, log *os.File) ([]row, error) {
	folder, err := os.MkdirTemp("", "nexus-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	s := &toolServers{options: o, folder: folder, log: log}
	defer s.stop()
	if err := errors.Join(s.startNexus(ctx), s.startSDK(ctx)); err != nil {
		return nil, err
	}
	var rows []row
	for _, revision := range revisions {
		more, err := s.compare(ctx, revision)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// compare measures both servers in turn, so that a noisy neighbour hits both alike.
func (s *toolServers) compare(ctx context.Context, revision string) ([]row, error) {
	ours, theirs := s.target(&s.nexus, revision), s.target(&s.sdk, revision)
	for _, t := range []target{ours, theirs} {
		if err := t.answers(ctx); err != nil {
			return nil, err
		}
	}
	var nexus, sdk, shares, garbage []float64
	for round := range s.rounds + 1 {
		fmt.Fprintf(os.Stderr, "bench: round %d of %d: tool calls, revision %s\n", round, s.rounds, revision)
		requests := s.requests / rival
		if round == 0 {
			requests = s.requests // until Node has compiled what it will compile
		}
		rival, err := theirs.measure(ctx, requests)
		if err != nil {
			return nil, err
		}
		before, err := allocated(ctx, s.nexus.admin)
		if err != nil {
			return nil, err
		}
		rate, err := ours.measure(ctx, s.requests)
		if err != nil {
			return nil, err
		}
		after, err := allocated(ctx, s.nexus.admin)
		if err != nil {
			return nil, err
		}
		if round > 0 { // the first round warms up
			nexus, sdk = append(nexus, 1e6/rate), append(sdk, 1e6/rival)
			shares, garbage = append(shares, 100*rival/rate), append(garbage, (after-before)/float64(s.requests))
		}
	}
	return []row{
		{"a tool call, revision " + revision, fmt.Sprintf("%.0f µs CPU", middle(nexus)), ""},
		{"the same by the official TypeScript SDK, without key and limit", fmt.Sprintf("%.0f µs CPU", middle(sdk)), ""},
		{"ours, as a share of that", spread(shares), "≤ 33 %"},
		{"garbage of a tool call", fmt.Sprintf("%.1f KiB", middle(garbage)/1024), ""},
	}, nil
}

func middle(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }

// target is a server with the calls that it is sent, all alike.
func (s *toolServers) target(n *server, revision string) target {
	headers := "Accept: application/json, text/event-stream\r\nMcp-Protocol-Version: " + revision + "\r\nAuthorization: Bearer " + s.key + "\r\n"
	meta := ""
	if revision >= "2026-07-28" {
		headers += "Mcp-Method: tools/call\r\nMcp-Name: quote\r\n"
		meta = `,"_meta":{"io.modelcontextprotocol/protocolVersion":"` + revision + `","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1.0.0"},"io.modelcontextprotocol/clientCapabilities":{}}`
	}
	inputs := strings.TrimSuffix(strings.TrimPrefix(body(), `{"inputs":`), "}")
	message := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"quote","arguments":` + inputs + meta + `}}`
	return target{"tool calls of " + n.address, n.address, []string{request("/mcp", n.address, headers, message)}, []string{"200"}, n.process}
}

// answers makes sure that what is measured are calls that work: a call that fails has
// status 200 too.
func (t target) answers(ctx context.Context) error {
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(t.requests[0])))
	if err != nil {
		return err
	}
	req.RequestURI, req.URL.Scheme, req.URL.Host = "", "http", t.address
	res, err := http.DefaultClient.Do(req.WithContext(ctx))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var reply struct {
		Result struct {
			StructuredContent struct{ Items []json.RawMessage }
			IsError           bool
		}
	}
	if err := json.Unmarshal(raw, &reply); err != nil || reply.Result.IsError || len(reply.Result.StructuredContent.Items) != 9 {
		return fmt.Errorf("%s: the call was answered with %s %s", t.name, res.Status, raw)
	}
	return nil
}

// allocated is the number of bytes that a pod has allocated so far.
func allocated(ctx context.Context, admin string) (float64, error) {
	text, err := get(ctx, "http://"+admin+"/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "go_memstats_alloc_bytes_total "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("%s tells no go_memstats_alloc_bytes_total", admin)
}

// startNexus starts the runtime and waits until it is ready.
func (s *toolServers) startNexus(ctx context.Context) error {
	made, err := auth.NewKey()
	if err != nil {
		return err
	}
	s.key = made.Key
	var api string
	for _, address := range []*string{&api, &s.nexus.address, &s.nexus.admin} {
		if *address, err = freeAddress(); err != nil {
			return err
		}
	}
	manifest := filepath.Join(s.folder, "app.yaml")
	err = errors.Join(os.WriteFile(manifest, []byte(quoteManifest), 0o600), os.Mkdir(filepath.Join(s.folder, "keys"), 0o700),
		os.WriteFile(filepath.Join(s.folder, "keys", "bench"), fmt.Appendf(nil, `{"id":%q,"sha256":%q}`, made.ID, made.SHA256), 0o600))
	if err != nil {
		return err
	}
	s.nexus.process, err = start(ctx, s.log, []string{"GOMAXPROCS=1", "NEXUS_MEMORY_LIMIT_BYTES=536870912"}, s.options.nexus, "serve",
		"-f", manifest, "--secrets-dir", s.folder, "--api-addr", api, "--mcp-addr", s.nexus.address, "--admin-addr", s.nexus.admin)
	if err != nil {
		return err
	}
	_, err = untilReady(ctx, "http://"+s.nexus.admin+"/readyz", time.Now())
	return err
}

// startSDK starts the server of the official SDK, which prints its address.
func (s *toolServers) startSDK(ctx context.Context) error {
	schema := filepath.Join(s.folder, "schema.json")
	if err := os.WriteFile(schema, []byte(quoteSchema), 0o600); err != nil {
		return err
	}
	node, script := filepath.Join(s.ts, "node_modules/.bin/node"), filepath.Join(s.ts, "server.mjs")
	cmd := exec.CommandContext(ctx, node, script, schema)
	cmd.Stderr = s.log
	said, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w: run hack/node.sh", node, err)
	}
	s.sdk.process = &process{cmd}
	address, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		return fmt.Errorf("%s did not come to serve: %w", script, err)
	}
	s.sdk.address = strings.TrimSpace(address)
	return nil
}

func (s *toolServers) stop() {
	for _, n := range []*server{&s.nexus, &s.sdk} {
		if n.process != nil {
			n.process.stop()
		}
	}
}
