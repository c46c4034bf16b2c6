package workflow

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
)

// guard makes a jq query safe to run on a stranger's data. jq is interrupted between
// its instructions only, so whatever a single instruction does must be bounded by
// something better than the clock: what takes more than linear time or memory is
// rewritten to check its operands first, or refused. It changes the query in place.
type guard struct {
	errs []error
	// used holds the names of the variables that the query mentions.
	used map[string]bool
	// secrets are the names that are read off $secrets.
	secrets []string
	// patterns are the regular expressions that it matches with.
	patterns []string
	// called are the builtins that it needs in their bounded form.
	called map[string]bool
	// defined are the names of the functions, and of their parameters, that it defines.
	defined map[string]bool
	// parameters counts the definitions around, by the names of their parameters.
	parameters map[string]int
}

// reserved is the variable that rewritten queries bind; nowVariable takes the place of
// now, so that an expression has the time of the run's clock.
const (
	reserved    = "$__guard"
	nowVariable = "$__now"
)

func (g *guard) errorf(format string, args ...any) {
	g.errs = append(g.errs, fmt.Errorf(format, args...))
}

// refused are the functions that no expression may call, and why.
var refused = map[string]string{
	"env": "expressions do not see the environment", "$ENV": "expressions do not see the environment",
	"input": "an expression has one input, .", "inputs": "an expression has one input, .",
	"input_filename": "an expression has one input, .", "input_line_number": "an expression has one input, .",
	"debug": "expressions have no side effects", "stderr": "expressions have no side effects",
	"halt": "use error to fail", "halt_error": "use error to fail",
	"modulemeta": "there are no modules", "get_search_list": "there are no modules",
	"builtins": "it describes the interpreter", "$__prog_args": "it describes the interpreter",
	"fromstream": "it cannot be bounded", "truncate_stream": "it cannot be bounded",
	"jn": "it cannot be bounded", "yn": "it cannot be bounded",
}

// regexps take a pattern, and flags, that must be literal: a pattern from data would
// be compiled and kept for every value that a caller comes up with. Their input must
// be short because finding all matches takes quadratic time. The number is how many
// leading arguments are pattern and flags, by arity.
var regexps = map[string]int{
	"test/1": 1, "test/2": 2, "match/1": 1, "match/2": 2, "capture/1": 1, "capture/2": 2,
	"scan/1": 1, "scan/2": 2, "splits/1": 1, "splits/2": 2, "split/2": 2,
	"sub/2": 1, "sub/3": 1, "gsub/2": 1, "gsub/3": 1,
}

// literals take a format that must be literal: its field widths allocate.
var literals = map[string]bool{"strftime/1": true, "strflocaltime/1": true, "strptime/1": true}

// checkedInput names the check that the input of a function passes first.
var checkedInput = map[string]string{
	"sort/0": "_guard_sort", "unique/0": "_guard_sort", "min/0": "_guard_least", "max/0": "_guard_least",
	"transpose/0": "_guard_transpose", "tonumber/0": "_guard_number",
	"add/0": "_guard_sum", "flatten/0": "_guard_flat", "flatten/1": "_guard_flat",
	"split/1": "_guard_split", "explode/0": "_guard_split",
	"format/1": "_guard_whole", "error/0": "_guard_whole", "delpaths/1": "_guard_copy",
}

// replaced names what takes the place of a function.
var replaced = map[string]string{
	"fromjson/0": "_guard_fromjson", "tojson/0": "_guard_tojson", "tostring/0": "_guard_tostring",
}

// operations names what takes the place of an operator, and updates of one that assigns.
var operations = map[gojq.Operator]string{
	gojq.OpAdd: "_guard_add", gojq.OpSub: "_guard_subtract", gojq.OpMul: "_guard_multiply",
	gojq.OpEq: "_guard_equal", gojq.OpNe: "_guard_unequal", gojq.OpLt: "_guard_less", gojq.OpLe: "_guard_atmost",
	gojq.OpGt: "_guard_greater", gojq.OpGe: "_guard_atleast",
}

var updates = map[gojq.Operator]string{
	gojq.OpUpdateAdd: "_guard_add", gojq.OpUpdateSub: "_guard_subtract", gojq.OpUpdateMul: "_guard_multiply",
}

