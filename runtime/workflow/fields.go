package workflow

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fieldSet is what an object of the language may hold: the fields that this version
// supports, and those that the language has besides.
type fieldSet struct {
	supported []string
	language  []string
}

func (f fieldSet) known(key string) bool {
	return slices.Contains(f.supported, key) || slices.Contains(f.language, key)
}

// The objects of the language (specification 1.0.3).
var (
	workflowFields = fieldSet{
		supported: []string{"document", "input", "do", "output"},
		language:  []string{"use", "timeout", "schedule", "evaluate"},
	}
	documentFields   = fieldSet{supported: []string{"dsl", "namespace", "name", "version", "title", "summary", "tags", "metadata"}}
	inputFields      = fieldSet{supported: []string{"schema", "from"}}
	outputFields     = fieldSet{supported: []string{"schema", "as"}}
	schemaFields     = fieldSet{supported: []string{"format", "document"}, language: []string{"resource"}}
	taskInputFields  = fieldSet{supported: []string{"from"}, language: []string{"schema"}}
	taskOutputFields = fieldSet{supported: []string{"as"}, language: []string{"schema"}}
	taskFields       = fieldSet{
		supported: []string{"set", "if", "input", "output"},
		language:  []string{"export", "timeout", "then", "metadata"},
	}
)

// taskKeywords are the keywords by which the language tells tasks apart.
var taskKeywords = map[string]bool{
	"call": true, "do": true, "emit": true, "for": true, "fork": true, "listen": true,
	"raise": true, "run": true, "set": true, "switch": true, "try": true, "wait": true,
}

// fields reports the members of an object that this version does not support, and
// those that the language does not have.
func (c *compiler) fields(at pointer, object map[string]any, f fieldSet) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		switch {
		case slices.Contains(f.supported, key):
		case slices.Contains(f.language, key):
			c.problem(at.child(key), "the field %q is not supported by this version; supported: %s", key, strings.Join(f.supported, ", "))
		default:
			c.problem(at.child(key), "the field %q does not exist: %s", key, suggest(key, f.supported))
		}
	}
}

// suggest tells what may have been meant instead of a name.
func suggest(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "known are " + strings.Join(known, ", ")
}

// nearest returns the known name that a misspelt one is closest to, empty when none
// is close.
func nearest(name string, known []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, candidate := range slices.Sorted(slices.Values(known)) {
		if strings.EqualFold(name, candidate) {
			return candidate
		}
		if d := distance(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance is the number of single-character edits, or swaps of neighbours, between
// two words (optimal string alignment). Long words are not compared.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
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

// nameSyntax is the specification's syntax of names.
var nameSyntax = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)

// versionSyntax is a semantic version (semver.org 2.0.0).
var versionSyntax = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?` +
	`(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$`)

// supportedDSL says whether a version of the language is at least 1.0.0 and below
// 1.1.0. A pre-release of 1.0.0 comes before it.
func supportedDSL(version string) bool {
	parts := versionSyntax.FindStringSubmatch(version)
	if parts == nil || parts[1] != "1" || parts[2] != "0" {
		return false
	}
	patch, err := strconv.Atoi(parts[3])
	return err == nil && (patch > 0 || parts[4] == "")
}
