package workflow

import (
	"maps"
	"slices"
	"strings"
)

// tasks compiles a list of tasks: objects of one member each, the task's name.
func (c *compiler) tasks(at pointer, value any) []task {
	list, ok := value.([]any)
	switch {
	case value == nil:
		c.problem(at, "is required: list at least one task, for example [{\"greet\": {\"set\": {\"message\": \"hello\"}}}]")
		return nil
	case !ok:
		c.problem(at, "must be a list of named tasks, not %s: write do: [{NAME: {set: ...}}]", kindOf(value))
		return nil
	case len(list) == 0:
		c.problem(at, "is empty: list at least one task")
	}
	var tasks []task
	seen := map[string]bool{}
	for i, item := range list {
		entry, ok := item.(map[string]any)
		if !ok || len(entry) != 1 {
			c.problem(at.index(i), "must be an object with one member, the task's name: {NAME: {set: ...}}")
			continue
		}
		for name, definition := range entry {
			here := at.index(i).child(name)
			if seen[name] {
				c.problem(here, "the task name %q stands twice in this list: rename one", name)
			}
			seen[name] = true
			if t, ok := c.task(here, name, definition); ok {
				tasks = append(tasks, t)
			}
		}
	}
	return tasks
}

// task compiles one task.
func (c *compiler) task(at pointer, name string, value any) (task, bool) {
	definition, ok := value.(map[string]any)
	if !ok {
		c.problem(at, "must be an object that says what to do, not %s: write {set: ...}", kindOf(value))
		return task{}, false
	}
	if !c.taskKind(at, definition) {
		return task{}, false
	}
	c.fields(at, definition, taskFields)
	t := task{name: name, pointer: string(at), definition: definition}
	if condition, ok := c.text(at, definition, "if", false); ok {
		t.condition = c.expression(at.child("if"), condition, siteTaskInput)
	}
	if input, ok := c.object(at, definition, "input"); ok {
		c.fields(at.child("input"), input, taskInputFields)
		t.from = c.transform(at.child("input"), input, "from", siteTaskInput)
	}
	t.set = c.set(at.child("set"), definition["set"])
	if output, ok := c.object(at, definition, "output"); ok {
		c.fields(at.child("output"), output, taskOutputFields)
		t.as = c.transform(at.child("output"), output, "as", siteTask)
	}
	t.watched = t.condition.usesTask() || t.from.usesTask() || t.set.usesTask() || t.as.usesTask()
	return t, true
}

// taskKind says whether the task is one that this version runs, and reports it by
// name when it is not. The keyword decides; one task has exactly one.
func (c *compiler) taskKind(at pointer, definition map[string]any) bool {
	var kinds []string
	for _, key := range slices.Sorted(maps.Keys(definition)) {
		if taskKeywords[key] {
			kinds = append(kinds, key)
		}
	}
	// for and try have other keywords' names among their own fields.
	for _, owner := range []string{"for", "try"} {
		if slices.Contains(kinds, owner) {
			kinds = []string{owner}
		}
	}
	switch {
	case len(kinds) > 1:
		c.problem(at, "is several tasks in one (%s): give each an entry of its own", strings.Join(kinds, ", "))
		return false
	case len(kinds) == 0:
		message := "does not say what to do: add set"
		for _, key := range slices.Sorted(maps.Keys(definition)) {
			if near := nearest(key, slices.Collect(maps.Keys(taskKeywords))); near != "" && !taskFields.known(key) {
				message = "has no known task keyword: did you mean " + near + " instead of " + key + "?"
			}
		}
		c.problem(at, "%s", message)
		return false
	case kinds[0] != "set":
		c.problem(at.child(kinds[0]), "the task %q is not supported by this version; supported: set", kinds[0])
		return false
	}
	return true
}

// set compiles what a set task sets: an object, or one expression.
func (c *compiler) set(at pointer, value any) *template {
	switch value := value.(type) {
	case map[string]any:
		if len(value) == 0 {
			c.problem(at, "is empty: name at least one field")
		}
		return c.template(at, value, siteTask)
	case string:
		inner, ok := unwrap(value)
		if !ok {
			c.problem(at, "must be an object, or one expression: write ${ ... }")
			return &template{}
		}
		return &template{expression: c.expression(at, inner, siteTask)}
	}
	c.problem(at, "must be an object or an expression, not %s", kindOf(value))
	return &template{}
}

// usesTask says whether an expression of the template reads $task.
func (t *template) usesTask() bool {
	if t == nil {
		return false
	}
	for i := range t.members {
		if t.members[i].value.usesTask() {
			return true
		}
	}
	return t.expression.usesTask() || slices.ContainsFunc(t.items, (*template).usesTask)
}
