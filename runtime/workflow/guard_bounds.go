package workflow

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"math/bits"
	"slices"

	"github.com/itchyny/gojq"
)

// Bounds of what one jq instruction may walk or make. A value that jq made can hold one
// part in many places: it is small in memory, and has no end for who walks it as a tree.
const (
	maxWhole    = 8 << 20  // of a value that is walked as a whole, in bytes of JSON text
	maxMade     = 16 << 20 // of a text, array or object that is made of others, in bytes
	maxFlat     = 1 << 19  // items of an array that is flattened
	maxCompared = 2 << 20  // parts that one comparison looks at
)

var (
	errTooWhole = fmt.Errorf("a value is larger than %d MiB, or nested more than %d levels deep: select what is needed first", maxWhole>>20, maxOutputDepth)
	errTooMade  = fmt.Errorf("the result would have more than %d MiB: select what is needed first", maxMade>>20)
	errTooLarge = errors.New("the values are too large to compare: compare what tells them apart")
)

// checkWhole refuses what is too large to be walked as a tree.
func checkWhole(v any) error {
	m := measure{room: maxWhole}
	if m.value(v, 0); m.room < 0 {
		return errTooWhole
	}
	return nil
}

// copied returns a deep copy, in which no part appears twice. jq deletes in place, also
// in what it did not make: other branches may be reading that.
func copied(v any) any {
	if err := checkWhole(v); err != nil {
		return err
	}
	return clone(v)
}

func clone(v any) any {
	switch v := v.(type) {
	case []any:
		array := make([]any, len(v))
		for i, item := range v {
			array[i] = clone(item)
		}
		return array
	case map[string]any:
		object := make(map[string]any, len(v))
		for key, item := range v {
			object[key] = clone(item)
		}
		return object
	}
	return v
}

// shallow is about how many bytes it takes to copy a value, but not its parts.
func shallow(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []any:
		return slotBytes * len(v)
	case map[string]any:
		return fieldBytes * len(v)
	case *big.Int:
		return v.BitLen() / 8
	}
	return 0
}

// checkSum refuses what would be too large when added up.
func checkSum(v any) error {
	room := maxMade
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if room -= shallow(item); room < 0 {
				return errTooMade
			}
		}
	case map[string]any:
		for _, item := range v {
			if room -= shallow(item); room < 0 {
				return errTooMade
			}
		}
	}
	return nil
}

// checkFlat refuses what would be too long when flattened.
func checkFlat(v any) error {
	room := maxFlat
	if object, ok := v.(map[string]any); ok {
		for _, item := range object {
			unroll(item, 0, &room)
		}
	} else {
		unroll(v, 0, &room)
	}
	if room < 0 {
		return fmt.Errorf("the flattened array would have more than %d items, or is nested more than %d levels deep", maxFlat, maxOutputDepth)
	}
	return nil
}

func unroll(v any, depth int, room *int) {
	if *room--; depth > maxOutputDepth {
		*room = -1
	}
	items, _ := v.([]any)
	for _, item := range items {
		if *room < 0 {
			return
		}
		unroll(item, depth+1, room)
	}
}

// checkSplit refuses a string that would become too many.
func checkSplit(v any) error {
	if s, ok := v.(string); ok && len(s) > maxTextBytes {
		return fmt.Errorf("a string of more than %d bytes cannot be split", maxTextBytes)
	}
	return nil
}

// effort is about how many steps it takes to compare v with another value, at most
// most+1. An object costs more because its keys are sorted, each time.
func effort(v any, most int) int {
	room := most
	toil(v, 0, &room)
	return most - max(room, -1)
}

func toil(v any, depth int, room *int) {
	if *room--; depth > maxOutputDepth {
		*room = -1
	}
	switch v := v.(type) {
	case string:
		*room -= len(v) >> 10
	case []any:
		for _, item := range v {
			if *room < 0 {
				return
			}
			toil(item, depth+1, room)
		}
	case map[string]any:
		for key, item := range v {
			if *room -= 8 + len(key)>>10; *room < 0 {
				return
			}
			toil(item, depth+1, room)
		}
	}
}

// checkCompared refuses an array when it takes too long to compare each of its items so
// many times: one large item can be in most of the comparisons.
func checkCompared(v any, times func(items int) int) error {
	items, _ := v.([]any)
	if len(items) < 2 {
		return nil
	}
	most, largest := maxPairs/(len(items)*times(len(items))), 0
	for _, item := range items {
		if largest = max(largest, effort(item, most)); largest > most {
			return errTooLarge
		}
	}
	return nil
}

// checkLeast is for what finds the smallest or largest item.
func checkLeast(v any) error { return checkCompared(v, func(int) int { return 1 }) }

// checkKeys is for what sorts by keys.
func checkKeys(v any) error {
	if err := checkSorted(v); err != nil {
		return err
	}
	return checkCompared(v, func(items int) int { return bits.Len(uint(items)) })
}

// checkBsearch returns v when one of its items is soon compared with sought.
func checkBsearch(v, sought any) any {
	const most = maxPairs / 32
	if effort(sought, most) <= 1 {
		return v
	}
	if effort(v, most) > most || effort(sought, most) > most {
		return errTooLarge
	}
	return v
}

// comparison compares two values as jq does, as long as there is room.
type comparison struct{ room int }

func (c *comparison) order(l, r any, depth int) int {
	if c.room--; c.room < 0 || depth > maxOutputDepth {
		c.room = -1
		return 0
	}
	switch left := l.(type) {
	case string:
		if right, ok := r.(string); ok {
			c.room -= min(len(left), len(right)) >> 10
		}
	case []any:
		if right, ok := r.([]any); ok {
			for i := range min(len(left), len(right)) {
				if n := c.order(left[i], right[i], depth+1); n != 0 || c.room < 0 {
					return n
				}
			}
			return len(left) - len(right)
		}
	case map[string]any:
		if right, ok := r.(map[string]any); ok {
			return c.objects(left, right, depth)
		}
	}
	return gojq.Compare(l, r)
}

// objects compares the keys first, then the values in the order of the keys.
func (c *comparison) objects(l, r map[string]any, depth int) int {
	if c.room -= 8 * (len(l) + len(r)); c.room < 0 {
		return 0
	}
	keys, others := slices.Sorted(maps.Keys(l)), slices.Sorted(maps.Keys(r))
	if n := slices.Compare(keys, others); n != 0 {
		return n
	}
	for _, key := range keys {
		if n := c.order(l[key], r[key], depth+1); n != 0 || c.room < 0 {
			return n
		}
	}
	return 0
}

// comparing returns the function of an operator that compares.
func comparing(holds func(order int) bool) func(l, r any) any {
	return func(l, r any) any {
		c := comparison{room: maxCompared}
		n := c.order(l, r, 0)
		if c.room < 0 {
			return errTooLarge
		}
		return holds(n)
	}
}
