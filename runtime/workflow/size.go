package workflow

import (
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"time"
)

// weigh returns a value that is small and flat enough to go on with, and about how much
// memory it takes. What jq can make but JSON cannot say is replaced as jq itself prints
// it.
func (r *run) weigh(value any, most int, what string) (any, int64, error) {
	m := measure{room: most}
	m.value(value, 0)
	if err := r.spend(time.Duration(m.values) * weighTime); err != nil {
		return nil, 0, err
	}
	switch {
	case m.tooDeep:
		return nil, 0, NewError(RuntimeError, nil, "%s is nested more than %d levels deep", what, maxOutputDepth)
	case m.room < 0:
		return nil, 0, NewError(RuntimeError, nil, "%s is larger than %d KiB; select what the next step needs", what, most>>10)
	case m.unprintable:
		value = printable(value)
	}
	return value, m.memory, nil
}

// measure adds up the size of a value as JSON text, escapes not counted, and stops as
// soon as there is no room left. That bounds the walk even where jq let one array
// appear in many places.
type measure struct {
	room        int
	tooDeep     bool
	unprintable bool
	// values is how many there are, and memory how many bytes they take.
	values int
	memory int64
}

// About what Go takes for values, in bytes: the header of a text or a list behind an
// interface, a map, and a field of one, which is made with room to spare.
const (
	headerBytes = 24
	mapBytes    = 48
	groupBytes  = 264 // of up to 8 fields
	fieldBytes  = 80  // of more than 8
)

// objectBytes is what a map of so many fields takes, without its names and values.
func objectBytes(fields int) int64 {
	switch {
	case fields == 0:
		return mapBytes
	case fields <= 8:
		return mapBytes + groupBytes
	}
	return mapBytes + fieldBytes*int64(fields)
}

// arrayBytes is what a list of so many items takes, without the items.
func arrayBytes(items int) int64 { return headerBytes + slotBytes*int64(items) }

func (m *measure) value(v any, depth int) {
	if depth > maxOutputDepth {
		m.tooDeep, m.room = true, -1
		return
	}
	m.values++
	switch v := v.(type) {
	case string:
		m.room -= len(v) + 2
		m.memory += headerBytes + int64(len(v))
	case []any:
		m.room -= 2 + len(v)
		m.memory += arrayBytes(len(v))
		for _, item := range v {
			if m.room < 0 {
				return
			}
			m.value(item, depth+1)
		}
	case map[string]any:
		m.room -= 2
		m.memory += objectBytes(len(v))
		for key, item := range v {
			if m.room < 0 {
				return
			}
			m.room -= len(key) + 4
			m.memory += int64(len(key))
			m.value(item, depth+1)
		}
	case float64:
		m.room -= 8
		m.memory += 8
		m.unprintable = m.unprintable || math.IsNaN(v) || math.IsInf(v, 0)
	case *big.Int:
		m.room -= v.BitLen()*3/10 + 1
		m.memory += headerBytes + int64(v.BitLen())/8
	case json.Number: // from a caller that left one in
		m.room -= len(v)
		m.memory += headerBytes + int64(len(v))
		m.unprintable = true
	default:
		m.room -= 4
		m.memory += 8
	}
}

// printable returns a copy in which NaN is null and an infinity the largest number, as jq
// itself prints them: JSON has neither.
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

// identical says whether two values are one and the same array or object.
func identical(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
	case []any:
		b, ok := b.([]any)
		return ok && len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
	}
	return false
}

// maxDigits is the longest number, in bytes of its text, that is read exactly; more
// digits cost more than they are worth.
const maxDigits = 1024

// number returns a JSON number as jq holds it: int, float64, or *big.Int for an
// integer that no int holds. One that no float holds is the nearest that one does.
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
	return max(-math.MaxFloat64, min(f, math.MaxFloat64))
}
