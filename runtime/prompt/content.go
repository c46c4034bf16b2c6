package prompt

import (
	"encoding/base64"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/spelling"
)

// member is a member of a content: what to keep of it once it was looked at.
type member struct {
	required bool
	check    func(c *compiler, at string, value any) any
}

// contentTypes are the types of a ContentBlock, with their members besides type (schema
// of MCP, revision 2026-07-28).
func contentTypes() map[string]map[string]member {
	media := func(family string) map[string]member {
		return map[string]member{"data": {true, (*compiler).base64}, "mimeType": {true, func(c *compiler, at string, value any) any {
			return c.mediaType(at, value, family)
		}}}
	}
	return map[string]map[string]member{
		"text":     {"text": {true, (*compiler).template}},
		"image":    media("image/"),
		"audio":    media("audio/"),
		"resource": {"resource": {true, (*compiler).resource}},
		"resource_link": {
			"uri": {true, (*compiler).uri}, "name": {true, (*compiler).template}, "title": {false, (*compiler).template},
			"description": {false, (*compiler).template}, "mimeType": {false, anyMediaType}, "size": {false, (*compiler).size},
			"icons": {false, (*compiler).icons},
		},
	}
}

// content compiles what a message says: a text, or an object as MCP has it.
func (c *compiler) content(at string, value any) map[string]any {
	if _, ok := value.(string); ok {
		return map[string]any{"type": "text", "text": c.template(at, value)}
	}
	object, ok := value.(map[string]any)
	if !ok {
		c.problem(at, "must be a text, or an object with a type, not %s", kindOf(value))
		return nil
	}
	types := contentTypes()
	known := slices.Sorted(maps.Keys(types))
	kind, ok := object["type"].(string)
	members := types[kind]
	switch {
	case !ok:
		c.problem(at+"/type", "is required: write one of %s", strings.Join(known, ", "))
		return nil
	case members == nil:
		c.problem(at+"/type", "%q is not a type of content: %s", clip(kind), spelling.Suggest(kind, known))
		return nil
	}
	members["type"] = member{true, (*compiler).keep}
	members["annotations"] = member{false, (*compiler).annotations}
	members["_meta"] = member{false, (*compiler).meta}
	return c.members(at, object, members)
}

// members looks at an object member by member, and returns what to keep of it.
func (c *compiler) members(at string, value any, members map[string]member) map[string]any {
	names := slices.Sorted(maps.Keys(members))
	object := c.object(at, value, names...)
	if object == nil {
		return nil
	}
	out := map[string]any{}
	for _, name := range names {
		item, present := object[name]
		switch m := members[name]; {
		case present:
			out[name] = m.check(c, at+"/"+name, item)
		case m.required:
			c.problem(at+"/"+name, "is required")
		}
	}
	return out
}

// template compiles a text that may use arguments.
func (c *compiler) template(at string, value any) any {
	text, ok := c.text(at, value)
	if !ok {
		return ""
	}
	segments := parse(text)
	for _, s := range segments {
		if s.argument == "" || c.used[s.argument] {
			continue
		}
		if c.used[s.argument] = true; !slices.Contains(c.names, s.argument) {
			c.problem(at, "the argument %q is not declared: list it in arguments%s", clip(s.argument), perhaps(s.argument, c.names))
		}
	}
	if segments == nil {
		return text
	}
	return template{segments: segments}
}

// perhaps adds what may have been meant.
func perhaps(name string, known []string) string {
	if near := spelling.Nearest(name, known); near != "" {
		return "; or did you mean " + near + "?"
	}
	return ""
}

func (c *compiler) uri(at string, value any) any {
	switch v := c.template(at, value).(type) {
	case template:
		v.uri = true
		return v
	case string:
		if v != "" && !uriSyntax.MatchString(v) {
			c.problem(at, "is not a URI: write one with a scheme, such as https://example.com/a")
		}
		return v
	}
	return nil
}

// base64 takes line breaks out, which a block of YAML has.
func (c *compiler) base64(at string, value any) any {
	text, ok := c.text(at, value)
	if !ok {
		return ""
	}
	text = strings.Join(strings.Fields(text), "")
	if _, err := base64.StdEncoding.Strict().DecodeString(text); err != nil || text == "" {
		c.problem(at, "is not base64: encode the bytes as RFC 4648 section 4 says, with padding")
	}
	return text
}

