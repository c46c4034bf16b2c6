package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// failing raises an error of its own type.
const failing = `{"f":{"raise":{"error":{"type":"urn:broken","status":503,"title":"Broken","detail":"out of order"}}}}`

func TestTry(t *testing.T) {
	const communication = `"https://open-workflow-specification.org/spec/1.0.0/errors/communication"`
	raising := func(kind string) string {
		return `{"f":{"raise":{"error":{"type":` + kind + `,"status":500}}}}`
	}
	testFlows(t, nil, []flowCase{
		{"nothing to catch", `"do":[{"a":{"try":[{"b":{"set":{"x":1}}}],"catch":{"do":[{"c":{"set":{"never":true}}}],"then":"end"}}},{"d":{"set":{"y":"${ .x }"}}}]`, `{}`, `{"y":1}`},
		{"caught, and nothing done about it", `"do":[{"a":{"try":[` + failing + `],"catch":{}}},{"b":{"set":{"i":"${ . }"}}}]`, `{"x":1}`, `{"i":{"x":1}}`},
		{"the error, and the input", `"do":[{"a":{"input":{"from":".x"},"try":[` + failing + `],"catch":{"do":[{"h":{"set":{"e":"${ $error }","i":"${ . }"}}}]}}}]`, `{"x":1}`,
			`{"e":{"type":"urn:broken","status":503,"title":"Broken","detail":"out of order","instance":"/do/0/a/try/0/f"},"i":1}`},
		{"named, at any depth", `"do":[{"a":{"try":[{"d":{"do":[` + failing + `]}}],"catch":{"as":"err","do":[{"h":{"set":"${ $err.instance }"}}]}}}]`, `{}`, `"/do/0/a/try/0/d/do/0/f"`},
		{"a filter that fits", `"do":[{"a":{"try":[` + failing + `],"catch":{"errors":{"with":{"type":"urn:broken","status":503,"title":"Broken","detail":"out of order","instance":"/do/0/a/try/0/f"}},"do":[{"h":{"set":{"ok":true}}}]}}}]`, `{}`, `{"ok":true}`},
		{"an inner filter that does not fit", `"do":[{"o":{"try":[{"a":{"try":[` + failing + `],"catch":{"errors":{"with":{"status":504}},"do":[{"h":{"set":{"never":true}}}]}}}],"catch":{"do":[{"h":{"set":{"ok":true}}}]}}}]`, `{}`, `{"ok":true}`},
		{"raised by an older name, caught by the present one", `"do":[{"a":{"try":[` + raising(`"https://serverlessworkflow.io/dsl/errors/types/communication"`) + `],"catch":{"errors":{"with":{"type":` + communication + `}},"do":[{"h":{"set":"${ $error.type }"}}]}}}]`, `{}`, `"https://serverlessworkflow.io/dsl/errors/types/communication"`},
		{"raised by the present name, caught by an older one", `"do":[{"a":{"try":[` + raising(communication) + `],"catch":{"errors":{"with":{"type":"https://serverlessworkflow.io/spec/1.0.0/errors/communication"}},"do":[{"h":{"set":{"ok":true}}}]}}}]`, `{}`, `{"ok":true}`},
		{"when and exceptWhen", `"do":[{"a":{"try":[` + failing + `],"catch":{"when":"$error.status == 503 and .x == 1","exceptWhen":"$error.title == \"Other\"","do":[{"h":{"set":{"ok":true}}}]}}}]`, `{"x":1}`, `{"ok":true}`},
		{"then of the catch", `"do":[{"a":{"try":[` + failing + `],"catch":{"then":"c"},"then":"end"}},{"b":{"set":{"never":true}}},{"c":{"set":{"ok":true}}}]`, `{}`, `{"ok":true}`},
		{"then of the catch, behind its tasks", `"do":[{"a":{"try":[` + failing + `],"catch":{"do":[{"h":{"set":{"x":1}}}],"then":"c"}}},{"b":{"set":{"never":true}}},{"c":{"set":{"y":"${ .x }"}}}]`, `{}`, `{"y":1}`},
		{"then of the task, when the catch has none", `"do":[{"a":{"try":[` + failing + `],"catch":{},"then":"c"}},{"b":{"set":{"never":true}}},{"c":{"set":{"ok":true}}}]`, `{}`, `{"ok":true}`},
		{"an error of an expression", `"do":[{"a":{"try":[{"b":{"set":{"x":"${ .a.b.c }"}}}],"catch":{"errors":{"with":{"type":"https://open-workflow-specification.org/spec/1.0.0/errors/expression","status":400}},"do":[{"h":{"set":"${ $error.instance }"}}]}}}]`, `{"a":"text"}`, `"/do/0/a/try/0/b"`},
		{"an error of a condition: the frame is that of the try again", `"do":[{"a":{"try":[{"b":{"if":".a.b.c","set":{"x":1}}}],"catch":{"when":"$task.name == \"a\" and $input.a == \"text\"","do":[{"h":{"set":{"ok":true}}}]}}}]`, `{"a":"text"}`, `{"ok":true}`},
		{"in a function", `"use":{"functions":{"f":{"do":[` + failing + `]}}},"do":[{"a":{"try":[{"b":{"call":"f"}}],"catch":{"do":[{"h":{"set":"${ $error.instance }"}}]}}}]`, `{}`, `"/use/functions/f/do/0/f"`},
		{"in a handler: not caught again", `"do":[{"o":{"try":[{"a":{"try":[` + failing + `],"catch":{"do":[{"h":{"raise":{"error":{"type":"urn:second","status":500}}}}]}}}],"catch":{"do":[{"h":{"set":"${ $error.type }"}}]}}}]`, `{}`, `"urn:second"`},
		{"what was exported before the error stays", `"do":[{"a":{"try":[{"b":{"set":{"x":1},"export":{"as":"{k: 1}"}}},` + failing + `],"catch":{}}},{"c":{"set":"${ $context }"}}]`, `{}`, `{"k":1}`},
	})
}

