package journey

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/server"
)

// upstream is a service that workflows call.
type upstream struct {
	*httptest.Server
	// host is what spec.egress.allow has of it.
	host string

	mu       sync.Mutex
	requests []string
}

// newUpstream serves a handler; every request is noted with the credential it came with.
func newUpstream(t *testing.T, handler http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.requests = append(u.requests, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization")))
		u.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(u.Close)
	u.host = strings.TrimPrefix(u.URL, "http://")
	return u
}

// seen are the requests so far, in their order.
func (u *upstream) seen() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string{}, u.requests...)
}

func (u *upstream) wantSeen(t *testing.T, want ...string) {
	t.Helper()
	if got := u.seen(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the service saw %q, want %q", got, want)
	}
}

// define is an entry of spec.workflows with these tasks, in JSON or flow YAML.
func define(name, tasks string) string {
	return defineWith(name, "", "", tasks)
}

// defineWith also has fields of the entry and of the definition, one a line.
func defineWith(name, fields, top, tasks string) string {
	return fmt.Sprintf(`
  - name: %s
    %s
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: %s, version: 1.0.0}
      %s
      do: %s
`, name, fields, name, top, tasks)
}

// TestCallHTTP takes spec.egress to a request of a workflow, and to one that is not made.
func TestCallHTTP(t *testing.T) {
	prices := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/unknown") {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, `{"price":12.5}`)
	})
	other := newUpstream(t, func(http.ResponseWriter, *http.Request) {})
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("  egress: {allow: ['"+prices.host+"']}", define("price", `
      - ask: {call: http, with: {method: get, endpoint: "http://`+prices.host+`/price/{sku}"}, output: {as: .price}}
`)+define("anywhere", `
      - ask: {call: http, with: {method: get, endpoint: "${ .url }"}}
`)), keys)
	a.wantOK(a.execute("price", `{"sku":"a/b"}`, key), `12.5`)
	prices.wantSeen(t, "GET /price/a%2Fb")
	p := a.wantProblem(a.execute("price", `{"sku":"unknown"}`, key), http.StatusBadGateway, "workflow_failed")
	if p.Error == nil || p.Error.Status != http.StatusNotFound || p.Error.Instance != "/do/0/ask" || !strings.HasSuffix(p.Error.Type, "/communication") {
		t.Errorf("of a service that answers 404: %+v", p.Error)
	}
	got := a.execute("anywhere", `{"url":"`+other.URL+`"}`, key)
	a.wantProblem(got, http.StatusInternalServerError, "workflow_failed")
	if strings.Contains(got.body, other.host) || !strings.Contains(got.body, "spec.egress.allow") {
		t.Errorf("a host that is not allowed: %s", got.body)
	}
	other.wantSeen(t)
	a.log.await(t, other.host) // whoever runs the app is told which host it was
	a.wantMetric(`nexus_workflow_tasks_total{kind="call http",outcome="faulted",workflow="anywhere"}`, "1")
	a.wantMetric(`nexus_workflow_tasks_total{kind="call http",outcome="completed",workflow="price"}`, "1")
}

