package validate

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// class is what the reader wants to know of a byte; the union over a string's bytes
// decides which rules need a closer look.
type class uint8

const (
	// endsRun ends a run of bytes that stand for themselves in a string.
	endsRun class = 1 << iota
	// isSpace is JSON's white space.
	isSpace
	// nonASCII is a byte of a longer character.
	nonASCII
	// pathByte may be part of a path that matters: a slash, or a percent sign that
	// hides one.
	pathByte
	// isEscape says that the string had an escape; it is not set for a byte.
	isEscape
)

var classes = func() (t [256]class) {
	for c := range 256 {
		if c < 0x20 || c == '"' || c == '\\' {
			t[c] |= endsRun
		}
		if c >= utf8.RuneSelf {
			t[c] |= nonASCII
		}
	}
	for _, c := range " \t\r\n" {
		t[c] |= isSpace
	}
	t['/'] |= pathByte
	t['%'] |= pathByte
	return t
}()

// string reads a string; d.pos is at its quote. It returns the text and what was
// seen in it.
func (d *reader) string() (string, class, *failure) {
	start := d.pos + 1
	text, i := d.text, start
	var seen class
	for i < len(text) {
		c := classes[text[i]]
		seen |= c
		if c&endsRun != 0 {
			break
		}
		i++
	}
	d.pos = i
	if i < len(text) && text[i] == '"' {
		d.pos++
		return text[start:i], seen, nil
	}
	return d.escaped(start, seen)
}

// escaped reads the rest of a string that has an escape; d.pos is at the byte that
// ended the first run.
func (d *reader) escaped(start int, seen class) (string, class, *failure) {
	// A backslash that an escape made is a path byte too.
	seen |= isEscape | pathByte
	out := append(make([]byte, 0, 64), d.text[start:d.pos]...)
	for d.pos < len(d.text) {
		switch c := d.text[d.pos]; {
		case c == '"':
			d.pos++
			return string(out), seen, nil
		case c == '\\':
			var f *failure
			if out, f = d.escape(out); f != nil {
				return "", seen, f
			}
		case c < 0x20:
			return "", seen, d.bad("an escape such as \\n instead of a control character")
		default:
			run := d.pos
			for d.pos < len(d.text) && classes[d.text[d.pos]]&endsRun == 0 {
				seen |= classes[d.text[d.pos]]
				d.pos++
			}
			out = append(out, d.text[run:d.pos]...)
		}
	}
	return "", seen, d.bad("the end of the string")
}

// simpleEscapes are the escapes of one letter.
var simpleEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape appends what the escape at d.pos stands for.
func (d *reader) escape(out []byte) ([]byte, *failure) {
	d.pos++
	if d.pos >= len(d.text) {
		return nil, d.bad("the end of the string")
	}
	if c := simpleEscapes[d.text[d.pos]]; c != 0 {
		d.pos++
		return append(out, c), nil
	}
	unit := d.unit()
	if unit < 0 {
		return nil, d.bad("a valid escape")
	}
	d.pos += 5
	if !utf16.IsSurrogate(unit) {
		return utf8.AppendRune(out, unit), nil
	}
	var low rune = -1
	if strings.HasPrefix(d.text[d.pos:], `\u`) {
		d.pos++
		low = d.unit()
	}
	r := utf16.DecodeRune(unit, low)
	if r == utf8.RuneError {
		return nil, &failure{rule: NotUTF8, message: "has half of a surrogate pair as an escape: send both halves, or the character itself"}
	}
	d.pos += 5
	return utf8.AppendRune(out, r), nil
}

// unit returns the UTF-16 code unit of the uXXXX at d.pos, or -1.
func (d *reader) unit() rune {
	if d.pos+5 > len(d.text) || d.text[d.pos] != 'u' {
		return -1
	}
	var unit rune
	for _, c := range []byte(d.text[d.pos+1 : d.pos+5]) {
		v, ok := hex(c)
		if !ok {
			return -1
		}
		unit = unit<<4 | rune(v)
	}
	return unit
}

// number reads a number; d.pos is at its first byte. An integer stays one.
func (d *reader) number() (any, *failure) {
	text, start := d.text, d.pos
	i := start
	if text[i] == '-' {
		i++
	}
	first := i
	i = digits(text, i)
	if i == first || text[first] == '0' && i > first+1 {
		d.pos = first
		return nil, d.bad("a number without leading zeros")
	}
	whole := true
	if i < len(text) && text[i] == '.' {
		whole = false
		fraction := i + 1
		if i = digits(text, fraction); i == fraction {
			d.pos = i
			return nil, d.bad("a digit")
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		whole = false
		exponent := i + 1
		if exponent < len(text) && (text[exponent] == '+' || text[exponent] == '-') {
			exponent++
		}
		if i = digits(text, exponent); i == exponent {
			d.pos = i
			return nil, d.bad("a digit")
		}
	}
	d.pos = i
	return convert(text[start:i], whole)
}

// digits returns the index after the digits that start at i.
func digits(text string, i int) int {
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	return i
}

// convert returns the value of a number's text.
func convert(text string, whole bool) (any, *failure) {
	if len(text) > MaxNumberLength {
		return nil, &failure{rule: NumberOutOfRange, message: "is a number of more than 1024 characters: send it as a string"}
	}
	if whole {
		if n, err := strconv.Atoi(text); err == nil {
			return n, nil
		}
		n, ok := new(big.Int).SetString(text, 10)
		if !ok {
			return nil, &failure{rule: NotJSON, message: "is not a number"}
		}
		return n, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, &failure{rule: NumberOutOfRange, message: "is a number beyond 1.8e308: send it as a string"}
	}
	return n, nil
}