func TestTryLetsThrough(t *testing.T) {
	for name, tt := range map[string]struct{ members, kind, instance string }{
		"another status":                    {`"do":[{"a":{"try":[` + failing + `],"catch":{"errors":{"with":{"status":500}}}}}]`, "urn:broken", "/do/0/a/try/0/f"},
		"a custom type like a standard one": {`"do":[{"a":{"try":[{"f":{"raise":{"error":{"type":"https://example.com/errors/communication","status":500}}}}],"catch":{"errors":{"with":{"type":"https://open-workflow-specification.org/spec/1.0.0/errors/communication"}}}}}]`, "https://example.com/errors/communication", "/do/0/a/try/0/f"},
		"when does not hold":                {`"do":[{"a":{"try":[` + failing + `],"catch":{"when":"$error.status == 500"}}}]`, "urn:broken", "/do/0/a/try/0/f"},
		"exceptWhen holds":                  {`"do":[{"a":{"try":[` + failing + `],"catch":{"exceptWhen":"$error.status == 503"}}}]`, "urn:broken", "/do/0/a/try/0/f"},
		"when fails itself":                 {`"do":[{"a":{"try":[` + failing + `],"catch":{"when":"$error.title.x"}}}]`, errorTypes + "expression", "/do/0/a"},
		"retries do not help":               {`"do":[{"a":{"try":[` + failing + `],"catch":{"retry":{"limit":{"attempt":{"count":2}}}}}},{"b":{"set":{"never":true}}}]`, "urn:broken", "/do/0/a/try/0/f"},
		"a retry that is not for it":        {`"do":[{"a":{"try":[` + failing + `],"catch":{"retry":{"when":"$error.status == 500"}}}}]`, "urn:broken", "/do/0/a/try/0/f"},
		"the limits of the run":             {`"do":[{"a":{"try":[{"x":{"set":{"x":1}}},{"y":{"set":{"y":1},"then":"x"}}],"catch":{"retry":{},"do":[{"h":{"set":{"never":true}}}]}}}]`, errorTypes + "runtime", "/do/0/a/try/"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := mustFail(t, compileFor(t, tt.members), map[string]any{}, nil)
			if e.Type != tt.kind || !strings.HasPrefix(e.Instance, tt.instance) {
				t.Errorf("got %v of type %s", e, e.Type)
			}
		})
	}
}

// attempts runs a try task whose task always fails, in a bubble, and returns when it was
// tried.
func attempts(t *testing.T, retry string, host *Host) (at []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		host.Caller = &recorder{answer: func(context.Context, string) (*HTTPResponse, error) {
			at = append(at, time.Since(began).String())
			return &HTTPResponse{Status: 503}, nil
		}}
		p := compileFor(t, `"use":{"retries":{"named":{"delay":{"seconds":1},"limit":{"attempt":{"count":1}}}}},"do":[{"a":{"try":[{"b":{"call":"http","with":{"method":"get","endpoint":"https://a.example"}}}],"catch":{"retry":`+retry+`,"do":[{"h":{"set":{"gave":"up"}}}]}}}]`)
		if got := mustRun(t, p, map[string]any{"x": 1}, host); !sameJSON(t, got, map[string]any{"gave": "up"}) {
			t.Errorf("got %v", got)
		}
	})
	return at
}

