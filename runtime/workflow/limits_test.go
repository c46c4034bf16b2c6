package workflow

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

// TestLimits: without the limit that each case is about, it runs for ever, or takes more
// memory than there is, or is caught and goes on.
func TestLimits(t *testing.T) {
	caught := func(task string) string {
		return `"do":[{"a":{"try":[` + task + `],"catch":{"retry":{},"do":[{"h":{"set":{"never":true}}}]}}}]`
	}
	big := `"${ \"x\" * 1000000 }"`
	input := map[string]any{"few": numbersUpTo(2000), "many": numbersUpTo(150_000)}
	for name, tt := range map[string]struct{ members, detail string }{
		"transitions":              {caught(`{"x":{"set":{"x":1}}},{"y":{"set":{"y":1},"then":"x"}}`), "more than 10000 tasks"},
		"transitions in branches":  {caught(`{"x":{"do":[{"y":` + forks(32, `{"set":{"x":1}}`) + `}],"then":"x"}}`), "more than 10000 tasks"},
		"transitions by retries":   {caught(`{"x":{"try":[{"y":{"try":[{"z":{"try":[{"w":{"try":[` + failing + `],"catch":{"retry":{}}}}],"catch":{"retry":{}}}}],"catch":{"retry":{}}}}],"catch":{"retry":{}},"then":"x"}}`), "more than 10000 tasks"},
		"transitions in workflows": {caught(`{"x":` + running("") + `},{"y":{"set":{"y":1},"then":"x"}}`), "more than 10000 tasks"},
		"iterations":               {caught(`{"x":{"for":{"in":"[range(101)]"},"do":[{"y":{"for":{"in":"[range(100)]"},"while":"false","do":[{"z":{"set":{"x":1}}}]}},{"w":{"for":{"in":"[range(100)]"},"while":"$index < 98","do":[{"z":{"if":"false","set":{"x":1}}}]}}]}}`), "went round more than 10000 times"},
		"branches at once":         {caught(`{"x":` + forks(17, forks(16, `{"wait":{"hours":1}}`)) + `}`), "more than 256 branches"},
		"time":                     {caught(`{"x":{"set":{"l":"${ .few }"}}},{"y":{"set":{"l":"${ .l }","n":"${ .l | map(. + 1) | length }"},"then":"y"}}`), "took more than 2s together"},
		"time without expressions": {caught(`{"x":{"set":{"l":"${ .many }"}}},{"y":{"set":{"l":"${ .l }"},"then":"y"}}`), "took more than 2s together"},
		"time of schemas":          {caught(`{"y":{"wait":{"seconds":0},"input":{"schema":{"document":{"properties":{"many":{"items":{"type":"integer"}}}}}},"then":"y"}}`), "took more than 2s together"},
		"memory":                   {caught(`{"x":{"set":{` + many(80, `"x#":`+big) + `}}}`), "holds more than 64 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			p := linked(t, tt.members, `"do":[{"x":{"set":{"x":1}}}]`)
			r := newRun(t.Context(), p, input, nil, Options{})
			defer r.shared.settle()
			if strings.Contains(name, "time") {
				r.shared.spent.Store(int64(runTime - 50*time.Millisecond)) // or it takes its two seconds
			}
			result, err := r.guarded(r.workflow)
			if err == nil {
				t.Fatalf("it completed with %v", result)
			}
			e, f := problemOf(err), fault.As(r.fault(err))
			if !e.IsKind(RuntimeError) || !strings.Contains(e.Detail, tt.detail) || f.Code != fault.WorkflowFailed || f.Status != 500 || e.Instance == "" {
				t.Errorf("got %v, %s %d", e, f.Code, f.Status)
			}
		})
	}
}

