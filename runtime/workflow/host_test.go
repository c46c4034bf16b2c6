package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// recorder is a Caller that notes what it is asked for and answers as it is told.
type recorder struct {
	mu      sync.Mutex
	http    []*HTTPRequest
	openAPI []*OpenAPIRequest
	mcp     []*MCPRequest
	events  []map[string]any
	// answer gives the response to a request with a URL or an operation's name; without it
	// every one is 200 and empty.
	answer func(ctx context.Context, what string) (*HTTPResponse, error)
	// result and refusal are what MCP and Emit return.
	result  any
	refusal error
}

func (c *recorder) respond(ctx context.Context, what string) (*HTTPResponse, error) {
	if c.answer == nil {
		return &HTTPResponse{Status: 200}, nil
	}
	return c.answer(ctx, what)
}

func (c *recorder) HTTP(ctx context.Context, r *HTTPRequest) (*HTTPResponse, error) {
	c.mu.Lock()
	c.http = append(c.http, r)
	c.mu.Unlock()
	return c.respond(ctx, r.URL)
}

func (c *recorder) OpenAPI(ctx context.Context, r *OpenAPIRequest) (*HTTPResponse, error) {
	c.mu.Lock()
	c.openAPI = append(c.openAPI, r)
	c.mu.Unlock()
	return c.respond(ctx, r.OperationID)
}

func (c *recorder) MCP(_ context.Context, r *MCPRequest) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mcp = append(c.mcp, r)
	return c.result, c.refusal
}

func (c *recorder) Emit(_ context.Context, event map[string]any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, event)
	return c.refusal
}

// jsonAnswer answers every request with 200 and a JSON text.
func jsonAnswer(body string) func(context.Context, string) (*HTTPResponse, error) {
	return func(context.Context, string) (*HTTPResponse, error) {
		return &HTTPResponse{Status: 200, Header: map[string]string{"Content-Type": "application/json"}, Body: []byte(body)}, nil
	}
}

// statusAnswer answers every request with a status.
func statusAnswer(status int) func(context.Context, string) (*HTTPResponse, error) {
	return func(context.Context, string) (*HTTPResponse, error) { return &HTTPResponse{Status: status}, nil }
}

// compileFor compiles a definition of the workflow "quote" for an app.
func compileFor(tb testing.TB, members string) *Program {
	tb.Helper()
	p, problems := Compile("quote", define(members), app())
	if len(problems) > 0 {
		tb.Fatalf("compiling %s: %v", clip(members, 1000), problems[0])
	}
	return p
}

// mustRun runs a workflow that has to complete.
func mustRun(t *testing.T, p *Program, input any, host *Host) any {
	t.Helper()
	got, err := p.Run(t.Context(), input, host, Options{ID: "run-1"})
	if err != nil {
		t.Fatalf("Run: %v (%v)", err, fault.As(err).Cause)
	}
	return got
}

// mustFail runs a workflow that has to fail, with an error of the specification.
func mustFail(t *testing.T, p *Program, input any, host *Host) (*Error, *fault.Error) {
	t.Helper()
	got, err := p.Run(t.Context(), input, host, Options{ID: "run-1"})
	if err == nil {
		t.Fatalf("it completed with %v", got)
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%v is no error of the specification (%v)", err, fault.As(err).Cause)
	}
	return e, fault.As(err)
}

// flowCase is a workflow, its input, and what it gives: its output as JSON text, or where
// it fails and with what.
type flowCase struct{ name, members, input, want string }

func testFlows(t *testing.T, host *Host, tests []flowCase) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustRun(t, compileFor(t, tt.members), value(t, tt.input), host)
			if want := value(t, tt.want); !sameJSON(t, got, want) {
				text, _ := json.Marshal(got)
				t.Errorf("got %s, want %s", text, tt.want)
			}
		})
	}
}
