package workflow

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// maxProblems bounds how many problems of one definition are reported.
const maxProblems = 100

// maxDefinitionDepth bounds how deep a definition may be nested.
const maxDefinitionDepth = 100

// Environment is what a definition is compiled for: what the app around it has.
type Environment struct {
	// Secrets are the names of spec.secrets.
	Secrets []string
	// Reach says why a URL, without its path, is outside of spec.egress; nil when that is
	// not looked at.
	Reach func(url string) error
	// Operation says why an operation of an OpenAPI document cannot be called; nil when
	// that is not looked at.
	Operation func(document, operationID string) error
}

// compiler compiles one definition and collects its problems.
type compiler struct {
	problems []Problem
	env      Environment
	program  *Program
	// declared are the variables of the tasks around what is compiled now, and siblings
	// the names in its list. watched says that what was compiled of the task reads $task.
	declared []variable
	siblings []string
	watched  bool
	// expressions is how many expressions were compiled, expressionBytes how long they are
	// together, and patterns the size of all regular expressions.
	expressions, expressionBytes, patterns int
	// reusable are the sections of use, usedNames what was used of them as SECTION/NAME,
	// and functions those that are compiled, or being compiled. depth is how deep functions
	// call one another in what was compiled of the present one.
	reusable  map[string]map[string]any
	usedNames map[string]bool
	functions map[string]*function
	depth     int
}

// problem reports a problem, once: what is used twice may be compiled twice.
func (c *compiler) problem(at pointer, format string, args ...any) {
	p := Problem{Pointer: string(at), Message: fmt.Sprintf(format, args...)}
	if !c.full() && !slices.Contains(c.problems, p) {
		c.problems = append(c.problems, p)
	}
}

// full says that no more problems are reported, so that there is no use in looking for
// them.
func (c *compiler) full() bool { return len(c.problems) >= maxProblems }

// Compile compiles the definition, in JSON, of the workflow called name. The problems
// are all that are wrong with it, or the first 100, in the order of the definition; with
// any, there is no program. One that runs other workflows may run once it is linked with
// them: see Link.
func Compile(name string, definition []byte, env Environment) (*Program, []Problem) {
	c := &compiler{env: env, usedNames: map[string]bool{}, functions: map[string]*function{}}
	p := c.workflow(name, definition)
	if len(c.problems) > 0 {
		slices.SortStableFunc(c.problems, func(a, b Problem) int { return comparePointers(a.Pointer, b.Pointer) })
		return nil, c.problems
	}
	return p, nil
}

func (c *compiler) workflow(name string, definition []byte) *Program {
	tree, err := parse(definition)
	if err != nil {
		c.problem("", "the definition is not a JSON object: %v", err)
		return nil
	}
	if depth(tree) > maxDefinitionDepth {
		c.problem("", "the definition is nested more than %d levels deep: flatten it", maxDefinitionDepth)
		return nil
	}
	p := &Program{name: name, hash: hash(tree)}
	c.program = p
	// From here on numbers are what jq works on.
	p.definition = numbers(tree).(map[string]any)
	c.fields("", p.definition, workflowFields)
	c.document(p)
	c.evaluate(p.definition)
	c.use(p.definition)
	if input, ok := c.object("", p.definition, "input"); ok {
		at := pointer("/input")
		c.fields(at, input, inputFields)
		p.inputSchema = c.schema(at, input, true)
		p.from = c.transform(at, input, "from", siteWorkflowInput)
	}
	p.timeout = c.timeout("", p.definition, siteWorkflowInput)
	p.tasks = c.tasks("/do", p.definition["do"])
	c.unused()
	if output, ok := c.object("", p.definition, "output"); ok {
		at := pointer("/output")
		c.fields(at, output, outputFields)
		p.outputSchema = c.schema(at, output, false)
		p.as = c.transform(at, output, "as", siteWorkflowOutput)
	}
	return p
}

// parse reads the definition without losing digits of its numbers.
func parse(definition []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(definition))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	tree, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("it is %s", kindOf(value))
	}
	return tree, nil
}

// hash identifies a definition whatever the order of its keys. Numbers keep their
// text.
func hash(tree map[string]any) string {
	canonical, err := json.Marshal(tree)
	if err != nil {
		return "" // what was just parsed can be written again
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:8])
}

// depth returns how deep a value is nested.
func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			deepest = max(deepest, 1+depth(item))
		}
	case map[string]any:
		for _, item := range v {
			deepest = max(deepest, 1+depth(item))
		}
	}
	return deepest
}

// document compiles the document section.
func (c *compiler) document(p *Program) {
	document, ok := c.object("", p.definition, "document")
	if !ok {
		if _, present := p.definition["document"]; !present {
			c.problem("/document", "is required: it names dsl, namespace, name and version")
		}
		return
	}
	at := pointer("/document")
	c.fields(at, document, documentFields)
	if dsl, ok := c.text(at, document, "dsl", true); ok && !supportedDSL(dsl) {
		c.problem(at.child("dsl"), "the version %q of the language is not supported: write \"1.0.3\" (1.0.0 up to, not including, 1.1.0 is read)", dsl)
	}
	if namespace, ok := c.text(at, document, "namespace", true); ok {
		if !nameSyntax.MatchString(namespace) {
			c.problem(at.child("namespace"), "is not a name: use at most 63 letters, digits and dashes, with a letter or digit at both ends")
		}
		p.namespace = namespace
	}
	if name, ok := c.text(at, document, "name", true); ok && name != p.name {
		c.problem(at.child("name"), "is %q but the workflow is called %q: make them the same", name, p.name)
	}
	if version, ok := c.text(at, document, "version", true); ok {
		if !versionSyntax.MatchString(version) {
			c.problem(at.child("version"), "is not a semantic version: write it like \"1.0.0\"")
		}
		p.version = version
	}
	p.title, _ = c.text(at, document, "title", false)
	p.summary, _ = c.text(at, document, "summary", false)
	c.object(at, document, "tags")
	if metadata, ok := c.object(at, document, "metadata"); ok {
		p.hints = c.hints(at.child("metadata"), metadata)
	}
}

