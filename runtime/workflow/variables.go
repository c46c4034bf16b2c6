package workflow

import (
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// slot is the index of an expression's variable.
type slot int

// The variables of expressions, as the specification names them, and the time.
const (
	slotContext slot = iota
	slotInput
	slotOutput
	slotSecrets
	slotAuthorization
	slotTask
	slotWorkflow
	slotRuntime
	slotNow
	slotCount // the variables that tasks declare follow
)

var slotNames = [slotCount]string{"$context", "$input", "$output", "$secrets", "$authorization", "$task", "$workflow", "$runtime", nowVariable}

// site is where an expression stands; it decides which variables there are.
type site struct {
	name  string
	slots []slot
}

// The sites, with the variables that the specification's table gives them; the
// workflow's output.as also has $input, which costs nothing.
var (
	siteWorkflowInput  = site{"the workflow's input.from", []slot{slotSecrets, slotWorkflow, slotRuntime}}
	siteWorkflowOutput = site{"the workflow's output.as", []slot{slotContext, slotInput, slotSecrets, slotWorkflow, slotRuntime}}
	siteTaskInput      = site{"if and input.from", []slot{slotContext, slotSecrets, slotTask, slotWorkflow, slotRuntime}}
	siteTask           = site{"a task", []slot{slotContext, slotInput, slotSecrets, slotTask, slotWorkflow, slotRuntime, slotAuthorization}}
	siteTaskOutput     = site{"output.as", siteTask.slots}
	siteExport         = site{"export.as", []slot{slotContext, slotInput, slotOutput, slotSecrets, slotTask, slotWorkflow, slotRuntime, slotAuthorization}}
)

// variable is a name that an expression may use, with its slot.
type variable struct {
	name string
	slot slot
}

// visible are the variables at a site: the language's own, and after them those that
// the tasks around it declare. A later one hides an earlier one of the same name.
func visible(at site, declared []variable) []variable {
	all := make([]variable, 0, len(at.slots)+len(declared)+1)
	for _, s := range at.slots {
		all = append(all, variable{slotNames[s], s})
	}
	all = append(all, declared...)
	return append(all, variable{nowVariable, slotNow})
}

// lookup returns the slot of a name.
func lookup(variables []variable, name string) (slot, bool) {
	for _, v := range slices.Backward(variables) {
		if v.name == name {
			return v.slot, true
		}
	}
	return 0, false
}

// emptyContext is $context before anything was exported. It is never written to.
var emptyContext = map[string]any{}

// variable returns the value of a variable, making it when it is first asked for.
func (r *run) variable(s slot) any {
	if s >= slotCount {
		return r.declared[s-slotCount]
	}
	switch s {
	case slotContext:
		return r.context
	case slotInput:
		return r.frame.input
	case slotOutput:
		return r.frame.output
	case slotAuthorization:
		return r.frame.authorization
	case slotSecrets:
		return r.secrets()
	case slotTask:
		return r.frame.describe()
	case slotWorkflow:
		return r.describe()
	case slotRuntime:
		return runtimeDescriptor()
	case slotNow:
		return float64(r.now().UnixNano()) / 1e9
	default:
		return nil
	}
}

// declare sets a variable that a task declares.
func (r *run) declare(s slot, value any) { r.declared[s-slotCount] = value }

// describe is $workflow.
func (r *run) describe() any {
	if r.workflowValue == nil {
		r.workflowValue = map[string]any{
			"id":         r.shared.options.ID,
			"definition": r.program.definition,
			"input":      r.raw,
			"startedAt":  instant(r.started),
		}
	}
	return r.workflowValue
}

// describe is $task. Its output appears once there is one.
func (f *frame) describe() any {
	if f.task == nil {
		return nil
	}
	out := map[string]any{
		"name":       f.task.name,
		"reference":  f.task.pointer,
		"definition": f.task.definition,
		"input":      f.rawInput,
		"startedAt":  instant(f.started),
	}
	if f.hasOutput {
		out["output"] = f.rawOutput
	}
	return out
}

// instant is a point in time as the specification describes it to expressions.
func instant(t time.Time) map[string]any {
	return map[string]any{
		"iso8601": t.UTC().Format("2006-01-02T15:04:05.000Z"),
		"epoch":   map[string]any{"seconds": int(t.Unix()), "milliseconds": int(t.UnixMilli())},
	}
}

// runtimeDescriptor is $runtime.
var runtimeDescriptor = sync.OnceValue(func() any {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return map[string]any{"name": "nexus", "version": version, "metadata": map[string]any{}}
})
