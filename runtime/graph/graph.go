// Package graph draws workflows, as a Mermaid flowchart or as DOT for Graphviz. It reads
// definitions that the compiler has accepted, and makes the best of any other: what it
// does not understand is a step with its name.
//
// Both forms are written from one model, which build.go makes once.
package graph

import (
	"bytes"
	"io"
)

// Mermaid writes workflows as a Mermaid flowchart (mermaid.js.org). Each definition is a
// tree as package encoding/json decodes it. A single workflow stands alone; several have
// a box each, and tasks that run another one of them point to it. The same definitions
// give the same text. The error is w's.
func Mermaid(w io.Writer, definitions ...map[string]any) error {
	var out bytes.Buffer
	writeMermaid(&out, build(definitions))
	_, err := w.Write(out.Bytes())
	return err
}

// DOT writes workflows as a digraph in the DOT language (graphviz.org), with what
// Mermaid has in it.
func DOT(w io.Writer, definitions ...map[string]any) error {
	var out bytes.Buffer
	writeDOT(&out, build(definitions))
	_, err := w.Write(out.Bytes())
	return err
}
