package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/compile"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
	"github.com/nexus-operator/nexus-operator/runtime/telemetry"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
	"github.com/nexus-operator/nexus-operator/test/tokens"
)

const (
	dated     = "2025-11-25"
	stateless = "2026-07-28"
)

// manifest is the app of the tests. SPEC is more of its spec.
const manifest = `apiVersion: nexus.dev/v1alpha1
kind: NexusApp
metadata: {name: shop, namespace: team-a}
spec:
  environment: Production
  replicas: 2
  acknowledgedRisks: [{name: PerPodLimits, reason: "a test"}]
  publicURL: https://shop.example.com/front
  auth: {apiKeys: {secretRef: {name: keys}}, jwt: [{issuer: "https://id.example.com", audiences: ["https://shop.example.com/front/mcp"], publicKeySecretRef: {name: login, key: set.json}}]}
  input: {maxBytes: 64Ki}
  egress: {allow: ["service.example.com:443"]}
  prompts: [{name: review, configMapRef: {name: prompts, key: review}}]
SPEC
  workflows:
  - {name: echo, definition: {document: {DSL, name: echo}, do: [{reply: {set: "${ . }"}}]}}
  - name: pick
    definition:
      document: {DSL, name: pick, title: Pick, summary: Picks., metadata: {mcp: {readOnlyHint: true, destructiveHint: false}}}
      output: {schema: {format: json, document: {type: [number, string, "null", array, object]}}}
      do: [{reply: {set: "${ . }", output: {as: "${ .it }"}}}]
  - {name: show, mcp: {toolName: show_it, result: Content}, definition: {document: {DSL, name: show}, do: [{reply: {set: "${ . }", output: {as: "${ .it }"}}}]}}
  - {name: raises, definition: {document: {DSL, name: raises}, do: [{say: {raise: {error: {type: "https://shop.example.com/taken", status: 409, title: Taken}}}}]}}
  - name: add
    definition:
      document: {DSL, name: add}
      input: {schema: {format: json, document: {type: object, required: [a], additionalProperties: false, properties: {a: {type: integer}}}}}
      do: [{reply: {set: {sum: "${ .a + 1 }"}}}]
  - {name: steps, mcp: {logs: Tasks}, definition: {document: {DSL, name: steps}, do: [{one: {set: {v: 1}}}, {two: {set: {v: 2}}}, {three: {set: {v: 3}}}]}}
  - {name: loop, definition: {document: {DSL, name: loop}, do: [{each: {for: {in: "${ [range(10000)] }"}, do: [{one: {set: {v: 1}}}]}}]}}
  - {name: call, definition: {document: {DSL, name: call}, do: [{ask: {call: http, with: {method: get, endpoint: "https://service.example.com/"}}}]}}
  - {name: owners, authorization: {anyRole: [owner]}, definition: {document: {DSL, name: owners}, do: [{reply: {set: {ok: true}}}]}}
  - {name: scoped, authorization: {anyScope: ["shop.close", "shop.all"]}, definition: {document: {DSL, name: scoped}, do: [{reply: {set: {ok: true}}}]}}
  - {name: scarce, rateLimit: {requestsPerMinute: 1, burst: 2}, definition: {document: {DSL, name: scarce}, do: [{reply: {set: {ok: true}}}]}}
  - name: order
    mcp: {resource: {uri: "shop://orders/{id}/{part}"}}
    definition:
      document: {DSL, name: order}
      input: {schema: {format: json, document: {type: object, properties: {id: {type: integer}, part: {type: string, enum: [head, heart, tail, "a b"]}}}}}
      do: [{reply: {set: "${ . }"}}]
  - {name: hours, mcp: {result: Content, resource: {uri: "shop://hours", mimeType: text/markdown}}, definition: {document: {DSL, name: hours}, do: [{reply: {set: {type: text, text: nine to five}}}]}}
  - {name: logo, authorization: {anyRole: [owner]}, mcp: {result: Content, resource: {uri: "shop://logo"}}, definition: {document: {DSL, name: logo}, do: [{reply: {set: {type: image, mimeType: image/png, data: aGVsbG8=}}}]}}
  - {name: api-only, expose: [REST], definition: {document: {DSL, name: api-only}, do: [{reply: {set: {ok: true}}}]}}
`

const promptText = `{"title":"Review","description":"Has an order reviewed.","arguments":[{"name":"order","required":true,"values":["4711","4712","5000"]}],
"messages":[{"role":"user","content":"Review {{order}}."},{"role":"assistant","content":{"type":"image","mimeType":"image/png","data":"aGVsbG8="}}]}`

