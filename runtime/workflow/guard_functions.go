package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/itchyny/gojq"
)

// Bounds of what one jq instruction may work on.
const (
	maxTextBytes   = 1 << 20  // of a repeated, joined or parsed string
	maxRegexpBytes = 8 << 10  // of a string that is matched with a pattern
	maxIndex       = 1 << 20  // index of an array
	maxSought      = 8        // items of an array that is used as an index
	maxSlice       = 32       // effort to compare an object that is used as an index
	maxPath        = 256      // length of a path
	maxSorted      = 1 << 16  // items of an array that is sorted or grouped
	maxCells       = 1 << 20  // items of a transposed array
	maxPairs       = 10 << 20 // comparisons of a pairwise operation
	maxOperand     = 2 << 20  // parts of one of its operands
	maxIntegerBits = 1 << 14  // of a product
)

// guardFunctions are the functions that guarded queries call.
func guardFunctions() []gojq.CompilerOption {
	made := func(name string, f func(any) any) gojq.CompilerOption {
		return gojq.WithFunction(name, 0, 0, func(v any, _ []any) any { return f(v) })
	}
	pair := func(name string, f func(v, arg any) any) gojq.CompilerOption {
		return gojq.WithFunction(name, 1, 1, func(v any, args []any) any { return f(v, args[0]) })
	}
	operands := func(name string, f func(l, r any) any) gojq.CompilerOption {
		return gojq.WithFunction(name, 2, 2, func(_ any, args []any) any { return f(args[0], args[1]) })
	}
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
		input("_guard_count", checkSorted),
		input("_guard_sort", checkKeys),
		input("_guard_least", checkLeast),
		input("_guard_sum", checkSum),
		input("_guard_flat", checkFlat),
		input("_guard_split", checkSplit),
		input("_guard_whole", checkWhole),
		input("_guard_transpose", checkTransposed),
		input("_guard_number", checkNumberText),
		input("_guard_index", checkIndex),
		input("_guard_path", checkPath),
		input("_guard_paths", checkPaths),
		made("_guard_fromjson", fromJSON),
		made("_guard_tojson", toJSON),
		made("_guard_tostring", toText),
		made("_guard_copy", copied),
		made("_guard_object", fromPairs),
		pair("_guard_pair", checkPair),
		pair("_guard_search", checkSearch),
		pair("_guard_join", checkJoin),
		pair("_guard_bsearch", checkBsearch),
		operands("_guard_add", plus),
		operands("_guard_subtract", subtract),
		operands("_guard_multiply", multiply),
		operands("_guard_equal", comparing(func(n int) bool { return n == 0 })),
		operands("_guard_unequal", comparing(func(n int) bool { return n != 0 })),
		operands("_guard_less", comparing(func(n int) bool { return n < 0 })),
		operands("_guard_atmost", comparing(func(n int) bool { return n <= 0 })),
		operands("_guard_greater", comparing(func(n int) bool { return n > 0 })),
		operands("_guard_atleast", comparing(func(n int) bool { return n >= 0 })),
		gojq.WithFunction("_guard_concat", 1, maxParts, concat),
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
	if slice, ok := v.(map[string]any); ok && effort(slice, maxSlice) > maxSlice {
		return errors.New("an index that is an object has start and end only")
	}
	part, _ := v.([]any)
	if len(part) > maxSought {
		return fmt.Errorf("an index has more than %d items: use indices", maxSought)
	}
	for _, item := range part {
		if effort(item, 1) > 1 {
			return errors.New("an index has items that take long to compare: use indices")
		}
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
	left, right := parts(v, maxOperand), parts(arg, maxOperand)
	if max(left, right) >= maxOperand || left > maxPairs/right {
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

// checkJoin returns v when its items can be joined: they are not too long together, and
// do not multiply a long separator.
func checkJoin(v, separator any) any {
	if err := checkSum(v); err != nil {
		return err
	}
	count := 0
	switch items := v.(type) {
	case []any:
		count = len(items)
	case map[string]any:
		count = len(items)
	}
	if s, ok := separator.(string); ok && count > 0 && len(s) > maxTextBytes/count {
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
