package channels

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// TestLists: every channel lists the workflows that its caller may run, and no others.
func TestLists(t *testing.T) {
	everybody := []string{
		"absent", "adds", "broken", "calls-gone", "calls-inside", "checks-output", "conflict", "echo", "few", "gives-false", "gives-id", "gives-list", "gives-much",
		"gives-nothing", "gives-null", "gives-number", "gives-text", "locked", longName, "mine", "odd-status", "order", "slow", "teapot", "x", "x-42-7",
	}
	for as, more := range map[string][]string{"web": nil, "buyer": {"buyers"}, "seller": nil, "jwt-buyer": {"buyers"}, "jwt-writer": {"scoped"}, "jwt-reader": nil} {
		rest := slices.Sorted(slices.Values(slices.Concat(everybody, more, []string{"only-rest", "tooled"})))
		mcp := slices.Sorted(slices.Values(slices.Concat(everybody, more, []string{"only-mcp", "Shop.tooled_v1.2-beta"})))
		for _, ch := range channels {
			t.Run(as+" over "+ch.name, func(t *testing.T) {
				want := rest
				if ch.mcp {
					want = mcp
				}
				got := list(t, ch, call{app: apps["shop"], token: apps["shop"].credentials[as]})
				if !slices.Equal(slices.Sorted(slices.Values(got)), want) {
					t.Errorf("%s sees %q, want %q", as, got, want)
				}
				if ch.mcp && !slices.IsSorted(got) {
					t.Errorf("the list is not in order: %q", got)
				}
			})
		}
	}
}

// list are the names that a channel lists.
func list(t *testing.T, ch channel, c call) []string {
	t.Helper()
	switch by := ch.caller.(type) {
	case rest:
		return workflowNames(t, send(t, http.MethodGet, c.app.api+"/workflows", "", c.headers()).body)
	case post:
		return toolNames(t, by.send(t, c, "tools/list", "", rpcRequest(by.revision, 7, "tools/list", "", "")).body)
	case socket:
		s, _ := connect(t, c)
		return toolNames(t, s.ask(t, rpcRequest(dated, 2, "tools/list", "", "")))
	case *stdio:
		b, _ := by.open(t, c)
		b.id++
		return toolNames(t, b.ask(t, rpcRequest(by.revision, b.id, "tools/list", "", "")))
	case command:
		got := execute(t, "", append([]string{"list", "--output", "json"}, by.app(t, c)...)...)
		if got.exit != 0 {
			t.Fatalf("nexus list ends with %d: %s", got.exit, got.errOut)
		}
		return workflowNames(t, got.out)
	}
	t.Fatalf("nothing lists over %s", ch.name)
	return nil
}

func workflowNames(t *testing.T, raw []byte) []string {
	t.Helper()
	var answer struct {
		Workflows []struct{ Name string } `json:"workflows"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.Workflows == nil {
		t.Fatalf("no list: %s", brief(string(raw)))
	}
	var names []string
	for _, w := range answer.Workflows {
		names = append(names, w.Name)
	}
	return names
}

func toolNames(t *testing.T, raw []byte) []string {
	t.Helper()
	var answer struct {
		Result struct {
			Tools      []struct{ Name string } `json:"tools"`
			NextCursor string                  `json:"nextCursor"`
		} `json:"result"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.Result.Tools == nil || answer.Result.NextCursor != "" {
		t.Fatalf("no list: %s", brief(string(raw)))
	}
	var names []string
	for _, tool := range answer.Result.Tools {
		names = append(names, tool.Name)
	}
	return names
}

// TestOneBucket: all channels to a server spend at once from the same bucket, which holds as
// many calls as there are channels.
func TestOneBucket(t *testing.T) {
	served := servedChannels()
	const each = 3
	var passed, limited atomic.Int32
	t.Run("at once", func(t *testing.T) {
		for _, ch := range served {
			t.Run(ch.name, func(t *testing.T) {
				t.Parallel()
				for range each {
					switch v := ch.call(t, ch.callOf(step{app: "shared", workflow: "echo"})); v.code {
					case ok:
						passed.Add(1)
					case "rate_limited":
						limited.Add(1)
					default:
						t.Errorf("%s: %s", v.code, brief(v.raw))
					}
				}
			})
		}
	})
	if want := len(served); int(passed.Load()) != want || int(limited.Load()) != (each-1)*want {
		t.Errorf("%d calls passed and %d were refused, want %d and %d", passed.Load(), limited.Load(), want, (each-1)*want)
	}
	for _, ch := range served {
		ch.judge(t, step{app: "shared", workflow: "echo", code: "rate_limited"})
	}
}

// TestOneRun: a call that was made with a key over one channel is not made again over
// another, and other inputs are refused there.
func TestOneRun(t *testing.T) {
	const key = "the-same-everywhere"
	var once repeated
	for _, ch := range servedChannels() {
		ch.judge(t, step{workflow: "gives-id", key: key, inputs: `{"a":1}`, check: once.same})
		ch.judge(t, step{workflow: "gives-id", key: key, inputs: `{"a":2}`, code: "idempotency_mismatch"})
	}
}

// TestOneProblem: what a problem says is the same over every channel, but for where it
// happened and who asked.
func TestOneProblem(t *testing.T) {
	for _, s := range []step{
		{workflow: "conflict", code: "workflow_failed"}, {workflow: "order", inputs: `{"item":7}`, code: "schema_violation"},
		{workflow: "buyers", code: "forbidden"}, {workflow: "echo", as: "expired", code: "unauthenticated"}, {workflow: "no-such-workflow", code: "workflow_not_found"},
	} {
		t.Run(s.code, func(t *testing.T) {
			said := map[string]bool{}
			s.check = func(_ *testing.T, _ channel, v verdict) {
				p := v.problem
				p.RequestID, p.Instance = "", ""
				text, err := json.Marshal(p)
				if err != nil {
					t.Fatal(err)
				}
				said[string(text)] = true
			}
			for _, ch := range channels {
				ch.judge(t, s)
			}
			if len(said) != 1 {
				var all []string
				for text := range said {
					all = append(all, text)
				}
				t.Errorf("the channels say different things:\n%s", strings.Join(all, "\n"))
			}
		})
	}
}
