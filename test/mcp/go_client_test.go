package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// keyed sends an API key with each request, and keeps what kind the last reply was.
type keyed struct {
	key  string
	mu   sync.Mutex
	kind string
}

func (k *keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+k.key)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && r.Method == http.MethodPost {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.kind = res.Header.Get("Content-Type")
	}
	return res, err
}

func (k *keyed) last() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kind
}

// goClient is a client of Go's SDK with a session.
type goClient struct {
	*sdk.ClientSession
	t        *testing.T
	http     *keyed
	progress chan *sdk.ProgressNotificationParams
}

func newGoClient(t *testing.T, url, key, revision string) *goClient {
	t.Helper()
	c := &goClient{t: t, http: &keyed{key: key}, progress: make(chan *sdk.ProgressNotificationParams, 16)}
	client := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1.0.0"}, &sdk.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) { c.progress <- r.Params },
	})
	transport := &sdk.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: c.http}, MaxRetries: -1, DisableStandaloneSSE: true}
	session, err := client.Connect(t.Context(), transport, &sdk.ClientSessionOptions{ProtocolVersion: revision})
	if err != nil {
		t.Fatalf("connecting at %s: %v", revision, err)
	}
	t.Cleanup(func() { _ = session.Close() })
	c.ClientSession = session
	if got := session.InitializeResult().ProtocolVersion; got != revision {
		t.Fatalf("the server speaks %s, want %s", got, revision)
	}
	return c
}

func (c *goClient) call(name string, arguments any) *sdk.CallToolResult {
	c.t.Helper()
	result, err := c.CallTool(c.t.Context(), &sdk.CallToolParams{Name: name, Arguments: arguments})
	if err != nil {
		c.t.Fatalf("calling %s: %v", name, err)
	}
	return result
}

// TestGoClient uses Go's SDK at both kinds of revision.
func TestGoClient(t *testing.T) {
	service := lateService(t)
	url, key := startShop(t, service.URL)
	for _, revision := range []string{"2026-07-28", "2025-11-25"} {
		t.Run(revision, func(t *testing.T) {
			c := newGoClient(t, url, key, revision)
			for _, part := range []struct {
				name string
				run  func(*goClient)
			}{
				{"list", (*goClient).lists},
				{"call", (*goClient).calls},
				{"refused", (*goClient).isRefused},
				{"progress", (*goClient).followsProgress},
				{"resources", (*goClient).readsResources},
				{"prompts", (*goClient).getsPrompts},
				{"cancel", func(c *goClient) { c.cancels(service.URL) }},
			} {
				t.Run(part.name, func(t *testing.T) {
					of := *c
					of.t = t
					part.run(&of)
				})
			}
		})
	}
}

func (c *goClient) lists() {
	t := c.t
	listed, err := c.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range listed.Tools {
		names = append(names, tool.Name)
		if tool.Name == "add" && (tool.Title != "Add" || tool.Description != "Adds two numbers." || tool.Annotations == nil || !tool.Annotations.ReadOnlyHint || tool.OutputSchema == nil) {
			t.Errorf("add is described as %+v", tool)
		}
	}
	// What only owners may run is not there.
	if want := []string{"add", "ask", "draw_picture", "echo", "opening-hours", "order", "refuse", "steps"}; !slices.Equal(names, want) {
		t.Errorf("the tools are %v, want %v", names, want)
	}
}

func (c *goClient) calls() {
	t := c.t
	if got := asJSON(t, c.call("add", map[string]any{"a": 2, "b": 3}).StructuredContent); got != `{"sum":5}` {
		t.Errorf("2 and 3 are %s", got)
	}
	if c.http.last() != "application/json" {
		t.Errorf("a call that follows nothing was answered as %s", c.http.last())
	}
	// Names that other servers keep for themselves.
	if got := asJSON(t, c.call("echo", map[string]any{"token": "a", "password": "b", "name": "c"}).StructuredContent); got != `{"name":"c","password":"b","token":"a"}` {
		t.Errorf("the inputs arrived as %s", got)
	}
	contents := c.call("draw_picture", nil).Content
	if len(contents) != 2 {
		t.Fatalf("the picture has %d contents, want 2", len(contents))
	}
	text, isText := contents[0].(*sdk.TextContent)
	image, isImage := contents[1].(*sdk.ImageContent)
	if !isText || !isImage || text.Text != "A dot." || image.MIMEType != "image/png" || string(image.Data) != "hello" {
		t.Errorf("the picture is %s", asJSON(t, contents))
	}
	if result := c.call("refuse", nil); !result.IsError || problemOf(t, result) != "workflow_failed" {
		t.Errorf("a workflow that fails: %s", asJSON(t, result))
	}
	if result := c.call("close-shop", nil); !result.IsError || problemOf(t, result) != "forbidden" {
		t.Errorf("a workflow of owners: %s", asJSON(t, result))
	}
}