// evaluate checks how expressions are to be read.
func (c *compiler) evaluate(definition map[string]any) {
	evaluate, ok := c.object("", definition, "evaluate")
	if !ok {
		return
	}
	at := pointer("/evaluate")
	c.fields(at, evaluate, evaluateFields)
	if language, ok := c.text(at, evaluate, "language", false); ok {
		c.oneOf(at.child("language"), language, []string{"jq"})
	}
	if mode, ok := c.text(at, evaluate, "mode", false); ok {
		c.oneOf(at.child("mode"), mode, []string{"strict"})
	}
}

// oneOf reports a text that is none of those that are allowed.
func (c *compiler) oneOf(at pointer, text string, allowed []string) {
	if !slices.Contains(allowed, text) {
		c.problem(at, "%q is not supported: write %s", text, strings.Join(allowed, " or "))
	}
}

// boolean returns the member of an object that has to be true or false; false when it is
// not there.
func (c *compiler) boolean(at pointer, parent map[string]any, key string) bool {
	value, present := parent[key]
	truth, ok := value.(bool)
	if present && !ok {
		c.problem(at.child(key), "must be true or false, not %s", kindOf(value))
	}
	return truth
}

// object returns the member of an object that has to be an object, when it is there.
func (c *compiler) object(at pointer, parent map[string]any, key string) (map[string]any, bool) {
	value, present := parent[key]
	if !present {
		return nil, false
	}
	object, ok := value.(map[string]any)
	if !ok {
		c.problem(at.child(key), "must be an object, not %s", kindOf(value))
	}
	return object, ok
}

// text returns the member of an object that has to be a string.
func (c *compiler) text(at pointer, parent map[string]any, key string, required bool) (string, bool) {
	value, present := parent[key]
	if !present {
		if required {
			c.problem(at.child(key), "is required")
		}
		return "", false
	}
	text, ok := value.(string)
	switch {
	case !ok && kindOf(value) == "a number":
		c.problem(at.child(key), "must be a string, not a number: put it in quotes")
	case !ok && kindOf(value) == "a boolean":
		c.problem(at.child(key), "must be a string, not a boolean: put it in quotes (YAML 1.1 takes no, off, yes, on, y and n for booleans)")
	case !ok:
		c.problem(at.child(key), "must be a string, not %s", kindOf(value))
	case text == "" && required:
		c.problem(at.child(key), "must not be empty")
		return "", false
	}
	return text, ok
}

// kindOf names the type of a value for messages.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return "a number"
}

// transform compiles input.from or output.as: an expression, with or without ${ }, or
// an object with expressions in it.
func (c *compiler) transform(at pointer, parent map[string]any, key string, s site) *template {
	value, present := parent[key]
	if !present {
		return nil
	}
	at = at.child(key)
	switch value := value.(type) {
	case string:
		return &template{expression: c.expression(at, value, s)}
	case map[string]any:
		return c.template(at, value, s)
	}
	c.problem(at, "must be an expression or an object, not %s", kindOf(value))
	return nil
}

// Bounds of the expressions of one definition. Those in use count as often as they are
// used, because each use compiles them. A short expression can call jq functions that are
// written in jq, and then takes some 25 KiB.
const (
	maxExpressions     = 1000
	maxAllExpressions  = 256 << 10 // in bytes
	tooManyExpressions = "has more than %d expressions, or more than %d KiB of them, those in use counted as often as they are used: split the workflow up"
)

// expression compiles an expression that may stand without ${ }.
func (c *compiler) expression(at pointer, text string, s site) *expression {
	if inner, ok := unwrap(text); ok {
		text = inner
	}
	c.expressions++
	c.expressionBytes += len(text)
	if c.expressions > maxExpressions || c.expressionBytes > maxAllExpressions {
		c.problem("", tooManyExpressions, maxExpressions, maxAllExpressions>>10)
		return nil
	}
	e, err := compileExpression(string(at), text, s, c.declared)
	if err != nil {
		for _, one := range separate(err) {
			c.problem(at, "%v", one)
		}
		return nil
	}
	c.watched = c.watched || slices.Contains(e.slots, slotTask)
	for _, name := range e.secrets {
		c.secret(at, name)
	}
	for _, text := range e.patterns {
		c.pattern(at, text)
	}
	return e
}

// separate returns the errors that were joined.
func separate(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// template compiles a value in which a string is an expression only as ${ ... }.
func (c *compiler) template(at pointer, value any, s site) *template {
	t := &template{literal: value}
	switch value := value.(type) {
	case string:
		inner, ok := unwrap(value)
		switch {
		case ok:
			return &template{expression: c.expression(at, inner, s)}
		case strings.Contains(value, "${"):
			c.problem(at, "has an expression inside a text: make the whole string one expression, for example ${ \"Hello \\(.name)\" }")
		}
	case map[string]any:
		dynamic := false
		var members []member
		for _, key := range slices.Sorted(maps.Keys(value)) {
			m := member{key, c.template(at.child(key), value[key], s)}
			dynamic = dynamic || !m.value.constant()
			members = append(members, m)
		}
		if dynamic {
			t.members = members
		}
	case []any:
		dynamic := false
		var items []*template
		for i := range value {
			item := c.template(at.index(i), value[i], s)
			dynamic = dynamic || !item.constant()
			items = append(items, item)
		}
		if dynamic {
			t.items = items
		}
	}
	return t
}
