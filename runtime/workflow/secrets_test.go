package workflow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

const secretValue = `p@ss word/1+"x"`

func secretHost(caller Caller) *Host {
	return &Host{Caller: caller, Secrets: func() map[string]any {
		return map[string]any{"pricing": secretValue, "stock": map[string]any{"user": "admin-user", "key": "k-987654"}}
	}}
}

// TestSecretsAreNotTold: whatever a run puts a secret into, it is taken out of what is
// told. The service that is called gets it.
func TestSecretsAreNotTold(t *testing.T) {
	use := `"use":{"secrets":["pricing","stock"]},`
	for name, tt := range map[string]struct{ members, want string }{
		"as it is":                 {`"do":[{"a":{"set":{"x":"${ $secrets.pricing }"}}}]`, `{"x":"[redacted]"}`},
		"in a text, in a list":     {`"do":[{"a":{"set":{"x":["${ \"Bearer \" + $secrets.pricing + \"!\" }",1]}}}]`, `{"x":["Bearer [redacted]!",1]}`},
		"as a name":                {`"do":[{"a":{"set":"${ {($secrets.pricing): 1, b: 2} }"}}]`, `{"[redacted]":1,"b":2}`},
		"of a whole Secret":        {`"do":[{"a":{"set":{"x":"${ $secrets.stock }","u":"${ $secrets[\"stock\"].user }"}}}]`, `{"x":{"user":"admin-user","key":"[redacted]"},"u":"admin-user"}`},
		"in base64":                {`"do":[{"a":{"set":{"x":"${ $secrets.pricing | @base64 }"}}}]`, `{"x":"[redacted]"}`},
		"in a URL":                 {`"do":[{"a":{"set":{"x":"${ \"https://a.example/?k=\" + ($secrets.pricing | @uri) }"}}}]`, `{"x":"https://a.example/?k=[redacted]"}`},
		"in JSON":                  {`"do":[{"a":{"set":{"x":"${ {k: $secrets.pricing} | tojson }"}}}]`, `{"x":"{\"k\":\"[redacted]\"}"}`},
		"through the context":      {`"do":[{"a":{"set":{"x":1},"export":{"as":"{k: $secrets.pricing}"}}},{"b":{"set":"${ $context }"}}]`, `{"k":"[redacted]"}`},
		"in the workflow's output": {`"do":[{"a":{"set":{"x":1}}}],"output":{"as":"{k: $secrets.pricing}"}`, `{"k":"[redacted]"}`},
		"in input.from":            {`"input":{"from":"{k: $secrets.pricing}"},"do":[{"a":{"set":"${ . }"}}]`, `{"k":"[redacted]"}`},
		"through a branch":         {`"do":[{"a":{"fork":{"branches":[{"b":{"set":"${ $secrets.pricing }"}},{"c":{"set":"${ 1 }"}}]}}}]`, `["[redacted]",1]`},
		"in an error":              {`"do":[{"a":{"try":[{"b":{"raise":{"error":{"type":"x","status":400,"detail":"${ \"it was \" + $secrets.pricing }"}}}}],"catch":{"do":[{"c":{"set":"${ $error.detail }"}}]}}}]`, `"it was [redacted]"`},
		"that a service echoes":    {`"do":[{"a":{"call":"http","with":{"method":"post","endpoint":"https://a.example","headers":{"X-Key":"${ $secrets.pricing }"}}}}]`, `{"echo":"[redacted]"}`},
	} {
		t.Run(name, func(t *testing.T) {
			caller := &recorder{answer: jsonAnswer(`{"echo":` + quote(secretValue) + `}`)}
			got := mustRun(t, compileFor(t, use+tt.members), map[string]any{}, secretHost(caller))
			if !sameJSON(t, got, value(t, tt.want)) {
				t.Errorf("got %v, want %s", got, tt.want)
			}
			if len(caller.http) == 1 && caller.http[0].Header["X-Key"] != secretValue {
				t.Errorf("the service gets %q", caller.http[0].Header["X-Key"])
			}
		})
	}
}

