package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/big"
	"strings"

	"github.com/itchyny/gojq"
)

// Bounds of what one jq instruction may work on.
const (
	maxTextBytes   = 1 << 20  // of a repeated, joined or parsed string
	maxRegexpBytes = 8 << 10  // of a string that is matched with a pattern
	maxIndex       = 1 << 20  // index of an array
	maxSought      = 8        // items of an array that is used as an index
	maxPath        = 256      // length of a path
	maxSorted      = 1 << 16  // items of an array that is sorted or grouped
	maxCells       = 1 << 20  // items of a transposed array
	maxPairs       = 10 << 20 // comparisons of a pairwise operation
	maxIntegerBits = 1 << 14  // of a product
)

// guardFunctions are the functions that guarded queries call.
func guardFunctions() []gojq.CompilerOption {
	input := func(name string, check func(any) error) gojq.CompilerOption {
		return gojq.WithFunction(name, 0, 0, func(v any, _ []any) any {
			if err := check(v); err != nil {
				return err
			}
			return v
		})
	}
	return []gojq.CompilerOption{
		input("_guard_text", checkRegexpInput),
		input("_guard_sort", checkSorted),
		input("_guard_transpose", checkTransposed),
		input("_guard_number", checkNumberText),
		input("_guard_index", checkIndex),
		input("_guard_path", checkPath),
		input("_guard_paths", checkPaths),
		gojq.WithFunction("_guard_fromjson", 0, 0, func(v any, _ []any) any { return fromJSON(v) }),
		gojq.WithFunction("_guard_pair", 1, 1, func(v any, args []any) any { return checkPair(v, args[0]) }),
		gojq.WithFunction("_guard_search", 1, 1, func(v any, args []any) any { return checkSearch(v, args[0]) }),
		gojq.WithFunction("_guard_join", 1, 1, func(v any, args []any) any { return checkJoin(v, args[0]) }),
		gojq.WithFunction("_guard_multiply", 2, 2, func(_ any, args []any) any { return multiply(args[0], args[1]) }),
		gojq.WithFunction("_guard_subtract", 2, 2, func(_ any, args []any) any { return subtract(args[0], args[1]) }),
	}
}

func checkRegexpInput(v any) error {
	if s, ok := v.(string); ok && len(s) > maxRegexpBytes {
		return fmt.Errorf("a string of more than %d bytes cannot be matched with a pattern", maxRegexpBytes)
	}
	return nil
}

func checkSorted(v any) error {
	if items, ok := v.([]any); ok && len(items) > maxSorted {
		return fmt.Errorf("an array of more than %d items cannot be sorted or grouped", maxSorted)
	}
	return nil
}

func checkTransposed(v any) error {
	rows, _ := v.([]any)
	longest := 0
	for _, row := range rows {
		if cells, ok := row.([]any); ok {
			longest = max(longest, len(cells))
		}
	}
	if len(rows)*longest > maxCells {
		return fmt.Errorf("an array with more than %d cells cannot be transposed", maxCells)
	}
	return nil
}

func checkNumberText(v any) error {
	if s, ok := v.(string); ok && len(s) > maxDigits {
		return fmt.Errorf("a string of more than %d characters cannot be read as a number", maxDigits)
	}
	return nil
}

// checkIndex refuses an index that would make an assignment fill a huge array, and a
// long array as an index, which searches.
func checkIndex(v any) error {
	if n, ok := gojq.ToFloat64(v); ok && n > maxIndex {
		return fmt.Errorf("the index is larger than %d", maxIndex)
	}
	if part, ok := v.([]any); ok && len(part) > maxSought {
		return fmt.Errorf("an index has more than %d items: use indices", maxSought)
	}
	return nil
}

func checkPath(v any) error {
	path, _ := v.([]any)
	if len(path) > maxPath {
		return fmt.Errorf("a path has more than %d steps", maxPath)
	}
	for _, step := range path {
		if err := checkIndex(step); err != nil {
			return err
		}
	}
	return nil
}

func checkPaths(v any) error {
	paths, _ := v.([]any)
	for _, path := range paths {
		if err := checkPath(path); err != nil {
			return err
		}
	}
	return nil
}

// checkPair returns v when comparing its parts with those of arg is bounded.
func checkPair(v, arg any) any {
	if left, right := parts(v, maxPairs), parts(arg, maxPairs); left > maxPairs/right {
		return errors.New("the operands are too large to compare all their parts")
	}
	return v
}

// checkSearch is checkPair for a search, which looks at every character of two
// strings.
func checkSearch(v, arg any) any {
	text, isText := v.(string)
	part, isPart := arg.(string)
	if !isText || !isPart {
		return checkPair(v, arg)
	}
	if len(text) > maxTextBytes || len(part) > 0 && len(text) > maxPairs/len(part) {
		return errors.New("the strings are too long to search one in the other: use contains or test")
	}
	return v
}

// parts counts what a pairwise operation looks at in v, at least 1, at most bound.
func parts(v any, bound int) int {
	n := 1
	switch v := v.(type) {
	case string:
		n += len(v) / 64
	case []any:
		for _, item := range v {
			if n += parts(item, bound-n); n >= bound {
				return bound
			}
		}
	case map[string]any:
		for _, item := range v {
			if n += parts(item, bound-n); n >= bound {
				return bound
			}
		}
	}
	return min(n, max(bound, 1))
}

