package call

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

// A call ends when its context does, whatever the server does at that time, and the
// server learns of it.
func TestMCPDeadline(t *testing.T) {
	for revision, places := range map[string][]string{
		"":           {"connection", "server/discover", "tool", "answer"},
		"2025-06-18": {"connection", "initialize", "notifications/initialized", "tool", "answer"},
	} {
		for _, hangs := range places {
			t.Run(hangs+" "+revision, func(t *testing.T) {
				goroutines.Settle(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan bool, 10)
				tools := toolServer(t)
				tools.AddTool(&mcp.Tool{Name: "slow", InputSchema: jsonText(`{"type":"object"}`)}, func(call context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
					cancel()
					<-call.Done()
					ended <- true
					return nil, call.Err()
				})
				handler := handlerOf(tools, nil)
				server := serve(t, func(w http.ResponseWriter, r *http.Request) {
					method := methodOf(r)
					if hangs == "answer" && method == "tools/call" {
						w.Header().Set("Content-Type", "application/json")
						_, _ = w.Write([]byte(`{"jsonrpc":`))
						_ = http.NewResponseController(w).Flush()
					} else if hangs != "connection" && method != hangs {
						handler(w, r)
						return
					}
					cancel()
					<-r.Context().Done()
					ended <- true
				})
				request := tool(server, "slow", nil)
				request.ProtocolVersion = revision
				if _, err := mcpTo(t, server).MCP(ctx, request); !errors.Is(err, context.Canceled) {
					t.Errorf("the error is %v", err)
				}
				<-ended
			})
		}
	}
}

// methodOf reads the method of a message and leaves the body as it was.
func methodOf(r *http.Request) string {
	message := messageOf(r)
	if request, ok := message.(*jsonrpc.Request); ok {
		return request.Method
	}
	return ""
}

// A server that is gone, and one that is back in its place.
func TestMCPServerComesBack(t *testing.T) {
	goroutines.Settle(t)
	tools := toolServer(t)
	first := serve(t, handlerOf(tools, nil))
	c := mcpTo(t, first)
	request := tool(first, "echo", nil)
	if _, err := c.MCP(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	address := first.Listener.Addr().String()
	first.CloseClientConnections()
	first.Close()
	_, err := c.MCP(t.Context(), request)
	mustFail(t, "gone", err, workflow.CommunicationError, http.StatusServiceUnavailable, "cannot be reached")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	second := httptest.NewUnstartedServer(handlerOf(tools, nil))
	_ = second.Listener.Close()
	second.Listener = listener
	second.Start()
	t.Cleanup(second.Close)
	if _, err := c.MCP(t.Context(), request); err != nil {
		t.Fatal(err)
	}
}

// A session that the server does not know any more is no matter; a second one is.
func TestMCPSessionIsGone(t *testing.T) {
	for losses, works := range map[int64]bool{1: true, 2: false} {
		for _, when := range []string{"notifications/initialized", "tools/call"} {
			t.Run(fmt.Sprint(losses, when), func(t *testing.T) {
				goroutines.Settle(t)
				var lost, called atomic.Int64
				handler := handlerOf(toolServer(t), nil)
				server := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if methodOf(r) == when {
						called.Add(1)
						if lost.Add(1) <= losses {
							http.Error(w, "session not found", http.StatusNotFound)
							return
						}
					}
					handler(w, r)
				})
				request := tool(server, "echo", nil)
				request.ProtocolVersion = "2025-11-25"
				_, err := mcpTo(t, server).MCP(t.Context(), request)
				if works && err != nil {
					t.Error(err, errors.Unwrap(err))
				}
				if !works {
					mustFail(t, "lost twice", err, workflow.CommunicationError, http.StatusNotFound, "answered with status 404")
				}
				if called.Load() != 2 {
					t.Errorf("there were %d attempts", called.Load())
				}
			})
		}
	}
}

// Sessions of many calls at once do not meet, and nothing is left of them.
func TestMCPConcurrently(t *testing.T) {
	goroutines.Settle(t)
	server := serve(t, handlerOf(toolServer(t), nil))
	c := mcpTo(t, server)
	var calls sync.WaitGroup
	for i := range 60 {
		calls.Go(func() {
			request := tool(server, "echo", map[string]any{"i": i})
			if i%2 == 0 {
				request.ProtocolVersion = "2025-06-18"
			}
			result, err := c.MCP(t.Context(), request)
			if err != nil {
				t.Error(err, errors.Unwrap(err))
			} else if got := at(result, "content", 0, "text"); got != fmt.Sprintf(`{"i":%d}`, i) {
				t.Errorf("call %d got %v", i, got)
			}
		})
	}
	calls.Wait()
	c.Close()
	if left := c.leaving.Load(); left != 0 {
		t.Errorf("%d sessions are being left", left)
	}
}

// A Caller that is closed starts nothing any more that would go on after the call.
func TestMCPAfterClose(t *testing.T) {
	goroutines.Settle(t)
	server := serve(t, handlerOf(toolServer(t), &mcp.StreamableHTTPOptions{Stateless: true}))
	c := mcpTo(t, server)
	c.Close()
	if _, err := c.MCP(t.Context(), tool(server, "echo", nil)); err != nil {
		t.Error(err)
	}
}

// Nobody waits for a server that does not let a session go.
func TestMCPLeavesAtOnce(t *testing.T) {
	goroutines.Settle(t)
	handler := handlerOf(toolServer(t), nil)
	leaving := make(chan bool, 1)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			leaving <- true
			<-r.Context().Done()
			return
		}
		handler(w, r)
	})
	c := mcpTo(t, server)
	request := tool(server, "echo", nil)
	request.ProtocolVersion = "2025-06-18"
	if _, err := c.MCP(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	<-leaving
	c.Close()
}

// A panic of the library ends the call, and not the pod.
func TestMCPPanics(t *testing.T) {
	goroutines.Settle(t)
	server := serve(t, handlerOf(toolServer(t), nil))
	c := mcpTo(t, server)
	p, err := c.mcpPlan(tool(server, "echo", nil))
	if err != nil {
		t.Fatal(err)
	}
	p.send = func(context.Context, *mcp.ClientSession) error { panic("s3cret") }
	s, err := c.mcpAttempt(t.Context(), p)
	cause := mustFail(t, "panic", s.failure(t.Context(), err), workflow.RuntimeError, 500, "does not answer as the protocol wants it")
	if !strings.Contains(cause, "panic in a call of tools/call: s3cret") {
		t.Errorf("the cause is %s", cause)
	}
	if names := slices.Sorted(maps.Keys(p.header)); len(names) != 0 {
		t.Errorf("headers %v", names)
	}
}
