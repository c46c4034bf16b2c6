package graph

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// maxText bounds what a node or an edge shows of a text, in characters.
const maxText = 40

// shorten makes one line of a text, and cuts it at maxText characters. What cannot be
// printed, line ends and marks of the writing direction among it, becomes a space.
func shorten(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > maxText {
		return string(runes[:maxText-1]) + "…"
	}
	return s
}

// lines leaves out those that are empty, but never all.
func lines(all ...string) []string {
	all = slices.DeleteFunc(all, func(s string) bool { return s == "" })
	if len(all) == 0 {
		return []string{"?"}
	}
	return all
}

// object is the value as an object; nil when it is none.
func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// text is the value as text, of one line; empty when it is an object or a list.
func text(v any) string {
	switch v.(type) {
	case nil, map[string]any, []any:
		return ""
	default:
		return fmt.Sprint(v)
	}
}

func has(m map[string]any, key string) bool {
	_, present := m[key]
	return present
}

// each yields the entries of a list of objects with one member each, as the language
// writes lists of tasks and of cases.
func each(list any) iter.Seq2[string, map[string]any] {
	entries, _ := list.([]any)
	return func(yield func(string, map[string]any) bool) {
		for _, entry := range entries {
			m := object(entry)
			for _, name := range slices.Sorted(maps.Keys(m)) {
				if !yield(name, object(m[name])) {
					return
				}
			}
		}
	}
}

// expression is the text of an expression without its ${ }.
func expression(v any) string {
	s := strings.TrimSpace(text(v))
	if inner, ok := strings.CutPrefix(s, "${"); ok {
		if inner, ok = strings.CutSuffix(inner, "}"); ok {
			return strings.TrimSpace(inner)
		}
	}
	return s
}

// collection is what a for runs over: an expression, or a list in the definition.
func collection(v any) string {
	if list, ok := v.([]any); ok {
		return fmt.Sprintf("a list of %d", len(list))
	}
	return expression(v)
}

// step is the shape of a task that has no tasks in it, and what it does, in a line.
func (b *builder) step(task map[string]any) (shape, string) {
	switch {
	case has(task, "call"):
		return shapeCall, shorten(call(text(task["call"]), object(task["with"])))
	case has(task, "set"):
		return shapeStep, shorten("set " + assigned(task["set"]))
	case has(task, "wait"):
		return shapeWait, shorten("wait " + duration(task["wait"]))
	case has(task, "emit"):
		event := object(object(object(task["emit"])["event"])["with"])
		return shapeEvent, shorten("emit " + expression(event["type"]))
	case has(task, "raise"):
		return shapeError, shorten("raise " + raised(object(task["raise"])["error"]))
	case has(task, "run"):
		return shapeRun, shorten("run " + text(object(object(task["run"])["workflow"])["name"]))
	default:
		return shapeStep, ""
	}
}

func call(function string, with map[string]any) string {
	switch function {
	case "http":
		return strings.ToUpper(expression(with["method"])) + " " + address(with["endpoint"])
	case "openapi":
		return "openapi " + text(with["operationId"])
	case "mcp":
		parameters := object(with["parameters"])
		return strings.TrimSpace("mcp " + text(with["method"]) + " " + cmp.Or(expression(parameters["name"]), expression(parameters["uri"])))
	default:
		return "call " + function
	}
}

// address is an endpoint without its query, which may hold a secret.
func address(endpoint any) string {
	uri := text(endpoint)
	if m := object(endpoint); m != nil {
		uri = text(m["uri"])
	}
	if shown := expression(uri); shown != strings.TrimSpace(uri) {
		return shown
	}
	uri, _, _ = strings.Cut(uri, "?")
	return uri
}

func assigned(set any) string {
	if m := object(set); m != nil {
		return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
	}
	return expression(set)
}

// raised names an error: by its name in use.errors, or by status and title.
func raised(e any) string {
	if m := object(e); m != nil {
		return strings.TrimSpace(text(m["status"]) + " " + cmp.Or(expression(m["title"]), kind(m["type"])))
	}
	return text(e)
}

// kind is the last segment of an error's type.
func kind(errorType any) string {
	s := text(errorType)
	return s[strings.LastIndex(s, "/")+1:]
}

// filter says which errors a catch is for.
func filter(catch map[string]any) string {
	with := object(object(catch["errors"])["with"])
	parts := []string{kind(with["type"]), text(with["status"])}
	for _, field := range []string{"title", "detail", "instance"} {
		parts = append(parts, text(with[field]))
	}
	parts = lines(parts...)
	if parts[0] == "?" {
		parts[0] = "error"
	}
	if has(catch, "when") {
		parts = append(parts, "when "+expression(catch["when"]))
	}
	if has(catch, "exceptWhen") {
		parts = append(parts, "unless "+expression(catch["exceptWhen"]))
	}
	return shorten(strings.Join(parts, " "))
}

// limit is the timeout of a task or a workflow, which may be one of use.timeouts.
func (b *builder) limit(of map[string]any) string {
	timeout := of["timeout"]
	if name, named := timeout.(string); named {
		timeout = object(b.use["timeouts"])[name]
	}
	if after := duration(object(timeout)["after"]); after != "" {
		return shorten("at most " + after)
	}
	return ""
}

// retry is the retry policy of a catch, which may be one of use.retries, in words; nil
// without one.
func (b *builder) retry(catch map[string]any) []string {
	value, present := catch["retry"]
	if !present {
		return nil
	}
	if name, named := value.(string); named {
		value = object(b.use["retries"])[name]
	}
	policy := object(value)
	delay, count := duration(policy["delay"]), text(object(object(policy["limit"])["attempt"])["count"])
	if delay != "" {
		delay = "after " + delay
	}
	for _, backoff := range []string{"linear", "exponential"} {
		if has(object(policy["backoff"]), backoff) {
			delay += ", " + backoff
		}
	}
	if count != "" {
		count = "up to " + count + " times"
	}
	return lines("retry", shorten(delay), shorten(count))
}

// duration is a duration as people write one: an object of units, or text.
func duration(v any) string {
	m := object(v)
	if m == nil {
		return expression(v)
	}
	var parts []string
	for _, unit := range [][2]string{{"days", "d"}, {"hours", "h"}, {"minutes", "min"}, {"seconds", "s"}, {"milliseconds", "ms"}} {
		if n := text(m[unit[0]]); n != "" && n != "0" {
			parts = append(parts, n+" "+unit[1])
		}
	}
	return strings.Join(parts, " ")
}
