package workflow

import (
	"context"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// repeatJSON returns an array of n times the item.
func repeatJSON(item string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
}

// TestRunIsBounded runs what would exhaust memory, time or the stack on data that a
// caller could send. The bound on memory is generous; without the guards each case
// takes gigabytes, minutes, or the process.
func TestRunIsBounded(t *testing.T) {
	tests := []struct{ name, expression, input string }{
		{"repeat a string", `.s * .n`, `{"s":"x","n":2000000000}`},
		{"repeat, number first", `.n * .s`, `{"s":"x","n":2000000000}`},
		{"repeat by update", `.s *= .n`, `{"s":"xxxxxxxx","n":1000000000}`},
		{"power of integers", `reduce range(64) as $i (.n; . * .)`, `{"n":3}`},
		{"array index by assignment", `.l[.n] = 1`, `{"l":[],"n":500000000}`},
		{"array index by setpath", `setpath(["l", .n]; 1)`, `{"n":500000000}`},
		{"array index by setpath, path from data", `setpath(.p; 1)`, `{"p":["l",500000000]}`},
		{"array index by getpath", `getpath(["l", .n]) = 1`, `{"n":500000000}`},
		{"array index by nth", `(.l | nth($input.n)) = 1`, `{"n":500000000}`},
		{"array index by function", `def at(i): .[i]; .n as $n | (.l | at($n)) |= 1`, `{"n":500000000}`},
		{"array index by pick", `.n as $n | pick(.l[$n])`, `{"n":500000000}`},
		{"long path", `setpath(.p; 1)`, `{"p":` + repeatJSON(`"a"`, 100000) + `}`},
		{"numbers without end", `[range(.n)] | length`, `{"n":1000000000000}`},
		{"recursion", `def f: [f]; f`, `{}`},
		{"loop", `until(false; . + 1)`, `1`},
		{"all matches of a pattern", `[.s | match("a"; "g")] | length`, `{"s":"` + strings.Repeat("a", 300000) + `"}`},
		{"replace every match", `.s | gsub("a"; "b")`, `{"s":"` + strings.Repeat("a", 300000) + `"}`},
		{"subtract arrays", `.l - .l`, `{"l":` + repeatJSON("0.5", 100000) + `}`},
		{"subtract arrays by update", `.l -= .m`, `{"l":` + repeatJSON("1", 100000) + `,"m":` + repeatJSON("2", 100000) + `}`},
		{"contains", `.l as $l | .m | contains($l)`, `{"l":` + repeatJSON("1", 100000) + `,"m":` + repeatJSON("2", 100000) + `}`},
		{"inside", `.l as $l | .m | inside($l)`, `{"l":` + repeatJSON("1", 100000) + `,"m":` + repeatJSON("2", 100000) + `}`},
		{"indices of an array", `.l | indices($input.m)`, `{"l":` + repeatJSON("1", 100000) + `,"m":` + repeatJSON("1", 50000) + `}`},
		{"array as an index", `.l[.m]`, `{"l":` + repeatJSON("1", 100000) + `,"m":` + repeatJSON("1", 50000) + `}`},
		{"indices of a string", `.s | indices($input.p)`, `{"s":"` + strings.Repeat("a", 500000) + `","p":"` + strings.Repeat("a", 200000) + `"}`},
		{"transpose", `.l | transpose | length`, `{"l":[` + repeatJSON("1", 50000) + `,` + strings.TrimSuffix(strings.Repeat("[],", 50000), ",") + `]}`},
		{"join", `.l | join($input.s)`, `{"l":` + repeatJSON(`""`, 50000) + `,"s":"` + strings.Repeat("a", 100000) + `"}`},
		{"digits", `.s | tonumber`, `{"s":"` + strings.Repeat("7", 3000000) + `"}`},
		{"digits in JSON", `.s | fromjson | length`, `{"s":"` + strings.Repeat("7", 3000000) + `"}`},
		{"sort", `.l | sort | length`, `{"l":` + repeatJSON("1", 300000) + `}`},
		{"exponential sharing", `reduce range(60) as $i (1; [., .])`, `{}`},
		{"large output", `[range(300000)]`, `{}`},
		{"deep output", `reduce range(1000) as $i (1; [.])`, `{}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustCompile(t, `"do":[{"a":{"set":{"x":`+quote("${ "+tt.expression+" }")+`}}}]`)
			input := value(t, tt.input)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			result, err := p.Run(t.Context(), input, nil, Options{})
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("it is not refused: %T", result)
			} else if f := fault.As(err); f.Code != fault.WorkflowFailed || !strings.Contains(f.Detail, "/do/0/a") {
				t.Errorf("got %v (%v)", err, f.Cause)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 512<<20 {
				t.Errorf("it allocated %d MiB", used>>20)
			}
		})
	}
}

// TestCheckIsBounded checks millions of invalid values: an error for each would take
// gigabytes.
func TestCheckIsBounded(t *testing.T) {
	p := mustCompile(t, `"input":{"schema":{"document":{"properties":{"l":{"type":"array","items":{"type":"integer"}}}}}},`+set)
	invalid, valid := make([]any, 3_000_000), make([]any, 3_000_000)
	for i := range invalid {
		invalid[i], valid[i] = "x", i
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := p.Check(map[string]any{"l": invalid})
	runtime.ReadMemStats(&after)
	if f := fault.As(err); err == nil || f.Code != fault.SchemaViolation || len(f.Violations) != 1 {
		t.Errorf("got %v", err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("it allocated %d MiB", used>>20)
	}
	if err := p.Check(map[string]any{"l": valid}); err != nil {
		t.Errorf("valid inputs are refused: %v", err)
	}
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func TestRunEnds(t *testing.T) {
	slow := `{"a":{"set":{"x":"${ until(false; . + 1) }"}}}`
	p := mustCompile(t, `"do":[`+slow+`]`)
	plain := mustCompile(t, `"do":[{"a":{"set":{"x":"${ .a }"}}}]`)

	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	short, cancelShort := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancelShort()
	canceled, cancelNow := context.WithCancel(t.Context())
	cancelNow()
	tests := []struct {
		name string
		ctx  context.Context
		p    *Program
		want fault.Code
	}{
		{"deadline passed", expired, plain, fault.Timeout},
		{"canceled", canceled, plain, fault.Timeout},
		{"deadline passes in an expression", short, p, fault.Timeout},
		{"expression too slow", t.Context(), p, fault.WorkflowFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.p.Run(tt.ctx, 1, nil, Options{})
			if got := fault.As(err).Code; got != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	// A stopwatch that went off must not end the next run.
	if _, err := plain.Run(t.Context(), nil, nil, Options{}); err != nil {
		t.Errorf("the run after a slow one: %v", err)
	}
}

// TestRunBudget spends the jq time of a whole run in expressions that each stay below
// their own limit.
func TestRunBudget(t *testing.T) {
	r := newRun(t.Context(), &Program{name: "quote"}, nil, nil, Options{})
	r.shared.spent.Store(int64(runTime))
	err := r.fault(r.startExpression())
	if got := fault.As(err); got.Code != fault.WorkflowFailed || !strings.Contains(got.Detail, "2s") {
		t.Errorf("got %v", err)
	}
}

func TestRunFails(t *testing.T) {
	tests := []struct {
		name, members, input string
		status               int
		detail               string
	}{
		{"type error", `"do":[{"a":{"set":{"x":"${ .a + 1 }"}}}]`, `{"a":"secret-value"}`, 400, "/do/0/a/set/x"},
		{"index of a string", `"do":[{"a":{"set":{"x":"${ .a.b }"}}}]`, `{"a":"secret-value"}`, 400, "/do/0/a/set/x"},
		{"error function", `"do":[{"a":{"set":{"x":"${ error(.a) }"}}}]`, `{"a":"secret-value"}`, 400, "/do/0/a/set/x"},
		{"no value", `"do":[{"a":{"set":{"x":"${ empty }"}}}]`, `{}`, 400, "no value"},
		{"two values", `"do":[{"a":{"set":{"x":"${ 1, 2 }"}}}]`, `{}`, 400, "more than one value"},
		{"value, then error", `"do":[{"a":{"set":{"x":"${ 1, error(\"secret-value\") }"}}}]`, `{}`, 400, "/do/0/a/set/x"},
		{"condition", `"do":[{"a":{"if":".a.b","set":{"x":1}}}]`, `{"a":"secret-value"}`, 400, "/do/0/a/if"},
		{"workflow input", `"input":{"from":".a.b"},"do":[{"a":{"set":{"x":1}}}]`, `{"a":"secret-value"}`, 400, "/input/from"},
		{"workflow output", `"do":[{"a":{"set":{"x":1}}}],"output":{"as":".x.y"}`, `{}`, 400, "/output/as"},
		{"output schema", `"do":[{"a":{"set":{"x":"${ .a }"}}}],"output":{"schema":{"document":{"type":"object","properties":{"x":{"type":"integer"}}}}}`, `{"a":"secret-value"}`, 500, "output schema"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := mustCompile(t, tt.members).Run(t.Context(), value(t, tt.input), nil, Options{})
			f := fault.As(err)
			if err == nil || f.Code != fault.WorkflowFailed || f.Status != tt.status || !strings.Contains(f.Detail, tt.detail) {
				t.Errorf("got %+v", f)
			}
			if strings.Contains(f.Detail, "secret-value") {
				t.Errorf("the detail shows data: %s", f.Detail)
			}
		})
	}
}

// TestRunConcurrently runs one program from many goroutines; the race detector and the
// results tell whether runs share state.
func TestRunConcurrently(t *testing.T) {
	p := mustCompile(t, `"input":{"from":"."},"do":[{"a":{"if":".n >= 0","set":{"n":"${ $input.n }","m":"${ [range(.n)] | length }","lit":{"k":[1]},"t":"${ $task.name }"}}}],"output":{"as":{"n":"${ .n }","m":"${ .m }","lit":"${ .lit }","w":"${ $workflow.input.n }"}}`)
	var group sync.WaitGroup
	for n := range 16 {
		group.Go(func() {
			for range 50 {
				got, err := p.Run(t.Context(), map[string]any{"n": n}, nil, Options{})
				want := map[string]any{"n": n, "m": n, "w": n, "lit": map[string]any{"k": []any{1}}}
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("got %v, %v, want %v", got, err, want)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestRunSurvivesAPanic(t *testing.T) {
	broken := &Program{name: "quote", tasks: list{[]task{{action: &setTask{&template{expression: &expression{}}}}}}}
	_, err := broken.Run(t.Context(), nil, nil, Options{})
	if f := fault.As(err); err == nil || f.Code != fault.Internal || f.Cause == nil || strings.Contains(f.Detail, "panic") {
		t.Errorf("got %+v", f)
	}
}
