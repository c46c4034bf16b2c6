package workflow

import (
	"slices"

	"github.com/nexus-operator/nexus-operator/runtime/spelling"
)

// flowKind is where a run goes on after a task.
type flowKind int

const (
	flowNone     flowKind = iota // as the task's own then says
	flowContinue                 // to the next task
	flowExit                     // out of the list
	flowEnd                      // to the end of the workflow
	flowGoto                     // to the task at index
	flowOver                     // the workflow is at its end, with the output at hand
)

// flow is a flow directive, or what became of one.
type flow struct {
	kind  flowKind
	index int
}

// list is a list of tasks that run one after the other: what the specification calls a
// scope.
type list struct {
	tasks []task
}

// run runs the tasks, each on the output of the one before. The flow is flowOver when the
// whole workflow is over. Where a task is skipped its then is too, because a directive
// says where to go once a task has been run; the next one follows.
func (l *list) run(r *run, data any) (any, flow, error) {
	held := r.held
	r.size = 0 // the input is held by whoever made it
	for i := 0; i < len(l.tasks); {
		if r.ctx.Err() != nil {
			return nil, flow{}, r.ended()
		}
		if err := r.move(1); err != nil {
			return nil, flow{}, blame(l.tasks[i].pointer, err)
		}
		output, next, err := l.tasks[i].run(r, data)
		if err != nil {
			return nil, flow{}, err
		}
		data = output
		r.keep(held + r.size)
		switch next.kind {
		case flowExit:
			return data, flow{}, nil
		case flowOver:
			return data, next, nil
		case flowGoto:
			i = next.index
		default:
			i++
		}
	}
	return data, flow{}, nil
}

// move counts tasks that start.
func (r *run) move(tasks int64) error {
	if r.shared.transitions.Add(tasks) > maxTransitions {
		return exhausted("the run started more than %d tasks: does a then go round in circles?", maxTransitions)
	}
	return nil
}

// directives are the flow directives that are no task's name.
var directives = map[string]flowKind{"continue": flowContinue, "exit": flowExit, "end": flowEnd}

// directive compiles a flow directive among the tasks of a list.
func (c *compiler) directive(at pointer, parent map[string]any, required bool) flow {
	name, ok := c.text(at, parent, "then", required)
	if !ok {
		return flow{}
	}
	if kind, ok := directives[name]; ok {
		return flow{kind: kind}
	}
	if i := slices.Index(c.siblings, name); i >= 0 {
		return flow{kind: flowGoto, index: i}
	}
	if c.full() {
		return flow{}
	}
	if len(c.siblings) == 0 {
		c.problem(at.child("then"), "cannot go to %q: branches and functions stand alone; write continue, exit or end", name)
		return flow{}
	}
	known := append([]string{"continue", "exit", "end"}, c.siblings...)
	c.problem(at.child("then"), "there is no task %q in this list: %s", name, spelling.Suggest(name, known))
	return flow{}
}