// numbersUpTo is a list of so many numbers.
func numbersUpTo(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// TestSizes: a value is refused where it is made, and what is just small enough is not.
func TestSizes(t *testing.T) {
	for name, tt := range map[string]struct{ members, instance, detail string }{
		"an output":                  {`"do":[{"a":{"set":{"x":"${ \"x\" * 524280 }","y":"${ \"x\" * 524290 }"}}}]`, "/do/0/a", "the output is larger than 1024 KiB"},
		"a value":                    {`"do":[{"a":{"set":{"x":"${ [\"x\" * 1000000, \"y\" * 100000] }"}}}]`, "/do/0/a", "the value of the expression at /do/0/a/set/x is larger than 1024 KiB"},
		"an input":                   {`"do":[{"a":{"input":{"from":"[\"x\" * 1000000, \"y\" * 100000]"},"set":{"x":1}}}]`, "/do/0/a", "the value of the expression at /do/0/a/input/from is larger"},
		"a context":                  {`"do":[{"a":{"set":{"x":1},"export":{"as":"{x: (\"x\" * 262140)}"}}}]`, "/do/0/a", "the context that it exports is larger than 256 KiB"},
		"a context of branches":      {`"do":[{"a":{"fork":{"branches":[` + many(3, `{"b#":{"set":{"x":1},"export":{"as":"{x#: (\"x\" * 100000)}"}}}`) + `]}}}]`, "/do/0/a", "the context that it exports is larger than 256 KiB"},
		"a depth":                    {`"do":[{"a":{"set":{"x":1}}},{"b":{"set":{"x":"${ .x }"},"output":{"as":"[.]"},"then":"c"}},{"c":{"set":"${ [.] }","then":"c"}}]`, "/do/2/c", "more than 128 levels deep"},
		"a response":                 {httpTask(""), "/do/0/a", "the response is nested more than 128 levels deep"},
		"the list of a loop":         {`"do":[{"a":{"for":{"in":"[\"x\" * 1000000, \"y\" * 100000]"},"do":[{"b":{"set":{"x":1}}}]}}]`, "/do/0/a", "the value of the expression at /do/0/a/for/in is larger"},
		"the output of the workflow": {`"do":[{"a":{"set":{"x":"${ \"x\" * 600000 }"}}}],"output":{"as":{"x":"${ .x }","y":"${ .x }"}}`, "/output/as", "the output of the workflow is larger"},
	} {
		t.Run(name, func(t *testing.T) {
			caller := &recorder{answer: jsonAnswer(strings.Repeat("[", 200) + strings.Repeat("]", 200))}
			e, _ := mustFail(t, compileFor(t, tt.members), map[string]any{}, &Host{Caller: caller})
			if !e.IsKind(RuntimeError) || !strings.Contains(e.Detail, tt.detail) || e.Instance != tt.instance {
				t.Errorf("got %v", e)
			}
		})
	}
	fits := compileFor(t, `"do":[{"a":{"set":{"x":"${ \"x\" * 262130 }"},"export":{"as":"."}}},{"b":{"set":{"x":"${ .x }","y":"${ .x }","z":"${ \"x\" * 524000 }"}}}]`)
	if got := mustRun(t, fits, nil, nil).(map[string]any); len(got["x"].(string)) != 262130 {
		t.Error("what fits is not let through")
	}
	// An input may be larger than what a task makes: what only passes through does.
	large := map[string]any{"x": strings.Repeat("x", 2<<20)}
	passing := compileFor(t, `"do":[{"a":{"wait":{"seconds":0}}},{"b":{"switch":[{"c":{"when":".y","then":"end"}}]}},{"d":{"if":".y","set":{"x":1}}}]`)
	if got := mustRun(t, passing, large, nil); !identical(got, large) {
		t.Error("a large input does not pass")
	}
}

// TestLedger: whatever a run does, in the end it holds nothing; and on its way it never
// claims less than it holds.
func TestLedger(t *testing.T) {
	for name, members := range hostile() {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := compileFor(t, members).Run(ctx, map[string]any{}, &Host{Caller: forgetful{jsonAnswer(`[{"a":1}]`)}, Secrets: func() map[string]any { return map[string]any{"pricing": "tok-1234"} }}, Options{})
			if left := runsMemory.Load(); left != 0 {
				t.Errorf("%d bytes are left (%v)", left, err)
			}
		})
	}
}

