package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Format is how an answer is printed.
type Format string

// The formats.
const (
	Table Format = "table"
	JSON  Format = "json"
	YAML  Format = "yaml"
)

// WriteJSON writes a JSON text, indented. The order of members and the digits of numbers
// stay.
func WriteJSON(out io.Writer, raw []byte) error {
	var indented bytes.Buffer
	if err := json.Indent(&indented, raw, "", "  "); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	indented.WriteByte('\n')
	_, err := out.Write(escaped(indented.Bytes()))
	return err
}

// WriteProblem writes a problem object as one line.
func WriteProblem(out io.Writer, raw []byte) error {
	_, err := fmt.Fprintln(out, string(escaped([]byte(compact(raw)))))
	return err
}

// escaped is a JSON text in which escapes stand for the characters that a terminal would act
// on. Only strings can hold them.
func escaped(text []byte) []byte {
	return withEscapes(text, func(b []byte, r rune) []byte {
		if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
			return fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		}
		return fmt.Appendf(b, `\u%04x`, r)
	})
}

func withEscapes(text []byte, escape func([]byte, rune) []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if unicode.Is(unicode.Cf, r) || r >= 0x7f && unicode.IsControl(r) {
			out = escape(out, r)
		} else {
			out = append(out, text[:size]...)
		}
		text = text[size:]
	}
	return out
}

// WriteTable writes rows of cells in columns. What a terminal would act on is taken out. A
// row of one cell is a line of its own.
func WriteTable(out io.Writer, rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if len(widths) == i {
				widths = append(widths, 0)
			}
			if len(row) > 1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(Printable(cell)))
			}
		}
	}
	var text strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			cell = Printable(cell)
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", max(2, widths[i]+2-utf8.RuneCountInString(cell))))
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// WriteValue writes a JSON text as a format. The table of an object has a line for each
// member; any other value is JSON there.
func WriteValue(out io.Writer, format Format, raw []byte) error {
	switch format {
	case YAML:
		return WriteYAML(out, raw)
	case Table:
		members, err := membersOf(raw)
		if err != nil {
			break
		}
		rows := make([][]string, len(members))
		for i, m := range members {
			rows[i] = []string{m.name, cell(m.value)}
		}
		return WriteTable(out, rows)
	case JSON:
	}
	return WriteJSON(out, raw)
}

type member struct {
	name  string
	value json.RawMessage
}

var errNoObject = errors.New("not a JSON object")

// membersOf returns the members of an object in their order.
func membersOf(raw []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, errNoObject
	}
	var out []member
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		var m member
		m.name, _ = token.(string)
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// cell is a value in one line: a text as it is, where that can be, and else JSON.
func cell(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	return string(escaped([]byte(compact(raw))))
}
