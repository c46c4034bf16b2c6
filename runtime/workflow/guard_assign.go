package workflow

import (
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// assign guards = and |=, whose sides are guarded already.
func (g *guard) assign(q *gojq.Query) {
	switch {
	case q.Op == gojq.OpModify && !g.gives(q.Right):
		// Where there is no value, jq deletes, in place and all over the result.
		q.Right = pipe(q.Right, "_guard_copy")
		before(q, "_guard_copy")
	case !g.plainPath(q.Left):
		// Assigning at the end of a path takes stack for each of its steps.
		before(q, "_guard_whole")
	}
}

// before lets the input of a query pass a check.
func before(q *gojq.Query, check string) {
	inner := *q
	inner.FuncDefs = nil
	*q = gojq.Query{FuncDefs: q.FuncDefs, Left: asQuery(call(check)), Op: gojq.OpPipe, Right: &inner}
}

// plainPath says whether the paths of a query are surely as short as its text: it has no
// recursion.
func (g *guard) plainPath(q *gojq.Query) bool {
	if q == nil {
		return true
	}
	if len(q.FuncDefs) > 0 {
		return false
	}
	if q.Term == nil {
		return g.plainPath(q.Left) && g.plainPath(q.Right)
	}
	switch t := q.Term; t.Type {
	case gojq.TermTypeIdentity, gojq.TermTypeIndex:
		return true
	case gojq.TermTypeQuery:
		return g.plainPath(t.Query)
	case gojq.TermTypeFunc:
		name := t.Func.Name
		return strings.HasPrefix(name, "_guard_") || (name == "select" || name == "getpath") && !g.defined[name]
	default:
		return false
	}
}

// singular are functions that give a value or an error when their arguments do.
var singular = []string{
	"abs", "add", "ascii_downcase", "ascii_upcase", "ceil", "explode", "fabs", "flatten", "floor", "from_entries",
	"implode", "join", "keys", "length", "ltrim", "max", "min", "not", "reverse", "round", "rtrim", "sort", "split",
	"startswith", "endswith", "ltrimstr", "rtrimstr", "sqrt", "to_entries", "tonumber", "trim", "trunc", "type", "unique",
	"test", "has",
}

// collecting are functions that give one even when their argument gives no value.
var collecting = []string{"map", "sort_by", "group_by", "unique_by", "map_values", "min_by", "max_by", "with_entries"}

// gives says whether a query surely gives a value or an error.
func (g *guard) gives(q *gojq.Query) bool {
	if q == nil {
		return true
	}
	if len(q.FuncDefs) > 0 {
		return false // they may define what is known here anew
	}
	if q.Term == nil {
		return g.operatorGives(q)
	}
	for _, s := range q.Term.SuffixList {
		if s.Iter || s.Optional || !g.indexGives(s.Index) {
			return false
		}
	}
	return g.termGives(q.Term)
}

func (g *guard) operatorGives(q *gojq.Query) bool {
	switch q.Op {
	case gojq.OpModify:
		return true
	case gojq.OpAssign, gojq.OpAlt:
		return g.gives(q.Right)
	case gojq.OpComma:
		return g.gives(q.Left) || g.gives(q.Right)
	default:
		return g.gives(q.Left) && g.gives(q.Right)
	}
}

// termGives is gives for a term without its suffixes.
func (g *guard) termGives(t *gojq.Term) bool {
	switch t.Type {
	case gojq.TermTypeIdentity, gojq.TermTypeNull, gojq.TermTypeTrue, gojq.TermTypeFalse, gojq.TermTypeNumber, gojq.TermTypeArray, gojq.TermTypeFormat:
		return true
	case gojq.TermTypeString:
		return !slices.ContainsFunc(t.Str.Queries, func(part *gojq.Query) bool { return !g.gives(part) })
	case gojq.TermTypeIndex:
		return g.indexGives(t.Index)
	case gojq.TermTypeUnary:
		return g.gives(asQuery(t.Unary.Term))
	case gojq.TermTypeObject:
		return g.objectGives(t.Object)
	case gojq.TermTypeIf:
		return g.conditionalGives(t.If)
	case gojq.TermTypeTry:
		return t.Try.Catch != nil && g.gives(t.Try.Body) && g.gives(t.Try.Catch)
	case gojq.TermTypeReduce:
		return g.gives(t.Reduce.Start)
	case gojq.TermTypeQuery:
		return g.gives(t.Query)
	case gojq.TermTypeFunc:
		return g.functionGives(t.Func)
	default:
		return false
	}
}

func (g *guard) indexGives(x *gojq.Index) bool {
	return x == nil || x.Str == nil && g.gives(x.Start) && g.gives(x.End)
}

func (g *guard) objectGives(o *gojq.Object) bool {
	for _, kv := range o.KeyVals {
		if kv.KeyString != nil && kv.KeyString.Queries != nil || !g.gives(kv.KeyQuery) || !g.gives(kv.Val) {
			return false
		}
	}
	return true
}

func (g *guard) conditionalGives(f *gojq.If) bool {
	for _, e := range f.Elif {
		if !g.gives(e.Cond) || !g.gives(e.Then) {
			return false
		}
	}
	return g.gives(f.Cond) && g.gives(f.Then) && g.gives(f.Else)
}

func (g *guard) functionGives(f *gojq.Func) bool {
	switch {
	case strings.HasPrefix(f.Name, "$"):
		return true
	case g.defined[f.Name]:
		return false
	case slices.Contains(collecting, f.Name):
		return true
	case !slices.Contains(singular, f.Name) && !strings.HasPrefix(f.Name, "_guard_"):
		return false
	}
	return !slices.ContainsFunc(f.Args, func(arg *gojq.Query) bool { return !g.gives(arg) })
}