func TestRetry(t *testing.T) {
	for name, tt := range map[string]struct {
		retry  string
		random float64
		want   []string
	}{
		"count is how often it is tried again": {`{"delay":{"seconds":3},"limit":{"attempt":{"count":2}}}`, 0, []string{"0s", "3s", "6s"}},
		"none":                                 {`{"limit":{"attempt":{"count":0}}}`, 0, []string{"0s"}},
		"ten, without a limit":                 {`{"backoff":{"constant":{}},"delay":"PT1S"}`, 0, []string{"0s", "1s", "2s", "3s", "4s", "5s", "6s", "7s", "8s", "9s", "10s"}},
		"linear":                               {`{"delay":{"seconds":1},"backoff":{"linear":{}},"limit":{"attempt":{"count":3}}}`, 0, []string{"0s", "1s", "3s", "6s"}},
		"exponential":                          {`{"delay":{"seconds":1},"backoff":{"exponential":{}},"limit":{"attempt":{"count":4}}}`, 0, []string{"0s", "1s", "3s", "7s", "15s"}},
		"jitter":                               {`{"delay":{"seconds":1},"jitter":{"from":{"seconds":1},"to":{"seconds":3}},"limit":{"attempt":{"count":2}}}`, 0.5, []string{"0s", "3s", "6s"}},
		"jitter without delay":                 {`{"jitter":{"from":"PT0S","to":"PT4S"},"limit":{"attempt":{"count":1}}}`, 0.25, []string{"0s", "1s"}},
		"at most for some time":                {`{"delay":{"seconds":2},"limit":{"duration":{"seconds":5}}}`, 0, []string{"0s", "2s", "4s"}},
		"by name":                              {`"named"`, 0, []string{"0s", "1s"}},
		"when":                                 {`{"when":"$error.status == 503","exceptWhen":"$error.status == 404","limit":{"attempt":{"count":1}}}`, 0, []string{"0s", "0s"}},
		"not when":                             {`{"when":"$error.status == 500"}`, 0, []string{"0s"}},
		"except when":                          {`{"exceptWhen":"$error.status == 503"}`, 0, []string{"0s"}},
		"the delay from an expression":         {`{"delay":"${ if .x == 1 then \"PT7S\" else \"PT1S\" end }","limit":{"attempt":{"count":1}}}`, 0, []string{"0s", "7s"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := attempts(t, tt.retry, &Host{Random: func() float64 { return tt.random }}); !slices.Equal(got, tt.want) {
				t.Errorf("tried at %v, want %v", got, tt.want)
			}
		})
	}
}

// TestAttemptsHaveALimit: the time of an attempt ends it, and is an error like any other.
func TestAttemptsHaveALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := compileFor(t, `"do":[{"a":{"try":[{"b":{"wait":{"hours":1}}}],"catch":{"errors":{"with":{"status":408}},"retry":{"delay":{"seconds":1},"limit":{"attempt":{"count":2,"duration":{"seconds":10}}}},"do":[{"h":{"set":"${ $error }"}}]}}}]`)
		got := mustRun(t, p, nil, nil)
		want := map[string]any{"type": errorTypes + "timeout", "status": 408, "title": "Timeout Error", "detail": "it did not finish within its 10s", "instance": "/do/0/a"}
		if !sameJSON(t, got, want) || time.Since(began) != 32*time.Second {
			t.Errorf("got %v after %v", got, time.Since(began))
		}
	})
}

