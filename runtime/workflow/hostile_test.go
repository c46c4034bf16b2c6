package workflow

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// objects is an expression that makes a list of very small objects: a megabyte of them, as
// JSON, takes thirty in memory.
const objects = `${ [range(80000) | {a: .}] }`

// many repeats a named member n times.
func many(n int, member string) string {
	var out []string
	for i := range n {
		out = append(out, strings.ReplaceAll(member, "#", fmt.Sprint(i)))
	}
	return strings.Join(out, ",")
}

// nested are functions f1 to fn, each of which calls the one before twice.
func nested(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, `"f%d":{"do":[{"x":{"call":"f%d"}},{"y":{"call":"f%d"}}]},`, i+1, i, i)
	}
	return out.String()
}

// forks is a fork with a task n times.
func forks(n int, task string) string {
	return `{"fork":{"branches":[` + many(n, `{"b#":`+task+`}`) + `]}}`
}

// hostile are the worst workflows that we can think of.
func hostile() map[string]string {
	return map[string]string{
		"forks of forks with large outputs":     `"do":[{"a":` + forks(15, forks(15, `{"set":{"x":`+quote(objects)+`}}`)) + `}]`,
		"branches that wait with large outputs": `"do":[{"a":` + forks(32, `{"do":[{"x":{"set":{"x":`+quote(objects)+`}}},{"w":{"wait":{"hours":1}}}]}`) + `}]`,
		"one value of many large ones":          `"do":[{"a":{"set":{` + many(200, `"x#":`+quote(objects)) + `}}}]`,
		"many texts":                            `"do":[{"a":{"set":{` + many(200, `"x#":"${ \"y\" * 1000000 }"`) + `}}}]`,
		"texts that are joined":                 `"do":[{"a":{"set":{"s":"${ \"y\" * 4000 }"}}},{"b":{"set":{` + many(200, `"x#":"${ [`+strings.TrimSuffix(strings.Repeat(".s + \\\"z\\\",", 20), ",")+`] }"`) + `}}}]`,
		"a loop that grows":                     `"do":[{"a":{"for":{"in":"[range(1000)]"},"do":[{"b":{"set":{"l":"${ (.l // []) + [range(2000) | {a: .}] }"}}}]}}]`,
		"a loop that nests":                     `"do":[{"a":{"set":{"x":{"y":{}}}}},{"b":{"set":{"x":"${ [.x, .x] }"},"then":"b"}}]`,
		"a list of everything so far":           `"do":[{"a":{"set":{"x":` + quote(objects) + `}}},{"b":{"set":{"x":"${ .x }","y":"${ .y }","z":"${ [.x, .y] }"},"then":"b"}}]`,
		"tasks in tasks with data each":         `"do":[{"a":` + strings.Repeat(`{"input":{"from":`+quote(objects)+`},"do":[{"t":`, 15) + `{"wait":{"hours":1}}` + strings.Repeat(`}]}`, 15) + `}]`,
		"contexts that are merged":              `"do":[{"a":` + forks(32, `{"set":{"x":1},"export":{"as":"$context + {k#: [range(20000) | {}]}"}}`) + `}]`,
		"contexts that double":                  `"do":[{"s":{"set":{"x":1},"export":{"as":"{l: [1]}"}}},{"a":` + strings.TrimSuffix(forks(8, `{"set":{"x":1},"export":{"as":"{l: ($context.l + $context.l)}"}}`), "}") + `,"then":"a"}}]`,
		"functions in functions":                `"use":{"functions":{` + nested(7) + `"f0":{"set":{"x":` + quote(objects) + `}}}},"do":[{"a":{"call":"f7"}}]`,
		"large responses":                       `"do":[{"a":` + forks(32, `{"do":[{"c":{"call":"http","with":{"method":"get","endpoint":"https://a.example"}}},{"w":{"wait":{"hours":1}}}]}`) + `}]`,
		"retries of large data":                 `"do":[{"a":{"try":[{"b":{"set":{"x":` + quote(objects) + `}}},` + failing + `],"catch":{"retry":{},"do":[{"h":{"set":"${ . }"}}]},"then":"a"}}]`,
		"jq without end":                        `"do":[{"a":{"try":[{"b":{"set":{"x":"${ def f: [f]; f }"}}}],"catch":{},"then":"a"}}]`,
		"jq with much":                          `"do":[{"a":{"try":[{"b":{"set":{"x":"${ [range(2e5)] | map(\"y\" * 1000) | length }"}}}],"catch":{},"then":"a"}}]`,
		"numbers that grow":                     `"do":[{"a":{"set":{"n":3}}},{"b":{"try":[{"c":{"set":{"n":"${ .n * .n }"}}}],"catch":{},"then":"b"}}]`,
		"secrets in shared data":                `"use":{"secrets":["pricing"]},"do":[{"a":{"set":{"x":"${ reduce range(12) as $i ({s: $secrets.pricing}; {l: ., r: .}) }"}}},{"b":{"emit":{"event":{"with":{"type":"t","data":"${ . }"}}},"output":{"as":".data"},"then":"b"}}]`,
		"large literals":                        `"do":[{"a":{"for":{"in":"[range(500)]"},"do":[{"b":{"set":{"x":"${ .x }","y":[` + strings.TrimSuffix(strings.Repeat(`{"a":[]},`, 3000), ",") + `],"z":"${ [.y, .z] }"}}}]}}]`,
		"a schema on large data":                `"do":[{"a":{"set":{"x":` + quote(objects) + `}}},{"b":{"wait":{"milliseconds":0},"output":{"schema":{"document":{"properties":{"x":{"uniqueItems":true,"items":{"not":{"type":"string"}}}}}}},"then":"b"}}]`,
	}
}