// TestEgressRefusesToStart: a host that stands in a definition and is not allowed.
func TestEgressRefusesToStart(t *testing.T) {
	doc, hash := render(t, manifest("", define("price", `[{ask: {call: http, with: {method: get, endpoint: "https://prices.example.com/"}}}]`)))
	keys := newKeyring(t)
	keys.mint("one")
	keys.publish()
	_, err := server.New(t.Context(), server.Options{Document: doc, Hash: hash, SecretsDir: keys.root, Output: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "spec.workflows[0].definition/do/0/ask/with/endpoint") || !strings.Contains(err.Error(), "prices.example.com:443") {
		t.Errorf("got %v", err)
	}
}

// TestCallOpenAPI takes a document in a ConfigMap to a request.
func TestCallOpenAPI(t *testing.T) {
	prices := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"price":3}`)
	})
	keys := newKeyring(t)
	key := keys.mint("one")
	keys.write("apis", "prices.yaml", `
openapi: 3.1.0
info: {title: Prices, version: 1.0.0}
servers: [{url: "`+prices.URL+`/v1"}]
paths:
  /prices/{sku}:
    get:
      operationId: getPrice
      parameters: [{name: sku, in: path, required: true, schema: {type: string}}, {name: currency, in: query, schema: {type: string}}]
      responses: {"200": {description: the price}}
`)
	call := func(operation string) string {
		return manifest("  egress: {allow: ['"+prices.host+"']}", define("price", `
      - ask:
          call: openapi
          with: {document: {endpoint: "configmap:apis/prices.yaml"}, operationId: `+operation+`, parameters: {sku: "${ .sku }", currency: EUR}}
          output: {as: .price}
`))
	}
	a := serve(t, call("getPrice"), keys)
	a.wantOK(a.execute("price", `{"sku":"a-1"}`, key), `3`)
	prices.wantSeen(t, "GET /v1/prices/a-1?currency=EUR")
	doc, hash := renderWith(t, call("getPrise"), nil, keys.entry)
	_, err := server.New(t.Context(), server.Options{Document: doc, Hash: hash, SecretsDir: keys.root, Output: io.Discard})
	if err == nil || !strings.Contains(err.Error(), `did you mean "getPrice"`) {
		t.Errorf("an operation that is misspelt: %v", err)
	}
}

// TestFetchedOpenAPI: a document at a URL is fetched when the pod starts; /status tells
// whether it is there.
func TestFetchedOpenAPI(t *testing.T) {
	var mu sync.Mutex
	content := ""
	publish := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		content = text
	}
	prices := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.URL.Path != "/openapi.json":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `"ok"`)
		case content == "":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			_, _ = io.WriteString(w, content)
		}
	})
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("  egress: {allow: ['"+prices.host+"']}", define("price", `
      - ask: {call: openapi, with: {document: {endpoint: "`+prices.URL+`/openapi.json"}, operationId: ask}}
`)), keys)
	got := a.execute("price", `{}`, key)
	a.wantProblem(got, http.StatusBadGateway, "workflow_failed")
	status := func() (d struct {
		State     string
		Documents []struct {
			Document, Problem string
			Loaded            bool
		}
	}) {
		if err := json.Unmarshal([]byte(a.status()), &d); err != nil || len(d.Documents) != 1 || d.Documents[0].Document != prices.URL+"/openapi.json" {
			t.Fatalf("%v: %s", err, a.status())
		}
		return d
	}
	if s := status(); s.Documents[0].Loaded || !strings.Contains(s.Documents[0].Problem, "503") || s.State != "serving" {
		t.Errorf("while it is not there: %+v", s)
	}
	publish(`{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/ask":{"get":{"operationId":"ask","responses":{}}}}}`)
	for !status().Documents[0].Loaded {
		if t.Context().Err() != nil {
			t.Fatal("the document was never fetched")
		}
	}
	a.wantOK(a.execute("price", `{}`, key), `"ok"`)
	if s := status(); s.Documents[0].Problem != "" {
		t.Errorf("when it is there: %+v", s)
	}
}

// TestCallMCP takes spec.secrets and spec.egress to a tool of an MCP server.
func TestCallMCP(t *testing.T) {
	type order struct {
		Customer string `json:"customer"`
	}
	type score struct {
		Level string `json:"level"`
	}
	risk := mcp.NewServer(&mcp.Implementation{Name: "risk", Version: "1.0.0"}, nil)
	mcp.AddTool(risk, &mcp.Tool{Name: "score"}, func(_ context.Context, _ *mcp.CallToolRequest, o order) (*mcp.CallToolResult, score, error) {
		if o.Customer == "nobody" {
			return nil, score{}, fmt.Errorf("there is no customer %s", o.Customer)
		}
		return nil, score{"high"}, nil
	})
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return risk }, nil)
	risks := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t0ken-of-risk" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	})
	keys := newKeyring(t)
	key := keys.mint("one")
	keys.write("risk", "token", "t0ken-of-risk\n")
	a := serve(t, manifest("  egress: {allow: ['"+risks.host+"']}\n  secrets: [{name: risk, secretRef: {name: risk, key: token}}]", defineWith("assess", "", "use: {secrets: [risk]}", `
      - ask:
          call: mcp
          with:
            method: tools/call
            parameters: {name: score, arguments: {customer: "${ .customer }"}}
            transport: {http: {endpoint: {uri: "`+risks.URL+`/mcp", authentication: {bearer: {use: risk}}}}}
          output: {as: .structuredContent.level}
`)), keys)
	for range 2 {
		a.wantOK(a.execute("assess", `{"customer":"ada"}`, key), `"high"`)
	}
	got := a.execute("assess", `{"customer":"nobody"}`, key)
	a.wantProblem(got, http.StatusInternalServerError, "workflow_failed")
	if strings.Contains(got.body, "nobody") {
		t.Errorf("what the tool says is for the log: %s", got.body)
	}
	a.wantMetric(`nexus_workflow_tasks_total{kind="call mcp",outcome="completed",workflow="assess"}`, "2")
}

// TestEventsSink takes spec.events.sink to the events that workflows emit.
func TestEventsSink(t *testing.T) {
	events := make(chan map[string]any, 1)
	sink := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		var event map[string]any
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/cloudevents+json") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		events <- event
		w.WriteHeader(http.StatusAccepted)
	})
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("  events: {sink: '"+sink.URL+"/orders'}", define("place", `
      - tell: {emit: {event: {with: {type: com.example.placed, data: {order: "${ .order }"}}}}, output: {as: .type}}
`)), keys)
	a.wantOK(a.execute("place", `{"order":"o-1"}`, key), `"com.example.placed"`)
	sink.wantSeen(t, "POST /orders")
	event := <-events
	source, _ := event["source"].(string)
	if event["specversion"] != "1.0" || event["type"] != "com.example.placed" || !strings.HasPrefix(source, "/team-a/place") || fmt.Sprint(event["data"]) != "map[order:o-1]" || event["id"] == "" {
		t.Errorf("the sink got %v", event)
	}
}

// TestDefinitionText: a definition that is a text, or in a ConfigMap, is served as if it
// stood in the manifest.
func TestDefinitionText(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	text := func(name string) string {
		return `document: {dsl: "1.0.3", namespace: team-a, name: ` + name + `, version: 1.2.0}
do:
- answer: {set: {on: "${ .on }", no: off}}
`
	}
	keys.write("flows", "referred.yaml", text("referred"))
	a := serve(t, manifest("", `
  - name: written
    definitionText: |
      `+strings.ReplaceAll(text("written"), "\n", "\n      ")+`
  - name: referred
    definitionRef: {configMapRef: {name: flows, key: referred.yaml}}
`), keys)
	for _, name := range []string{"written", "referred"} {
		got := a.execute(name, `{"on":1}`, key)
		a.wantOK(got, `{"no":"off","on":1}`) // no boolean, as other readers of YAML make of it
		if !strings.Contains(got.body, `"version":"1.2.0"`) {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	app, problems := config.ReadManifest([]byte(manifest("", "\n  - name: bad\n    definitionText: \"document: {\"\n")))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, errs := config.FromApp(app, nil); len(errs) == 0 || errs[0].Field != "spec.workflows[0].definitionText" {
		t.Errorf("a text that is no YAML: %v", errs)
	}
}
