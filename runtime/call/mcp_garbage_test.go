package call

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

// messageOf reads the message of a request and leaves the body as it was.
func messageOf(r *http.Request) jsonrpc.Message {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	message, _ := jsonrpc.DecodeMessage(body)
	return message
}

// scripted answers the handshake of 2025-06-18 as it should be, and each call as the
// script says.
func scripted(script func(w http.ResponseWriter, r *http.Request, id string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		message, _ := messageOf(r).(*jsonrpc.Request)
		switch {
		case r.Method != http.MethodPost || message == nil:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case message.Method == "initialize":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%v,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"x","version":"1"}}}`, message.ID.Raw())
		case message.IsCall():
			script(w, r, fmt.Sprint(message.ID.Raw()))
		default:
			w.WriteHeader(http.StatusAccepted)
		}
	}
}

func TestMCPGarbage(t *testing.T) {
	const (
		jsonMedia   = "application/json"
		events      = "text/event-stream"
		notProtocol = "does not answer as the protocol wants it"
	)
	for _, f := range []struct {
		name, media, body string // ID stands for the id of the call
		status            int
		kind              workflow.ErrorKind
		wantStatus        int
		detail, cause     string
	}{
		{"a page", "text/html", "<html>s3cret</html>", 200, workflow.RuntimeError, 500, notProtocol, "unsupported content type"},
		{"no JSON", jsonMedia, "s3cret", 200, workflow.RuntimeError, 500, notProtocol, "decode"},
		{"nothing", jsonMedia, "", 200, workflow.RuntimeError, 500, notProtocol, "decode"},
		{"another protocol", jsonMedia, `{"ok":true}`, 200, workflow.RuntimeError, 500, notProtocol, "decode"},
		{"a list", jsonMedia, `[1,2]`, 200, workflow.RuntimeError, 500, notProtocol, "decode"},
		{"a result that is no object", jsonMedia, `{"jsonrpc":"2.0","id":ID,"result":[1]}`, 200, workflow.RuntimeError, 500, notProtocol, "the result is no object"},
		{"a result of null", jsonMedia, `{"jsonrpc":"2.0","id":ID,"result":null}`, 200, workflow.RuntimeError, 500, notProtocol, "no"},
		{"a deep result", jsonMedia, `{"jsonrpc":"2.0","id":ID,"result":{"a":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}}`, 200, workflow.RuntimeError, 500, notProtocol, "nested"},
		{"a very deep result", jsonMedia, `{"jsonrpc":"2.0","id":ID,"result":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, 200, workflow.RuntimeError, 500, notProtocol, ""},
		{"a name twice", jsonMedia, `{"jsonrpc":"2.0","id":ID,"result":{"a":1,"a":2}}`, 200, workflow.RuntimeError, 500, notProtocol, "twice"},
		{"a number that is none", jsonMedia, `{"jsonrpc":"2.0","id":ID,"result":{"a":1e999}}`, 200, workflow.RuntimeError, 500, notProtocol, "out of the range"},
		{"an error", jsonMedia, `{"jsonrpc":"2.0","id":ID,"error":{"code":-32005,"message":"s3cret"}}`, 200, workflow.RuntimeError, 500, "JSON-RPC error -32005", "s3cret"},
		{"an error with a status", jsonMedia, `{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"s3cret"}}`, 400, workflow.RuntimeError, 500, "JSON-RPC error -32602", "s3cret"},
		{"an error of a busy server", jsonMedia, `{"jsonrpc":"2.0","id":ID,"error":{"code":-7,"message":"later"}}`, 503, workflow.RuntimeError, 500, "JSON-RPC error -7", "later"},
		{"a busy server", "text/plain", "s3cret", 503, workflow.CommunicationError, 503, "answered with status 503", ""},
		{"a broken server", "text/plain", "s3cret", 500, workflow.CommunicationError, 500, "answered with status 500", ""},
		{"an unknown path", "text/plain", "s3cret", 404, workflow.CommunicationError, 404, "answered with status 404", ""},
		{"a bad request", "text/plain", "s3cret", 400, workflow.CommunicationError, 400, "answered with status 400", ""},
		{"a redirect", "text/plain", "", 307, workflow.CommunicationError, 307, "answered with status 307", ""},
		{"a question back", jsonMedia, `{"jsonrpc":"2.0","id":ID,"result":{"resultType":"input_required","inputRequests":{}}}`, 200, workflow.RuntimeError, 500, "asks for input", ""},
		{"events without an answer", events, ": nothing\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n\n", 200, workflow.RuntimeError, 500, notProtocol, "without response"},
		{"events that are none", events, "s3cret\n\n", 200, workflow.RuntimeError, 500, notProtocol, "malformed"},
		{"events without JSON", events, "data: s3cret\n\n", 200, workflow.RuntimeError, 500, notProtocol, "decode"},
		{"an event that is too large", events, "data: " + strings.Repeat("x", maxBody) + "\n\n", 200, workflow.CommunicationError, 502, "more than 1048576 bytes", ""},
		{"another one's answer", events, "data: {\"jsonrpc\":\"2.0\",\"id\":777,\"result\":{}}\n\n", 200, workflow.RuntimeError, 500, notProtocol, "without response"},
	} {
		t.Run(f.name, func(t *testing.T) {
			goroutines.Settle(t)
			server := serve(t, scripted(func(w http.ResponseWriter, _ *http.Request, id string) {
				w.Header().Set("Content-Type", f.media)
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(f.status)
				_, _ = io.WriteString(w, strings.ReplaceAll(f.body, "ID", id))
			}))
			request := tool(server, "x", nil)
			request.ProtocolVersion = "2025-06-18"
			_, err := mcpTo(t, server).MCP(t.Context(), request)
			if cause := mustFail(t, f.name, err, f.kind, f.wantStatus, f.detail); !strings.Contains(cause, f.cause) {
				t.Errorf("the cause is %s", cause)
			}
		})
	}
}