func TestTimeouts(t *testing.T) {
	const hour = `{"b":{"wait":{"hours":1}}}`
	for name, tt := range map[string]struct {
		members, instance string
		after             time.Duration
	}{
		"of the workflow":           {`"timeout":{"after":{"seconds":5}},"do":[` + hour + `]`, "/timeout", 5 * time.Second},
		"by name":                   {`"use":{"timeouts":{"t":{"after":"PT7S"}}},"timeout":"t","do":[` + hour + `]`, "/timeout", 7 * time.Second},
		"from the input":            {`"timeout":{"after":"${ .limit }"},"do":[` + hour + `]`, "/timeout", 9 * time.Second},
		"of a task":                 {`"do":[{"a":{"timeout":{"after":{"seconds":5}},"do":[` + hour + `]}}]`, "/do/0/a", 5 * time.Second},
		"of a task, from its input": {`"do":[{"a":{"timeout":{"after":"${ .limit }"},"do":[` + hour + `]}}]`, "/do/0/a", 9 * time.Second},
		"the nearer one, outside":   {`"timeout":{"after":{"seconds":5}},"do":[{"a":{"timeout":{"after":{"seconds":6}},"do":[` + hour + `]}}]`, "/timeout", 5 * time.Second},
		"the nearer one, inside":    {`"timeout":{"after":{"seconds":6}},"do":[{"a":{"timeout":{"after":{"seconds":5}},"do":[` + hour + `]}}]`, "/do/0/a", 5 * time.Second},
		"of branches":               {`"do":[{"a":{"timeout":{"after":{"seconds":5}},"fork":{"branches":[` + hour + `,{"c":{"wait":{"hours":2}}}]}}}]`, "/do/0/a", 5 * time.Second},
		"over all attempts":         {`"do":[{"a":{"timeout":{"after":{"seconds":5}},"try":[` + failing + `],"catch":{"retry":{"delay":{"seconds":2}}}}}]`, "/do/0/a", 5 * time.Second},
		"no time at all":            {`"do":[{"a":{"timeout":{"after":{"seconds":0}},"wait":{"seconds":1}}}]`, "/do/0/a", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				e, f := mustFail(t, compileFor(t, tt.members), map[string]any{"limit": "PT9S"}, nil)
				if !e.IsKind(TimeoutError) || e.Status != 408 || e.Instance != tt.instance || time.Since(began) != tt.after {
					t.Errorf("got %v after %v", e, time.Since(began))
				}
				if f.Code != fault.Timeout || f.Status != 504 || f.Problem == nil {
					t.Errorf("the caller gets %+v", f)
				}
			})
		})
	}
}

// TestTimeoutsAreCaught also checks that a task that is done in time is not ended by the
// timer of its timeout later.
func TestTimeoutsAreCaught(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := compileFor(t, `"do":[{"a":{"timeout":{"after":{"seconds":5}},"set":{"x":1}}},{"b":{"wait":{"seconds":10}}},
			{"c":{"try":[{"d":{"timeout":{"after":{"seconds":5}},"wait":{"hours":1}}}],"catch":{"do":[{"e":{"set":{"s":"${ $error.status }"}}}]}}}]`)
		if got := mustRun(t, p, nil, nil); !sameJSON(t, got, map[string]any{"s": 408}) {
			t.Errorf("got %v", got)
		}
	})
}

// TestDurationsAreTexts: an expression that gives no duration is an error of its own.
func TestDurationsAreTexts(t *testing.T) {
	for _, members := range []string{
		`"timeout":{"after":"${ .x }"},"do":[{"a":{"set":{"x":1}}}]`, `"do":[{"a":{"timeout":{"after":"${ .x }"},"set":{"x":1}}}]`, `"do":[{"a":{"wait":"${ .x }"}}]`,
	} {
		for _, x := range []any{nil, 5, "5s", "P1M", "-PT1S", map[string]any{"seconds": 5}} {
			if e, _ := mustFail(t, compileFor(t, members), map[string]any{"x": x}, nil); !e.IsKind(ExpressionError) || e.Instance == "" {
				t.Errorf("%s, %v: got %v", members, x, e)
			}
		}
	}
}

func TestCallersThatEnd(t *testing.T) {
	// The caller's context ends with an error of its own: nothing may catch it.
	gone := errors.New("the caller went away")
	retried := `{"a":{"try":[%s],"catch":{"retry":{},"do":[{"h":{"set":{"never":true}}}]}}}`
	for name, task := range map[string]string{
		"a wait":             `{"b":{"wait":{"hours":1}}}`,
		"a call":             `{"b":{"call":"http","with":{"method":"get","endpoint":"https://a.example"}}}`,
		"branches":           `{"b":{"fork":{"branches":[{"x":{"wait":{"hours":1}}},{"y":{"call":"http","with":{"method":"get","endpoint":"https://a.example"}}}]}}}`,
		"competing branches": `{"b":{"fork":{"compete":true,"branches":[{"x":{"wait":{"hours":1}}},{"y":{"call":"http","with":{"method":"get","endpoint":"https://a.example"}}}]}}}`,
		"a timeout":          `{"b":{"timeout":{"after":{"hours":1}},"wait":{"hours":2}}}`,
		"a delay":            `{"b":{"try":[` + failing + `],"catch":{"retry":{"delay":{"hours":1}}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caller := &recorder{answer: func(ctx context.Context, _ string) (*HTTPResponse, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}}
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Minute, func() { cancel(gone) })
				began := time.Now()
				_, err := compileFor(t, `"do":[`+fmt.Sprintf(retried, task)+`]`).Run(ctx, nil, &Host{Caller: caller}, Options{})
				if f := fault.As(err); f.Code != fault.Timeout || !errors.Is(err, gone) || time.Since(began) != time.Minute {
					t.Errorf("got %v (%v) after %v", err, f.Cause, time.Since(began))
				}
			})
		})
	}
}
