package conformance

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// expressions are the jq expressions of a definition: what stands in ${ }, and what
// stands where the language has an expression.
func expressions(tree any) []string {
	found := map[string]bool{}
	var walk func(key, holder string, v any)
	walk = func(key, holder string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, item := range v {
				walk(k, key, item)
			}
		case []any:
			for _, item := range v {
				walk("", key, item)
			}
		case string:
			text, wrapped := strings.CutPrefix(strings.TrimSpace(v), "${")
			inner, closed := strings.CutSuffix(text, "}")
			if wrapped && closed {
				found[strings.TrimSpace(inner)] = true
			} else if isExpression(key, holder) {
				found[strings.TrimSpace(v)] = true
			}
		}
	}
	walk("", "", tree)
	return slices.Sorted(maps.Keys(found))
}

// isExpression says whether a member of the language is an expression, with ${ } or
// without.
func isExpression(key, holder string) bool {
	switch key {
	case "if", "while", "when", "exceptWhen":
		return true
	case "from":
		return holder == "input"
	case "as":
		return holder == "output" || holder == "export"
	case "in":
		return holder == "for"
	}
	return false
}

var variableName = regexp.MustCompile(`\$(\w+)`)

// variables are the names that an expression may take from outside, without the $.
func variables(text string) []string {
	found := map[string]bool{}
	for _, m := range variableName.FindAllStringSubmatch(text, -1) {
		found[m[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

var pathOf = map[string]*regexp.Regexp{}

// paths are those that an expression follows from . or from a variable, as far as a look
// at the text tells.
func paths(text, root string) [][]string {
	pattern := pathOf[root]
	if pattern == nil {
		start := `(?:^|[^\w.$\])"])`
		if root != "" {
			start = `\$` + root
		}
		pattern = regexp.MustCompile(start + `((?:\.[A-Za-z_]\w*)+)`)
		pathOf[root] = pattern
	}
	var out [][]string
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		out = append(out, strings.Split(m[1][1:], "."))
	}
	return out
}

// leaves are what stands at the ends of paths, and what variables are: of each type.
var leaves = []any{
	1, "text", nil, true, []any{1, 2, 3}, map[string]any{"a": 1, "b": "x"}, -2.5,
	[]any{map[string]any{"name": "a", "count": 2, "price": 1.5}, map[string]any{"name": "b", "count": 1, "price": 2}},
	"", []any{}, map[string]any{}, "10", 0,
}

// grown is an object in which each path leads to a leaf; the leaf itself when there is
// no path.
func grown(paths [][]string, leaf any) any {
	if len(paths) == 0 {
		return leaf
	}
	out := map[string]any{}
	for _, path := range paths {
		here := out
		for i, key := range path {
			if i == len(path)-1 {
				if _, taken := here[key]; !taken {
					here[key] = leaf
				}
				break
			}
			next, ok := here[key].(map[string]any)
			if !ok {
				next = map[string]any{}
				here[key] = next
			}
			here = next
		}
	}
	return out
}
