package workflow

import (
	"maps"
	"slices"

	"github.com/nexus-operator/nexus-operator/runtime/spelling"
)

// useSections are the sections of use whose definitions are called by name.
var useSections = []string{"authentications", "errors", "functions", "retries", "timeouts"}

// useAt is where a definition of use stands.
func useAt(section, name string) pointer { return pointer("/use").child(section).child(name) }

// use reads the reusable components. Each is compiled where it is used, because what
// an expression sees depends on that; those that are not used, at the end.
func (c *compiler) use(definition map[string]any) {
	use, ok := c.object("", definition, "use")
	if !ok {
		return
	}
	at := pointer("/use")
	c.fields(at, use, useFields)
	c.reusable = map[string]map[string]any{}
	for _, section := range useSections {
		if object, ok := c.object(at, use, section); ok {
			c.reusable[section] = object
		}
	}
	names, present := use["secrets"]
	if !present {
		return
	}
	list, ok := names.([]any)
	if !ok {
		c.problem(at.child("secrets"), "must be a list of names, not %s", kindOf(names))
	}
	for i, item := range list {
		here := at.child("secrets").index(i)
		name, ok := item.(string)
		switch {
		case !ok:
			c.problem(here, "must be a name, not %s", kindOf(item))
		case !slices.Contains(c.env.Secrets, name):
			c.problem(here, "there is no secret %q in spec.secrets: add {name: %s, secretRef: {name: ..., key: ...}} there%s", name, name, perhaps(name, c.env.Secrets))
		default:
			c.program.secrets = append(c.program.secrets, name)
		}
	}
}

// named returns a definition of use.
func (c *compiler) named(at pointer, section, name string) (any, bool) {
	value, found := c.reusable[section][name]
	if !found && !c.full() {
		c.problem(at, "there is no %q in use.%s: %s", name, section, spelling.Suggest(name, slices.Sorted(maps.Keys(c.reusable[section]))))
	}
	c.usedNames[section+"/"+name] = true
	return value, found
}

// secret reports a secret that use.secrets does not list. Which one an expression reads is
// in its text, and never data's choice; its name is empty when that is not so.
func (c *compiler) secret(at pointer, name string) {
	switch {
	case name == "":
		c.problem(at, "must name the secret that it reads: write $secrets.NAME or $secrets[\"NAME\"]")
	case !slices.Contains(c.program.secrets, name) && !c.full():
		c.problem(at, "the secret %q is not in use.secrets: list it there%s", name, perhaps(name, c.program.secrets))
	}
}

// perhaps adds what may have been meant to a message that says more besides.
func perhaps(name string, known []string) string {
	if near := spelling.Nearest(name, known); near != "" {
		return "; or did you mean " + near + "?"
	}
	return ""
}

// maxFunctionDepth is how deep functions may call one another.
const maxFunctionDepth = 8

// function is one of use.functions.
type function struct {
	task task
	// depth is how deep it makes functions call one another, 1 when it calls none; 0 while
	// it is being compiled.
	depth int
}

// function compiles a function once, whoever calls it. It sees nothing of its callers
// but the arguments.
func (c *compiler) function(at pointer, name string) *function {
	definition, found := c.named(at, "functions", name)
	if !found {
		return &function{}
	}
	f, known := c.functions[name]
	if !known {
		f = &function{}
		c.functions[name] = f
		declared, siblings, watched, depth := c.declared, c.siblings, c.watched, c.depth
		c.declared, c.siblings, c.depth = nil, nil, 0
		f.task = c.task(useAt("functions", name), name, definition)
		f.depth = c.depth + 1
		c.declared, c.siblings, c.watched, c.depth = declared, siblings, watched, depth
	}
	switch {
	case f.depth == 0:
		c.problem(at, "the function %q calls itself: break the circle", name)
	case f.depth > maxFunctionDepth:
		c.problem(at, "functions call one another %d deep, at most %d: call fewer from within one another", f.depth, maxFunctionDepth)
	}
	c.depth = max(c.depth, f.depth)
	return f
}

// unused compiles what no task uses, so that its problems are told too. A retry sees
// the variable that a catch declares by default.
func (c *compiler) unused() {
	for _, section := range useSections {
		for _, name := range slices.Sorted(maps.Keys(c.reusable[section])) {
			if c.usedNames[section+"/"+name] {
				continue
			}
			at := useAt(section, name)
			switch section {
			case "authentications":
				c.authentication("/use", map[string]any{"authentication": map[string]any{"use": name}})
			case "errors":
				c.raise("/use", map[string]any{"raise": map[string]any{"error": name}})
			case "functions":
				c.function(at, name)
			case "retries":
				c.declare("/use", nil, "as", "error")
				c.retry("/use", map[string]any{"retry": name})
				c.declared = nil
			case "timeouts":
				c.timeout("/use", map[string]any{"timeout": name}, siteTaskInput)
			}
		}
	}
}

// declare gives a variable that a task declares its slot. The name is that of a member
// of an object, or else a default.
func (c *compiler) declare(at pointer, parent map[string]any, key, otherwise string) slot {
	name := otherwise
	if text, ok := c.text(at, parent, key, false); ok {
		name = text
	}
	switch {
	case !variableSyntax.MatchString(name):
		c.problem(at.child(key), "is not the name of a variable: use letters, digits and underscores, and no $ before them")
	case slices.Contains(slotNames[:], "$"+name):
		c.problem(at.child(key), "$%s is a variable of the language: choose another name", name)
	}
	s := slotCount + slot(c.program.variables)
	c.program.variables++
	c.declared = append(slices.Clip(c.declared), variable{"$" + name, s})
	return s
}
