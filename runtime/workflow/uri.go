package workflow

import (
	"net/url"
	"regexp"
	"strings"
)

// uri is a URI with what is known of it beforehand: an expression, or a text in which
// {name} stands for a top-level field of the task's input.
type uri struct {
	pointer    string
	expression *expression
	// texts stand around the variables: one more than those.
	texts, variables []string
}

// uriVariable is a variable of a URI template. The specification has only the simple
// expansion of RFC 6570, and takes names as they stand.
var uriVariable = regexp.MustCompile(`\{([^{}]*)\}`)

// uriOperators begin the other expansions of RFC 6570, section 2.2.
const uriOperators = "+#./;?&=,!@|"

// evaluate returns the URI for the input of a task.
func (u *uri) evaluate(r *run, input any) (string, error) {
	if u.expression != nil {
		value, err := u.expression.evaluate(r, input)
		if err != nil {
			return "", err
		}
		text, ok := value.(string)
		if !ok {
			return "", u.expression.failed("gives no URI: it must give a text", nil)
		}
		return text, nil
	}
	if len(u.variables) == 0 {
		return u.texts[0], nil
	}
	object, _ := input.(map[string]any)
	var out strings.Builder
	for i, name := range u.variables {
		out.WriteString(u.texts[i])
		value := object[name]
		if value == nil {
			continue // no value is an empty one
		}
		text, ok := scalarText(value)
		if !ok {
			return "", NewError(ExpressionError, nil, "the variable {%s} at %s must be a text, a number, a boolean or null", name, u.pointer)
		}
		out.WriteString(escape(text))
	}
	out.WriteString(u.texts[len(u.variables)])
	return out.String(), u.steps(out.String())
}

// steps refuses a URI in which data makes a step of the path . or .., also together with
// what stands beside it: no encoding keeps servers from taking these for a way up.
func (u *uri) steps(filled string) error {
	path, _, _ := strings.Cut(filled, "?")
	own, _, _ := strings.Cut(strings.Join(u.texts, "{}"), "?")
	dots := func(path string) (n int) {
		for step := range strings.SplitSeq(path, "/") {
			if step == "." || step == ".." {
				n++
			}
		}
		return n
	}
	if dots(path) > dots(own) {
		return NewError(ExpressionError, nil, "a variable at %s makes a step . or .. of the path", u.pointer)
	}
	return nil
}

// escape encodes a value as RFC 6570 does in a simple expansion: everything but letters,
// digits and - . _ ~ is escaped.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// known is what the URI surely begins with.
func (u *uri) known() string {
	if u.expression != nil {
		return u.expression.prefix
	}
	return u.texts[0]
}

// fixed says whether the whole URI is known.
func (u *uri) fixed() bool { return u.expression == nil && len(u.variables) == 0 }

// uri compiles a URI.
func (c *compiler) uri(at pointer, text string) *uri {
	u, text := &uri{pointer: string(at)}, strings.TrimSpace(text)
	if inner, ok := unwrap(text); ok {
		if u.expression = c.expression(at, inner, siteTask); u.expression == nil {
			return nil
		}
		return u
	}
	if strings.Contains(text, "${") {
		c.problem(at, "has an expression inside a text: make the whole string one expression, for example ${ \"https://host/\\(.id)\" }")
		return nil
	}
	last := 0
	for _, found := range uriVariable.FindAllStringSubmatchIndex(text, -1) {
		name := text[found[2]:found[3]]
		if name == "" || strings.ContainsRune(uriOperators, rune(name[0])) {
			c.problem(at, "has {%s}, which is not supported: write {NAME} of a field of the task's input, or make the whole an expression", name)
			return nil
		}
		u.texts = append(u.texts, text[last:found[0]])
		u.variables = append(u.variables, name)
		last = found[1]
	}
	u.texts = append(u.texts, text[last:])
	own := strings.Join(u.texts, "")
	switch {
	case strings.ContainsAny(own, "{}"):
		c.problem(at, "has a brace without its counterpart: write {NAME} of a field of the task's input")
	case strings.ContainsFunc(own, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		c.problem(at, "has a space or a control character, which a URI has not: write %%20 for a space")
	default:
		return u
	}
	return nil
}

// reached reports a URI that is not http or https, or whose host, as far as it is known,
// is outside of spec.egress.
func (c *compiler) reached(at pointer, u *uri) {
	if u == nil || u.known() == "" && !u.fixed() {
		return // its host comes from data: the egress guard decides then
	}
	scheme, rest, found := strings.Cut(u.known(), "://")
	if !found && u.expression != nil && !u.fixed() {
		return // not even the scheme is complete
	}
	if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") || !found {
		c.problem(at, "is not a URL that can be called: write https://HOST/PATH or http://HOST/PATH")
		return
	}
	authority, complete := rest, u.fixed()
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, complete = rest[:i], true
	}
	switch {
	case strings.Contains(authority, "@"):
		c.problem(at, "has a user in it: put credentials into authentication")
	case complete:
		c.reachedHost(at, scheme+"://"+authority)
	}
}

// reachedHost reports a URL, without its path, that cannot be called.
func (c *compiler) reachedHost(at pointer, base string) {
	if parsed, err := url.Parse(base); err != nil || parsed.Hostname() == "" {
		c.problem(at, "has no host that can be called: write https://HOST/PATH")
		return
	}
	if c.env.Reach == nil {
		return
	}
	if err := c.env.Reach(base); err != nil {
		c.problem(at, "%v", err)
	}
}