// checkJoin returns v when joining its items does not multiply a long separator.
func checkJoin(v, separator any) any {
	items, _ := v.([]any)
	if s, ok := separator.(string); ok && len(items) > 0 && len(s) > maxTextBytes/len(items) {
		return fmt.Errorf("the separators of the joined string would have more than %d bytes", maxTextBytes)
	}
	return v
}

// fromJSON is jq's fromjson with bounded numbers.
func fromJSON(v any) any {
	text, ok := v.(string)
	if !ok {
		return errors.New("fromjson needs a string")
	}
	if len(text) > maxTextBytes {
		return fmt.Errorf("fromjson reads at most %d bytes", maxTextBytes)
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return fmt.Errorf("fromjson: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("fromjson: something follows the value")
	}
	return numbers(value)
}

// numbers replaces every json.Number in a freshly decoded value.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		for i, item := range v {
			v[i] = numbers(item)
		}
	case map[string]any:
		for key, item := range v {
			v[key] = numbers(item)
		}
	}
	return v
}

// multiply is jq's *: the product of numbers, a repeated string, or two objects
// merged deeply. What it makes is bounded.
func multiply(l, r any) any {
	switch left := l.(type) {
	case string:
		if n, ok := gojq.ToFloat64(r); ok {
			return repeat(left, n)
		}
	case map[string]any:
		if right, ok := r.(map[string]any); ok {
			return merge(left, right)
		}
	default:
		if right, ok := r.(string); ok {
			if n, ok := gojq.ToFloat64(l); ok {
				return repeat(right, n)
			}
			break
		}
		return multiplication.apply(l, r)
	}
	return multiplication.typeError(l, r)
}

// arithmetic is an operation on numbers: exact on integers, else on floating-point
// numbers.
type arithmetic struct {
	verb   string
	ints   func(l, r int) int
	bigs   func(l, r *big.Int) any
	floats func(l, r float64) float64
}

var multiplication = arithmetic{
	verb: "multiplied",
	ints: func(l, r int) int { return l * r },
	bigs: func(l, r *big.Int) any {
		if l.BitLen()+r.BitLen() > maxIntegerBits {
			return fmt.Errorf("the product would have more than %d bits", maxIntegerBits)
		}
		return integer(new(big.Int).Mul(l, r))
	},
	floats: func(l, r float64) float64 { return l * r },
}

var subtraction = arithmetic{
	verb:   "subtracted",
	ints:   func(l, r int) int { return l - r },
	bigs:   func(l, r *big.Int) any { return integer(new(big.Int).Sub(l, r)) },
	floats: func(l, r float64) float64 { return l - r },
}

func (a arithmetic) apply(l, r any) any {
	x, xInt := l.(int)
	y, yInt := r.(int)
	if xInt && yInt && plainly(x) && plainly(y) {
		return a.ints(x, y)
	}
	left, leftExact := asInteger(l)
	right, rightExact := asInteger(r)
	if leftExact && rightExact {
		return a.bigs(left, right)
	}
	fl, lOK := gojq.ToFloat64(l)
	fr, rOK := gojq.ToFloat64(r)
	if !lOK || !rOK {
		return a.typeError(l, r)
	}
	return a.floats(fl, fr)
}

func (a arithmetic) typeError(l, r any) error {
	return fmt.Errorf("%s and %s cannot be %s", gojq.TypeOf(l), gojq.TypeOf(r), a.verb)
}

// integer returns an int where one holds the value.
func integer(n *big.Int) any {
	if n.IsInt64() {
		return int(n.Int64())
	}
	return n
}

func asInteger(v any) (*big.Int, bool) {
	switch v := v.(type) {
	case int:
		return big.NewInt(int64(v)), true
	case *big.Int:
		return v, true
	}
	return nil, false
}

// repeat is jq's string times number: null for a negative one.
func repeat(s string, n float64) any {
	if n < 0 || math.IsNaN(n) {
		return nil
	}
	if n*float64(len(s)) > maxTextBytes {
		return fmt.Errorf("the repeated string would have more than %d bytes", maxTextBytes)
	}
	if s == "" {
		return ""
	}
	return strings.Repeat(s, int(n))
}

// merge merges objects deeply; neither is changed.
func merge(l, r map[string]any) map[string]any {
	merged := make(map[string]any, len(l)+len(r))
	maps.Copy(merged, l)
	for key, value := range r {
		if right, ok := value.(map[string]any); ok {
			if left, ok := merged[key].(map[string]any); ok {
				value = merge(left, right)
			}
		}
		merged[key] = value
	}
	return merged
}

// subtract is jq's -: the difference of numbers, or an array without the items of
// another.
func subtract(l, r any) any {
	left, leftOK := l.([]any)
	right, rightOK := r.([]any)
	if !leftOK || !rightOK {
		return subtraction.apply(l, r)
	}
	if err, ok := checkPair(l, r).(error); ok {
		return err
	}
	rest := make([]any, 0, len(left))
next:
	for _, item := range left {
		for _, gone := range right {
			if gojq.Compare(item, gone) == 0 {
				continue next
			}
		}
		rest = append(rest, item)
	}
	return rest
}
