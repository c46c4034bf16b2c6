package openapi

import (
	"fmt"
	"strings"
)

// maxListed bounds how many names a message lists.
const maxListed = 10

// suggest tells what may have been meant instead of a name.
func suggest(name string, known []string) string {
	best, least := "", 2+len(name)/3
	for _, candidate := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) > maxListed:
		return fmt.Sprintf("known are %s and %d more", strings.Join(known[:maxListed], ", "), len(known)-maxListed)
	default:
		return "known are " + strings.Join(known, ", ")
	}
}

// distance is the number of characters to insert, delete or replace to make one word of
// the other (Levenshtein). Words that are no names are not compared.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// shorten cuts a text of the document that is too long for a message.
func shorten(text string) string {
	if len(text) <= 80 {
		return text
	}
	return strings.ToValidUTF8(text[:80], "") + "..."
}
