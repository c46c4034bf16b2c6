package authz

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
)

// position is line:column, both counted from 1.
func position(at common.Location) string {
	return strconv.Itoa(max(at.Line(), 1)) + ":" + strconv.Itoa(max(at.Column(), 0)+1)
}

func syntaxProblem(e *cel.Error) string {
	message, _, _ := strings.Cut(e.Message, " expecting {") // a list of everything
	message = strings.TrimPrefix(message, "Syntax error: ")
	switch {
	case strings.HasPrefix(message, "token recognition error at: '="):
		message = "write == to compare"
	case strings.Contains(message, "'<EOF>'") && !strings.Contains(message, "expecting"):
		message = "it ends too early"
	}
	return position(e.Location) + ": is not CEL: " + message
}

// typeProblems returns the first one, and all that do not follow from another one.
func typeProblems(issues *cel.Issues) []string {
	var problems []string
	for i, e := range issues.Errors() {
		if i == 0 || !strings.Contains(e.Message, "!error!") {
			problems = append(problems, position(e.Location)+": "+checked(e.Message))
		}
	}
	return problems
}

var (
	suggested = regexp.MustCompile(` \(did you mean (.*)\?\)$`)
	elsewhere = regexp.MustCompile(` \([^()]*enable with [^()]*\)$`) // an option that is not ours
	operator  = strings.NewReplacer("'_", "'", "_'", "'", "'@", "'")
)

func checked(message string) string {
	if message == "undeclared reference to 'subject'" {
		return "subject is no value by itself, and has() does not take its fields, which are always there: " +
			"write subject.id, subject.name, subject.issuer, subject.roles or subject.scopes"
	}
	message = elsewhere.ReplaceAllString(message, "")
	message = suggested.ReplaceAllString(message, ": did you mean $1?")
	if name, found := strings.CutPrefix(message, "undeclared reference to "); found {
		return "there is no " + name
	}
	if limit, found := strings.CutPrefix(message, "regex program size "); found {
		return "the pattern is too large: its size " + limit
	}
	if rest, found := strings.CutPrefix(message, "found no matching overload for "); found {
		return "no such operation: " + operator.Replace(rest)
	}
	return message
}

// regexProblems refuses patterns that are not literals: one from the input could be made
// to cost anything.
func regexProblems(checked *cel.Ast) []string {
	var problems []string
	info := checked.NativeRep().SourceInfo()
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "matches" {
			return
		}
		args := e.AsCall().Args()
		if pattern := args[len(args)-1]; pattern.Kind() != ast.LiteralKind {
			problems = append(problems, position(info.GetStartLocation(pattern.ID()))+": the pattern of matches is not a literal: write it as a string")
		}
	}))
	return problems
}

func notBool(t *cel.Type) string {
	if t == cel.DynType {
		return "1:1: its value is known only when it runs, and has to be true or false: compare it, as in input.confirmed == true"
	}
	return fmt.Sprintf("1:1: its value is of type %s and has to be true or false: compare it", t)
}

func tooCostly(steps uint64) string {
	return fmt.Sprintf("1:1: with lists of %d items it may cost %d steps, at most %d are allowed: shorten it, or put fewer loops into loops", assumedItems, steps, maxCost)
}