// checkedArgument names the check that the first argument of a function passes.
var checkedArgument = map[string]string{
	"getpath/1": "_guard_path", "setpath/2": "_guard_path", "delpaths/1": "_guard_paths", "nth/1": "_guard_index",
	"error/1": "_guard_whole",
}

// checkedPair names the check that input and argument of a function pass together.
var checkedPair = map[string]string{
	"contains/1": "_guard_pair", "inside/1": "_guard_pair", "join/1": "_guard_join",
	"bsearch/1": "_guard_bsearch",
	"indices/1": "_guard_search", "index/1": "_guard_search", "rindex/1": "_guard_search",
}

// query guards a whole query.
func (g *guard) query(q *gojq.Query) {
	g.called, g.defined, g.parameters = map[string]bool{}, map[string]bool{}, map[string]int{}
	g.part(q)
	g.define(q)
}

// part guards a query and everything in it.
func (g *guard) part(q *gojq.Query) {
	if q == nil {
		return
	}
	if q.Meta != nil || len(q.Imports) > 0 {
		g.errorf("an expression cannot use modules: remove module, import and include")
	}
	for _, def := range q.FuncDefs {
		g.definition(def)
	}
	for _, p := range q.Patterns {
		g.pattern(p)
	}
	g.term(q.Term)
	g.part(q.Left)
	g.part(q.Right)
	g.operator(q)
}

// operator guards the operator of a query whose sides are guarded.
func (g *guard) operator(q *gojq.Query) {
	if function := operations[q.Op]; function != "" {
		*q = gojq.Query{FuncDefs: q.FuncDefs, Term: call(function, q.Left, q.Right)}
		return
	}
	function := asQuery(call(updates[q.Op], identity(), reservedQuery()))
	switch q.Op {
	case gojq.OpDiv:
		if _, isNumber := literalNumber(q.Right); !isNumber {
			q.Left = pipe(q.Left, "_guard_split")
		}
		return
	case gojq.OpUpdateDiv:
		function = &gojq.Query{Left: asQuery(call("_guard_split")), Op: gojq.OpDiv, Right: reservedQuery()}
	case gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul:
	case gojq.OpAssign, gojq.OpModify:
		g.assign(q)
		return
	default:
		return
	}
	modify := &gojq.Query{Left: q.Left, Op: gojq.OpModify, Right: function}
	*q = update(q, modify)
	g.assign(modify)
}

// update rewrites l *= r to r as $__guard | l |= f(.; $__guard), which is what *=
// means.
func update(q, modify *gojq.Query) gojq.Query {
	return gojq.Query{FuncDefs: q.FuncDefs, Left: q.Right, Op: gojq.OpPipe, Patterns: bind(), Right: modify}
}

// definition guards a function that the expression defines.
func (g *guard) definition(def *gojq.FuncDef) {
	key := def.Name + "/" + strconv.Itoa(len(def.Args))
	_, special := regexps[key]
	if special || literals[key] || checkedInput[key] != "" || checkedArgument[key] != "" || checkedPair[key] != "" ||
		replaced[key] != "" || refused[def.Name] != "" || key == "now/0" || strings.HasPrefix(def.Name, "_") {
		g.errorf("the function %s cannot be defined anew: choose another name", def.Name)
	}
	g.defined[def.Name] = true
	for _, arg := range def.Args {
		g.name(arg)
		bare := strings.TrimPrefix(arg, "$")
		g.defined[bare] = true
		g.parameters[bare]++
	}
	g.part(def.Body)
	for _, arg := range def.Args {
		g.parameters[strings.TrimPrefix(arg, "$")]--
	}
}

// name refuses what would get around the guards.
func (g *guard) name(name string) {
	bare := strings.TrimPrefix(name, "$")
	if strings.HasPrefix(bare, "_") && name != "$__loc__" {
		g.errorf("the name %s starts with an underscore, as those of the interpreter do: choose another name", name)
	}
	if strings.HasPrefix(name, "$") {
		g.used[name] = true
	}
}

func (g *guard) pattern(p *gojq.Pattern) {
	g.name(p.Name)
	for _, item := range p.Array {
		g.pattern(item)
	}
	for _, member := range p.Object {
		if strings.HasPrefix(member.Key, "$") {
			g.name(member.Key)
		}
		g.text(member.KeyString)
		g.part(member.KeyQuery)
		if member.Val != nil {
			g.pattern(member.Val)
		}
	}
}