var mediaTypeSyntax = regexp.MustCompile(`^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+([ \t]*;[ \t]*[^;\s]+)*$`)

func anyMediaType(c *compiler, at string, value any) any { return c.mediaType(at, value, "") }

func (c *compiler) mediaType(at string, value any, family string) any {
	text, ok := c.text(at, value)
	switch {
	case !ok:
	case !mediaTypeSyntax.MatchString(text):
		c.problem(at, "is not a media type: write one such as %s", map[string]string{"": "text/markdown", "image/": "image/png", "audio/": "audio/wav"}[family])
	case !strings.HasPrefix(strings.ToLower(text), family):
		c.problem(at, "must begin with %s", family)
	}
	return text
}

// resource compiles an embedded resource, whose contents are a text or bytes.
func (c *compiler) resource(at string, value any) any {
	out := c.members(at, value, map[string]member{
		"uri": {true, (*compiler).uri}, "mimeType": {false, anyMediaType}, "_meta": {false, (*compiler).meta},
		"text": {false, (*compiler).template}, "blob": {false, (*compiler).base64},
	})
	_, text := out["text"]
	_, blob := out["blob"]
	if out != nil && text == blob {
		c.problem(at, "holds one of text and blob: write exactly one")
	}
	return out
}

// annotations are hints for the client (schema of MCP, Annotations).
func (c *compiler) annotations(at string, value any) any {
	return c.members(at, value, map[string]member{
		"audience": {false, (*compiler).audience}, "priority": {false, (*compiler).priority}, "lastModified": {false, (*compiler).instant},
	})
}

func (c *compiler) audience(at string, value any) any {
	list, ok := value.([]any)
	if !ok {
		c.problem(at, "must be a list of user and assistant, not %s", kindOf(value))
	}
	for i, role := range list {
		if role != any("user") && role != any("assistant") {
			c.problem(at+"/"+strconv.Itoa(i), "must be user or assistant")
		}
	}
	return value
}

func (c *compiler) priority(at string, value any) any {
	switch v := value.(type) {
	case int:
		if v == 0 || v == 1 {
			return value
		}
	case float64:
		if v >= 0 && v <= 1 {
			return value
		}
	}
	c.problem(at, "must be a number from 0 to 1")
	return nil
}

func (c *compiler) instant(at string, value any) any {
	text, ok := c.text(at, value)
	if _, err := time.Parse(time.RFC3339, text); ok && err != nil {
		c.problem(at, "is not a time: write one such as 2026-01-31T12:00:00Z")
	}
	return text
}

func (c *compiler) size(at string, value any) any {
	if n, ok := value.(int); !ok || n < 0 {
		c.problem(at, "must be a number of bytes")
	}
	return value
}

// icons are images that clients may show (schema of MCP, Icon).
func (c *compiler) icons(at string, value any) any {
	list, ok := value.([]any)
	if !ok {
		c.problem(at, "must be a list, not %s", kindOf(value))
	}
	var out []any
	for i, icon := range list {
		out = append(out, c.members(at+"/"+strconv.Itoa(i), icon, map[string]member{
			"src": {true, (*compiler).uri}, "mimeType": {false, anyMediaType}, "sizes": {false, (*compiler).sizes}, "theme": {false, (*compiler).theme},
		}))
	}
	return out
}

func (c *compiler) sizes(at string, value any) any {
	list, ok := value.([]any)
	if !ok {
		c.problem(at, "must be a list of sizes such as 48x48, not %s", kindOf(value))
	}
	for i, size := range list {
		c.text(at+"/"+strconv.Itoa(i), size)
	}
	return value
}

func (c *compiler) theme(at string, value any) any {
	if value != any("light") && value != any("dark") {
		c.problem(at, "must be light or dark")
	}
	return value
}

// meta is free for its author to fill.
func (c *compiler) meta(at string, value any) any {
	if _, ok := value.(map[string]any); !ok {
		c.problem(at, "must be an object, not %s", kindOf(value))
	}
	return value
}

func (c *compiler) keep(_ string, value any) any { return value }
