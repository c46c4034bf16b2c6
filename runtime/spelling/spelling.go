// Package spelling compares words, to tell what a misspelt name may have been meant to be.
package spelling

import (
	"fmt"
	"slices"
	"strings"
)

// maxWord is the longest word, in bytes, that is compared: what is longer is no name.
const maxWord = 64

// Distance is the number of single-character edits, or swaps of neighbours, between two
// words (optimal string alignment). Of words that are too long to be names it is maxWord.
func Distance(a, b string) int {
	if len(a) > maxWord || len(b) > maxWord {
		return maxWord
	}
	var before, previous []int
	current := make([]int, len(b)+1)
	for j := range current {
		current[j] = j
	}
	for i := range len(a) {
		before, previous, current = previous, current, make([]int, len(b)+1)
		current[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			current[j+1] = min(previous[j+1]+1, current[j]+1, previous[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				current[j+1] = min(current[j+1], before[j-1]+1)
			}
		}
	}
	return current[len(b)]
}

// Suggest tells what may have been meant instead of a name: the nearest one that is
// known, or all of them.
func Suggest(name string, known []string) string {
	switch near := Nearest(name, known); {
	case near != "":
		return fmt.Sprintf("did you mean %q?", near)
	case len(known) == 0:
		return "there are none"
	}
	list := strings.Join(known, ", ")
	if len(list) > maxKnown {
		list = strings.ToValidUTF8(list[:maxKnown], "") + "..."
	}
	return "known are " + list
}

// maxKnown bounds, in bytes, how many names a message lists.
const maxKnown = 1 << 10

// Nearest returns the known name that a misspelt one is closest to, empty when none is
// close.
func Nearest(name string, known []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, candidate := range slices.Sorted(slices.Values(known)) {
		if strings.EqualFold(name, candidate) {
			return candidate
		}
		if further(name, candidate, least) {
			continue
		}
		if d := Distance(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// further says that two words surely are so many edits apart.
func further(a, b string, edits int) bool { return len(a)-len(b) >= edits || len(b)-len(a) >= edits }
