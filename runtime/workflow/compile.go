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
	"strconv"
	"strings"
)

// maxProblems bounds how many problems of one definition are reported.
const maxProblems = 100

// maxDefinitionDepth bounds how deep a definition may be nested.
const maxDefinitionDepth = 100

// compiler collects the problems of one definition.
type compiler struct {
	problems []Problem
}

func (c *compiler) problem(at pointer, format string, args ...any) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, Problem{Pointer: string(at), Message: fmt.Sprintf(format, args...)})
	}
}

// pointer is a JSON pointer (RFC 6901).
type pointer string

func (p pointer) child(token string) pointer {
	return p + "/" + pointer(strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
}

func (p pointer) index(i int) pointer { return p + "/" + pointer(strconv.Itoa(i)) }

// Compile compiles the definition, in JSON, of the workflow called name. The problems
// are all that are wrong with it, in the definition's order; with any, there is no
// program.
func Compile(name string, definition []byte) (*Program, []Problem) {
	c := &compiler{}
	p := c.program(name, definition)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return p, nil
}

func (c *compiler) program(name string, definition []byte) *Program {
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
	// From here on numbers are what jq works on.
	p.definition = numbers(tree).(map[string]any)
	c.fields("", p.definition, workflowFields)
	c.document(p)
	if input, ok := c.object("", p.definition, "input"); ok {
		at := pointer("/input")
		c.fields(at, input, inputFields)
		p.inputSchema = c.schema(at, input)
		p.from = c.transform(at, input, "from", siteWorkflowInput)
	}
	p.tasks = c.tasks("/do", p.definition["do"])
	if output, ok := c.object("", p.definition, "output"); ok {
		at := pointer("/output")
		c.fields(at, output, outputFields)
		p.outputSchema = c.schema(at, output)
		p.as = c.transform(at, output, "as", siteWorkflowOutput)
	}
	return p
}

// parse reads the definition without losing digits of its numbers.
func parse(definition []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(definition))
	dec.UseNumber()
	var tree map[string]any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	if tree == nil {
		return nil, errors.New("it is null")
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
	if namespace, ok := c.text(at, document, "namespace", true); ok && !nameSyntax.MatchString(namespace) {
		c.problem(at.child("namespace"), "is not a name: use at most 63 letters, digits and dashes, with a letter or digit at both ends")
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
	c.object(at, document, "metadata")
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

// expression compiles an expression that may stand without ${ }.
func (c *compiler) expression(at pointer, text string, s site) *expression {
	if inner, ok := unwrap(text); ok {
		text = inner
	}
	e, err := compileExpression(string(at), text, s)
	if err != nil {
		c.problem(at, "%v", err)
	}
	return e
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
