package prompt

import (
	"regexp"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// template is a text that uses arguments.
type template struct {
	segments []segment
	// uri says that a URI has to come of it.
	uri bool
}

// segment is a part of a template: an argument's value or, without a name, a text.
type segment struct{ text, argument string }

// placeholder is where an argument's value goes. Anything else in braces is a text like
// any other.
var placeholder = regexp.MustCompile(`\{\{[ \t]*([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*\}\}`)

// uriSyntax asks of a URI no more than a scheme and something after it: what it means is
// for the client to say.
var uriSyntax = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:[^\s\pC]+$`)

// parse cuts a text at its arguments; none when it uses no argument.
func parse(text string) []segment {
	var out []segment
	end := 0
	for _, found := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		if found[0] > end {
			out = append(out, segment{text: text[end:found[0]]})
		}
		out = append(out, segment{argument: text[found[2]:found[3]]})
		end = found[1]
	}
	if len(out) > 0 && end < len(text) {
		out = append(out, segment{text: text[end:]})
	}
	return out
}

// renderer fills the templates of one prompt.
type renderer struct {
	arguments map[string]string
	// left is how many bytes there is room for.
	left int
}

// fill returns a value with the arguments in its templates.
func (r *renderer) fill(value any) (any, error) {
	switch v := value.(type) {
	case template:
		return r.text(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			filled, err := r.fill(item)
			if err != nil {
				return nil, err
			}
			out[key] = filled
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			filled, err := r.fill(item)
			if err != nil {
				return nil, err
			}
			out[i] = filled
		}
		return out, nil
	}
	return value, nil
}

func (r *renderer) text(t template) (string, error) {
	// A short prompt can name a long value thousands of times: count before it is written.
	size := 0
	for _, s := range t.segments {
		if size += len(s.text) + len(r.arguments[s.argument]); size > r.left {
			return "", fault.New(fault.InvalidInput, "with these arguments the prompt is longer than %d MiB: shorten them", MaxRendered>>20)
		}
	}
	r.left -= size
	out := make([]byte, 0, size)
	for _, s := range t.segments {
		if out = append(out, s.text...); s.argument != "" {
			out = append(out, r.arguments[s.argument]...)
		}
	}
	if t.uri && !uriSyntax.Match(out) {
		return "", t.noURI()
	}
	return string(out), nil
}

// noURI names the arguments of which no URI comes.
func (t template) noURI() error {
	f := fault.New(fault.InvalidInput, "the arguments make no URI: write one with a scheme, such as https://example.com/a")
	for _, s := range t.segments {
		if s.argument != "" {
			f.Violations = append(f.Violations, fault.Violation{Pointer: "/arguments/" + s.argument, Rule: "uri", Message: "makes no URI"})
		}
	}
	return f
}
