package call

import (
	"context"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

// toolServer is a server of the library's own, with some of everything.
func toolServer(t *testing.T) *mcp.Server {
	t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: "tools", Version: "1"}, &mcp.ServerOptions{PageSize: 3})
	t.Cleanup(func() { // of sessions that a test has lost
		for session := range server.Sessions() {
			_ = session.Close()
		}
	})
	add := func(name, schema string, handler mcp.ToolHandler) {
		server.AddTool(&mcp.Tool{Name: name, Description: name, InputSchema: jsonText(schema)}, handler)
	}
	const object = `{"type":"object"}`
	add("echo", object, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{
			Content:           []mcp.Content{&mcp.TextContent{Text: string(r.Params.Arguments)}},
			StructuredContent: jsonText(`{"large":12345678901234567890123,"exact":9007199254740993,"half":0.5}`),
			Meta:              mcp.Meta{"seen": r.Params.Meta["note"]},
		}, nil
	})
	add("fail", object, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: "the s3cret thing"}, &mcp.TextContent{Text: strings.Repeat("x", 5000)}}}, nil
	})
	add("huge", object, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: strings.Repeat("x", maxBody)}}}, nil
	})
	add("region", `{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}`, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: r.Extra.Header.Get("Mcp-Param-Region")}}}, nil
	})
	server.AddPrompt(&mcp.Prompt{Name: "greet", Arguments: []*mcp.PromptArgument{{Name: "who"}, {Name: "times"}}}, func(_ context.Context, r *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{Description: r.Params.Arguments["who"] + " " + r.Params.Arguments["times"]}, nil
	})
	read := func(_ context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.Params.URI, Text: "content"}}}, nil
	}
	server.AddResource(&mcp.Resource{URI: "test://one", Name: "one"}, read)
	server.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "test://{name}", Name: "any"}, read)
	return server
}

// jsonText is JSON that stands in a result as it is.
type jsonText string

func (j jsonText) MarshalJSON() ([]byte, error) { return []byte(j), nil }

func handlerOf(server *mcp.Server, o *mcp.StreamableHTTPOptions) http.HandlerFunc {
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, o).ServeHTTP
}

// mcpTo returns a Caller that is closed before the test looks for what is left.
func mcpTo(t *testing.T, servers ...*httptest.Server) *Caller {
	t.Helper()
	c := callerTo(t, servers...)
	t.Cleanup(c.Close)
	return c
}

func tool(server *httptest.Server, name string, arguments map[string]any) *workflow.MCPRequest {
	return &workflow.MCPRequest{Endpoint: server.URL, Method: "tools/call", Parameters: map[string]any{"name": name, "arguments": arguments}}
}

// at follows a path of names and indices through a value.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			v = object[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

// Every method, over every revision that the library knows, and both forms of a response.
func TestMCP(t *testing.T) {
	large, _ := new(big.Int).SetString("12345678901234567890123", 10)
	for name, o := range map[string]*mcp.StreamableHTTPOptions{
		"events": nil, "JSON": {JSONResponse: true}, "stateless": {Stateless: true, JSONResponse: true},
	} {
		t.Run(name, func(t *testing.T) {
			goroutines.Settle(t)
			server := serve(t, handlerOf(toolServer(t), o))
			c := mcpTo(t, server)
			for _, revision := range append([]string{""}, mcp.SupportedProtocolVersions()...) {
				call := func(method string, parameters map[string]any) any {
					t.Helper()
					result, err := c.MCP(t.Context(), &workflow.MCPRequest{Endpoint: server.URL, Method: method, Parameters: parameters, ProtocolVersion: revision})
					if err != nil {
						t.Errorf("%s %s: %v (%v)", revision, method, err, errors.Unwrap(err))
					}
					return result
				}
				check := func(what string, got, want any) {
					t.Helper()
					if !reflect.DeepEqual(got, want) {
						t.Errorf("%s %s: %#v, want %#v", revision, what, got, want)
					}
				}
				arguments := map[string]any{"n": 9007199254740993, "big": large, "f": 1.5, "html": "<&>", "none": nil}
				meta := map[string]any{"note": "x"}
				result := call("tools/call", map[string]any{"name": "echo", "arguments": arguments, "_meta": meta})
				check("arguments", at(result, "content", 0, "text"), `{"big":12345678901234567890123,"f":1.5,"html":"<&>","n":9007199254740993,"none":null}`)
				check("numbers", at(result, "structuredContent"), map[string]any{"large": large, "exact": 9007199254740993, "half": 0.5})
				check("_meta", at(result, "_meta", "seen"), "x")
				check("_meta of the run", meta, map[string]any{"note": "x"})
				check("no arguments", at(call("tools/call", map[string]any{"name": "echo"}), "content", 0, "text"), "{}")
				check("tools", at(call("tools/list", nil), "tools", 0, "name"), "echo")
				check("prompts", at(call("prompts/list", nil), "prompts", 0, "name"), "greet")
				check("prompt", at(call("prompts/get", map[string]any{"name": "greet", "arguments": map[string]any{"who": "all", "times": 3, "none": nil}}), "description"), "all 3")
				check("resources", at(call("resources/list", nil), "resources", 0, "uri"), "test://one")
				check("resource", at(call("resources/read", map[string]any{"uri": "test://two"}), "contents", 0, "text"), "content")
				check("templates", at(call("resources/templates/list", nil), "resourceTemplates", 0, "uriTemplate"), "test://{name}")
			}
		})
	}
}

