package workflow

// template is a value of the definition whose strings may be expressions. Data is
// never looked at for expressions: only the definition makes templates.
type template struct {
	// One of these: an expression, an object, an array, or else a literal.
	expression *expression
	members    []member
	items      []*template
	literal    any
}

// member is one member of an object.
type member struct {
	key   string
	value *template
}

// apply evaluates the template on data. No template leaves data as it is. A literal
// is shared by all runs.
func (t *template) apply(r *run, data any) (any, error) {
	switch {
	case t == nil:
		return data, nil
	case t.expression != nil:
		return t.expression.evaluate(r, data)
	case t.members != nil:
		object := make(map[string]any, len(t.members))
		for i := range t.members {
			value, err := t.members[i].value.apply(r, data)
			if err != nil {
				return nil, err
			}
			object[t.members[i].key] = value
		}
		return object, r.hold(objectBytes(len(t.members)))
	case t.items != nil:
		array := make([]any, len(t.items))
		for i, item := range t.items {
			value, err := item.apply(r, data)
			if err != nil {
				return nil, err
			}
			array[i] = value
		}
		return array, r.hold(arrayBytes(len(t.items)))
	}
	return t.literal, nil
}

// made evaluates a template whose value goes out of the run, or on without anybody
// looking at it: what is put together of parts must not be larger than an output.
func (t *template) made(r *run, data any, what string) (any, error) {
	value, err := t.apply(r, data)
	if err != nil || t == nil || t.members == nil && t.items == nil {
		return value, err
	}
	value, _, err = r.weigh(value, maxOutputBytes, what)
	return value, err
}

// constant says whether no expression is inside.
func (t *template) constant() bool {
	return t.expression == nil && t.members == nil && t.items == nil
}
