package prompt

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
	"github.com/nexus-operator/nexus-operator/runtime/spelling"
	"github.com/nexus-operator/nexus-operator/runtime/yamltext"
)

// maxProblems bounds how many problems of one prompt are reported.
const maxProblems = 100

// compiler compiles one prompt and collects its problems.
type compiler struct {
	problems []Problem
	// names are those of the arguments, used those that a text uses.
	names []string
	used  map[string]bool
}

// Compile compiles a prompt, in JSON, under the name that the app gives it. The problems
// are all that are wrong with it, or the first 100; with any, there is no prompt.
func Compile(name string, content json.RawMessage) (*Prompt, []Problem) {
	c := &compiler{used: map[string]bool{}}
	tree, err := yamltext.Decode(content, yamltext.Options{MaxBytes: MaxBytes})
	if err != nil {
		return nil, []Problem{{Message: "the prompt cannot be read: " + err.Error()}}
	}
	p := &Prompt{name: name}
	c.prompt(p, tree)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return p, nil
}

func (c *compiler) prompt(p *Prompt, tree any) {
	fields := c.object("", tree, "title", "description", "arguments", "messages")
	if fields == nil {
		return
	}
	p.title = c.plain("", fields, "title")
	p.description = c.plain("", fields, "description")
	p.arguments = c.arguments(fields)
	messages := c.list("", fields, "messages", MaxMessages)
	if _, present := fields["messages"]; !present || messages != nil && len(messages) == 0 {
		c.problem("/messages", "is required: write at least one message, such as {role: user, content: a text}")
	}
	for i, m := range messages {
		p.messages = append(p.messages, c.message("/messages/"+strconv.Itoa(i), m))
	}
	if len(c.problems) > 0 {
		return // what was refused may have been meant to use it
	}
	for i, name := range c.names {
		if !c.used[name] {
			c.problem("/arguments/"+strconv.Itoa(i), "no text uses the argument %q: write {{%s}} where its value goes, or remove it", name, name)
		}
	}
}

// argumentName is the syntax of an argument's name; placeholder knows it too.
var argumentName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`)

func (c *compiler) arguments(fields map[string]any) []Argument {
	var out []Argument
	for i, item := range c.list("", fields, "arguments", MaxArguments) {
		at := "/arguments/" + strconv.Itoa(i)
		argument := c.object(at, item, "name", "title", "description", "required", "values")
		if argument == nil {
			continue
		}
		a := Argument{Name: c.plain(at, argument, "name"), Title: c.plain(at, argument, "title"), Description: c.plain(at, argument, "description")}
		switch _, present := argument["name"]; {
		case !present:
			c.problem(at+"/name", "is required")
		case a.Name == "": // said already
		case !argumentName.MatchString(a.Name):
			c.problem(at+"/name", "is not a name: use at most 64 letters, digits, dashes, dots and underscores, with a letter or an underscore in front")
		case slices.Contains(c.names, a.Name):
			c.problem(at+"/name", "the argument %q stands twice: remove or rename one", a.Name)
		}
		if required, present := argument["required"]; present {
			var ok bool
			if a.Required, ok = required.(bool); !ok {
				c.problem(at+"/required", "must be true or false, not %s", kindOf(required))
			}
		}
		a.Values = c.values(at, argument)
		if a.Name != "" {
			c.names = append(c.names, a.Name)
		}
		out = append(out, a)
	}
	return out
}

func (c *compiler) values(at string, argument map[string]any) []string {
	var out []string
	for i, item := range c.list(at, argument, "values", MaxValues) {
		at := at + "/values/" + strconv.Itoa(i)
		value, ok := c.text(at, item)
		if ok && slices.Contains(out, value) {
			c.problem(at, "stands twice: remove one")
		}
		out = append(out, value)
	}
	return out
}

func (c *compiler) message(at string, value any) message {
	var m message
	fields := c.object(at, value, "role", "content")
	if fields == nil {
		return m
	}
	switch role := fields["role"].(type) {
	case string:
		if m.role = role; role != "user" && role != "assistant" {
			c.problem(at+"/role", "%q is not a role: write user or assistant", clip(role))
		}
	case nil:
		c.problem(at+"/role", "is required: write user or assistant")
	default:
		c.problem(at+"/role", "must be user or assistant, not %s", kindOf(role))
	}
	if content, present := fields["content"]; present {
		m.content = c.content(at+"/content", content)
	} else {
		c.problem(at+"/content", "is required: write a text, or an object with a type")
	}
	return m
}

// problem reports a problem.
func (c *compiler) problem(at, format string, args ...any) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, Problem{Pointer: at, Message: fmt.Sprintf(format, args...)})
	}
}

// object returns a value that has to be an object with no other members than these; nil
// when it is none.
func (c *compiler) object(at string, value any, members ...string) map[string]any {
	object, ok := value.(map[string]any)
	if !ok {
		c.problem(at, "must be an object with %s, not %s", strings.Join(members, ", "), kindOf(value))
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(members, key) {
			c.problem(at+"/"+jsontext.EscapePointer(key), "the field %q does not exist: %s", clip(key), spelling.Suggest(key, members))
		}
	}
	return object
}

// list returns the member of an object that has to be a list; nil when it is not there.
func (c *compiler) list(at string, object map[string]any, key string, most int) []any {
	value, present := object[key]
	if !present {
		return nil
	}
	list, ok := value.([]any)
	switch {
	case !ok:
		c.problem(at+"/"+key, "must be a list, not %s", kindOf(value))
	case len(list) > most:
		c.problem(at+"/"+key, "has %d items, at most %d fit: remove some", len(list), most)
		return list[:most]
	}
	return list
}

// plain returns the member of an object that has to be a text without arguments; empty
// when it is not there.
func (c *compiler) plain(at string, object map[string]any, key string) string {
	value, present := object[key]
	if !present {
		return ""
	}
	text, _ := c.text(at+"/"+key, value)
	return text
}

// text returns a value that has to be a text.
func (c *compiler) text(at string, value any) (string, bool) {
	text, ok := value.(string)
	switch kind := kindOf(value); {
	case !ok && (kind == "a number" || kind == "a boolean"):
		c.problem(at, "must be a text, not %s: put it in quotes", kind)
	case !ok:
		c.problem(at, "must be a text, not %s", kind)
	case text == "":
		c.problem(at, "must not be empty")
		return "", false
	}
	return text, ok
}

// kindOf names the type of a value for messages.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "a number"
}
