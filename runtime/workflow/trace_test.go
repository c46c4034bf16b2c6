package workflow

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// traced runs a workflow in a bubble and returns what its trace hook is told, a line for
// each event.
func traced(t *testing.T, p *Program, input any) (lines []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		began := time.Now()
		_, _ = p.Run(t.Context(), input, &Host{Caller: &recorder{}}, Options{Trace: func(e TaskEvent) {
			mu.Lock()
			defer mu.Unlock()
			line := fmt.Sprintf("%s %s %s %s %s %s", e.Time.Sub(began), e.Workflow, e.Phase, e.Reference, e.Kind, e.Took)
			if e.Error != nil {
				line += " " + e.Error.Title
			}
			lines = append(lines, line)
		}})
	})
	return lines
}

func TestTrace(t *testing.T) {
	for name, tt := range map[string]struct {
		p    *Program
		want []string
	}{
		"a sequence": {compileFor(t, `"do":[{"a":{"if":".no","set":{"x":1}}},{"b":{"wait":{"seconds":2}}},{"c":{"do":[{"d":{"call":"http","with":{"method":"get","endpoint":"https://a.example"}}}]}}]`), []string{
			"0s quote skipped /do/0/a set 0s", "0s quote started /do/1/b wait 0s", "2s quote completed /do/1/b wait 2s",
			"2s quote started /do/2/c do 0s", "2s quote started /do/2/c/do/0/d call http 0s", "2s quote completed /do/2/c/do/0/d call http 0s", "2s quote completed /do/2/c do 0s"}},
		"a retry": {compileFor(t, `"do":[{"a":{"try":[{"b":{"raise":{"error":{"type":"x","status":400,"title":"Oh"}}}}],"catch":{"retry":{"delay":{"seconds":1},"limit":{"attempt":{"count":1}}}}}}]`), []string{
			"0s quote started /do/0/a try 0s", "0s quote started /do/0/a/try/0/b raise 0s", "0s quote faulted /do/0/a/try/0/b raise 0s Oh", "1s quote retried /do/0/a try 0s Oh",
			"1s quote started /do/0/a/try/0/b raise 0s", "1s quote faulted /do/0/a/try/0/b raise 0s Oh", "1s quote faulted /do/0/a try 1s Oh"}},
		"a condition that fails": {compileFor(t, `"do":[{"a":{"if":".text.x","set":{"x":1}}}]`), []string{"0s quote faulted /do/0/a set 0s Expression Error"}},
		"a function": {compileFor(t, `"use":{"functions":{"f":{"set":{"x":1}}}},"do":[{"a":{"call":"f"}}]`), []string{
			"0s quote started /do/0/a call f 0s", "0s quote started /use/functions/f set 0s", "0s quote completed /use/functions/f set 0s", "0s quote completed /do/0/a call f 0s"}},
		"another workflow": {linked(t, `"do":[{"a":`+running("")+`}]`, `"do":[{"x":{"set":{"x":1}}}]`), []string{
			"0s quote started /do/0/a run 0s", "0s child started /do/0/x set 0s", "0s child completed /do/0/x set 0s", "0s quote completed /do/0/a run 0s"}},
		"a timeout": {compileFor(t, `"do":[{"a":{"timeout":{"after":{"seconds":3}},"do":[{"b":{"wait":{"hours":1}}}]}}]`), []string{
			"0s quote started /do/0/a do 0s", "0s quote started /do/0/a/do/0/b wait 0s", "3s quote faulted /do/0/a/do/0/b wait 3s Timeout Error", "3s quote faulted /do/0/a do 3s Timeout Error"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := traced(t, tt.p, map[string]any{"text": "x"}); !slices.Equal(got, tt.want) {
				for _, line := range got {
					t.Log(line)
				}
				t.Errorf("want %q", tt.want)
			}
		})
	}
}

// TestTraceOfBranches: those that lose are told of as such, and not as late.
func TestTraceOfBranches(t *testing.T) {
	lines := traced(t, compileFor(t, `"do":[{"a":{"fork":{"compete":true,"branches":[{"slow":{"wait":{"hours":1}}},{"fast":{"wait":{"seconds":1}}}]}}}]`), nil)
	want := []string{
		"0s quote started /do/0/a fork 0s", "0s quote started /do/0/a/fork/branches/0/slow wait 0s", "0s quote started /do/0/a/fork/branches/1/fast wait 0s",
		"1s quote completed /do/0/a fork 1s", "1s quote completed /do/0/a/fork/branches/1/fast wait 1s", "1s quote faulted /do/0/a/fork/branches/0/slow wait 1s Runtime Error",
	}
	slices.Sort(lines)
	if !slices.Equal(lines, want) {
		t.Errorf("got %q", lines)
	}
}

// TestTaskDescriptor: the clock is read for tasks that look at $task, and for no others.
func TestTaskDescriptor(t *testing.T) {
	counted := &countingClock{}
	p := compileFor(t, `"do":[{"a":{"set":{"x":1}}},{"b":{"do":[{"c":{"set":{"s":"${ $task.startedAt.epoch.seconds }","d":"${ $task.definition.set | keys }","r":"${ $task.reference }"}}}]}}]`)
	got := mustRun(t, p, nil, &Host{Clock: counted})
	if !sameJSON(t, got, map[string]any{"s": 2, "d": []any{"d", "r", "s"}, "r": "/do/1/b/do/0/c"}) || counted.reads != 2 {
		t.Errorf("got %v after %d reads", got, counted.reads)
	}
}

// countingClock tells how often it was read.
type countingClock struct{ reads int64 }

func (c *countingClock) Now() time.Time {
	c.reads++
	return time.Unix(c.reads, 0)
}

func (c *countingClock) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}
