package yamltext

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// builder makes plain values of nodes.
type builder struct {
	Options
	// left is how much more the values may hold: aliases can stand for a lot.
	left int
}

func fail(n *yaml.Node, format string, args ...any) error {
	return &Error{Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)}
}

func (b *builder) value(n *yaml.Node, depth int) (any, error) {
	if b.left -= 1 + len(n.Value); b.left < 0 {
		return nil, fail(n, "the aliases stand for more than %d bytes in all: write out less of it", 2*b.MaxBytes)
	}
	// An alias may lead deeper than the text is, and a node may hold an alias of itself.
	if depth > MaxDepth {
		return nil, fail(n, "%v", errTooDeep)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return b.value(n.Alias, depth+1)
	case yaml.ScalarNode:
		return scalar(n)
	case yaml.SequenceNode:
		if err := tagged(n, "!!seq"); err != nil {
			return nil, err
		}
		list := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			value, err := b.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case yaml.MappingNode:
		return b.mapping(n, depth)
	default:
		return nil, fail(n, "is no YAML value")
	}
}

func (b *builder) mapping(n *yaml.Node, depth int) (any, error) {
	if err := tagged(n, "!!map"); err != nil {
		return nil, err
	}
	object := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, err := b.key(n.Content[i])
		if err != nil {
			return nil, err
		}
		if _, twice := object[key]; twice {
			return nil, fail(n.Content[i], "the key %q stands twice: remove or rename one", key)
		}
		if object[key], err = b.value(n.Content[i+1], depth+1); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// key is a key of a mapping.
func (b *builder) key(n *yaml.Node) (string, error) {
	b.left -= 1 + len(n.Value)
	written := n
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return "", fail(written, "a key is a list or a mapping: keys are text")
	}
	if n.Value == "<<" && plain(n) {
		return "", fail(written, "the merge key << is no part of YAML 1.2: write out what it stands for, or quote it")
	}
	value, err := scalar(n)
	if err != nil {
		return "", err
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case int, *big.Int:
		if b.NumberKeys {
			return n.Value, nil
		}
	}
	return "", fail(written, "the key %q is %s, and keys are text: quote it", n.Value, kind(value))
}

func kind(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	default:
		return "a number"
	}
}

// plain says whether a scalar is written without quotes and without a tag, so that its
// text tells what it is.
func plain(n *yaml.Node) bool {
	const styles = yaml.TaggedStyle | yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	return n.Style&styles == 0 && n.Tag != "!"
}

// tagged refuses a tag other than the one that a list or a mapping has anyway.
func tagged(n *yaml.Node, want string) error {
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != want {
		return fail(n, "the tag %s is not supported: remove it", n.Tag)
	}
	return nil
}

// scalar is the value of a scalar: what its tag says, text when it is quoted, and else
// what it looks like.
func scalar(n *yaml.Node) (any, error) {
	if plain(n) {
		value, err := resolve(n.Value)
		if err != nil {
			return nil, fail(n, "%v", err)
		}
		return value, nil
	}
	if n.Style&yaml.TaggedStyle == 0 || n.Tag == "!!str" {
		return n.Value, nil
	}
	value, err := resolve(n.Value)
	if err != nil {
		return nil, fail(n, "%v", err)
	}
	fits := false
	switch v := value.(type) {
	case nil:
		fits = n.Tag == "!!null"
	case bool:
		fits = n.Tag == "!!bool"
	case int:
		fits = n.Tag == "!!int"
		if n.Tag == "!!float" {
			return float64(v), nil
		}
	case *big.Int:
		fits = n.Tag == "!!int"
	case float64:
		fits = n.Tag == "!!float"
	}
	if !fits {
		return nil, fail(n, "the tag %s is not supported here: remove it", n.Tag)
	}
	return value, nil
}

// The forms of numbers in the core schema.
var (
	integer = regexp.MustCompile(`^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$`)
	decimal = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
)

// resolve is what a scalar without quotes stands for (YAML 1.2.2, section 10.3.2).
func resolve(text string) (any, error) {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return nil, nil
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	case ".nan", ".NaN", ".NAN":
		return nil, fmt.Errorf("%s is a number that JSON does not have: quote it, or write another one", text)
	}
	switch strings.TrimLeft(text, "-+") {
	case ".inf", ".Inf", ".INF":
		return nil, fmt.Errorf("%s is a number that JSON does not have: quote it, or write another one", text)
	}
	switch {
	case integer.MatchString(text):
		return whole(text)
	case decimal.MatchString(text):
		return fraction(text)
	}
	return text, nil
}

// maxDigits bounds a number: reading, and writing, one of n digits takes more than n steps.
const maxDigits = 1000

// whole reads an integer of the core schema.
func whole(text string) (any, error) {
	if len(text) > maxDigits {
		return nil, fmt.Errorf("a number has more than %d digits: quote it if it is text", maxDigits)
	}
	base, digits := 10, strings.TrimPrefix(text, "+")
	if rest, ok := strings.CutPrefix(text, "0o"); ok {
		base, digits = 8, rest
	} else if rest, ok := strings.CutPrefix(text, "0x"); ok {
		base, digits = 16, rest
	}
	if n, err := strconv.ParseInt(digits, base, strconv.IntSize); err == nil {
		return int(n), nil
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return nil, fmt.Errorf("%s cannot be read as a number: quote it if it is text", text)
	}
	return n, nil
}

// fraction reads a number that is no integer, or not written as one.
func fraction(text string) (any, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%s is out of the range of numbers: quote it if it is text", text)
	}
	return f + 0, nil // no negative zero, over which readers of JSON differ
}
