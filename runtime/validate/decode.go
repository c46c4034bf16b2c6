package validate

import (
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Decode reads one JSON value (RFC 8259) and applies every rule in the same pass. It
// returns nil, bool, int, float64, *big.Int (an integer that no int holds), string,
// []any or map[string]any: the types that jq works on, without loss of precision. An
// empty body is not JSON. An error is a *fault.Error with code InvalidInput and one
// Violation. The value does not share memory with body.
func (r *Rules) Decode(body []byte) (any, error) { return r.DecodeNested(body, 0) }

// DecodeNested is Decode for a body in which the inputs are that many objects deep: what a
// channel puts around them does not count to the depth that they may have.
func (r *Rules) DecodeNested(body []byte, outer int) (any, error) {
	// Strings of the value are parts of this one copy: one allocation, not one each.
	text := string(body)
	if !utf8.ValidString(text) {
		return nil, notUTF8().fault()
	}
	d := readers.Get().(*reader)
	d.rules, d.text, d.pos, d.deepest = r, text, 0, MaxDepth+outer
	value, f := d.document()
	d.release()
	if f != nil {
		return nil, f.fault()
	}
	return value, nil
}

// reader is the state of one Decode. Members and items are collected in its scratch
// space first, so that maps and slices are made in the right size.
type reader struct {
	rules *Rules
	text  string
	pos   int
	// deepest is how many objects and lists may be inside of each other.
	deepest int
	keys    []string
	items   []any
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// maxScratch is the scratch space, in entries, that is kept for the next Decode.
const maxScratch = 256

// release gives the reader back without holding on to what it read.
func (d *reader) release() {
	if cap(d.items) > maxScratch || cap(d.keys) > maxScratch {
		return
	}
	clear(d.keys[:cap(d.keys)])
	clear(d.items[:cap(d.items)])
	d.rules, d.text, d.keys, d.items = nil, "", d.keys[:0], d.items[:0]
	readers.Put(d)
}

// bad is a violation of JSON's grammar at the current byte.
func (d *reader) bad(expected string) *failure {
	if d.pos >= len(d.text) {
		return &failure{rule: NotJSON, message: "is not JSON: it ends where " + expected + " should be"}
	}
	return &failure{rule: NotJSON, message: "is not JSON at byte " + strconv.Itoa(d.pos) + ": " + expected + " should be there"}
}

func (d *reader) document() (any, *failure) {
	d.space()
	value, f := d.value(0)
	if f != nil {
		return nil, f
	}
	d.space()
	if d.pos < len(d.text) {
		return nil, d.bad("the end")
	}
	return value, nil
}

// space skips white space.
func (d *reader) space() {
	for d.pos < len(d.text) && classes[d.text[d.pos]]&isSpace != 0 {
		d.pos++
	}
}

// peek skips white space and returns the next byte, 0 at the end.
func (d *reader) peek() byte {
	for d.pos < len(d.text) {
		c := d.text[d.pos]
		if classes[c]&isSpace == 0 {
			return c
		}
		d.pos++
	}
	return 0
}

// value reads one value; d.pos is at its first byte.
func (d *reader) value(depth int) (any, *failure) {
	if d.pos >= len(d.text) {
		return nil, d.bad("a value")
	}
	switch c := d.text[d.pos]; c {
	case '"':
		return d.checkedString()
	case '{', '[':
		switch {
		case depth == d.deepest:
			return nil, tooDeep()
		case c == '{':
			return d.object(depth + 1)
		}
		return d.array(depth + 1)
	case 't':
		return true, d.literal("true")
	case 'f':
		return false, d.literal("false")
	case 'n':
		return nil, d.literal("null")
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return d.number()
		}
	}
	return nil, d.bad("a value")
}

// checkedString reads a string and applies the rules for values to it, where a byte
// of interest was seen. Only an escape can make a NUL.
func (d *reader) checkedString() (any, *failure) {
	s, seen, f := d.string()
	switch {
	case f != nil:
	case seen&isEscape != 0 && strings.IndexByte(s, 0) >= 0:
		f = nulByte()
	case seen&pathByte != 0 || s == "..":
		f = path(s)
	}
	if f != nil {
		return nil, f
	}
	return s, nil
}

func (d *reader) literal(word string) *failure {
	if !strings.HasPrefix(d.text[d.pos:], word) {
		return d.bad(word)
	}
	d.pos += len(word)
	return nil
}

func (d *reader) array(depth int) (any, *failure) {
	d.pos++
	base := len(d.items)
	if d.peek() == ']' {
		d.pos++
		return []any{}, nil
	}
	for {
		d.space()
		item, f := d.value(depth)
		if f != nil {
			return nil, f.in(strconv.Itoa(len(d.items) - base))
		}
		d.items = append(d.items, item)
		switch d.peek() {
		case ',':
			d.pos++
		case ']':
			d.pos++
			array := make([]any, len(d.items)-base)
			copy(array, d.items[base:])
			d.items = d.items[:base]
			return array, nil
		default:
			return nil, d.bad("a comma or the end of the array")
		}
	}
}

func (d *reader) object(depth int) (any, *failure) {
	d.pos++
	baseKey, baseItem := len(d.keys), len(d.items)
	if d.peek() == '}' {
		d.pos++
		return map[string]any{}, nil
	}
	for {
		if d.peek() != '"' {
			return nil, d.bad("a key in double quotes")
		}
		key, seen, f := d.string()
		if f == nil {
			f = d.rules.key(key, seen&(isEscape|nonASCII) == 0)
		}
		if f != nil {
			return nil, f
		}
		if d.peek() != ':' {
			return nil, d.bad("a colon")
		}
		d.pos++
		d.space()
		item, f := d.value(depth)
		if f != nil {
			return nil, f.in(key)
		}
		d.keys, d.items = append(d.keys, key), append(d.items, item)
		switch d.peek() {
		case ',':
			d.pos++
		case '}':
			d.pos++
			object, f := build(d.keys[baseKey:], d.items[baseItem:])
			d.keys, d.items = d.keys[:baseKey], d.items[:baseItem]
			return object, f
		default:
			return nil, d.bad("a comma or the end of the object")
		}
	}
}

// build makes the map of an object. A key that does not make it longer was there
// before.
func build(keys []string, items []any) (any, *failure) {
	object := make(map[string]any, len(keys))
	for i, key := range keys {
		object[key] = items[i]
		if len(object) != i+1 {
			f := &failure{rule: DuplicateKey, message: "appears twice in its object: keep one"}
			return nil, f.in(key)
		}
	}
	return object, nil
}
