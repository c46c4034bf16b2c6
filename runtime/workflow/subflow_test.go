package workflow

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// linked compiles the workflow "quote" and one that it runs, "child".
func linked(tb testing.TB, quote, theChild string) *Program {
	tb.Helper()
	parent := compileFor(tb, quote)
	other, problems := Compile("child", child("child", "2.0.0", theChild), app())
	if len(problems) > 0 {
		tb.Fatal(problems)
	}
	for _, problems := range Link([]*Program{parent, other}) {
		if len(problems) > 0 {
			tb.Fatal(problems)
		}
	}
	return parent
}

// running is a task that runs "child".
func running(more string) string {
	return `{"run":{"workflow":{"namespace":"shop","name":"child","version":"latest"` + more + `}}}`
}

func TestSubflows(t *testing.T) {
	for name, tt := range map[string]struct{ quote, child, input, want string }{
		"its output is the task's": {`"do":[{"a":` + running(`,"input":{"n":"${ .n }"}`) + `},{"b":{"set":{"got":"${ . }"}}}]`, `"do":[{"x":{"set":{"m":"${ .n * 2 }"}}}]`, `{"n":4}`, `{"got":{"m":8}}`},
		"input from one value":     {`"do":[{"a":` + running(`,"input":"${ .args }"`) + `}]`, `"do":[{"x":{"set":"${ . }"}}]`, `{"args":{"k":1}}`, `{"k":1}`},
		"no input":                 {`"do":[{"a":` + running(``) + `}]`, `"do":[{"x":{"set":{"i":"${ $workflow.input }"}}}]`, `{"n":1}`, `{"i":{}}`},
		"input.from, output.as and schema of the child": {`"do":[{"a":` + running(`,"input":{"n":3}`) + `}]`,
			`"input":{"schema":{"document":{"type":"object","required":["n"]}},"from":".n"},"output":{"as":"{r: .}","schema":{"document":{"required":["r"]}}},"do":[{"x":{"set":"${ . + 1 }"}}]`, `{}`, `{"r":4}`},
		"a context of its own": {`"do":[{"s":{"set":{"x":1},"export":{"as":"{mine: 1}"}}},{"a":` + running(``) + `},{"b":{"set":{"mine":"${ $context }","theirs":"${ . }"}}}]`,
			`"do":[{"x":{"set":{"c":"${ $context }"},"export":{"as":"{theirs: 1}"}}}]`, `{}`, `{"mine":{"mine":1},"theirs":{"c":{}}}`},
		"its end is not ours":             {`"do":[{"a":` + running(``) + `},{"b":{"set":{"went":"on"}}}]`, `"do":[{"x":{"set":{"x":1},"then":"end"}},{"y":{"set":{"never":true}}}]`, `{}`, `{"went":"on"}`},
		"the same id, its own definition": {`"do":[{"a":` + running(``) + `}]`, `"do":[{"x":{"set":{"id":"${ $workflow.id }","v":"${ $workflow.definition.document.version }"}}}]`, `{}`, `{"id":"run-1","v":"2.0.0"}`},
		"its variables are its own":       {`"do":[{"a":{"for":{"in":"[5]"},"do":[{"b":` + running(``) + `},{"c":{"set":{"item":"${ $item }","theirs":"${ . }"}}}]}}]`, `"do":[{"x":{"for":{"in":"[1,2]"},"do":[{"y":{"set":{"last":"${ $item }"}}}]}}]`, `{}`, `{"item":5,"theirs":{"last":2}}`},
		"an error that is caught": {`"do":[{"a":{"try":[{"b":` + running(``) + `}],"catch":{"do":[{"h":{"set":"${ $error }"}}]}}}]`, `"do":[{"x":{"raise":{"error":{"type":"urn:x","status":418,"title":"T","detail":"D"}}}}]`, `{}`,
			`{"type":"urn:x","status":418,"title":"T","detail":"D","instance":"/do/0/a/try/0/b"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mustRun(t, linked(t, tt.quote, tt.child), value(t, tt.input), nil); !sameJSON(t, got, value(t, tt.want)) {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestSubflowsFail(t *testing.T) {
	for name, tt := range map[string]struct {
		child, detail string
		kind          ErrorKind
		status        int
	}{
		"in a task":         {`"do":[{"x":{"set":{"y":"${ .n.a.b }"}}}]`, "workflow child failed at /do/0/x: the expression at /do/0/x/set/y cannot be evaluated with these inputs", ExpressionError, 400},
		"its input schema":  {`"input":{"schema":{"document":{"type":"object","required":["zip"]}}},"do":[{"x":{"set":{"x":1}}}]`, "the input does not match the input schema of workflow child", ValidationError, 400},
		"its output schema": {`"output":{"schema":{"document":{"required":["zip"]}}},"do":[{"x":{"set":{"x":1}}}]`, "workflow child failed at /output: the output does not match the workflow's own output schema", ValidationError, 500},
		"its limits":        {`"do":[{"x":{"set":{"x":1}}},{"y":{"set":{"y":1},"then":"x"}}]`, "workflow child failed at /do/", RuntimeError, 500},
		"its timeout":       {`"timeout":{"after":{"milliseconds":1}},"do":[{"x":{"wait":{"hours":1}}}]`, "workflow child failed at /timeout: it did not finish within its 1ms", TimeoutError, 504},
	} {
		t.Run(name, func(t *testing.T) {
			e, f := mustFail(t, linked(t, `"do":[{"a":`+running(`,"input":{"n":"text"}`)+`}]`, tt.child), nil, nil)
			if !e.IsKind(tt.kind) || e.Instance != "/do/0/a" || !strings.HasPrefix(e.Detail, tt.detail) || f.Status != tt.status {
				t.Errorf("got %v, %d", e, f.Status)
			}
		})
	}
}

// TestDetachedSubflows: they are started with their input, which the task hands on.
func TestDetachedSubflows(t *testing.T) {
	detached := `{"run":{"await":false,"workflow":{"namespace":"shop","name":"child","version":"2.0.0","input":{"n":"${ .n }","s":"${ $secrets.pricing }","e":"${ .e }"}}}}`
	quote := `"use":{"secrets":["pricing"]},"do":[{"a":` + detached + `,"x":1}]`
	quote = strings.Replace(quote, `,"x":1`, ``, 1)
	p := linked(t, quote, `"input":{"schema":{"document":{"type":"object","properties":{"n":{"type":"integer"}}}}},"do":[{"x":{"set":{"x":1}}}]`)
	host := &Host{Secrets: func() map[string]any { return map[string]any{"pricing": "tok-1234"} }}
	var started []any
	spawn := func(_ context.Context, name string, inputs any) error {
		started = append(started, name, inputs)
		return nil
	}
	input := map[string]any{"n": 1, "e": "${ $secrets.pricing }"}
	got, err := p.Run(t.Context(), input, host, Options{Spawn: spawn})
	if err != nil || !sameJSON(t, got, input) {
		t.Errorf("got %v, %v", got, err)
	}
	if want := []any{"child", map[string]any{"n": 1, "s": "[redacted]", "e": "${ $secrets.pricing }"}}; !sameJSON(t, started, want) {
		t.Errorf("started %v", started)
	}
	if _, err := p.Run(t.Context(), map[string]any{"n": "one"}, host, Options{Spawn: spawn}); !strings.Contains(fault.As(err).Detail, "does not match the input schema of workflow child") {
		t.Errorf("got %v", err)
	}
	busy := func(context.Context, string, any) error { return fault.New(fault.Overloaded, "too many executions") }
	if _, err := p.Run(t.Context(), input, host, Options{Spawn: busy}); !strings.Contains(fault.As(err).Detail, "workflow child cannot be started: too many executions") {
		t.Errorf("got %v", err)
	}
	if e, _ := mustFail(t, p, input, host); !e.IsKind(ConfigurationError) {
		t.Errorf("where nothing can be started: got %v", e)
	}
}

// TestDetachedSubflowsAreFew: a loop must not start ten thousand.
func TestDetachedSubflowsAreFew(t *testing.T) {
	p := linked(t, `"do":[{"l":{"for":{"in":"[range(200)]"},"do":[{"a":{"run":{"await":false,"workflow":{"namespace":"shop","name":"child","version":"2.0.0"}}}}]}}]`, set)
	started := 0
	_, err := p.Run(t.Context(), nil, nil, Options{Spawn: func(context.Context, string, any) error { started++; return nil }})
	if e, ok := errors.AsType[*Error](err); !ok || !e.IsKind(RuntimeError) || started != maxSpawned {
		t.Errorf("got %v after %d", err, started)
	}
}