// TestSecretsAreNotInErrors: whoever reads the variable of a catch sees no secret, also
// where the run tells nobody of it.
func TestSecretsAreNotInErrors(t *testing.T) {
	caller := &recorder{}
	mustRun(t, compileFor(t, `"use":{"secrets":["pricing"]},"do":[{"a":{"try":[{"b":{"raise":{"error":{"type":"x","status":400,"detail":"${ \"it was \" + $secrets.pricing }"}}}}],
		"catch":{"do":[{"c":{"call":"http","with":{"method":"get","endpoint":"https://a.example","headers":{"X":"${ $error.detail }"}}}}]}}}]`), nil, secretHost(caller))
	if got := caller.http[0].Header["X"]; got != "it was [redacted]" {
		t.Errorf("the error says %q", got)
	}
}

// TestCredentialsAreFew: credentials can come from data, a new one each time. What is kept
// of them, and searched for, has a bound; of digests only the last is kept.
func TestCredentialsAreFew(t *testing.T) {
	loop := func(policy string) *Program {
		return compileFor(t, `"do":[{"a":{"for":{"in":"[range(300)]"},"do":[{"b":{"call":"http","with":{"method":"get","endpoint":{"uri":"https://a.example","authentication":`+policy+`}}}}]}}]`)
	}
	if e, _ := mustFail(t, loop(`{"bearer":{"token":"${ \"token-\" + ($item | tostring) }"}}`), nil, &Host{Caller: &recorder{}}); !e.IsKind(RuntimeError) || !strings.Contains(e.Detail, "different secrets and credentials") {
		t.Errorf("got %v", e)
	}
	n := 0
	digests := &recorder{answer: func(context.Context, string) (*HTTPResponse, error) {
		n++
		return &HTTPResponse{Status: 200, Scheme: "Digest", Parameter: fmt.Sprintf("response-%06d", n), Header: map[string]string{"Content-Type": "text/plain"}, Body: fmt.Appendf(nil, "response-%06d", n)}, nil
	}}
	if got := mustRun(t, loop(`{"digest":{"username":"me","password":"pw-1234"}}`), nil, &Host{Caller: digests}); got != redacted {
		t.Errorf("got %v", got)
	}
	e, _ := mustFail(t, compileFor(t, authenticated(`{"bearer":{"token":"${ .t }"}}`, "", "", "")), map[string]any{"t": strings.Repeat("x", maxCredential+1)}, &Host{Caller: &recorder{}})
	if !e.IsKind(ConfigurationError) || strings.Contains(e.Detail, "xxx") {
		t.Errorf("got %v", e)
	}
}

