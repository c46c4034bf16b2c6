package fleet

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hostile are workflows that use as much memory as they can, by name.
var hostile = []struct{ name, tasks string }{
	{"repeat", `[{a: {set: '${ "x" * 2000000000 }'}}]`},
	{"grow", `[{a: {set: '${ def f: [f]; f }'}}]`},
	{"long", `[{a: {set: '${ [range(2e5)] | map("0123456789" * 100) }'}}]`},
	{"doubling", `[{a: {set: '${ reduce range(40) as $i ("x"; . + .) }'}}]`},
	{"collect", `[{a: {set: '${ reduce range(1e6) as $i ([]; . + [$i]) }'}}]`},
	{"objects", `[{a: {set: '${ [range(1e5) | {a: ., b: [.], c: {d: .}}] | tojson | fromjson }'}}]`},
	{"loop", `[{a: {set: {list: []}}}, {b: {for: {in: '${ [range(5000)] }'}, do: [{c: {set: {list: '${ .list + [range(50)] }'}}}]}}]`},
	{"export", `[{a: {for: {in: '${ [range(5000)] }'}, do: [{b: {set: '${ [range(10000)] }', export: {as: '{kept: [$context, .]}'}}}]}}]`},
	{"fork", `[{a: {fork: {branches: [` + branches(32, `{set: '${ [range(50000)] }'}`) + `]}}}]`},
	{"forks", `[{a: {fork: {branches: [` + branches(7, `{fork: {branches: [`+branches(32, `{do: [{make: {set: '${ [range(40000)] }'}}, {keep: {wait: {seconds: 2}}}]}`)+`]}}`) + `]}}}]`},
}

func branches(n int, task string) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("{b%d: %s}", i, task)
	}
	return strings.Join(list, ", ")
}

// TestHostileWorkflows: 200 calls at once of the worst definitions stay within a pod of
// 128 MiB, and a neighbour's workflow goes on answering.
func TestHostileWorkflows(t *testing.T) {
	const memory, callers, while = 128 << 20, 200, 5 * time.Second
	workflows := make([]string, len(hostile))
	for i, h := range hostile {
		workflows[i] = define(h.name, h.tasks)
	}
	f := newFiles(t)
	key := f.key("one")
	r := f.start(1, manifest("Staging", `
  auth: {apiKeys: {secretRef: {name: keys}}}
  rateLimit: {requestsPerMinute: 1000000}
  limits: {maxConcurrentWorkflows: 250, requestTimeoutSeconds: 5}
`, workflows...), "NEXUS_MEMORY_LIMIT_BYTES="+strconv.Itoa(memory))[0]
	var over atomic.Bool
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[string]int{}
	for i := range callers {
		wg.Go(func() {
			for n := i; !over.Load(); n++ {
				name := hostile[n%len(hostile)].name
				a, err := r.send(t.Context(), key, http.MethodPost, "/workflows/"+name+"/execute", `{}`)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				statuses[name+" "+strconv.Itoa(a.status)]++
				mu.Unlock()
			}
		})
	}
	ends, answered, slowest := time.Now().Add(while), 0, time.Duration(0)
	for time.Now().Before(ends) && !t.Failed() {
		sent := time.Now()
		if status, err := r.call(t.Context(), "X-API-Key", key); err != nil || status != http.StatusOK {
			t.Errorf("the neighbour got %d, %v", status, err)
		}
		answered++
		slowest = max(slowest, time.Since(sent))
	}
	over.Store(true)
	wg.Wait()
	peak := peakMemory(t, r.process.Process.Pid)
	t.Logf("%v; the neighbour was answered %d times, at the latest after %v; the process had %d MiB", statuses, answered, slowest.Round(time.Millisecond), peak>>20)
	if peak >= memory {
		t.Errorf("the process had %d MiB, of %d", peak>>20, memory>>20)
	}
	if answered == 0 {
		t.Error("the neighbour was never answered")
	}
}

// peakMemory is the most memory that a process had so far, in bytes, without the pages of
// the program's file, which the kernel can drop.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	kilobytes := func(name string) int {
		_, after, _ := strings.Cut(string(raw), "\n"+name+":")
		line, _, _ := strings.Cut(after, "\n")
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(line), " kB"))
		if err != nil {
			t.Fatalf("no %s in %s", name, raw)
		}
		return n
	}
	return (kilobytes("VmHWM") - kilobytes("RssFile")) << 10
}
