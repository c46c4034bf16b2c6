package story

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// apiKey adds an API key to each request. Authorization may be taken by the API server's
// proxy.
type apiKey struct {
	key  string
	next http.RoundTripper
}

func (a apiKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-API-Key", a.key)
	return a.next.RoundTrip(r)
}

// connectMCP is an MCP client of an app, with the key of one of the story's clients.
func (e *Env) connectMCP(ctx context.Context, app, client string, told chan<- string) (*mcp.ClientSession, error) {
	call, err := e.newCaller(ctx, app, portMCP)
	if err != nil {
		return nil, err
	}
	next := call.client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	return newMCPClient(told).Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint:   call.base + "/mcp",
		HTTPClient: &http.Client{Transport: apiKey{e.keys[client], next}, Timeout: call.client.Timeout},
		MaxRetries: -1, DisableStandaloneSSE: true,
	}, nil)
}

// newMCPClient is a client that hands on what it is told of tasks.
func newMCPClient(told chan<- string) *mcp.Client {
	return mcp.NewClient(&mcp.Implementation{Name: "story", Version: "1.0.0"}, &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) { told <- r.Params.Message },
	})
}

func toolNames(ctx context.Context, session *mcp.ClientSession) ([]string, error) {
	list, err := session.ListTools(ctx, nil)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(list.Tools))
	for i, tool := range list.Tools {
		names[i] = tool.Name
	}
	return names, nil
}

// checkMCP has the client of Go's SDK list the tools of the app that calls others, and call
// one with progress.
func checkMCP(ctx context.Context, e *Env) (string, error) {
	told := make(chan string, 64)
	session, err := e.connectMCP(ctx, quotesApp, "agent", told)
	if err != nil {
		return "", err
	}
	defer func() { _ = session.Close() }() // nothing is kept on the server
	list, err := session.ListTools(ctx, nil)
	if err != nil {
		return "", err
	}
	if len(list.Tools) != 1 || list.Tools[0].Name != "quote-order" || list.Tools[0].Title != "Quote an order" || list.Tools[0].OutputSchema == nil {
		return "", fmt.Errorf("the tools are %s", asJSON(list.Tools))
	}
	order := &mcp.CallToolParams{Name: "quote-order", Arguments: json.RawMessage(`{"customerId": "c-5", "items": [{"sku": "ABC", "qty": 2}, {"sku": "ABCD", "qty": 1}]}`)}
	order.SetProgressToken("order")
	result, err := session.CallTool(ctx, order)
	if err != nil {
		return "", err
	}
	output, _ := result.StructuredContent.(map[string]any)
	if result.IsError || output["total"] != 100.0 || output["risk"] != "low" {
		return "", fmt.Errorf("the tool answered %s", asJSON(result))
	}
	tasks, err := awaitTasks(ctx, told, "priceItems", "assess", "tell")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("at revision %s: quote-order with its schemas; a call told of %d tasks while they ended, then a total of 100",
		session.InitializeResult().ProtocolVersion, tasks), nil
}

// awaitTasks waits until a client was told of some tasks, and returns how many it was told of
// until then.
func awaitTasks(ctx context.Context, told <-chan string, names ...string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for count := 1; ; count++ {
		select {
		case message := <-told:
			names = slices.DeleteFunc(names, func(name string) bool { return message == fmt.Sprintf("task %q ended", name) })
			if len(names) == 0 {
				return count, nil
			}
		case <-ctx.Done():
			return 0, fmt.Errorf("the client was told nothing of the tasks %v: %w", names, ctx.Err())
		}
	}
}

