package workflow

// setTask makes its output of a template.
type setTask struct{ value *template }

func (t *setTask) perform(r *run, input any) (any, flow, error) {
	output, err := t.value.apply(r, input)
	return output, flow{}, err
}

// set compiles what a set task sets: an object, or one expression.
func (c *compiler) set(at pointer, definition map[string]any) action {
	at = at.child("set")
	switch value := definition["set"].(type) {
	case map[string]any:
		if len(value) == 0 {
			c.problem(at, "is empty: name at least one field")
		}
		return &setTask{c.template(at, value, siteTask)}
	case string:
		inner, ok := unwrap(value)
		if !ok {
			c.problem(at, "must be an object, or one expression: write ${ ... }")
			return nil
		}
		return &setTask{&template{expression: c.expression(at, inner, siteTask)}}
	default:
		c.problem(at, "must be an object or an expression, not %s", kindOf(value))
		return nil
	}
}
