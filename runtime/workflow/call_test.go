package workflow

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// httpTask is a list of one task that makes a call.
func httpTask(with string) string {
	return `"do":[{"a":{"call":"http","with":{"method":"get","endpoint":"https://a.example"` + with + `}}}]`
}

func TestHTTPRequests(t *testing.T) {
	input := map[string]any{"id": 7, "q": "a b", "half": 0.5, "yes": true, "headers": map[string]any{"X-A": "b"}, "m": "patch", "big": value(t, "12345678901234567890"), "dots": ".."}
	for name, tt := range map[string]struct {
		with string
		want HTTPRequest
	}{
		"plain":                  {`"method":"get","endpoint":"https://a.example/v1"`, HTTPRequest{Method: "GET", URL: "https://a.example/v1"}},
		"method from data":       {`"method":"${ .m }","endpoint":"https://a.example"`, HTTPRequest{Method: "PATCH", URL: "https://a.example"}},
		"variables":              {`"method":"get","endpoint":"https://a.example/{id}/{q}/{half}/{yes}/{missing}/{big}?s={q}&d={dots}"`, HTTPRequest{Method: "GET", URL: "https://a.example/7/a%20b/0.5/true//12345678901234567890?s=a%20b&d=.."}},
		"an expression":          {`"method":"get","endpoint":{"uri":"${ \"https://a.example/\" + (.id | tostring) }"}`, HTTPRequest{Method: "GET", URL: "https://a.example/7"}},
		"headers and query":      {`"method":"get","endpoint":"https://a.example","headers":{"X-Id":"${ .id }","X-F":"${ .half }","X-B":"${ .yes }","X-N":"${ .missing }","X-L":"lit"},"query":{"q":"${ .q }","l":["a",1]}`, HTTPRequest{Method: "GET", URL: "https://a.example", Header: map[string]string{"X-Id": "7", "X-F": "0.5", "X-B": "true", "X-L": "lit"}, Query: map[string]any{"q": "a b", "l": []any{"a", 1}}}},
		"headers from one value": {`"method":"get","endpoint":"https://a.example","headers":"${ .headers }","query":"${ .headers }"`, HTTPRequest{Method: "GET", URL: "https://a.example", Header: map[string]string{"X-A": "b"}, Query: map[string]any{"X-A": "b"}}},
		"no headers after all":   {`"method":"get","endpoint":"https://a.example","headers":"${ .missing }"`, HTTPRequest{Method: "GET", URL: "https://a.example"}},
		"body":                   {`"method":"post","endpoint":"https://a.example","body":{"id":"${ .id }","l":[1]},"redirect":true`, HTTPRequest{Method: "POST", URL: "https://a.example", Body: map[string]any{"id": 7, "l": []any{1}}, HasBody: true, Redirect: true}},
		"body that is null":      {`"method":"post","endpoint":"https://a.example","body":"${ .missing }"`, HTTPRequest{Method: "POST", URL: "https://a.example", HasBody: true}},
		"body that is a text":    {`"method":"post","endpoint":"https://a.example","body":"plain {id}"`, HTTPRequest{Method: "POST", URL: "https://a.example", Body: "plain {id}", HasBody: true}},
	} {
		t.Run(name, func(t *testing.T) {
			caller := &recorder{}
			mustRun(t, compileFor(t, `"do":[{"a":{"call":"http","with":{`+tt.with+`}}}]`), input, &Host{Caller: caller})
			got := *caller.http[0]
			if got.Header == nil {
				got.Header = tt.want.Header
			}
			if len(got.Header) == 0 && len(tt.want.Header) == 0 {
				got.Header = tt.want.Header
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestHTTPRequestsThatCannotBeMade(t *testing.T) {
	for with, want := range map[string]ErrorKind{
		`"method":"${ .missing }","endpoint":"https://a.example"`:                    ExpressionError,
		`"method":"${ \"GET /\" }","endpoint":"https://a.example"`:                   ExpressionError,
		`"method":"get","endpoint":"${ .missing }"`:                                  ExpressionError,
		`"method":"get","endpoint":"https://a.example/{list}"`:                       ExpressionError,
		`"method":"get","endpoint":"https://a.example/{dots}/x"`:                     ExpressionError,
		`"method":"get","endpoint":"https://a.example","headers":{"X":"${ .list }"}`: ExpressionError,
		`"method":"get","endpoint":"https://a.example","headers":"${ .list }"`:       ExpressionError,
		`"method":"get","endpoint":"https://a.example","query":"${ 5 }"`:             ExpressionError,
	} {
		caller := &recorder{}
		e, _ := mustFail(t, compileFor(t, `"do":[{"a":{"call":"http","with":{`+with+`}}}]`), map[string]any{"list": []any{1}, "dots": ".."}, &Host{Caller: caller})
		if !e.IsKind(want) || e.Instance != "/do/0/a" || len(caller.http) != 0 {
			t.Errorf("%s: got %v", with, e)
		}
	}
	for _, host := range []*Host{nil, {}} {
		if e, _ := mustFail(t, compileFor(t, httpTask("")), nil, host); !e.IsKind(ConfigurationError) {
			t.Errorf("without a caller: got %v", e)
		}
	}
}

func TestHTTPResponses(t *testing.T) {
	response := func(kind, body string) HTTPResponse {
		return HTTPResponse{Method: "GET", URL: "https://a.example/x", RequestHeader: map[string]string{"Accept": "*/*"}, Status: 201, Header: map[string]string{"Content-Type": kind}, Body: []byte(body)}
	}
	for name, tt := range map[string]struct {
		response HTTPResponse
		with     string
		want     string
	}{
		"JSON":                    {response("application/json", `{"a":[1,2.5,12345678901234567890]}`), ``, `{"a":[1,2.5,12345678901234567890]}`},
		"JSON by another name":    {response("Application/Problem+JSON; charset=utf-8", `[null]`), ``, `[null]`},
		"JSON by an old name":     {response("text/json", `1`), ``, `1`},
		"text":                    {response("text/plain; charset=utf-8", `a "b"`), ``, `"a \"b\""`},
		"text that is none":       {response("text/plain", "\xff"), ``, `"/w=="`},
		"bytes":                   {response("image/png", "abc"), ``, `"YWJj"`},
		"no type":                 {HTTPResponse{Status: 200, Body: []byte("abc")}, ``, `"YWJj"`},
		"nothing":                 {response("application/json", ""), ``, `null`},
		"nothing, raw":            {response("application/json", ""), `,"output":"raw"`, `null`},
		"raw":                     {response("application/json", `{}`), `,"output":"raw"`, `"e30="`},
		"content":                 {response("application/json", `{}`), `,"output":"content"`, `{}`},
		"the whole response":      {response("application/json", `{"a":1}`), `,"output":"response"`, `{"request":{"method":"GET","uri":"https://a.example/x","headers":{"Accept":"*/*"}},"statusCode":201,"headers":{"Content-Type":"application/json"},"content":{"a":1}}`},
		"a redirect that is fine": {HTTPResponse{Status: 304}, `,"redirect":true`, `null`},
		"data is no expression":   {response("application/json", `{"a":"${ 1 + 1 }","${ .b }":"${ $secrets.pricing }"}`), ``, `{"a":"${ 1 + 1 }","${ .b }":"${ $secrets.pricing }"}`},
	} {
		t.Run(name, func(t *testing.T) {
			caller := &recorder{answer: func(context.Context, string) (*HTTPResponse, error) { return &tt.response, nil }}
			got := mustRun(t, compileFor(t, httpTask(tt.with)), nil, &Host{Caller: caller})
			if !sameJSON(t, got, value(t, tt.want)) {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

// TestHTTPFailures: the error is the specification's; the caller never takes the answer of
// a service for the workflow's own.
func TestHTTPFailures(t *testing.T) {
	own := NewError(AuthenticationError, errors.New("token s3cret of 10.0.0.1"), "the authority refuses to give a token")
	for name, tt := range map[string]struct {
		answer         func(context.Context, string) (*HTTPResponse, error)
		with           string
		kind           ErrorKind
		status, caller int
	}{
		"not found":        {statusAnswer(404), ``, CommunicationError, 404, 502},
		"unauthorized":     {statusAnswer(401), ``, CommunicationError, 401, 502},
		"forbidden":        {statusAnswer(403), ``, CommunicationError, 403, 502},
		"unavailable":      {statusAnswer(503), ``, CommunicationError, 503, 502},
		"gateway timeout":  {statusAnswer(504), ``, CommunicationError, 504, 504},
		"a redirect":       {statusAnswer(302), ``, CommunicationError, 302, 502},
		"beyond redirects": {statusAnswer(400), `,"redirect":true`, CommunicationError, 400, 502},
		"informational":    {statusAnswer(101), ``, CommunicationError, 101, 502},
		"no JSON":          {jsonAnswer(`{`), ``, CommunicationError, 500, 502},
		"more than JSON":   {jsonAnswer(`{}{}`), ``, CommunicationError, 500, 502},
		"a plain error":    {func(context.Context, string) (*HTTPResponse, error) { return nil, errors.New("dial 10.0.0.1: s3cret") }, ``, CommunicationError, 500, 502},
		"an error of ours": {func(context.Context, string) (*HTTPResponse, error) { return nil, own }, ``, AuthenticationError, 401, 502},
	} {
		t.Run(name, func(t *testing.T) {
			e, f := mustFail(t, compileFor(t, httpTask(tt.with)), nil, &Host{Caller: &recorder{answer: tt.answer}})
			if !e.IsKind(tt.kind) || e.Status != tt.status || e.Instance != "/do/0/a" || f.Status != tt.caller || f.Problem.Status != tt.status {
				t.Errorf("got %v, %d, %d", e, e.Status, f.Status)
			}
			if text := f.Error() + f.Problem.Detail + f.Problem.Title; strings.Contains(text, "10.0.0.1") || strings.Contains(text, "s3cret") {
				t.Errorf("it shows what is for the log: %s", text)
			}
		})
	}
	if own.Instance != "" {
		t.Error("the caller's error was changed, which other runs may get too")
	}
}

func TestOpenAPICalls(t *testing.T) {
	caller := &recorder{answer: jsonAnswer(`[{"id":1}]`)}
	secrets := func() map[string]any { return map[string]any{"pricing": "tok-1234", "stock": "tok-5678"} }
	p := compileFor(t, `"use":{"secrets":["pricing","stock"]},"do":[{"a":{"call":"openapi","with":{"document":{"name":"pets","endpoint":{"uri":"configmap:pets/openapi.json","authentication":{"bearer":{"use":"stock"}}}},
		"operationId":"find","parameters":{"status":"${ .s }","body":{"x":1}},"redirect":true,"authentication":{"bearer":{"token":"${ $secrets.pricing }"}}},"output":{"as":". | length"}}},
		{"b":{"call":"openapi","with":{"document":{"endpoint":"configmap:pets/openapi.json"},"operationId":"list"}}}]`)
	mustRun(t, p, map[string]any{"s": "sold"}, &Host{Caller: caller, Secrets: secrets})
	want := &OpenAPIRequest{Document: "configmap:pets/openapi.json", Access: &Authentication{Scheme: AuthenticateBearer, Token: "tok-5678"}, OperationID: "find",
		Parameters: map[string]any{"status": "sold", "body": map[string]any{"x": 1}}, Redirect: true, Authentication: &Authentication{Scheme: AuthenticateBearer, Token: "tok-1234"}}
	if got := caller.openAPI[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	documents := p.Documents()
	if len(documents) != 1 || documents[0].Name != "configmap:pets/openapi.json" {
		t.Fatalf("got %v", documents)
	}
	access, err := documents[0].Access(t.Context(), &Host{Secrets: secrets})
	if err != nil || access.Token != "tok-5678" {
		t.Errorf("got %v, %v", access, err)
	}
	if _, err := documents[0].Access(t.Context(), nil); err == nil {
		t.Error("a secret that is not there can be read")
	}
}

// TestAccessOfDocuments: it may be an expression, which sees the secrets.
func TestAccessOfDocuments(t *testing.T) {
	p := compileFor(t, `"use":{"secrets":["pricing"]},"do":[{"a":{"for":{"in":".l"},"do":[{"b":{"call":"openapi","with":{"document":{"endpoint":{"uri":"https://a.example/o.json","authentication":{"bearer":{"token":"${ $secrets.pricing + ($item // \"\") }"}}}},"operationId":"x"}}}]}}]`)
	access, err := p.Documents()[0].Access(t.Context(), &Host{Secrets: func() map[string]any { return map[string]any{"pricing": "tok-1234"} }})
	if err != nil || access.Token != "tok-1234" {
		t.Errorf("got %v, %v", access, err)
	}
}

func TestMCPCalls(t *testing.T) {
	const transport = `"transport":{"http":{"endpoint":{"uri":"https://mcp.example/{tenant}","authentication":{"bearer":{"token":"abcd"}}},"headers":{"X-A":"${ .tenant }"}}}`
	for name, tt := range map[string]struct {
		with string
		want MCPRequest
	}{
		"all of it":                 {`"method":"tools/call","protocolVersion":"2025-06-18","client":{"name":"me","version":"1"},"timeout":"PT5S","parameters":{"name":"risk","arguments":{"id":"${ .id }"}},`, MCPRequest{Method: "tools/call", ProtocolVersion: "2025-06-18", ClientName: "me", ClientVersion: "1", Parameters: map[string]any{"name": "risk", "arguments": map[string]any{"id": 7}}}},
		"parameters from one value": {`"method":"prompts/get","parameters":"${ {name: .tenant} }",`, MCPRequest{Method: "prompts/get", Parameters: map[string]any{"name": "shop"}}},
		"no parameters":             {`"method":"tools/list",`, MCPRequest{Method: "tools/list"}},
	} {
		t.Run(name, func(t *testing.T) {
			caller := &recorder{result: map[string]any{"content": []any{map[string]any{"type": "text", "text": "ok"}}}}
			got := mustRun(t, compileFor(t, `"do":[{"a":{"call":"mcp","with":{`+tt.with+transport+`}}}]`), map[string]any{"id": 7, "tenant": "shop"}, &Host{Caller: caller})
			tt.want.Endpoint, tt.want.Header, tt.want.Authentication = "https://mcp.example/shop", map[string]string{"X-A": "shop"}, &Authentication{Scheme: AuthenticateBearer, Token: "abcd"}
			if !reflect.DeepEqual(*caller.mcp[0], tt.want) || !sameJSON(t, got, caller.result) {
				t.Errorf("got %+v and %v", caller.mcp[0], got)
			}
		})
	}
	p := compileFor(t, `"do":[{"a":{"call":"mcp","with":{"method":"tools/list",`+transport+`}}}]`)
	if e, f := mustFail(t, p, map[string]any{}, &Host{Caller: &recorder{refusal: errors.New("10.0.0.1")}}); !e.IsKind(RuntimeError) || e.Detail != "the call failed" || f.Status != 500 {
		t.Errorf("a plain error: got %v, %d", e, f.Status)
	}
	if e, _ := mustFail(t, compileFor(t, `"do":[{"a":{"call":"mcp","with":{"method":"tools/list",`+transport+`,"parameters":"${ 5 }"}}}]`), map[string]any{}, &Host{Caller: &recorder{}}); !e.IsKind(ExpressionError) {
		t.Errorf("got %v", e)
	}
}

func TestMCPTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := compileFor(t, `"do":[{"a":{"call":"mcp","with":{"method":"tools/list","timeout":{"seconds":5},"transport":{"http":{"endpoint":"https://mcp.example"}}}}}]`)
		e, _ := mustFail(t, p, nil, &Host{Caller: &hanging{}})
		if !e.IsKind(TimeoutError) || e.Instance != "/do/0/a" || time.Since(began) != 5*time.Second {
			t.Errorf("got %v after %v", e, time.Since(began))
		}
	})
}

// hanging is a Caller whose calls end with their context, or after it when it is slow.
type hanging struct {
	recorder
	slow time.Duration
}

func (c *hanging) MCP(ctx context.Context, _ *MCPRequest) (any, error) { return nil, c.hang(ctx) }

func (c *hanging) HTTP(ctx context.Context, _ *HTTPRequest) (*HTTPResponse, error) {
	return nil, c.hang(ctx)
}

func (c *hanging) hang(ctx context.Context) error {
	<-ctx.Done()
	if c.slow > 0 {
		<-time.After(c.slow)
	}
	return fmt.Errorf("calling: %w", ctx.Err())
}

func TestFunctions(t *testing.T) {
	testFlows(t, nil, []flowCase{
		{"arguments are its input", `"use":{"functions":{"add":{"set":"${ .a + .b }"}}},"do":[{"x":{"call":"add","with":{"a":"${ .n }","b":2}}}]`, `{"n":1}`, `3`},
		{"arguments from one value", `"use":{"functions":{"f":{"set":{"got":"${ . }"}}}},"do":[{"x":{"call":"f","with":"${ .args }"}}]`, `{"args":{"a":1}}`, `{"got":{"a":1}}`},
		{"no arguments", `"use":{"functions":{"f":{"set":{"got":"${ . }"}}}},"do":[{"x":{"call":"f"}}]`, `{"n":1}`, `{"got":{}}`},
		{"from several places, in loops and branches", `"use":{"functions":{"f":{"for":{"in":"[1,2]"},"do":[{"s":{"set":{"v":"${ .v }","n":"${ .n + $item * .v }"}}}],"output":{"as":".n"}}}},
			"do":[{"a":{"fork":{"branches":[{"p":{"call":"f","with":{"v":1}}},{"q":{"call":"f","with":{"v":10}}}]}}},{"b":{"set":{"l":"${ . }"}}},{"c":{"call":"f","with":{"v":"${ .l[1] }"}}}]`, `{}`, `90`},
		{"functions that call functions, with input, output and context", `"use":{"functions":{"outer":{"call":"inner","with":{"x":"${ .x * 2 }"},"output":{"as":"{o: .}"}},"inner":{"input":{"from":".x"},"set":{"i":"${ . }","c":"${ $context.k }","t":"${ $task.reference }"}}}},
			"do":[{"s":{"set":{"x":1},"export":{"as":"{k: 5}"}}},{"a":{"call":"outer","with":{"x":"${ .x }"},"output":{"as":"{a: .}"}}}]`, `{}`, `{"a":{"o":{"i":2,"c":5,"t":"/use/functions/inner"}}}`},
		{"a then of its own goes nowhere", `"use":{"functions":{"f":{"set":{"x":1},"then":"exit"}}},"do":[{"a":{"call":"f"}},{"b":{"set":{"y":"${ .x }"}}}]`, `{}`, `{"y":1}`},
	})
	e, _ := mustFail(t, compileFor(t, `"use":{"functions":{"f":{"set":{"x":1}}}},"do":[{"a":{"call":"f","with":"${ [1] }"}}]`), nil, nil)
	if !e.IsKind(ExpressionError) || e.Instance != "/do/0/a" {
		t.Errorf("got %v", e)
	}
}

// TestOddNumbers: JSON has numbers that no float holds, and jq some that JSON has not.
func TestOddNumbers(t *testing.T) {
	got := mustRun(t, compileFor(t, httpTask("")), nil, &Host{Caller: &recorder{answer: jsonAnswer(`[1e400,-1e400,1e-400]`)}})
	if !sameJSON(t, got, []any{math.MaxFloat64, -math.MaxFloat64, 0.0}) {
		t.Errorf("got %v", got)
	}
}