// service is what workflows of the app call. It answers when answer is closed, or panics.
type service struct {
	workflow.Caller
	arrived chan struct{}
	left    chan error
	answer  chan struct{}
	panics  bool
}

// HTTP implements workflow.Caller.
func (s *service) HTTP(ctx context.Context, _ *workflow.HTTPRequest) (*workflow.HTTPResponse, error) {
	if s.panics {
		panic("a bug")
	}
	s.arrived <- struct{}{}
	select {
	case <-s.answer:
		s.left <- nil
		return &workflow.HTTPResponse{Status: http.StatusOK, Body: []byte(`{"late":true}`)}, nil
	case <-ctx.Done():
		s.left <- ctx.Err()
		return nil, ctx.Err()
	}
}

type health struct{ draining bool }

func (h *health) Draining() bool { return h.draining }

// app is the app served.
type app struct {
	t        testing.TB
	handler  *Handler
	url      string
	key      string
	owner    string
	signer   *tokens.Signer
	service  *service
	metrics  *telemetry.Metrics
	security *bytes.Buffer
	client   *http.Client
	root     string
	mu       *sync.Mutex
}

// Write collects the security log.
func (a *app) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.security.Write(p)
}

func (a *app) mint(name string, roles ...string) string {
	a.t.Helper()
	key, err := auth.NewKey()
	if err != nil {
		a.t.Fatal(err)
	}
	value, err := json.Marshal(v1alpha1.APIKeyEntry{ID: key.ID, SHA256: key.SHA256, Roles: roles})
	if err != nil {
		a.t.Fatal(err)
	}
	a.write("keys", name, value)
	return key.Key
}

func (a *app) write(secret, name string, value []byte) {
	a.t.Helper()
	if err := os.MkdirAll(filepath.Join(a.root, secret), 0o700); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.root, secret, name), value, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// revoke takes a key out of force.
func (a *app) revoke(name string) {
	a.t.Helper()
	if err := os.Remove(filepath.Join(a.root, "keys", name)); err != nil {
		a.t.Fatal(err)
	}
	a.readKeys()
}

// rewrite changes what is said of a key.
func (a *app) rewrite(name, from, to string) {
	a.t.Helper()
	path := filepath.Join(a.root, "keys", name)
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o600)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	a.readKeys()
}

func (a *app) readKeys() {
	a.t.Helper()
	keys, err := auth.Open(a.root, "keys")
	if err != nil {
		a.t.Fatal(err)
	}
	a.handler.engine.Keys = keys
}

func render(tb testing.TB, spec string) config.Document {
	tb.Helper()
	if !strings.Contains(spec, "rateLimit") {
		spec += "  rateLimit: {requestsPerMinute: 100000, burst: 10000}"
	}
	text := strings.NewReplacer("SPEC", spec, "DSL", `dsl: "1.0.3", namespace: team-a, version: 1.0.0`).Replace(manifest)
	parsed, problems := config.ReadManifest([]byte(text))
	if len(problems) > 0 {
		tb.Fatal(problems)
	}
	doc, errs := config.FromApp(parsed, func(config.Entry) (string, error) { return promptText, nil })
	if len(errs) > 0 {
		tb.Fatal(errs)
	}
	return doc
}

// start serves the app with more of a spec.
func start(tb testing.TB, spec string) *app {
	tb.Helper()
	a := &app{t: tb, root: tb.TempDir(), signer: tokens.NewEC("one", "ES256"), security: new(bytes.Buffer), mu: new(sync.Mutex),
		service: &service{arrived: make(chan struct{}, 100), left: make(chan error, 100), answer: make(chan struct{})}}
	a.key, a.owner = a.mint("client"), a.mint("boss", "owner")
	a.write("login", "set.json", tokens.Set(a.signer))
	doc := render(tb, spec)
	deps := engine.Deps{Caller: a.service, Bodies: limit.NewBudget(8 << 20), Log: slog.New(slog.DiscardHandler)}
	local := limit.NewMemory(time.Now())
	deps.Limits, deps.Failures, deps.Local = local, local, local
	var err error
	if doc.Auth.Mode != v1alpha1.AuthDisabled {
		if deps.Keys, err = auth.Open(a.root, "keys"); err != nil {
			tb.Fatal(err)
		}
		if deps.Tokens, err = auth.NewTokens(auth.TokenOptions{Issuers: doc.Auth.JWT, SecretsDir: a.root}); err != nil {
			tb.Fatal(err)
		}
	}
	var names []string
	for _, w := range doc.Workflows {
		names = append(names, w.Name)
	}
	a.metrics = telemetry.NewMetrics(names, []string{"REST", "MCP"})
	deps.Recorder = telemetry.NewRecorder(a.metrics, slog.New(slog.NewJSONHandler(a, nil)))
	deps.Executions = execution.NewManager(execution.Options{
		Store: execution.NewMemory(1<<20, time.Hour, time.Now), NewID: engine.NewID, Now: time.Now, Log: deps.Log,
	})
	e, err := engine.New(doc, deps)
	if err != nil {
		tb.Fatal(err)
	}
	prompts, problems := compile.Prompts(&doc)
	if len(problems) > 0 {
		tb.Fatal(problems)
	}
	a.handler, err = New(tb.Context(), Options{Engine: e, Document: &doc, Prompts: prompts, Metrics: a.metrics, Health: &health{}, Log: deps.Log, Version: "1.2.3"})
	if err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(a.handler)
	a.url, a.client = server.URL, server.Client()
	tb.Cleanup(server.Close)
	return a
}

