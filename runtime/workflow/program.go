// Package workflow compiles and runs workflow definitions in the Open Workflow
// Specification DSL 1.0.3, as a profile: what the pods of an app can do safely. It knows
// no transport and no policy; what a run reaches outside of itself is its Host.
//
// Whatever is outside of the profile is refused by name when a definition is compiled,
// never ignored and never found out when it runs. docs/workflows.md describes the
// profile.
package workflow

import (
	"context"
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
	name, namespace, version, title, summary string
	hash                                     string
	hints                                    Hints
	// definition is the definition as expressions see it in $workflow.
	definition map[string]any

	inputSchema, outputSchema *schema
	from                      *template
	timeout                   *duration
	tasks                     list
	as                        *template
	// variables is how many variables the tasks declare.
	variables int
	// secrets are the names in use.secrets, subflows the tasks that run other workflows,
	// and documents the OpenAPI documents of calls.
	secrets   []string
	subflows  []*subflow
	documents []Document
}

// Document is an OpenAPI document that a workflow calls by.
type Document struct {
	// Name is its endpoint as the definition writes it.
	Name    string
	access  *authentication
	program *Program
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

// Name returns document.name.
func (p *Program) Name() string { return p.name }

// Documents are the OpenAPI documents of the workflow's calls.
func (p *Program) Documents() []Document { return p.documents }

// Access returns how the document is fetched, nil for anonymously. Secrets are read from
// the host; an expression sees no input. The error is an *Error, unless ctx has ended.
func (d Document) Access(ctx context.Context, host *Host) (*Authentication, error) {
	r := newRun(ctx, d.program, nil, host, Options{})
	defer r.shared.settle()
	r.declared = make([]any, d.program.variables)
	var access *Authentication
	_, err := r.guarded(func() (any, error) { //nolint:contextcheck // the run has it
		var err error
		access, err = d.access.evaluate(r, nil)
		return nil, err
	})
	return access, err
}

// Check validates inputs against input.schema. The error is a *fault.Error with code
// SchemaViolation and a Violation for each of the first problems; none of them holds
// a value. Without a schema every input passes.
func (p *Program) Check(inputs any) error { return p.inputSchema.check(inputs) }