// What the definition says of the client gets to the server, in every message.
func TestMCPHeader(t *testing.T) {
	goroutines.Settle(t)
	var mu sync.Mutex
	var seen []string
	info := make(chan *mcp.Implementation, 1)
	tools := toolServer(t)
	tools.AddTool(&mcp.Tool{Name: "who", InputSchema: jsonText(`{"type":"object"}`)}, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		info <- r.Session.InitializeParams().ClientInfo
		return &mcp.CallToolResult{}, nil
	})
	handler := handlerOf(tools, nil)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, strings.Join([]string{r.Method, r.Header.Get("Authorization"), r.Header.Get("X-Tenant"), r.Header.Get("Mcp-Protocol-Version")}, " "))
		mu.Unlock()
		handler(w, r)
	})
	c := mcpTo(t, server)
	request := tool(server, "who", nil)
	request.Header = map[string]string{"X-Tenant": "one"}
	request.Authentication = &workflow.Authentication{Scheme: workflow.AuthenticateBearer, Token: "t0ken"}
	request.ProtocolVersion, request.ClientName, request.ClientVersion = "2025-06-18", "synapse", "1.2"
	if _, err := c.MCP(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if got := <-info; got.Name != "synapse" || got.Version != "1.2" {
		t.Errorf("the client is %+v", got)
	}
	request.ClientName, request.ClientVersion = "", ""
	if _, err := c.MCP(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if got := <-info; got.Name != "nexus" || got.Version == "" {
		t.Errorf("the client is %+v", got)
	}
	c.Close()
	const rest = " Bearer t0ken one 2025-06-18"
	once := []string{"POST Bearer t0ken one ", "POST" + rest, "POST" + rest, "DELETE" + rest}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) < 7 || !slices.Equal(seen[:3], once[:3]) {
		t.Errorf("the requests are %q", seen)
	}
	for _, line := range seen {
		if !slices.Contains(once, line) {
			t.Errorf("a request is %q", line)
		}
	}
}

func TestMCPRefuses(t *testing.T) {
	goroutines.Settle(t)
	server := serve(t, handlerOf(toolServer(t), nil))
	c := mcpTo(t, server)
	with := func(change func(*workflow.MCPRequest)) *workflow.MCPRequest {
		r := tool(server, "echo", map[string]any{})
		change(r)
		return r
	}
	parameters := func(method string, p map[string]any) *workflow.MCPRequest {
		return &workflow.MCPRequest{Endpoint: server.URL, Method: method, Parameters: p}
	}
	header := func(name, value string) *workflow.MCPRequest {
		return with(func(r *workflow.MCPRequest) { r.Header = map[string]string{name: value} })
	}
	type object = map[string]any
	for _, f := range []struct {
		request *workflow.MCPRequest
		kind    workflow.ErrorKind
		detail  string
	}{
		{parameters("tools/calls", nil), workflow.ConfigurationError, `method: "tools/calls" is none that can be called`},
		{parameters("tools/call", nil), workflow.ExpressionError, "parameters: name is required"},
		{parameters("tools/call", object{"name": 5}), workflow.ExpressionError, "parameters: name is not a string"},
		{parameters("tools/call", object{"name": ""}), workflow.ExpressionError, "parameters: name is required"},
		{parameters("tools/call", object{"name": "echo", "arguments": []any{}}), workflow.ExpressionError, "parameters: arguments is not an object"},
		{parameters("tools/call", object{"name": "echo", "_meta": 1}), workflow.ExpressionError, "parameters: _meta is not an object"},
		{parameters("tools/call", object{"name": "echo", "argument": object{}}), workflow.ConfigurationError, `no parameter "argument": it has name, arguments, _meta`},
		{parameters("tools/list", object{"cursor": true}), workflow.ExpressionError, "parameters: cursor is not a string"},
		{parameters("prompts/get", object{"name": "greet", "arguments": object{"who": []any{}}}), workflow.ExpressionError, "parameters: arguments.who is neither"},
		{parameters("resources/read", object{"url": "x"}), workflow.ConfigurationError, `no parameter "url": it has uri, _meta`},
		{with(func(r *workflow.MCPRequest) { r.ProtocolVersion = "2025-01-01" }), workflow.ConfigurationError, `protocolVersion: "2025-01-01" is not supported: write one of`},
		{with(func(r *workflow.MCPRequest) { r.Endpoint = "http://[" }), workflow.ConfigurationError, "no URL that can be called"},
		{with(func(r *workflow.MCPRequest) { r.Endpoint = "http://cloud.test/" }), workflow.ConfigurationError, "spec.egress"},
		{with(func(r *workflow.MCPRequest) { r.Endpoint = "ftp://cloud.test/" }), workflow.ConfigurationError, "spec.egress"},
		{header("Mcp-Session-Id", "x"), workflow.ConfigurationError, "is set by the protocol"},
		{header("mcp-param-x", "x"), workflow.ConfigurationError, "is set by the protocol"},
		{header("X-A", "a\r\nb: c"), workflow.ConfigurationError, "line break"},
	} {
		_, err := c.MCP(t.Context(), f.request)
		mustFail(t, f.detail, err, f.kind, http.StatusBadRequest, f.detail, "cloud.test")
	}
}

