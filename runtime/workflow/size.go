package workflow

import (
	"encoding/json"
	"math"
	"math/big"
)

// bounded returns a task's output when it is small and flat enough to go on with.
// What jq can make but JSON cannot say is replaced as jq itself prints it.
func bounded(output any, pointer string) (any, error) {
	m := measure{room: maxOutputBytes}
	m.value(output, 0)
	switch {
	case m.tooDeep:
		return nil, failed(pointer, 0, "its output is nested more than 128 levels deep", nil)
	case m.room < 0:
		return nil, failed(pointer, 0, "its output is larger than 1 MiB; select what the next step needs", nil)
	case m.unprintable:
		return printable(output), nil
	}
	return output, nil
}

// measure adds up the size of a value as JSON text, escapes not counted, and stops as
// soon as there is no room left. That bounds the walk even where jq let one array
// appear in many places.
type measure struct {
	room        int
	tooDeep     bool
	unprintable bool
}

func (m *measure) value(v any, depth int) {
	if depth > maxOutputDepth {
		m.tooDeep, m.room = true, -1
		return
	}
	switch v := v.(type) {
	case string:
		m.room -= len(v) + 2
	case []any:
		m.room -= 2 + len(v)
		for _, item := range v {
			if m.room < 0 {
				return
			}
			m.value(item, depth+1)
		}
	case map[string]any:
		m.room -= 2
		for key, item := range v {
			if m.room < 0 {
				return
			}
			m.room -= len(key) + 4
			m.value(item, depth+1)
		}
	case float64:
		m.room -= 8
		if math.IsNaN(v) || math.IsInf(v, 0) {
			m.unprintable = true
		}
	case *big.Int:
		m.room -= v.BitLen()*3/10 + 1
	case json.Number:
		m.room -= len(v)
		m.unprintable = true
	default:
		m.room -= 4
	}
}

// printable returns a copy in which NaN is null and an infinity the largest number.
func printable(v any) any {
	switch v := v.(type) {
	case []any:
		array := make([]any, len(v))
		for i, item := range v {
			array[i] = printable(item)
		}
		return array
	case map[string]any:
		object := make(map[string]any, len(v))
		for key, item := range v {
			object[key] = printable(item)
		}
		return object
	case float64:
		if math.IsNaN(v) {
			return nil
		}
		return max(-math.MaxFloat64, min(v, math.MaxFloat64))
	case json.Number:
		return number(v)
	}
	return v
}

// maxDigits is the longest number, in bytes of its text, that is read exactly; more
// digits cost more than they are worth.
const maxDigits = 1024

// number returns a JSON number as jq holds it: int, float64, or *big.Int for an
// integer that no int holds.
func number(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return int(i)
	}
	if len(n) <= maxDigits {
		if i, ok := new(big.Int).SetString(string(n), 10); ok {
			return i
		}
	}
	f, _ := n.Float64()
	return f
}
