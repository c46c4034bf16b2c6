package workflow

// waitTask waits. Its output is its input.
type waitTask struct{ length *duration }

func (t *waitTask) perform(r *run, input any) (any, flow, error) {
	length, err := t.length.evaluate(r, input)
	if err != nil {
		return nil, flow{}, err
	}
	return input, flow{}, r.sleep(length)
}

// wait compiles a wait task.
func (c *compiler) wait(at pointer, definition map[string]any) action {
	return &waitTask{c.duration(at.child("wait"), definition["wait"], siteTask)}
}