// problemOf is the code of the problem that a failed call tells, once as text and once
// beside it.
func problemOf(t *testing.T, result *sdk.CallToolResult) string {
	t.Helper()
	text, ok := result.Content[0].(*sdk.TextContent)
	if !ok {
		t.Fatalf("the result of a call that failed is %s", asJSON(t, result.Content))
	}
	var problem, beside struct{ Code string }
	if err := json.Unmarshal([]byte(text.Text), &problem); err != nil {
		t.Fatalf("the text is no problem object: %v: %s", err, text.Text)
	}
	if err := json.Unmarshal([]byte(asJSON(t, result.Meta["nexus.dev/problem"])), &beside); err != nil || beside != problem {
		t.Errorf("the text says %+v, and what stands beside it %+v: %v", problem, beside, err)
	}
	return problem.Code
}

func (c *goClient) isRefused() {
	t := c.t
	for name, arguments := range map[string]map[string]any{
		"add":     {"a": "two", "b": 3},
		"missing": {},
		"echo":    {"__proto__": 1},
	} {
		_, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: name, Arguments: arguments})
		rpc, ok := errors.AsType[*jsonrpc.Error](err)
		if !ok || rpc.Code != jsonrpc.CodeInvalidParams {
			t.Errorf("%s with %v: %v, want the code %d", name, arguments, err, jsonrpc.CodeInvalidParams)
			continue
		}
		var problem struct{ Code, RequestID string }
		if err := json.Unmarshal(rpc.Data, &problem); err != nil || problem.Code == "" || problem.RequestID == "" {
			t.Errorf("%s with %v: the data are %s", name, arguments, rpc.Data)
		}
	}
}

func (c *goClient) followsProgress() {
	t := c.t
	params := &sdk.CallToolParams{Name: "steps"}
	params.SetProgressToken("steps-1")
	result, err := c.CallTool(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if got := asJSON(t, result.StructuredContent); got != `{"step":3}` {
		t.Errorf("the steps ended with %s", got)
	}
	if c.http.last() != "text/event-stream" {
		t.Errorf("a call that is followed was answered as %s", c.http.last())
	}
	last := 0.0
	for range 3 {
		p := <-c.progress
		if p.ProgressToken != "steps-1" || p.Progress < last {
			t.Errorf("after %v: %+v", last, p)
		}
		last = p.Progress
	}
}

func (c *goClient) readsResources() {
	t := c.t
	listed, err := c.ListResources(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{"shop://opening-hours", "workflow://add"} {
		if !slices.ContainsFunc(listed.Resources, func(r *sdk.Resource) bool { return r.URI == uri }) {
			t.Errorf("%s is not among the resources %s", uri, asJSON(t, listed.Resources))
		}
	}
	templates, err := c.ListResourceTemplates(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(templates.ResourceTemplates, func(r *sdk.ResourceTemplate) bool { return r.URITemplate == "shop://orders/{id}" }) {
		t.Errorf("the templates are %s", asJSON(t, templates.ResourceTemplates))
	}
	for uri, want := range map[string]string{"shop://opening-hours": "From nine to five.", "shop://orders/41": `{"id":41,"next":42}`} {
		read, err := c.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		if len(read.Contents) != 1 || read.Contents[0].Text != want || read.Contents[0].URI != uri {
			t.Errorf("%s is %s, want %s", uri, asJSON(t, read.Contents), want)
		}
	}
	if _, err := c.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "shop://orders/none"}); err == nil {
		t.Error("an order whose number is no integer was found")
	}
}

func (c *goClient) getsPrompts() {
	t := c.t
	listed, err := c.ListPrompts(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(listed.Prompts) != 1 || listed.Prompts[0].Name != "review" || len(listed.Prompts[0].Arguments) != 1 {
		t.Errorf("the prompts are %s", asJSON(t, listed.Prompts))
	}
	got, err := c.GetPrompt(t.Context(), &sdk.GetPromptParams{Name: "review", Arguments: map[string]string{"order": "4711"}})
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := got.Messages[0].Content.(*sdk.TextContent); !ok || text.Text != "Review order 4711." {
		t.Errorf("the prompt is %s", asJSON(t, got.Messages))
	}
	completed, err := c.Complete(t.Context(), &sdk.CompleteParams{
		Ref: &sdk.CompleteReference{Type: "ref/prompt", Name: "review"}, Argument: sdk.CompleteParamsArgument{Name: "order", Value: "47"}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(completed.Completion.Values, []string{"4711", "4712"}) {
		t.Errorf("47 is completed to %v", completed.Completion.Values)
	}
}

// cancels gives up a call while a service is being asked: the run ends with it.
func (c *goClient) cancels(service string) {
	t := c.t
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := c.CallTool(ctx, &sdk.CallToolParams{Name: "ask"})
		ended <- err
	}()
	await(t, service+"/arrived")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the call that was given up ended with %v", err)
	}
	await(t, service+"/left")
}

// await returns when the service tells of an event.
func await(t *testing.T, url string) {
	t.Helper()
	// Only a failure takes so long.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
