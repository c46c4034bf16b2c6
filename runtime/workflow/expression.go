package workflow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/nexus-operator/nexus-operator/runtime/spelling"
)

// maxExpressionBytes bounds the text of one expression.
const maxExpressionBytes = 16 << 10

// expression is a compiled runtime expression. It gives exactly one value.
type expression struct {
	pointer string
	// direct, when not nil, evaluates the expression without jq, or says that it is
	// jq's to do.
	direct direct
	// makes says that it may give an array or an object of its own.
	makes bool
	code  *gojq.Code
	// slots are the variables that the code takes, in its order.
	slots []slot
	// secrets are the names of the secrets that it reads, and patterns the regular
	// expressions that it matches with.
	secrets, patterns []string
	// prefix is what the value surely begins with.
	prefix string
}

// unwrap returns what stands between ${ and }, and whether the text is such an
// expression as a whole.
func unwrap(text string) (string, bool) {
	text = strings.TrimSpace(text)
	inner, opened := strings.CutPrefix(text, "${")
	if !opened {
		return "", false
	}
	return strings.CutSuffix(inner, "}")
}

// compileExpression compiles jq text that stands at pointer.
func compileExpression(pointer, text string, at site, declared []variable) (*expression, error) {
	if len(text) > maxExpressionBytes {
		return nil, fmt.Errorf("the expression has %d bytes, at most %d fit: split it over several tasks", len(text), maxExpressionBytes)
	}
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("the expression is empty: write ${ . } for the whole input")
	}
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, syntaxError(err)
	}
	e, variables := &expression{pointer: pointer, prefix: literalPrefix(query)}, visible(at, declared)
	// The direct form is read off the query before the guards change it.
	e.direct, e.makes = compileDirect(query, variables), makes(query)
	g := guard{used: map[string]bool{}}
	g.query(query)
	if len(g.errs) > 0 {
		return nil, errors.Join(g.errs...)
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(g.used)) {
		if s, ok := lookup(variables, name); ok {
			e.slots, names = append(e.slots, s), append(names, name)
		}
	}
	e.code, err = gojq.Compile(query, append(guardFunctions(), gojq.WithVariables(names))...)
	if err != nil {
		return nil, compileError(err, at, variables)
	}
	e.secrets, e.patterns = g.secrets, g.patterns
	return e, nil
}

// literalPrefix is the text that the value of a query begins with, as far as that is
// plain to see: of "https://host/" + .path, and of "https://host/\(.path)".
func literalPrefix(q *gojq.Query) string {
	for q != nil && q.Op == gojq.OpAdd {
		q = q.Left
	}
	if q == nil || q.Op != 0 || q.Term == nil || q.Term.Str == nil || len(q.Term.SuffixList) > 0 || q.Term.Type != gojq.TermTypeString {
		return ""
	}
	if len(q.Term.Str.Queries) == 0 {
		return q.Term.Str.Str
	}
	first := q.Term.Str.Queries[0]
	if first.Term != nil && first.Term.Str != nil {
		return first.Term.Str.Str
	}
	return ""
}

// syntaxError explains where jq's grammar is broken.
func syntaxError(err error) error {
	if e, ok := errors.AsType[*gojq.ParseError](err); ok {
		if e.Token == "" {
			return errors.New("the jq expression ends too early: close what is open")
		}
		return fmt.Errorf("the jq expression has a syntax error at byte %d, at %q", e.Offset-len(e.Token), e.Token)
	}
	return fmt.Errorf("the jq expression has a syntax error: %w", err)
}

// compileError explains what jq does not know.
func compileError(err error, at site, variables []variable) error {
	message := err.Error()
	name, isVariable := strings.CutPrefix(message, "variable not defined: ")
	switch {
	case !isVariable:
		return fmt.Errorf("the jq expression cannot be compiled: %s", message)
	case slices.Contains(slotNames[:], name):
		return fmt.Errorf("%s does not exist in %s: use . for the data at hand", name, at.name)
	}
	var known []string
	for _, v := range variables {
		if v.slot != slotNow {
			known = append(known, v.name)
		}
	}
	return fmt.Errorf("the variable %s is not defined: %s", name, spelling.Suggest(name, known))
}

// makes says whether a query that has a direct form may make an array or an object.
func makes(q *gojq.Query) bool {
	if q == nil {
		return false
	}
	if makes(q.Left) || makes(q.Right) {
		return true
	}
	t := q.Term
	if t == nil {
		return false
	}
	return t.Type == gojq.TermTypeObject || t.Type == gojq.TermTypeArray || makes(t.Query) ||
		t.If != nil && (makes(t.If.Cond) || makes(t.If.Then) || makes(t.If.Else))
}

// evaluate returns the expression's value for data.
func (e *expression) evaluate(r *run, data any) (any, error) {
	if len(e.secrets) > 0 {
		if err := r.readable(e.secrets); err != nil {
			return nil, err
		}
	}
	if e.direct != nil {
		if value, ok := e.direct(r, data); ok {
			if err := r.covered(); err != nil || !e.makes {
				return value, err
			}
			// What takes little memory can still be large, where one part stands in many places.
			value, _, err := r.weigh(value, maxOutputBytes, "the value of the expression at "+e.pointer)
			return value, err
		}
	}
	return e.interpret(r, data)
}