func asJSON(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// toolReply is the answer to a call of a tool, as far as the story looks at it.
type toolReply struct {
	Error *struct {
		Data problem `json:"data"`
	} `json:"error"`
	Result struct {
		IsError bool `json:"isError"`
		Meta    struct {
			Problem problem `json:"nexus.dev/problem"`
		} `json:"_meta"`
	} `json:"result"`
}

// callTool calls a tool with one request, as REST is called, and returns the code of the
// problem, empty for none.
func (c *caller) callTool(ctx context.Context, key, tool, arguments string) (code string, a Answer, err error) {
	body := fmt.Sprintf(`{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": %q, "arguments": %s}}`, tool, arguments)
	a, err = c.do(ctx, http.MethodPost, "/mcp", key, body, http.Header{"Accept": {"application/json, text/event-stream"}})
	if err != nil {
		return "", a, err
	}
	var reply toolReply
	if err := json.Unmarshal(a.body, &reply); err != nil {
		return "", a, fmt.Errorf("%d with %s: %w", a.Status, tail(string(a.body), 300), err)
	}
	switch {
	case reply.Error != nil:
		code = reply.Error.Data.Code
	case reply.Result.IsError:
		code = reply.Result.Meta.Problem.Code
	case a.Status == http.StatusOK:
		return "", a, nil
	}
	if code == "" {
		err = fmt.Errorf("%d with no code in %s", a.Status, tail(string(a.body), 300))
	}
	return code, a, err
}

// callREST makes the same call over REST.
func (c *caller) callREST(ctx context.Context, key, workflow, inputs string) (code string, err error) {
	a, err := c.do(ctx, http.MethodPost, "/workflows/"+workflow+"/execute", key, `{"inputs": `+inputs+`}`, nil)
	if err != nil || a.Status == http.StatusOK {
		return "", err
	}
	p, err := a.problem()
	return p.Code, err
}

// refusals are calls that no channel lets through.
var refusals = []struct{ client, workflow, inputs, code string }{
	{"", "echo", `{"message": "hello"}`, "unauthenticated"},
	{"guest", "quote-order", `{"customerId": "c-1", "items": [{"sku": "A-1", "quantity": 2, "unitPrice": 10}]}`, "forbidden"},
	{"agent", "quote-order", `{"customerId": 7, "items": []}`, "schema_violation"},
	{"agent", "echo", `{"a": {"__import__": 1}}`, "invalid_input"},
	{"agent", "echo", `{"file": "../../etc/passwd"}`, "invalid_input"},
	{"agent", "echo", `{"a": 1, "a": 2}`, "invalid_input"},
	{"agent", "nothing", `{}`, "workflow_not_found"},
}

// checkMCPRefusals makes the same calls over both channels.
func checkMCPRefusals(ctx context.Context, e *Env) (string, error) {
	call, err := e.newCaller(ctx, App, portMCP)
	if err != nil {
		return "", err
	}
	var challenge string
	for _, r := range refusals {
		code, a, err := call.callTool(ctx, e.keys[r.client], r.workflow, r.inputs)
		if err != nil {
			return "", err
		}
		rest, err := e.call.callREST(ctx, e.keys[r.client], r.workflow, r.inputs)
		if err != nil {
			return "", err
		}
		if code != r.code || rest != r.code {
			return "", fmt.Errorf("%s with %s as %q: %q over MCP and %q over REST, want %s", r.workflow, r.inputs, r.client, code, rest, r.code)
		}
		if r.client == "" {
			challenge = a.header.Get("WWW-Authenticate")
			if a.Status != http.StatusUnauthorized || !strings.HasPrefix(challenge, "Bearer") {
				return "", fmt.Errorf("without a key: %d, WWW-Authenticate %q", a.Status, challenge)
			}
		}
	}
	return fmt.Sprintf("%d calls got the same codes over both; without a key 401 with WWW-Authenticate: %s", len(refusals), challenge), nil
}

// checkMCPHidden lists the tools as two clients.
func checkMCPHidden(ctx context.Context, e *Env) (string, error) {
	for client, want := range map[string][]string{"agent": {"echo", "quote-order"}, "guest": {"echo"}} {
		session, err := e.connectMCP(ctx, App, client, nil)
		if err != nil {
			return "", err
		}
		names, err := toolNames(ctx, session)
		if err := errors.Join(err, session.Close()); err != nil {
			return "", err
		}
		if !slices.Equal(names, want) {
			return "", fmt.Errorf("%s sees the tools %v, want %v", client, names, want)
		}
	}
	return "a buyer sees echo and quote-order, a guest only echo", nil
}

// checkMCPLimit spends one bucket over both channels in turn.
func checkMCPLimit(ctx context.Context, e *Env) (string, error) {
	perMinute, err := e.perMinute(ctx)
	if err != nil {
		return "", err
	}
	overMCP, err := e.newCaller(ctx, App, portMCP)
	if err != nil {
		return "", err
	}
	key := e.keys["both"]
	var passed, refused [2]int64 // over REST, and over MCP
	start := time.Now()
	for i := range 2*perMinute + 20 {
		var code string
		channel := i % 2
		if channel == 0 {
			code, err = e.call.callREST(ctx, key, "echo", "{}")
		} else {
			code, _, err = overMCP.callTool(ctx, key, "echo", "{}")
		}
		switch {
		case err != nil:
			return "", err
		case code == "":
			passed[channel]++
		case code == "rate_limited":
			refused[channel]++
		default:
			return "", fmt.Errorf("a call got %s", code)
		}
	}
	most := perMinute + int64(float64(perMinute)*time.Since(start).Minutes()) + 1
	if total := passed[0] + passed[1]; total < perMinute || total > most || refused[0] == 0 || refused[1] == 0 {
		return "", fmt.Errorf("%v passed and %v were refused over REST and MCP, want %d to %d passed together", passed, refused, perMinute, most)
	}
	return fmt.Sprintf("%d calls passed over REST and %d over MCP where one bucket has %d to %d; then both were refused", passed[0], passed[1], perMinute, most), nil
}