// What fails at the server's side is told with what the workflow may know of it.
func TestMCPFailures(t *testing.T) {
	for _, revision := range []string{"", "2025-06-18"} {
		t.Run("revision "+revision, func(t *testing.T) {
			goroutines.Settle(t)
			handler := handlerOf(toolServer(t), nil)
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "Bearer wrong" {
					http.Error(w, "s3cret", http.StatusUnauthorized)
					return
				}
				handler(w, r)
			})
			c := mcpTo(t, server)
			fail := func(name string, authentication *workflow.Authentication) error {
				r := tool(server, name, nil)
				r.ProtocolVersion, r.Authentication = revision, authentication
				_, err := c.MCP(t.Context(), r)
				return err
			}
			cause := mustFail(t, "isError", fail("fail", nil), workflow.RuntimeError, 500, "the tool that the task calls reports an error", "thing")
			if !strings.HasPrefix(cause, "the s3cret thing\nxxx") || len(cause) > maxToldText+3 {
				t.Errorf("the cause is %q", cause)
			}
			cause = mustFail(t, "no such tool", fail("s3cret", nil), workflow.RuntimeError, 500, "refuses tools/call with the JSON-RPC error -32602")
			if !strings.Contains(cause, `unknown tool "s3cret"`) {
				t.Errorf("the cause is %q", cause)
			}
			mustFail(t, "a large result", fail("huge", nil), workflow.CommunicationError, http.StatusBadGateway, "more than 1048576 bytes")
			mustFail(t, "unauthorized", fail("echo", &workflow.Authentication{Scheme: workflow.AuthenticateBearer, Token: "wrong"}), workflow.CommunicationError, http.StatusUnauthorized, "answered with status 401")
			mustFail(t, "a bad policy", fail("echo", &workflow.Authentication{Scheme: workflow.AuthenticateBearer, Token: "a b"}), workflow.ConfigurationError, 400, "bearer.token")
		})
	}
}

// A server may want arguments of a tool in headers, which only its description tells.
func TestMCPParameterHeaders(t *testing.T) {
	goroutines.Settle(t)
	for _, o := range []*mcp.StreamableHTTPOptions{{Stateless: true}, {Stateless: true, JSONResponse: true}} {
		var listing atomic.Value
		handler := handlerOf(toolServer(t), o)
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if text, ok := listing.Load().(string); ok && r.Header.Get("Mcp-Method") == "tools/list" {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(text))
				return
			}
			handler(w, r)
		})
		c, request := mcpTo(t, server), tool(server, "region", map[string]any{"region": "eu"})
		result, err := c.MCP(t.Context(), request)
		if err != nil {
			t.Fatal(err, errors.Unwrap(err))
		}
		if got := at(result, "content", 0, "text"); got != "eu" {
			t.Errorf("the header is %v", got)
		}
		// Without the description, what the server said first is told.
		for _, text := range []string{"no JSON", `{"jsonrpc":"2.0","id":3,"result":{"tools":[]}}`, `{"jsonrpc":"2.0","id":3,"error":{"code":-1,"message":"x"}}`} {
			listing.Store(text)
			_, err := c.MCP(t.Context(), request)
			mustFail(t, text, err, workflow.RuntimeError, 500, "JSON-RPC error -32020")
		}
	}
}