// text guards the interpolations of a string.
func (g *guard) text(s *gojq.String) {
	if s == nil || s.Queries == nil {
		return
	}
	for _, q := range s.Queries {
		if q.Term == nil || q.Term.Str == nil {
			g.part(q)
		}
	}
	s.Queries = []*gojq.Query{asQuery(concatenation(s.Queries))}
}

// maxParts is how many arguments jq lets a function have.
const maxParts = 30

// concatenation puts the parts of an interpolated string together.
func concatenation(parts []*gojq.Query) *gojq.Term {
	for len(parts) > maxParts {
		parts = append([]*gojq.Query{asQuery(call("_guard_concat", parts[:maxParts]...))}, parts[maxParts:]...)
	}
	return call("_guard_concat", parts...)
}

// index guards what is indexed with. An index that is not literal could make an
// assignment fill an array of any length.
func (g *guard) index(x *gojq.Index) {
	if x == nil {
		return
	}
	g.text(x.Str)
	g.part(x.End)
	if x.Start == nil {
		return
	}
	if n, ok := literalNumber(x.Start); ok {
		if n > maxIndex && !x.IsSlice {
			g.errorf("the index %v is too large: arrays have at most %d items", n, maxIndex)
		}
		return
	}
	_, isText := literalText(x.Start)
	g.part(x.Start)
	if !x.IsSlice && !isText {
		x.Start = pipe(x.Start, "_guard_index")
	}
}

// pipe returns q piped into a check.
func pipe(q *gojq.Query, check string) *gojq.Query {
	return &gojq.Query{Left: q, Op: gojq.OpPipe, Right: asQuery(call(check))}
}

func asQuery(t *gojq.Term) *gojq.Query { return &gojq.Query{Term: t} }

func identity() *gojq.Query { return asQuery(&gojq.Term{Type: gojq.TermTypeIdentity}) }

func call(name string, args ...*gojq.Query) *gojq.Term {
	return &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}}
}

func reservedQuery() *gojq.Query { return asQuery(call(reserved)) }

func bind() []*gojq.Pattern { return []*gojq.Pattern{{Name: reserved}} }

// literalNumber returns the value of a query that is just a number.
func literalNumber(q *gojq.Query) (float64, bool) {
	t := q.Term
	if t == nil || len(t.SuffixList) > 0 {
		return 0, false
	}
	sign := 1.0
	if t.Type == gojq.TermTypeUnary {
		if t.Unary.Op == gojq.OpSub {
			sign = -1
		}
		t = t.Unary.Term
	}
	if t.Type != gojq.TermTypeNumber || len(t.SuffixList) > 0 {
		return 0, false
	}
	n, err := strconv.ParseFloat(t.Number, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return sign * n, true
}

// literalText returns the value of a query that is just a string.
func literalText(q *gojq.Query) (string, bool) {
	t := q.Term
	if t == nil || t.Type != gojq.TermTypeString || len(t.SuffixList) > 0 || t.Str.Queries != nil {
		return "", false
	}
	return t.Str.Str, true
}

// literalArgument demands a literal string, null, or an array of those.
func (g *guard) literalArgument(function string, q *gojq.Query, isPattern bool) {
	if t := q.Term; t != nil && t.Type == gojq.TermTypeArray && len(t.SuffixList) == 0 {
		q = t.Array.Query
		for q != nil && q.Op == gojq.OpComma {
			g.literalItem(function, q.Right, false)
			q = q.Left
		}
	}
	g.literalItem(function, q, isPattern)
}

func (g *guard) literalItem(function string, q *gojq.Query, isPattern bool) {
	if q != nil {
		if text, ok := literalText(q); ok {
			if !isPattern {
				return
			}
			g.patterns = append(g.patterns, text)
			if _, err := syntax.Parse(text, syntax.Perl); err != nil {
				g.errorf("the pattern of %s is not a regular expression (RE2 syntax): %v", function, err)
			}
			return
		}
		if t := q.Term; t != nil && t.Type == gojq.TermTypeNull && len(t.SuffixList) == 0 {
			return
		}
	}
	g.errorf("the pattern, flags and format of %s must be literal strings, because data could choose ones that exhaust memory", function)
}
