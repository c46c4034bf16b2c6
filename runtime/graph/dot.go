package graph

import (
	"fmt"
	"io"
	"strings"
)

// dotShapes are the attributes of nodes with each shape.
var dotShapes = map[shape]string{
	shapeEnd:    `shape=box, style="rounded,bold"`,
	shapeStep:   `shape=box`,
	shapeCall:   `shape=box, style=rounded`,
	shapeRun:    `shape=component`,
	shapeChoice: `shape=diamond`,
	shapeWait:   `shape=box, style=diagonals`,
	shapeEvent:  `shape=note`,
	shapeError:  `shape=octagon`,
	shapeLoop:   `shape=hexagon`,
	shapeFork:   `shape=circle`,
}

func writeDOT(w io.Writer, c *chart) {
	// compound lets an edge begin at the frame of a box. Without newrank Graphviz fails on
	// some loops that lead into boxes ("trouble in init_rank").
	fmt.Fprint(w, "digraph {\n  compound=true\n  newrank=true\n  fontname=\"sans-serif\"\n  fontsize=11\n"+
		"  node [fontname=\"sans-serif\", fontsize=11]\n  edge [fontname=\"sans-serif\", fontsize=10]\n")
	boxes := map[string]*box{}
	if len(c.boxes) == 1 {
		dotItems(w, c.boxes[0].items, "  ", boxes)
	} else {
		for _, b := range c.boxes {
			dotBox(w, b, "  ", boxes)
		}
	}
	for _, e := range c.edges {
		var attributes []string
		from := e.from
		if b, ok := boxes[from]; ok {
			from = b.first().id
			attributes = append(attributes, "ltail=cluster_"+b.id)
		}
		if e.dashed {
			attributes = append(attributes, "style=dashed")
		}
		if e.label != "" {
			attributes = append(attributes, "label="+dotText([]string{e.label}))
		}
		suffix := ""
		if len(attributes) > 0 {
			suffix = " [" + strings.Join(attributes, ", ") + "]"
		}
		fmt.Fprintf(w, "  %s -> %s%s\n", from, e.to, suffix)
	}
	fmt.Fprint(w, "}\n")
}

func dotItems(w io.Writer, items []item, indent string, boxes map[string]*box) {
	for _, i := range items {
		if i.box != nil {
			dotBox(w, i.box, indent, boxes)
			continue
		}
		fmt.Fprintf(w, "%s%s [label=%s, %s]\n", indent, i.node.id, dotText(i.node.lines), dotShapes[i.node.shape])
	}
}

// dotBox writes a box and notes it in boxes.
func dotBox(w io.Writer, b *box, indent string, boxes map[string]*box) {
	boxes[b.id] = b
	fmt.Fprintf(w, "%ssubgraph cluster_%s {\n%s  label=%s\n", indent, b.id, indent, dotText([]string{b.title}))
	dotItems(w, b.items, indent+"  ", boxes)
	fmt.Fprintf(w, "%s}\n", indent)
}

// dotEscapes takes the meaning from what has one in a quoted label: the quote, escapes
// such as \N for the name of the node, and entities.
var dotEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;")

// dotText quotes the lines of a label.
func dotText(lines []string) string {
	escaped := make([]string, len(lines))
	for i, line := range lines {
		escaped[i] = dotEscapes.Replace(line)
	}
	return `"` + strings.Join(escaped, `\n`) + `"`
}