// TestSecretsAreNotToldByFailures looks at everything that a failed run tells: its error
// with all causes, which are for the log, its events, and what is emitted.
func TestSecretsAreNotToldByFailures(t *testing.T) {
	const use = `"use":{"secrets":["pricing"]},`
	for name, members := range map[string]string{
		"an error that is raised":       `"do":[{"a":{"raise":{"error":{"type":"${ $secrets.pricing }","status":400,"title":"${ $secrets.pricing }","detail":"${ $secrets.pricing }"}}}}]`,
		"what jq says":                  `"do":[{"a":{"set":{"x":"${ $secrets.pricing | error }"}}}]`,
		"what jq says of a wrong type":  `"do":[{"a":{"set":{"x":"${ {($secrets.pricing): 1} + 1 }"}}}]`,
		"what the caller says":          `"do":[{"a":{"call":"http","with":{"method":"get","endpoint":"https://a.example","headers":{"X":"${ $secrets.pricing }"}}}}]`,
		"what a schema says":            `"do":[{"a":{"set":{"x":"${ {($secrets.pricing): 1} }"},"output":{"as":".x","schema":{"document":{"additionalProperties":false}}}}}]`,
		"an event, and then a failure":  `"do":[{"e":{"emit":{"event":{"with":{"type":"t","data":"${ $secrets.pricing }"}}}}},{"a":{"raise":{"error":{"type":"x","status":400}}}}]`,
		"a header that is none":         `"do":[{"a":{"call":"http","with":{"method":"get","endpoint":"https://a.example","headers":"${ {($secrets.pricing): []} }"}}}]`,
		"a panic of what the run calls": `"do":[{"a":{"call":"mcp","with":{"method":"tools/list","parameters":"${ {k: $secrets.pricing} }","transport":{"http":{"endpoint":"https://a.example"}}}}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			var told []string
			caller := &talkative{}
			_, err := compileFor(t, use+members).Run(t.Context(), map[string]any{}, secretHost(caller), Options{Trace: func(e TaskEvent) { told = append(told, fmt.Sprintf("%+v %+v", e, e.Error)) }})
			if err == nil {
				t.Fatal("it did not fail")
			}
			for ; err != nil; err = errors.Unwrap(err) {
				told = append(told, fmt.Sprintf("%v %+v", err, err))
				if f, ok := err.(*fault.Error); ok { //nolint:errorlint // each link of the chain is looked at
					told = append(told, fmt.Sprintf("%+v", f.Problem))
				}
			}
			told = append(told, fmt.Sprint(caller.events))
			for _, text := range told {
				if strings.Contains(text, secretValue) || strings.Contains(text, `p@ss word`) {
					t.Errorf("it tells the secret: %s", text)
				}
			}
		})
	}
}

// talkative is a Caller whose errors say what it was asked for.
type talkative struct{ recorder }

func (c *talkative) HTTP(_ context.Context, r *HTTPRequest) (*HTTPResponse, error) {
	return nil, NewError(CommunicationError, fmt.Errorf("sending %v", r.Header), "the service does not like %s", r.Header["X"])
}

func (c *talkative) MCP(_ context.Context, r *MCPRequest) (any, error) {
	panic(r.Parameters)
}

// TestSecretsAreReadOnce: a run sees them as they were when it first asked, and one that
// does not ask does not read them.
func TestSecretsAreReadOnce(t *testing.T) {
	var reads atomic.Int64
	host := &Host{Secrets: func() map[string]any {
		return map[string]any{"pricing": fmt.Sprintf("secret-%d", reads.Add(1))}
	}}
	p := compileFor(t, `"use":{"secrets":["pricing"]},"do":[{"a":{"set":{"x":"${ $secrets.pricing | length }"}}},{"b":{"set":{"same":"${ $secrets.pricing | endswith(\"1\") }"}}}]`)
	if got := mustRun(t, p, nil, host); !sameJSON(t, got, map[string]any{"same": true}) || reads.Load() != 1 {
		t.Errorf("got %v after %d reads", got, reads.Load())
	}
	mustRun(t, compileFor(t, set), nil, host)
	if reads.Load() != 1 {
		t.Error("a run that needs no secret has read them")
	}
}

// TestSecretsOfOthers: a workflow sees those that it lists. Without the check a workflow
// that is run by another one would see the app's.
func TestSecretsOfOthers(t *testing.T) {
	e, f := mustFail(t, compileFor(t, `"use":{"secrets":["pricing"]},"do":[{"a":{"set":{"x":"${ $secrets.pricing }"}}}]`), nil, &Host{Secrets: func() map[string]any { return map[string]any{"stock": "x"} }})
	if !e.IsKind(AuthorizationError) || e.Status != 403 || e.Instance != "/do/0/a" || f.Status != 500 {
		t.Errorf("got %v, %d", e, f.Status)
	}
	for _, expression := range []string{`${ $workflow | tojson }`, `${ $runtime | tojson }`, `${ $task | tojson }`, `${ [$context, $input, .] | tojson }`} {
		got := mustRun(t, compileFor(t, `"use":{"secrets":["pricing"]},"do":[{"a":{"set":{"n":"${ $secrets.pricing | length }"}}},{"b":{"set":{"x":`+quote(expression)+`}}}]`), nil, &Host{Secrets: func() map[string]any { return map[string]any{"pricing": "abcdef", "stock": "other-secret"} }})
		if text := textOf(got); strings.Contains(text, "other-secret") || strings.Contains(text, "abcdef") || strings.Contains(text, redacted) {
			t.Errorf("%s gives %s", expression, text)
		}
	}
}
