package workflow

import "slices"

// switchTask goes on where the first case that holds says. Its output is its input.
type switchTask struct {
	cases []switchCase
	// otherwise is the case without a condition; flowNone when there is none.
	otherwise flow
}

type switchCase struct {
	when *expression
	then flow
}

func (t *switchTask) perform(r *run, input any) (any, flow, error) {
	for i := range t.cases {
		holds, err := t.cases[i].when.evaluate(r, input)
		if err != nil {
			return nil, flow{}, err
		}
		if truthy(holds) {
			return input, t.cases[i].then, nil
		}
	}
	return input, t.otherwise, nil
}

// choice compiles a switch task.
func (c *compiler) choice(at pointer, definition map[string]any) action {
	at = at.child("switch")
	cases, ok := definition["switch"].([]any)
	if !ok || len(cases) == 0 {
		c.problem(at, "must be a list of cases: write [{NAME: {when: .amount > 100, then: TASK}}, {default: {then: TASK}}]")
		return nil
	}
	t := &switchTask{}
	var names []string
	for i, item := range cases {
		entry, ok := item.(map[string]any)
		if !ok || len(entry) != 1 {
			c.problem(at.index(i), "must be an object with one member, the case's name: {NAME: {when: ..., then: ...}}")
			continue
		}
		for name, value := range entry {
			here := at.index(i).child(name)
			if slices.Contains(names, name) {
				c.problem(here, "the case name %q stands twice in this switch: rename one", name)
			}
			names = append(names, name)
			c.switchCase(t, here, value)
		}
	}
	return t
}

func (c *compiler) switchCase(t *switchTask, at pointer, value any) {
	definition, ok := value.(map[string]any)
	if !ok {
		c.problem(at, "must be an object, not %s: write {when: ..., then: TASK}", kindOf(value))
		return
	}
	c.fields(at, definition, caseFields)
	then := c.directive(at, definition, true)
	when, conditional := c.text(at, definition, "when", false)
	switch {
	case conditional:
		t.cases = append(t.cases, switchCase{c.expression(at.child("when"), when, siteTask), then})
	case t.otherwise.kind != flowNone:
		c.problem(at, "is a second case without when: at most one is for what no other case matches")
	default:
		t.otherwise = then
	}
}
