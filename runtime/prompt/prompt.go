// Package prompt compiles and renders the prompts of an app: texts that MCP clients offer
// their users to begin with. A prompt has arguments and messages; {{argument}} in a text
// is where an argument's value goes. That is all there is of a template language, so that
// a value is never taken for one. docs/mcp.md describes the form.
package prompt

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
	"github.com/nexus-operator/nexus-operator/runtime/spelling"
)

// The bounds of a prompt.
const (
	// MaxBytes bounds the text of a prompt.
	MaxBytes = 64 << 10
	// MaxArguments, MaxMessages and MaxValues bound its lists; MaxValues is of each
	// argument, and what one answer to completion/complete may hold.
	MaxArguments = 32
	MaxMessages  = 64
	MaxValues    = 100
	// MaxRendered bounds, in bytes, the texts of a rendered prompt: what is sent once may
	// be asked for many times.
	MaxRendered = 1 << 20
)

// Prompt is a compiled prompt. It is immutable and safe for concurrent use.
type Prompt struct {
	name, title, description string
	arguments                []Argument
	messages                 []message
}

// Argument is what a prompt can be given.
type Argument struct {
	Name, Title, Description string
	// Required says that there is no prompt without it.
	Required bool
	// Values are suggestions; any other value is taken as well.
	Values []string
}

// Message is a message of a rendered prompt.
type Message struct {
	// Role is user or assistant.
	Role string
	// Content is a ContentBlock of MCP.
	Content json.RawMessage
}

// message is a message whose content holds a template wherever a text uses arguments.
type message struct {
	role    string
	content map[string]any
}

// Problem is one thing that is wrong with a prompt.
type Problem struct {
	// Pointer is the JSON pointer (RFC 6901) of the offending node.
	Pointer string
	// Message says what is wrong and what to write instead.
	Message string
}

// Name returns the name that the app gives the prompt.
func (p *Prompt) Name() string { return p.name }

// Title returns the title, empty when there is none.
func (p *Prompt) Title() string { return p.title }

// Description returns the description, empty when there is none.
func (p *Prompt) Description() string { return p.description }

// Arguments returns the arguments in the order they are written. They are not to be
// changed.
func (p *Prompt) Arguments() []Argument { return p.arguments }

// Render returns the messages with the values of arguments in their texts; an optional
// argument that is not given is an empty text. The error is a *fault.Error InvalidInput
// that names every argument that is missing or unknown, and never holds a value.
func (p *Prompt) Render(arguments map[string]string) ([]Message, error) {
	if err := p.check(arguments); err != nil {
		return nil, err
	}
	r := renderer{arguments: arguments, left: MaxRendered}
	out := make([]Message, len(p.messages))
	for i, m := range p.messages {
		content, err := r.fill(m.content)
		if err != nil {
			return nil, err
		}
		out[i] = Message{Role: m.role, Content: jsontext.Append(nil, content)}
	}
	return out, nil
}

// check compares what was given with what the prompt takes.
func (p *Prompt) check(arguments map[string]string) error {
	var violations []fault.Violation
	var names []string
	for _, a := range p.arguments {
		names = append(names, a.Name)
		if _, given := arguments[a.Name]; a.Required && !given {
			violations = append(violations, fault.Violation{Pointer: "/arguments/" + a.Name, Rule: "required", Message: "is required"})
		}
	}
	var unknown []string
	for name := range arguments {
		if !slices.Contains(names, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown[:min(len(unknown), MaxArguments)] {
		violations = append(violations, fault.Violation{Pointer: "/arguments/" + jsontext.EscapePointer(clip(name)), Rule: "unknown_argument",
			Message: "is not an argument of the prompt: " + spelling.Suggest(name, names)})
	}
	if len(violations) == 0 {
		return nil
	}
	first := violations[0]
	f := fault.New(fault.InvalidInput, "the arguments do not match the prompt: %s %s", first.Pointer, first.Message)
	f.Violations = violations
	return f
}

// maxShown bounds, in bytes, how much of a name that a caller sent is said back.
const maxShown = 64

func clip(name string) string {
	if len(name) <= maxShown {
		return name
	}
	return strings.ToValidUTF8(name[:maxShown], "") + "..."
}

// Complete returns the suggestions for an argument that begin with prefix, whatever the
// case, in the order they are written. ok says whether there is such an argument.
func (p *Prompt) Complete(argument, prefix string) (values []string, ok bool) {
	at := slices.IndexFunc(p.arguments, func(a Argument) bool { return a.Name == argument })
	if at < 0 {
		return nil, false
	}
	for _, v := range p.arguments[at].Values {
		if strings.HasPrefix(strings.ToLower(v), strings.ToLower(prefix)) {
			values = append(values, v)
		}
	}
	return values, true
}

// String returns pointer and message in one line.
func (p Problem) String() string {
	if p.Pointer == "" {
		return p.Message
	}
	return fmt.Sprintf("%s: %s", p.Pointer, p.Message)
}
