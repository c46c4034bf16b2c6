package workflow

// doTask runs tasks one after the other.
type doTask struct{ tasks list }

func (t *doTask) perform(r *run, input any) (any, flow, error) { return t.tasks.run(r, input) }

// do compiles the tasks of a do task.
func (c *compiler) do(at pointer, definition map[string]any) action {
	return &doTask{c.tasks(at.child("do"), definition["do"])}
}

// forTask runs tasks for each item of an array, each time on the output of the time
// before. Its output is that of the last time, or its input when there was none. The
// tasks of one time are a scope: exit goes on with the next item, where the specification
// does not say whether it leaves the loop; while does that.
type forTask struct {
	pointer   string
	in        *template
	each, at  slot
	condition *expression
	tasks     list
}

func (t *forTask) perform(r *run, input any) (any, flow, error) {
	value, err := t.in.made(r, input, "the array")
	if err != nil {
		return nil, flow{}, err
	}
	items, ok := value.([]any)
	if !ok {
		return nil, flow{}, NewError(ExpressionError, nil, "%s gives %s: it must give an array", t.pointer, kindOf(value))
	}
	defer func() {
		r.declare(t.each, nil)
		r.declare(t.at, nil)
	}()
	data, held := input, r.held
	for i, item := range items {
		if r.shared.iterations.Add(1) > maxIterations {
			return nil, flow{}, exhausted("the loops of the run went round more than %d times", maxIterations)
		}
		r.declare(t.each, item)
		r.declare(t.at, i)
		if t.condition != nil {
			holds, err := t.condition.evaluate(r, data)
			if err != nil {
				return nil, flow{}, err
			}
			if !truthy(holds) {
				break
			}
		}
		output, next, err := t.tasks.run(r, data)
		if err != nil || next.kind == flowOver {
			return output, next, err
		}
		if !identical(output, data) {
			r.keep(held + r.size)
		}
		data = output
	}
	return data, flow{}, nil
}

// loop compiles a for task.
func (c *compiler) loop(at pointer, definition map[string]any) action {
	t := &forTask{pointer: string(at.child("for").child("in"))}
	loop, ok := c.object(at, definition, "for")
	if !ok {
		return nil
	}
	here := at.child("for")
	c.fields(here, loop, forFields)
	switch in := loop["in"].(type) {
	case string:
		t.in = &template{expression: c.expression(here.child("in"), in, siteTask)}
	case []any:
		t.in = c.template(here.child("in"), in, siteTask)
	case nil:
		c.problem(here.child("in"), "is required: an expression that gives an array, for example .items")
	default:
		c.problem(here.child("in"), "must be an expression or an array, not %s", kindOf(in))
	}
	outer := c.declared
	t.each = c.declare(here, loop, "each", "item")
	t.at = c.declare(here, loop, "at", "index")
	if condition, ok := c.text(at, definition, "while", false); ok {
		t.condition = c.expression(at.child("while"), condition, siteTask)
	}
	t.tasks = c.tasks(at.child("do"), definition["do"])
	c.declared = outer
	return t
}
