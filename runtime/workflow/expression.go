package workflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// maxExpressionBytes bounds the text of one expression.
const maxExpressionBytes = 16 << 10

// expression is a compiled runtime expression. It gives exactly one value.
type expression struct {
	pointer string
	// direct, when not nil, evaluates the expression without jq, or says that it is
	// jq's to do.
	direct direct
	code   *gojq.Code
	// slots are the variables that the code takes, in its order.
	slots []slot
}

// site is where an expression stands; it decides which variables there are.
type site struct {
	name  string
	slots []slot
}

var (
	siteWorkflowInput  = site{"the workflow's input.from", []slot{slotWorkflow, slotRuntime}}
	siteWorkflowOutput = site{"the workflow's output.as", []slot{slotContext, slotInput, slotWorkflow, slotRuntime}}
	siteTaskInput      = site{"if and input.from", []slot{slotContext, slotWorkflow, slotTask, slotRuntime}}
	siteTask           = site{"a task", []slot{slotContext, slotInput, slotWorkflow, slotTask, slotRuntime}}
)

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
func compileExpression(pointer, text string, at site) (*expression, error) {
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
	e := &expression{pointer: pointer}
	// The direct form is read off the query before the guards change it.
	e.direct = compileDirect(query, at.slots)
	g := guard{used: map[string]bool{}}
	g.query(query)
	if len(g.errs) > 0 {
		return nil, errors.Join(g.errs...)
	}
	var names []string
	for _, s := range at.slots {
		if g.used[slotNames[s]] {
			e.slots, names = append(e.slots, s), append(names, slotNames[s])
		}
	}
	e.code, err = gojq.Compile(query, append(guardFunctions(), gojq.WithVariables(names))...)
	if err != nil {
		return nil, compileError(err, at)
	}
	return e, nil
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
func compileError(err error, at site) error {
	message := err.Error()
	name, isVariable := strings.CutPrefix(message, "variable not defined: ")
	switch {
	case !isVariable:
		return fmt.Errorf("the jq expression cannot be compiled: %s", message)
	case name == "$secrets" || name == "$output" || name == "$authorization":
		return fmt.Errorf("%s is not supported by this version", name)
	case slices.Contains(slotNames[:], name):
		return fmt.Errorf("%s does not exist yet in %s: use . for the data at hand", name, at.name)
	}
	var known []string
	for _, s := range at.slots {
		known = append(known, slotNames[s])
	}
	return fmt.Errorf("the variable %s is not defined: %s", name, suggest(name, known))
}

// usesTask says whether the expression reads $task.
func (e *expression) usesTask() bool { return e != nil && slices.Contains(e.slots, slotTask) }

// evaluate returns the expression's value for data.
func (e *expression) evaluate(r *run, data any) (any, error) {
	if e.direct != nil {
		if value, ok := e.direct(r, data); ok {
			return value, nil
		}
	}
	if err := r.startExpression(e); err != nil {
		return nil, err
	}
	started := time.Now()
	value, err := e.execute(r, data)
	r.jq += time.Since(started)
	if !r.watch.stop() {
		r.watch = nil
		if r.expired() {
			return nil, r.timeout()
		}
		return nil, failed(e.pointer, 0, "the expression took more time than it may: 50 ms each, 2 s together", nil)
	}
	return value, err
}

// startExpression starts the stopwatch for one expression, which never takes longer
// than the run, its jq or its caller's deadline has left.
func (r *run) startExpression(e *expression) error {
	if r.expired() {
		return r.timeout()
	}
	most := min(maxStall, runTime-r.jq)
	if most <= 0 {
		return failed(e.pointer, 0, "the expressions of this run took more than 2 s together", nil)
	}
	if deadline, ok := r.ctx.Deadline(); ok {
		most = min(most, time.Until(deadline))
	}
	if r.watch == nil {
		r.watch = stopwatches.Get().(*stopwatch)
	}
	r.watch.start(most)
	return nil
}

// expired says whether the caller's time is over; its context may be a moment late to
// say so.
func (r *run) expired() bool {
	deadline, ok := r.ctx.Deadline()
	return r.ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// The failures of an expression have the status of the specification's error type
// "expression".
const expressionStatus = 400

// execute runs jq.
func (e *expression) execute(r *run, data any) (any, error) {
	var values [slotCount]any
	for i, s := range e.slots {
		values[i] = r.variable(s)
	}
	results := e.code.RunWithContext(r.watch, data, values[:len(e.slots)]...)
	value, ok := results.Next()
	if !ok {
		return nil, failed(e.pointer, expressionStatus, "the expression gives no value; use // null where it may be empty", nil)
	}
	if err, isErr := value.(error); isErr {
		return nil, failed(e.pointer, expressionStatus, "the expression cannot be evaluated with these inputs", err)
	}
	if more, ok := results.Next(); ok {
		if err, isErr := more.(error); isErr {
			return nil, failed(e.pointer, expressionStatus, "the expression cannot be evaluated with these inputs", err)
		}
		return nil, failed(e.pointer, expressionStatus, "the expression gives more than one value; collect them with [ ... ]", nil)
	}
	return value, nil
}
