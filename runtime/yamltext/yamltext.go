// Package yamltext reads text in YAML 1.2 or JSON into plain values. It is strict: what
// another reader could take for something else is refused, with line and column.
package yamltext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// MaxDepth is how deep lists and mappings may be nested.
const MaxDepth = 100

// Options say what is read.
type Options struct {
	// MaxBytes bounds the text, in bytes. What it holds once each alias is replaced by
	// what it stands for may be twice as long.
	MaxBytes int
	// NumberKeys lets the keys of mappings be whole numbers, which are then their text:
	// OpenAPI documents write the codes of responses so.
	NumberKeys bool
}

// Error says what is wrong with a text.
type Error struct {
	// Line and Column count from 1; they are 0 when the whole text is meant.
	Line, Column int
	Message      string
}

// Error returns the place and the message.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Decode reads a text with one document and returns nil, bool, int, float64, *big.Int
// (an integer that no int holds), string, []any or map[string]any. Every error is an
// *Error.
//
// Scalars mean what the core schema of YAML 1.2.2 (section 10.3) says, so that on, off,
// yes, no and dates are text, and 010 is ten. Refused are duplicate keys, keys that are
// not text, merge keys, tags other than those of the core schema, numbers that JSON does
// not have, and a second document.
func Decode(text []byte, o Options) (any, error) {
	if len(text) > o.MaxBytes {
		return nil, &Error{Message: fmt.Sprintf("has %d bytes, at most %d are read: shorten it", len(text), o.MaxBytes)}
	}
	if !utf8.Valid(text) {
		return nil, notUTF8(text)
	}
	// Readers of YAML stumble over details of JSON, such as surrogate pairs.
	if json.Valid(text) {
		return decodeJSON(text)
	}
	root, err := compose(text)
	if err != nil {
		return nil, err
	}
	b := builder{Options: o, left: 2 * o.MaxBytes}
	value, err := b.value(root, 0)
	if err != nil {
		return nil, err
	}
	return value, nil
}

// compose parses a text with one document. Whatever the library thinks of a text, the
// process goes on.
func compose(text []byte) (root *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, &Error{Message: "the YAML reader fails on it: write it more plainly, or as JSON"}
		}
	}()
	loader, err := yaml.NewLoader(bytes.NewReader(without12(text)), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthFunc(checkDepth))))
	if err != nil {
		return nil, &Error{Message: err.Error()}
	}
	var document, second yaml.Node
	switch err := loader.Load(&document); {
	case errors.Is(err, io.EOF), err == nil && len(document.Content) == 0:
		return nil, &Error{Message: "is empty"}
	case err != nil:
		return nil, explain(err)
	}
	switch err := loader.Load(&second); {
	case err == nil:
		return nil, &Error{Line: second.Line, Column: second.Column, Message: "a second document begins: keep one"}
	case !errors.Is(err, io.EOF):
		return nil, explain(err)
	}
	return document.Content[0], nil
}

var directive = regexp.MustCompile(`^(?:\x{feff}|[ \t]*(?:#[^\n]*)?\n)*%YAML[ \t]+1\.(2)`)

// without12 makes the directive %YAML 1.2 one for 1.1, the only one that the library
// takes. What scalars mean is decided here, so that it makes no difference.
func without12(text []byte) []byte {
	version := directive.FindSubmatchIndex(text)
	if version == nil {
		return text
	}
	text = bytes.Clone(text)
	text[version[2]] = '1'
	return text
}

func checkDepth(depth int, _ *loaderlimits.DepthContext) error {
	if depth > MaxDepth {
		return errTooDeep
	}
	return nil
}

var errTooDeep = fmt.Errorf("lists and mappings are nested deeper than %d levels", MaxDepth)

// hints say what to write instead, by what the library says.
var hints = map[string]string{
	"mapping values are not allowed in this context": "quote text that holds a colon and a space",
	"found character that cannot start any token":    "indent with spaces, not tabs, and quote text that begins with a special character",
}

// explain keeps the place and the cause of the library's error.
func explain(err error) error {
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		message := e.Message
		if hint := hints[message]; hint != "" {
			message += ": " + hint
		}
		return &Error{Line: e.Mark.Line, Column: e.Mark.Column, Message: message}
	}
	return &Error{Message: err.Error()}
}

func notUTF8(text []byte) error {
	valid := 0
	for valid < len(text) {
		r, size := utf8.DecodeRune(text[valid:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		valid += size
	}
	e := at(text, valid)
	e.Message = "is not UTF-8: save it as UTF-8"
	return e
}

// at is the place of a byte of a text.
func at(text []byte, offset int) *Error {
	before := text[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return &Error{Line: bytes.Count(before, []byte("\n")) + 1, Column: utf8.RuneCount(before[start:]) + 1}
}
