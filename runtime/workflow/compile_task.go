package workflow

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/spelling"
)

// variableSyntax is a name of jq's, without the $.
var variableSyntax = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// entry is one task of a list, not yet compiled.
type entry struct {
	at         pointer
	name       string
	definition any
}

// tasks compiles a list of tasks, which may go to one another: objects of one member
// each, the task's name.
func (c *compiler) tasks(at pointer, value any) list {
	entries := c.entries(at, value)
	outer := c.siblings
	c.siblings = make([]string, len(entries))
	for i := range entries {
		c.siblings[i] = entries[i].name
	}
	tasks := c.each(entries)
	c.siblings = outer
	return list{tasks}
}

// alone compiles tasks that do not follow one another: the branches of a fork.
func (c *compiler) alone(at pointer, value any) []task {
	entries := c.entries(at, value)
	outer := c.siblings
	c.siblings = nil
	tasks := c.each(entries)
	c.siblings = outer
	return tasks
}

// each compiles tasks. One that does not compile stays in the list: what goes to others
// by index must not go astray before all problems are told.
func (c *compiler) each(entries []entry) []task {
	var tasks []task
	for _, e := range entries {
		if c.full() {
			break
		}
		tasks = append(tasks, c.task(e.at, e.name, e.definition))
	}
	return tasks
}

// entries reads the names of a list's tasks.
func (c *compiler) entries(at pointer, value any) []entry {
	items, ok := value.([]any)
	switch {
	case value == nil:
		c.problem(at, "is required: list at least one task, for example [{\"greet\": {\"set\": {\"message\": \"hello\"}}}]")
	case !ok:
		c.problem(at, "must be a list of named tasks, not %s: write [{NAME: {set: ...}}]", kindOf(value))
	case len(items) == 0:
		c.problem(at, "is empty: list at least one task")
	}
	var entries []entry
	seen := map[string]bool{}
	for i, item := range items {
		object, ok := item.(map[string]any)
		if !ok || len(object) != 1 {
			c.problem(at.index(i), "must be an object with one member, the task's name: {NAME: {set: ...}}")
			continue
		}
		for name, definition := range object {
			here := at.index(i).child(name)
			if seen[name] {
				c.problem(here, "the task name %q stands twice in this list: rename one", name)
			}
			if _, taken := directives[name]; taken {
				c.problem(here, "%q says where to go on and cannot be the name of a task: choose another name", name)
			}
			seen[name] = true
			entries = append(entries, entry{here, name, definition})
		}
	}
	return entries
}

// task compiles one task.
func (c *compiler) task(at pointer, name string, value any) task {
	t := task{name: name, pointer: string(at), definition: value}
	definition, ok := value.(map[string]any)
	if !ok {
		c.problem(at, "must be an object that says what to do, not %s: write {set: ...}", kindOf(value))
		return t
	}
	kind, ok := c.taskKind(at, definition)
	if !ok {
		return t
	}
	t.kind = kind.keyword
	if called, ok := definition["call"].(string); ok {
		t.kind += " " + called
	}
	// Tasks inside of this one have a $task of their own.
	outer := c.watched
	c.watched = false
	c.fields(at, definition, fieldSet{supported: append(slices.Clip(kind.fields), commonFields...)})
	c.object(at, definition, "metadata")
	if condition, ok := c.text(at, definition, "if", false); ok {
		t.condition = c.expression(at.child("if"), condition, siteTaskInput)
	}
	t.timeout = c.timeout(at, definition, siteTaskInput)
	if input, ok := c.object(at, definition, "input"); ok {
		here := at.child("input")
		c.fields(here, input, inputFields)
		t.inputSchema = c.schema(here, input, false)
		t.from = c.transform(here, input, "from", siteTaskInput)
	}
	t.action = kind.compile(c, at, definition)
	if output, ok := c.object(at, definition, "output"); ok {
		here := at.child("output")
		c.fields(here, output, outputFields)
		t.outputSchema = c.schema(here, output, false)
		t.as = c.transform(here, output, "as", siteTaskOutput)
	}
	if export, ok := c.object(at, definition, "export"); ok {
		here := at.child("export")
		c.fields(here, export, outputFields)
		t.exportSchema = c.schema(here, export, false)
		t.export = c.transform(here, export, "as", siteExport)
	}
	t.then = c.directive(at, definition, false)
	t.watched = c.watched
	c.watched = outer
	return t
}

// taskKind is one kind of task: its keyword, its own fields, and what compiles it.
type taskKind struct {
	keyword string
	fields  []string
	compile func(*compiler, pointer, map[string]any) action
}

// taskKinds are the kinds of the profile. It is made by a function because compiling a
// task may compile others.
func taskKinds() []taskKind {
	return []taskKind{
		{"call", []string{"call", "with"}, (*compiler).call},
		{"do", []string{"do"}, (*compiler).do},
		{"emit", []string{"emit"}, (*compiler).emit},
		{"for", []string{"for", "while", "do"}, (*compiler).loop},
		{"fork", []string{"fork"}, (*compiler).forked},
		{"raise", []string{"raise"}, (*compiler).raise},
		{"run", []string{"run"}, (*compiler).process},
		{"set", []string{"set"}, (*compiler).set},
		{"switch", []string{"switch"}, (*compiler).choice},
		{"try", []string{"try", "catch"}, (*compiler).try},
		{"wait", []string{"wait"}, (*compiler).wait},
	}
}

// taskKind tells a task's kind by its keyword; one task has exactly one.
func (c *compiler) taskKind(at pointer, definition map[string]any) (taskKind, bool) {
	var found []string
	for _, key := range taskKeywords {
		if _, present := definition[key]; present {
			found = append(found, key)
		}
	}
	// A loop has its tasks under do, which is a keyword too.
	if slices.Equal(found, []string{"do", "for"}) {
		found = []string{"for"}
	}
	switch {
	case len(found) > 1:
		c.problem(at, "is several tasks in one (%s): give each an entry of its own", strings.Join(found, ", "))
		return taskKind{}, false
	case len(found) == 0:
		c.problem(at, "%s", whatKind(definition))
		return taskKind{}, false
	case found[0] == "listen":
		c.problem(at.child("listen"), "the task \"listen\" is not supported: workflows run when they are called; let what consumes the events call this one")
		return taskKind{}, false
	}
	for _, kind := range taskKinds() {
		if kind.keyword == found[0] {
			return kind, true
		}
	}
	return taskKind{}, false
}

// whatKind says what may have been meant by a task without a keyword.
func whatKind(definition map[string]any) string {
	var known []string
	for _, kind := range taskKinds() {
		known = append(known, kind.keyword)
	}
	for _, key := range slices.Sorted(maps.Keys(definition)) {
		if near := spelling.Nearest(key, known); near != "" && !slices.Contains(commonFields, key) {
			return "has no known task keyword: did you mean " + near + " instead of " + key + "?"
		}
	}
	return "does not say what to do: add one of " + strings.Join(known, ", ")
}
