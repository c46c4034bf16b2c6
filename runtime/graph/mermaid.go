package graph

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// mermaidShapes are the two ends of a node with each shape. They are the classic ones,
// which every version of Mermaid draws.
var mermaidShapes = map[shape][2]string{
	shapeEnd:    {"([", "])"},
	shapeStep:   {"[", "]"},
	shapeCall:   {"(", ")"},
	shapeRun:    {"[[", "]]"},
	shapeChoice: {"{", "}"},
	shapeWait:   {"[/", "\\]"},
	shapeEvent:  {">", "]"},
	shapeError:  {"[\\", "/]"},
	shapeLoop:   {"{{", "}}"},
	shapeFork:   {"((", "))"},
}

func writeMermaid(w io.Writer, c *chart) {
	fmt.Fprint(w, "flowchart TD\n")
	if len(c.boxes) == 1 {
		mermaidItems(w, c.boxes[0].items, "  ")
	} else {
		for _, b := range c.boxes {
			mermaidBox(w, b, "  ")
		}
	}
	for _, e := range c.edges {
		arrow := "-->"
		if e.dashed {
			arrow = "-.->"
		}
		if e.label != "" {
			arrow += "|" + mermaidText([]string{e.label}) + "|"
		}
		fmt.Fprintf(w, "  %s %s %s\n", e.from, arrow, e.to)
	}
}

func mermaidItems(w io.Writer, items []item, indent string) {
	for _, i := range items {
		if i.box != nil {
			mermaidBox(w, i.box, indent)
			continue
		}
		ends := mermaidShapes[i.node.shape]
		fmt.Fprintf(w, "%s%s%s%s%s\n", indent, i.node.id, ends[0], mermaidText(i.node.lines), ends[1])
	}
}

func mermaidBox(w io.Writer, b *box, indent string) {
	fmt.Fprintf(w, "%ssubgraph %s[%s]\n", indent, b.id, mermaidText([]string{b.title}))
	mermaidItems(w, b.items, indent+"  ")
	fmt.Fprintf(w, "%send\n", indent)
}

// mermaidText quotes the lines of a label. In quotes Mermaid still looks for entities,
// HTML, Markdown, directives such as %%{init}%%, and lists. So only what has no meaning
// is written as it is, and anything else as the number of its character.
func mermaidText(lines []string) string {
	var out strings.Builder
	out.WriteByte('"')
	for i, line := range lines {
		if i > 0 {
			out.WriteString("<br>")
		}
		begun := false // a letter has been seen, so that no list begins here
		var before rune
		for _, r := range line {
			if mermaidPair(before, r) {
				fmt.Fprintf(&out, "#%d;", zeroWidthSpace)
			}
			begun = begun || unicode.IsLetter(r)
			if mermaidPlain(r, begun) {
				out.WriteRune(r)
			} else {
				fmt.Fprintf(&out, "#%d;", r)
			}
			before = r
		}
	}
	out.WriteByte('"')
	return out.String()
}

func mermaidPlain(r rune, begun bool) bool {
	return r == ' ' || r == '…' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) ||
		begun && strings.ContainsRune(",./()+-='?!", r)
}

const zeroWidthSpace = '\u200b'

// mermaidPair says whether two characters, side by side, have a meaning even when both
// are written as numbers: the begin of a formula ($$), of a line (\n), of an icon
// (fa:fa-car), and of what stands for # and ; within Mermaid (ﬂ° and ¶ß).
func mermaidPair(a, b rune) bool {
	return a == '$' && b == '$' || a == '\\' && b == 'n' || a == ':' && b == 'f' ||
		a == 'ﬂ' && b == '°' || a == '¶' && b == 'ß'
}
