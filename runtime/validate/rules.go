// Package validate holds the rules that every input passes before a workflow sees
// it, on every channel: strict JSON, bounded depth and keys, no key that names an
// interpreter's internals, no path traversal, no NUL. The rules are those of "Input
// rules" in docs/spec/nexusapp.md.
//
// The first violation ends the reading: a hostile input costs as little as possible.
package validate

import (
	"slices"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// Bounds of an input; the same for every app.
const (
	// MaxDepth is how many arrays and objects may stand inside each other.
	MaxDepth = 64
	// MaxKeyLength is the longest key, in characters (Unicode code points).
	MaxKeyLength = 256
	// MaxNumberLength is the longest number, in bytes of its text: longer ones cost
	// more to read than they are worth.
	MaxNumberLength = 1024
)

// The names of the rules, as in fault.Violation.Rule and as metric labels.
const (
	NotJSON          = "not_json"
	NotUTF8          = "not_utf8"
	DuplicateKey     = "duplicate_key"
	TooDeep          = "too_deep"
	KeyTooLong       = "key_too_long"
	BlockedKey       = "blocked_key"
	PathTraversal    = "path_traversal"
	NULByte          = "nul_byte"
	NumberOutOfRange = "number_out_of_range"
)

// RuleNames returns every rule name, sorted: the bound of a metric's labels.
func RuleNames() []string {
	names := []string{
		NotJSON, NotUTF8, DuplicateKey, TooDeep, KeyTooLong, BlockedKey, PathTraversal, NULByte, NumberOutOfRange,
	}
	slices.Sort(names)
	return names
}

// Rules are the compiled rules of spec.input. They are immutable and safe for
// concurrent use.
type Rules struct {
	maxBytes int64
	strict   bool
	// allowed holds the folded names of the keys that no rule blocks.
	allowed map[string]struct{}
}

// New compiles the rules of spec.input, whose defaults are filled in.
func New(in v1alpha1.Input) *Rules {
	r := &Rules{
		maxBytes: in.MaxBytes.Value(),
		strict:   in.Policy == v1alpha1.InputStrict,
		allowed:  make(map[string]struct{}, len(in.AllowedKeys)),
	}
	for _, key := range in.AllowedKeys {
		r.allowed[fold(key)] = struct{}{}
	}
	return r
}

// Strict says whether every input to a workflow without an input schema is refused.
// The engine enforces it: the rules know no workflow.
func (r *Rules) Strict() bool { return r.strict }

// MaxBytes is the largest request body, in bytes. Whoever reads the body enforces it.
func (r *Rules) MaxBytes() int64 { return r.maxBytes }

// failure is the first violation of an input. Its pointer is put together while the
// reader unwinds, innermost token first, so that an input without one pays nothing.
type failure struct {
	rule, message string
	tokens        []string
}

// in notes that the failure is inside the named member or item, and returns it.
func (f *failure) in(token string) *failure {
	f.tokens = append(f.tokens, token)
	return f
}

// fault renders the failure for the caller.
func (f *failure) fault() *fault.Error {
	var pointer []byte
	for _, token := range slices.Backward(f.tokens) {
		pointer = append(pointer, '/')
		for i := range len(token) {
			switch c := token[i]; c {
			case '~':
				pointer = append(pointer, "~0"...)
			case '/':
				pointer = append(pointer, "~1"...)
			default:
				pointer = append(pointer, c)
			}
		}
	}
	where := "the input"
	if len(pointer) > 0 {
		where = "the input at " + string(pointer)
	}
	e := fault.New(fault.InvalidInput, "%s %s", where, f.message)
	e.Violations = []fault.Violation{{Pointer: string(pointer), Rule: f.rule, Message: f.message}}
	return e
}

// The failures whose message never changes.
func tooDeep() *failure {
	return &failure{rule: TooDeep, message: "is nested more than 64 levels deep: flatten it"}
}

func keyTooLong() *failure {
	return &failure{rule: KeyTooLong, message: "has a key of more than 256 characters: shorten it, or move the text into a value"}
}

func nulByte() *failure {
	return &failure{rule: NULByte, message: "contains a NUL character: remove it"}
}

func notUTF8() *failure {
	return &failure{rule: NotUTF8, message: "is not valid UTF-8: encode the text as UTF-8"}
}