// TestHostileWorkflows runs two hundred of the worst workflows at once, in a process of
// its own with a memory limit. They fail as they should, the process stays within what a
// pod has, and a neighbour's small workflow keeps answering all the time.
//
// Without the ledger (claim never refusing) this takes gigabytes.
func TestHostileWorkflows(t *testing.T) {
	if os.Getenv("WORKFLOW_HOSTILE") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHostileWorkflows$", "-test.v")
		cmd.Env = append(os.Environ(), "WORKFLOW_HOSTILE=1", "GOMEMLIMIT=256MiB", "GOGC=100")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, clip(string(out), 8<<10))
		} else if testing.Verbose() {
			t.Logf("%s", out)
		}
		return
	}
	body := "[" + strings.TrimSuffix(strings.Repeat(`{"a":1},`, 120_000), ",") + "]"
	host := &Host{Caller: forgetful{jsonAnswer(body)}, Secrets: func() map[string]any { return map[string]any{"pricing": "tok-1234"} }}
	var programs []*Program
	var names []string
	for name, members := range hostile() {
		p, problems := Compile("quote", define(members), app())
		if len(problems) > 0 {
			t.Fatalf("%s: %v", name, problems)
		}
		programs, names = append(programs, p), append(names, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running sync.WaitGroup
	var outcomes sync.Map
	for i := range 200 {
		running.Go(func() {
			for at := i; ctx.Err() == nil; at++ {
				_, err := programs[at%len(programs)].Run(ctx, map[string]any{}, host, Options{})
				if f := fault.As(err); err != nil && f.Code == fault.Internal {
					t.Errorf("%s: %v", names[at%len(programs)], f.Cause)
				}
				count, _ := outcomes.LoadOrStore(fmt.Sprint(names[at%len(programs)], ": ", err), new(atomic.Int64))
				count.(*atomic.Int64).Add(1)
			}
		})
	}
	peak := new(atomic.Uint64)
	running.Go(func() { watchMemory(ctx, peak) })
	neighbour(t)
	cancel()
	running.Wait()
	outcomes.Range(func(outcome, count any) bool {
		t.Logf("%4d %s", count.(*atomic.Int64).Load(), outcome)
		return true
	})
	t.Logf("heap and stacks had %d MiB at most", peak.Load()>>20)
	if peak.Load() > 300<<20 {
		t.Errorf("heap and stacks had %d MiB, more than a pod has to spare", peak.Load()>>20)
	}
	if left := runsMemory.Load(); left != 0 {
		t.Errorf("%d bytes are claimed by runs that have ended", left)
	}
}

// forgetful is a Caller that keeps nothing.
type forgetful struct {
	answer func(context.Context, string) (*HTTPResponse, error)
}

func (c forgetful) HTTP(ctx context.Context, r *HTTPRequest) (*HTTPResponse, error) {
	return c.answer(ctx, r.URL)
}

func (c forgetful) OpenAPI(ctx context.Context, r *OpenAPIRequest) (*HTTPResponse, error) {
	return c.answer(ctx, r.OperationID)
}

func (forgetful) MCP(context.Context, *MCPRequest) (any, error) { return map[string]any{}, nil }

func (forgetful) Emit(context.Context, map[string]any) error { return nil }

// watchMemory notes how much memory there is in use at most, until the context ends.
func watchMemory(ctx context.Context, peak *atomic.Uint64) {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		metrics.Read(samples)
		sum := uint64(0)
		for _, s := range samples {
			sum += s.Value.Uint64()
		}
		peak.Store(max(peak.Load(), sum))
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// neighbour calls a small workflow until it has had some answers.
func neighbour(t *testing.T) {
	t.Helper()
	small := compileFor(t, `"do":[{"a":{"set":{"net":"${ [.order.items[] | .price * .quantity] | add }","id":"${ .order.id }"}}},{"b":{"wait":{"milliseconds":1}}},{"c":{"set":{"gross":"${ .net * 1.2 }"}}}]`)
	input := value(t, order)
	for range 5 {
		if _, err := small.Run(t.Context(), input, nil, Options{}); err != nil {
			t.Errorf("the neighbour fails: %v", err)
		}
	}
}