// No server at all is behind the endpoint: the handshake fails.
func TestMCPBadHandshake(t *testing.T) {
	for _, f := range []struct {
		name, body string
		kind       workflow.ErrorKind
		status     int
		detail     string
	}{
		{"another revision", `{"jsonrpc":"2.0","id":ID,"result":{"protocolVersion":"1999-01-01\r\nX: y","capabilities":{}}}`, workflow.RuntimeError, 500, "does not answer"},
		{"an error", `{"jsonrpc":"2.0","id":ID,"error":{"code":-32600,"message":"no"}}`, workflow.RuntimeError, 500, "does not answer"},
		{"no JSON", `<html>`, workflow.RuntimeError, 500, "does not answer"},
	} {
		t.Run(f.name, func(t *testing.T) {
			goroutines.Settle(t)
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				message, _ := messageOf(r).(*jsonrpc.Request)
				w.Header().Set("Content-Type", "application/json")
				if message != nil {
					_, _ = io.WriteString(w, strings.ReplaceAll(f.body, "ID", fmt.Sprint(message.ID.Raw())))
				}
			})
			_, err := mcpTo(t, server).MCP(t.Context(), tool(server, "x", nil))
			mustFail(t, f.name, err, f.kind, f.status, f.detail)
		})
	}
}

// A server asks and tells as much as it likes, and gets no more than its share of
// answers.
func TestMCPChatter(t *testing.T) {
	goroutines.Settle(t)
	var answers, pongs atomic.Int64
	var handler http.HandlerFunc
	chat := scripted(func(w http.ResponseWriter, _ *http.Request, id string) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 * maxAsked {
			method := "ping"
			if i%2 == 1 {
				method = "sampling/createMessage"
			}
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":\"q%d\",\"method\":%q,\"params\":{\"messages\":[null]}}\n\n", i, method)
			fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n")
			fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2}}\n\n")
		}
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[]}}\n\n", id)
	})
	handler = func(w http.ResponseWriter, r *http.Request) {
		if answer, ok := messageOf(r).(*jsonrpc.Response); ok {
			answers.Add(1)
			if answer.Error == nil {
				pongs.Add(1)
			}
			w.WriteHeader(http.StatusAccepted)
			return
		}
		chat(w, r)
	}
	server := serve(t, handler)
	c := mcpTo(t, server)
	request := tool(server, "x", nil)
	request.ProtocolVersion = "2025-06-18"
	result, err := c.MCP(t.Context(), request)
	if err != nil {
		t.Fatal(err, errors.Unwrap(err))
	}
	if _, ok := at(result, "content").([]any); !ok {
		t.Errorf("the result is %v", result)
	}
	c.Close()
	if a, p := answers.Load(), pongs.Load(); a > maxAsked || p > maxAsked/2 {
		t.Errorf("it got %d answers, %d of them to pings", a, p)
	}
}

// Whatever a server sends, a call ends with a result or an error of workflows.
func FuzzMCPAnswer(f *testing.F) {
	f.Add("application/json", []byte(`{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"x"}],"isError":true}}`), 200)
	f.Add("application/json", []byte(`{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"x","data":{}}}`), 400)
	f.Add("text/event-stream", []byte("event: message\nid: 1\nretry: 1\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n\n"), 200)
	f.Add("text/event-stream", []byte("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n\n"), 200)
	f.Fuzz(func(t *testing.T, media string, body []byte, status int) {
		if status < 200 || status > 599 || !plainValue(media) {
			return
		}
		server := serve(t, scripted(func(w http.ResponseWriter, _ *http.Request, _ string) {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}))
		c := mcpTo(t, server)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		request := tool(server, "x", nil)
		request.ProtocolVersion = "2025-06-18"
		_, err := c.MCP(ctx, request)
		if _, ok := errors.AsType[*workflow.Error](err); err != nil && !ok && ctx.Err() == nil {
			t.Fatalf("the error is %v", err)
		}
	})
}
