package workflow

import "time"

// task is a compiled task of a list.
type task struct {
	name string
	// pointer is the task's JSON pointer in the definition.
	pointer string
	// definition is the task as expressions see it in $task.
	definition any

	condition *expression
	from      *template
	set       *template
	as        *template
	// watched says that an expression of the task uses $task.
	watched bool
}

// run is the data flow of one task: if, input.from, the task itself, output.as. A
// task that is not run hands its input on.
func (t *task) run(r *run, input any) (any, error) {
	r.task, r.taskInput, r.vars[slotTask], r.vars[slotInput] = t, input, nil, nil
	if t.watched {
		r.taskStarted = time.Now()
	}
	if t.condition != nil {
		holds, err := t.condition.evaluate(r, input)
		if err != nil {
			return nil, err
		}
		if !truthy(holds) {
			return input, nil
		}
	}
	input, err := t.from.apply(r, input)
	if err != nil {
		return nil, err
	}
	r.vars[slotInput] = input
	output, err := t.set.apply(r, input)
	if err != nil {
		return nil, err
	}
	if output, err = t.as.apply(r, output); err != nil {
		return nil, err
	}
	return bounded(output, t.pointer)
}

// truthy is jq's notion of truth: everything but null and false.
func truthy(v any) bool { return v != nil && v != false }
