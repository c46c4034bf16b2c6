// Package authz decides authorization.when: an expression in the Common Expression
// Language (CEL) over the caller and the input. One function compiles it for the
// operator, 'nexus validate' and the runtime.
package authz

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// The bounds of a decision, besides its cost: how long it may take, which only matters
// where something costs more than it counts for, and how many iterations go by between
// two looks at the time.
const (
	maxTime        = time.Second
	interruptEvery = 100
)

// Subject is what a condition sees of the caller.
type Subject struct {
	ID     string
	Name   string
	Issuer string
	Roles  []string
	Scopes []string
}

// Condition is a compiled expression. It is immutable.
type Condition struct {
	ast     *cel.Ast
	program cel.Program
}

// Compile returns the condition, or every problem of the expression in a sentence that
// starts with line:column, counted from 1.
func Compile(expression string) (*Condition, []string) {
	env := environment()
	ast, issues := env.Parse(expression)
	if issues.Err() != nil {
		return nil, []string{syntaxProblem(issues.Errors()[0])} // the others follow from it
	}
	ast, issues = env.Check(ast)
	if issues.Err() != nil {
		return nil, typeProblems(issues)
	}
	if problems := regexProblems(ast); problems != nil {
		return nil, problems
	}
	if t := ast.OutputType(); t != cel.BoolType {
		return nil, []string{notBool(t)}
	}
	estimate, err := env.EstimateCost(ast, inputSizes{})
	if err != nil {
		return nil, []string{"1:1: its cost cannot be estimated: " + err.Error()}
	}
	if estimate.Max > maxCost {
		return nil, []string{tooCostly(estimate.Max)}
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost), cel.CostTracking(steps{}),
		cel.InterruptCheckFrequency(interruptEvery), cel.OptimizeRegex(matches))
	if err != nil {
		return nil, []string{"1:1: " + err.Error()}
	}
	return &Condition{ast: ast, program: program}, nil
}

// Allows says whether the condition is true of the caller and the input: a value as
// validate.Rules.Decode returns it. A condition that cannot be decided allows nothing;
// the error then says where and why, without any value.
func (c *Condition) Allows(ctx context.Context, s Subject, input any) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("deciding authorization.when: %w", err)
	}
	limited, cancel := context.WithTimeoutCause(ctx, maxTime, errTime)
	defer cancel()
	value, _, err := c.program.ContextEval(limited, &variables{subject: s, input: input})
	if err != nil {
		return false, fmt.Errorf("deciding authorization.when: %w", c.explain(limited, err))
	}
	return value == types.True, nil
}

var (
	errCost    = fmt.Errorf("with this input it costs more than %d steps", maxCost)
	errTime    = fmt.Errorf("with this input it takes more than %s", maxTime)
	errMissing = errors.New("a field that it reads is not there: ask has(...) first")
	errType    = errors.New("a value is not of a type that this operation takes")
	errOther   = errors.New("it cannot be decided with this input")
)

// explain says why an evaluation failed. What CEL says may hold parts of the input.
func (c *Condition) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if cancelled, ok := errors.AsType[interpreter.EvalCancelledError](err); ok && cancelled.Cause == interpreter.CostLimitExceeded {
		return errCost
	}
	why, text := errOther, err.Error()
	switch {
	case strings.HasPrefix(text, "no such key"), strings.HasPrefix(text, "no such attribute"), strings.HasPrefix(text, "index out of bounds"):
		why = errMissing
	case strings.HasPrefix(text, "no such overload"), strings.HasPrefix(text, "unsupported"):
		why = errType
	case errors.Is(err, errBigNumber):
		why = errBigNumber
	case errors.Is(err, errLongText):
		why = errLongText
	}
	if at, ok := errors.AsType[*types.Err](err); ok && at.NodeID() != 0 {
		return fmt.Errorf("at %s: %w", position(c.ast.NativeRep().SourceInfo().GetStartLocation(at.NodeID())), why)
	}
	return why
}

// variables are what an expression sees.
type variables struct {
	subject Subject
	input   any
}

// ResolveName implements cel.Activation.
func (v *variables) ResolveName(name string) (any, bool) {
	switch name {
	case "input":
		return v.input, true
	case "subject.id":
		return v.subject.ID, true
	case "subject.name":
		return v.subject.Name, true
	case "subject.issuer":
		return v.subject.Issuer, true
	case "subject.roles":
		return v.subject.Roles, true
	case "subject.scopes":
		return v.subject.Scopes, true
	default:
		return nil, false
	}
}

// Parent implements cel.Activation.
func (v *variables) Parent() cel.Activation { return nil }