// TestLedgerForgets: what a run has let go of does not count. Without that, ten thousand
// small steps would use up what a run may hold.
func TestLedgerForgets(t *testing.T) {
	for name, members := range map[string]string{
		"a sequence":    `"do":[{"a":{"set":{"n":"${ .n + 1 }","l":"${ [range(2000)] }"}}},{"b":{"switch":[{"c":{"when":".n < 60","then":"a"}}]}}]`,
		"a loop":        `"do":[{"a":{"for":{"in":"[range(60)]"},"do":[{"b":{"set":{"l":"${ [range(2000)] }"}}}]}}]`,
		"branches":      `"do":[{"a":{"for":{"in":"[range(40)]"},"do":[{"b":{"fork":{"branches":[{"x":{"set":{"l":"${ [range(2000)] }"}}},{"y":{"set":{"l":"${ [range(2000)] }"}}}]}}}]}}]`,
		"functions":     `"use":{"functions":{"f":{"set":{"l":"${ [range(2000)] }"}}}},"do":[{"a":{"for":{"in":"[range(60)]"},"do":[{"b":{"call":"f"}}]}}]`,
		"workflows":     `"do":[{"a":{"for":{"in":"[range(60)]"},"do":[{"b":` + running("") + `}]}}]`,
		"retries":       `"do":[{"a":{"for":{"in":"[range(30)]"},"do":[{"b":{"try":[{"c":{"set":{"l":"${ [range(2000)] }"}}},` + failing + `],"catch":{"retry":{"limit":{"attempt":{"count":2}}},"do":[{"h":{"set":{"x":1}}}]}}}]}}]`,
		"contexts":      `"do":[{"a":{"for":{"in":"[range(60)]"},"do":[{"b":{"set":{"x":1},"export":{"as":"{l: [range(2000)]}"}}}]}}]`,
		"skipped tasks": `"do":[{"a":{"for":{"in":"[range(60)]"},"do":[{"b":{"if":"([range(2000)] | length) == 0","set":{"x":1}}}]}}]`,
		"calls":         `"do":[{"a":{"for":{"in":"[range(60)]"},"do":[{"b":{"call":"http","with":{"method":"get","endpoint":"https://a.example"}}}]}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			p := linked(t, members, `"do":[{"x":{"set":{"l":"${ [range(2000)] }"}}}]`)
			r := newRun(t.Context(), p, map[string]any{}, &Host{Caller: forgetful{jsonAnswer("[" + strings.TrimSuffix(strings.Repeat("{},", 2000), ",") + "]")}}, Options{})
			if _, err := r.guarded(r.workflow); err != nil {
				t.Fatal(err)
			}
			if r.held > 256<<10 || r.shared.held.Load() > 512<<10 || r.shared.held.Load() < r.claimed {
				t.Errorf("it holds %d, has claimed %d, and the run %d", r.held, r.claimed, r.shared.held.Load())
			}
			r.shared.settle()
		})
	}
}

// TestOverload: when the runs hold all there is, large ones are turned away, and small
// ones go on.
func TestOverload(t *testing.T) {
	before := runsLimit
	t.Cleanup(func() { runsLimit = before })
	runsLimit = func() int64 { return 4 << 20 }
	// What is in the input costs nothing; a copy of it does.
	input := map[string]any{"l": numbersUpTo(100_000)}
	large := compileFor(t, `"do":[{"a":{"set":{"l":"${ .l }"}}},{"b":{"wait":{"hours":1}}}]`)
	small := compileFor(t, `"do":[{"a":{"set":{"l":"${ [range(100)] }"}}},{"b":{"fork":{"branches":[{"x":{"set":{"x":1}}},{"y":{"set":{"y":1}}}]}}}]`)
	ctx, cancel := context.WithCancel(t.Context())
	clock := &waitingRun{at: make(chan struct{})}
	var running sync.WaitGroup
	running.Go(func() {
		if _, err := large.Run(ctx, input, &Host{Clock: clock}, Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("the first large run: %v", err)
		}
	})
	<-clock.at
	_, err := large.Run(t.Context(), input, nil, Options{})
	f := fault.As(err)
	if f.Code != fault.Overloaded || f.RetryAfter <= 0 || !strings.Contains(f.Detail, "try again later") {
		t.Errorf("a second large run: %v", err)
	}
	if _, err := small.Run(t.Context(), nil, nil, Options{}); err != nil {
		t.Errorf("a small run: %v", err)
	}
	cancel()
	running.Wait()
	if left := runsMemory.Load(); left != 0 {
		t.Errorf("%d bytes are left", left)
	}
}

// waitingRun is a clock that tells when a run waits.
type waitingRun struct {
	systemClock
	at chan struct{}
}

func (c *waitingRun) AfterFunc(d time.Duration, f func()) func() bool {
	close(c.at)
	return c.systemClock.AfterFunc(d, f)
}

// TestDataIsNotEvaluated: what looks like an expression in data stays a text, whichever
// way it comes. Without that, a caller could read secrets (specification, runtime
// expressions: the warning).
func TestDataIsNotEvaluated(t *testing.T) {
	const evil = `${ $secrets.pricing }`
	host := &Host{Caller: &recorder{answer: jsonAnswer(`{"e":"${ $secrets.pricing }"}`), result: map[string]any{"e": evil}}, Secrets: func() map[string]any {
		return map[string]any{"pricing": "tok-1234", "stock": evil}
	}}
	for name, members := range map[string]string{
		"an input":              `"do":[{"a":{"set":{"x":"${ .e }"}}},{"b":{"set":"${ . }"}}]`,
		"an input.from":         `"do":[{"a":{"input":{"from":".e"},"set":"${ {x: .} }"}}]`,
		"a context":             `"do":[{"a":{"set":{"x":1},"export":{"as":{"e":"${ $input.e }"}}}},{"b":{"set":{"x":"${ $context.e }"}}}]`,
		"a response":            `"do":[{"a":{"call":"http","with":{"method":"get","endpoint":"https://a.example"}}},{"b":{"set":{"x":"${ .e }"}}}]`,
		"a result of MCP":       `"do":[{"a":{"call":"mcp","with":{"method":"tools/list","transport":{"http":{"endpoint":"https://a.example"}}}}},{"b":{"set":{"x":"${ .e }"}}}]`,
		"an item":               `"do":[{"a":{"for":{"in":"[.e]"},"do":[{"b":{"set":{"x":"${ $item }"}}}]}}]`,
		"an error":              `"do":[{"a":{"try":[{"b":{"raise":{"error":{"type":"x","status":400,"detail":"${ .e }"}}}}],"catch":{"do":[{"c":{"set":{"x":"${ $error.detail }"}}}]}}}]`,
		"an argument":           `"use":{"functions":{"f":{"set":{"x":"${ .e }"}}}},"do":[{"a":{"call":"f","with":{"e":"${ .e }"}}}]`,
		"another workflow":      `"do":[{"a":` + running(`,"input":{"e":"${ .e }"}`) + `}]`,
		"an event":              `"do":[{"a":{"emit":{"event":{"with":{"type":"t","data":"${ .e }"}}},"output":{"as":"{x: .data}"}}}]`,
		"a secret":              `"use":{"secrets":["stock"]},"do":[{"a":{"set":{"x":"${ \"${\" + ($secrets.stock | ltrimstr(\"${\")) }"}}}]`,
		"a text that is joined": `"do":[{"a":{"set":{"x":"${ \"$\" + (.e | .[1:]) }"}}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			p := linked(t, `"use":{"secrets":["pricing"]},`+members, `"do":[{"a":{"set":{"x":"${ .e }"}}}]`)
			if strings.HasPrefix(members, `"use"`) {
				p = compileFor(t, members)
			}
			if got := mustRun(t, p, map[string]any{"e": evil}, host); !sameJSON(t, got, map[string]any{"x": evil}) && !sameJSON(t, got, map[string]any{"x": redacted}) {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestNoGoroutineSurvives: whoever loses, is late or is not wanted any more is waited for,
// also when it does not look at its context for a while.
func TestNoGoroutineSurvives(t *testing.T) {
	goroutines.Settle(t)
	for name, members := range map[string]string{
		"losers":                       `"do":[{"a":{"fork":{"compete":true,"branches":[{"x":{"set":{"x":1}}},{"y":{"wait":{"hours":1}}},{"z":{"call":"http","with":{"method":"get","endpoint":"https://a.example"}}}]}}}]`,
		"a failure":                    `"do":[{"a":{"try":[{"b":{"fork":{"branches":[` + failing + `,{"y":{"wait":{"hours":1}}},{"z":{"call":"http","with":{"method":"get","endpoint":"https://a.example"}}}]}}}],"catch":{}}}]`,
		"an end":                       `"do":[{"a":{"fork":{"branches":[{"x":{"set":{"x":1},"then":"end"}},{"z":{"call":"http","with":{"method":"get","endpoint":"https://a.example"}}}]}}}]`,
		"a timeout":                    `"do":[{"a":{"try":[{"b":{"timeout":{"after":{"milliseconds":1}},"call":"http","with":{"method":"get","endpoint":"https://a.example"}}}],"catch":{}}}]`,
		"timeouts that are not needed": `"timeout":{"after":{"hours":1}},"do":[{"a":{"timeout":{"after":{"hours":1}},"set":{"x":1}}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caller := &hanging{slow: time.Minute}
				began := time.Now()
				// The bubble ends with a panic when a goroutine is left in it.
				mustRun(t, compileFor(t, members), map[string]any{}, &Host{Caller: caller})
				if calls := strings.Contains(members, "http"); calls && time.Since(began) < time.Minute {
					t.Error("it did not wait for the caller")
				} else if !calls && time.Since(began) > 0 {
					t.Error("it waited for nothing")
				}
			})
		})
	}
}