// post is a request with a message, with the key and what the revision asks for; header is
// pairs of name and value, and an empty value takes one out.
func (a *app) post(ctx context.Context, revision, message string, header ...string) *http.Request {
	a.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+Path, strings.NewReader(message))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+a.key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Mcp-Protocol-Version", revision)
	if revision == stateless {
		var head struct {
			Method string
			Params struct{ Name, URI string }
		}
		_ = json.Unmarshal([]byte(message), &head)
		r.Header.Set("Mcp-Method", head.Method)
		if name := head.Params.Name + head.Params.URI; name != "" {
			r.Header.Set("Mcp-Name", name)
		}
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Del(header[i])
		if header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	return r
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	text   string
	ID     any
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
		Data    struct {
			Code, RequestID, Detail, URI string
			Status                       int
			Retry                        int `json:"retryAfterSeconds"`
		}
	}
}

// code is that of the problem, wherever it stands; empty when there is none.
func (r *answer) code() string {
	if r.Error != nil {
		return r.Error.Data.Code
	}
	var result struct {
		Meta struct {
			Problem struct{ Code string } `json:"nexus.dev/problem"`
		} `json:"_meta"`
	}
	_ = json.Unmarshal(r.Result, &result)
	return result.Meta.Problem.Code
}

func (a *app) do(r *http.Request) *answer {
	a.t.Helper()
	res, err := a.client.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil && !errors.Is(err, context.Canceled) {
		a.t.Fatal(err)
	}
	out := &answer{status: res.StatusCode, header: res.Header, text: string(text)}
	if res.Header.Get("Content-Type") == "application/json" && len(text) > 0 {
		if err := json.Unmarshal(text, out); err != nil {
			a.t.Fatalf("%v: %s", err, text)
		}
	}
	return out
}

func (a *app) send(revision, message string, header ...string) *answer {
	a.t.Helper()
	return a.do(a.post(a.t.Context(), revision, message, header...))
}

// metaOf is what the revision has in each request.
func metaOf(revision string) string {
	if revision == stateless {
		return `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}`
	}
	return ""
}

// request is a message; params are its members but for _meta, whose members follow.
func request(revision, method, params string, meta ...string) string {
	if base := metaOf(revision); base != "" {
		meta = append(meta, base)
	}
	if len(meta) > 0 {
		if params != "" {
			params += ","
		}
		params += `"_meta":{` + strings.Join(meta, ",") + `}`
	}
	return `{"jsonrpc":"2.0","id":7,"method":"` + method + `","params":{` + params + `}}`
}

func callOf(revision, tool, arguments string, meta ...string) string {
	return request(revision, "tools/call", `"name":"`+tool+`","arguments":`+arguments, meta...)
}

func (a *app) call(revision, tool, arguments string, header ...string) *answer {
	a.t.Helper()
	return a.send(revision, callOf(revision, tool, arguments), header...)
}

// counted is the value of a series of requests over MCP.
func (a *app) counted(workflow, code string) string {
	a.t.Helper()
	w := httptest.NewRecorder()
	a.metrics.Handler().ServeHTTP(w, httptest.NewRequestWithContext(a.t.Context(), http.MethodGet, "/metrics", nil))
	for line := range strings.SplitSeq(w.Body.String(), "\n") {
		if strings.HasPrefix(line, "nexus_requests_total{") && strings.Contains(line, `channel="MCP"`) &&
			strings.Contains(line, `code="`+code+`"`) && strings.Contains(line, `workflow="`+workflow+`"`) {
			return line[strings.LastIndex(line, " ")+1:]
		}
	}
	return "0"
}
