// Package workflow compiles and runs workflow definitions in the Open Workflow
// Specification DSL 1.0.3. It knows no transport and no policy.
//
// Of the language it takes, so far: document, input.schema, input.from,
// output.schema, output.as, and do with set tasks that may have if, input.from and
// output.as. Whatever else the language has is refused by name when it is compiled,
// never ignored and never found out when it runs.
package workflow

import (
	"encoding/json"
	"fmt"
)

// Problem is one thing that is wrong with a definition.
type Problem struct {
	// Pointer is the JSON pointer (RFC 6901) of the offending node of the definition.
	Pointer string
	// Message says what is wrong and what to write instead.
	Message string
}

// String returns pointer and message in one line.
func (p Problem) String() string {
	if p.Pointer == "" {
		return p.Message
	}
	return fmt.Sprintf("%s: %s", p.Pointer, p.Message)
}

// Program is a compiled workflow. It is immutable and safe for concurrent use: runs
// share nothing but it.
type Program struct {
	name, version, title, summary string
	hash                          string
	// definition is the definition as expressions see it in $workflow.
	definition map[string]any

	inputSchema, outputSchema *schema
	from                      *template
	tasks                     []task
	as                        *template
}

// Version returns document.version.
func (p *Program) Version() string { return p.version }

// Title returns document.title, empty when there is none.
func (p *Program) Title() string { return p.title }

// Summary returns document.summary, empty when there is none.
func (p *Program) Summary() string { return p.summary }

// Hash identifies the definition: the first 16 hexadecimal digits of the SHA-256 of
// its canonical JSON. The order of keys does not matter.
func (p *Program) Hash() string { return p.hash }

// InputSchema returns input.schema.document, nil when there is none.
func (p *Program) InputSchema() json.RawMessage { return p.inputSchema.text() }

// OutputSchema returns output.schema.document, nil when there is none.
func (p *Program) OutputSchema() json.RawMessage { return p.outputSchema.text() }

// PropertyType tells how the input schema types a top-level property: string,
// integer, number, boolean, array or object. It is empty when the schema names no
// such property, or not exactly one type besides null.
func (p *Program) PropertyType(name string) string { return p.inputSchema.propertyType(name) }

// Check validates inputs against input.schema. The error is a *fault.Error with code
// SchemaViolation and a Violation for each of the first problems; none of them holds
// a value. Without a schema every input passes.
func (p *Program) Check(inputs any) error { return p.inputSchema.check(inputs) }
