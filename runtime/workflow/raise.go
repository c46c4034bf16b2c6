package workflow

// maxErrorText is how many bytes title and detail of an error may have that a workflow
// raises: they go into logs, events and replies.
const maxErrorText = 4 << 10

// raiseTask fails with an error of its author's.
type raiseTask struct {
	kind, title, detail *template
	status              *template
	at                  string
}

func (t *raiseTask) perform(r *run, input any) (any, flow, error) {
	e := &Error{Raised: true}
	for _, part := range []struct {
		from *template
		to   *string
	}{{t.kind, &e.Type}, {t.title, &e.Title}, {t.detail, &e.Detail}} {
		if part.from == nil {
			continue
		}
		value, err := part.from.apply(r, input)
		if err != nil {
			return nil, flow{}, err
		}
		text, ok := value.(string)
		if !ok || len(text) > maxErrorText || text == "" && part.from == t.kind {
			return nil, flow{}, NewError(ExpressionError, nil, "type, title and detail of the error at %s must be texts of at most %d bytes, and type must not be empty", t.at, maxErrorText)
		}
		*part.to = text
	}
	status, err := t.status.apply(r, input)
	if err != nil {
		return nil, flow{}, err
	}
	n, ok := status.(int)
	if !ok || n < 100 || n > 599 {
		return nil, flow{}, NewError(ExpressionError, nil, "the status of the error at %s must be a whole number from 100 to 599", t.at)
	}
	e.Status = n
	return nil, flow{}, e
}

// raise compiles a raise task. The instance of an error is always the task that raises
// it, whatever the definition says: the specification has runtimes set it.
func (c *compiler) raise(at pointer, definition map[string]any) action {
	raise, ok := c.object(at, definition, "raise")
	if !ok {
		return nil
	}
	at = at.child("raise")
	c.fields(at, raise, raiseFields)
	value, present := raise["error"]
	at = at.child("error")
	if !present {
		c.problem(at, "is required: an error, or the name of one of use.errors")
		return nil
	}
	if name, ok := value.(string); ok {
		found := false
		if value, found = c.named(at, "errors", name); !found {
			return nil
		}
		at = useAt("errors", name)
	}
	e, ok := value.(map[string]any)
	if !ok {
		c.problem(at, "must be an object or the name of one of use.errors, not %s: write {type: ..., status: 400, title: ...}", kindOf(value))
		return nil
	}
	c.fields(at, e, errorFields)
	t := &raiseTask{at: string(at), status: c.errorStatus(at, e)}
	c.text(at, e, "instance", false)
	for _, member := range []struct {
		key string
		to  **template
	}{{"type", &t.kind}, {"title", &t.title}, {"detail", &t.detail}} {
		if text, ok := c.text(at, e, member.key, member.key == "type"); ok {
			*member.to = c.template(at.child(member.key), text, siteTask)
		}
	}
	return t
}

// errorStatus compiles the status of an error: a number or an expression.
func (c *compiler) errorStatus(at pointer, e map[string]any) *template {
	at = at.child("status")
	switch status := e["status"].(type) {
	case int:
		if status < 100 || status > 599 {
			c.problem(at, "must be from 100 to 599, like a status of HTTP")
		}
		return &template{literal: status}
	case string:
		if inner, ok := unwrap(status); ok {
			return &template{expression: c.expression(at, inner, siteTask)}
		}
	case nil:
		c.problem(at, "is required: a number like a status of HTTP, for example 400")
		return nil
	}
	c.problem(at, "must be a whole number like a status of HTTP, for example 400")
	return nil
}
