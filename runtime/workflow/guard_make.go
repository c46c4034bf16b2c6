package workflow

import (
	"errors"
	"maps"
	"strings"

	"github.com/itchyny/gojq"
)

// plus is jq's +: the sum of numbers, or two strings, arrays or objects put together.
// What it makes is bounded.
func plus(l, r any) any {
	switch {
	case l == nil:
		return r
	case r == nil:
		return l
	}
	switch left := l.(type) {
	case string:
		if right, ok := r.(string); ok {
			return within(left, right, func() any { return left + right })
		}
	case []any:
		if right, ok := r.([]any); ok {
			return within(left, right, func() any { return both(left, right) })
		}
	case map[string]any:
		if right, ok := r.(map[string]any); ok {
			return within(left, right, func() any { return united(left, right) })
		}
	}
	return sum.apply(l, r)
}

// within makes something of two values unless it would be too large.
func within(l, r any, build func() any) any {
	if shallow(l)+shallow(r) > maxMade {
		return errTooMade
	}
	return build()
}

// both is two arrays in one. Like jq, it does not copy for the sake of an empty one.
func both(l, r []any) any {
	switch {
	case len(l) == 0:
		return r
	case len(r) == 0:
		return l
	}
	array := make([]any, 0, len(l)+len(r))
	return append(append(array, l...), r...)
}

// united is two objects in one.
func united(l, r map[string]any) any {
	switch {
	case len(l) == 0:
		return r
	case len(r) == 0:
		return l
	}
	object := make(map[string]any, len(l)+len(r))
	maps.Copy(object, l)
	maps.Copy(object, r)
	return object
}

// merger merges objects deeply; neither is changed. It stops when there is no room for
// more fields.
type merger struct{ room int }

func (m *merger) merge(l, r map[string]any, depth int) map[string]any {
	if m.room -= len(l) + len(r) + 1; m.room < 0 || depth > maxOutputDepth {
		m.room = -1
		return nil
	}
	merged := make(map[string]any, len(l)+len(r))
	maps.Copy(merged, l)
	for key, value := range r {
		if right, ok := value.(map[string]any); ok {
			if left, ok := merged[key].(map[string]any); ok {
				value = m.merge(left, right, depth+1)
			}
		}
		if merged[key] = value; m.room < 0 {
			return nil
		}
	}
	return merged
}

// merge is jq's * of objects.
func merge(l, r map[string]any) any {
	m := merger{room: maxMade / fieldBytes}
	merged := m.merge(l, r, 0)
	if m.room < 0 {
		return errTooMade
	}
	return merged
}

// toJSON is jq's tojson of what is not too large.
func toJSON(v any) any {
	if err := checkWhole(v); err != nil {
		return err
	}
	text, err := gojq.Marshal(v)
	if err != nil {
		return err
	}
	return string(text)
}

// toText is jq's tostring.
func toText(v any) any {
	if text, ok := plainText(v); ok {
		return text
	}
	return toJSON(v)
}

// concat is the text of an interpolated string, of its parts.
func concat(_ any, parts []any) any {
	texts, size := make([]string, len(parts)), 0
	for i, part := range parts {
		switch text := toText(part).(type) {
		case string:
			texts[i] = text
		case error:
			return text
		}
		if size += len(texts[i]); size > maxMade {
			return errTooMade
		}
	}
	return strings.Join(texts, "")
}

// fromPairs makes an object of pairs of key and value.
func fromPairs(v any) any {
	pairs, _ := v.([]any)
	object := make(map[string]any, len(pairs))
	for _, item := range pairs {
		pair, _ := item.([]any)
		if len(pair) != 2 {
			return errors.New("an object is made of pairs")
		}
		key, ok := pair[0].(string)
		if !ok {
			return errors.New("the name of a field is a string")
		}
		object[key] = pair[1]
	}
	return object
}
