package workflow

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// direct evaluates a simple expression without the jq interpreter, which costs about
// a microsecond for each. It answers false for whatever is not plainly simple - an
// operand of another type, an overflow, any error - and then jq evaluates the
// expression from the start, so jq alone decides what is an error and what the
// unusual cases give. A query is direct when each of its parts gives exactly one
// value.
//
// What it makes is counted in the ledger; whoever calls it sees to it that the ledger is
// covered.
type direct func(r *run, dot any) (any, bool)

// compileDirect returns the direct form of a query, nil when it has none.
func compileDirect(q *gojq.Query, variables []variable) direct {
	return directCompiler{variables}.query(q)
}

// directCompiler knows the variables at the expression's site.
type directCompiler struct{ variables []variable }

func (c directCompiler) query(q *gojq.Query) direct {
	if q == nil || q.Meta != nil || len(q.Imports)+len(q.FuncDefs)+len(q.Patterns) > 0 {
		return nil
	}
	if q.Term != nil {
		return c.term(q.Term)
	}
	left, right := c.query(q.Left), c.query(q.Right)
	if left == nil || right == nil {
		return nil
	}
	if q.Op == gojq.OpAdd {
		return addition(left, right)
	}
	if lazy := laziness(q.Op, left, right); lazy != nil {
		return lazy
	}
	return operation(operators[q.Op], left, right)
}

func (c directCompiler) term(t *gojq.Term) direct {
	base := c.base(t)
	if base == nil {
		return nil
	}
	for _, s := range t.SuffixList {
		if s.Index == nil {
			return nil
		}
		step := indexStep(s.Index)
		if step == nil {
			return nil
		}
		before := base
		base = func(r *run, dot any) (any, bool) {
			value, ok := before(r, dot)
			if !ok {
				return nil, false
			}
			return step(value)
		}
	}
	return base
}

// base compiles a term without its suffixes.
func (c directCompiler) base(t *gojq.Term) direct {
	switch t.Type {
	case gojq.TermTypeIdentity:
		return func(_ *run, dot any) (any, bool) { return dot, true }
	case gojq.TermTypeNull:
		return literal(nil)
	case gojq.TermTypeTrue:
		return literal(true)
	case gojq.TermTypeFalse:
		return literal(false)
	case gojq.TermTypeNumber:
		return numeral(t.Number)
	case gojq.TermTypeString:
		return c.text(t.Str)
	case gojq.TermTypeIndex:
		if step := indexStep(t.Index); step != nil {
			return func(_ *run, dot any) (any, bool) { return step(dot) }
		}
	case gojq.TermTypeFunc:
		return c.function(t.Func)
	case gojq.TermTypeObject:
		return c.object(t.Object)
	case gojq.TermTypeArray:
		return c.array(t.Array)
	case gojq.TermTypeIf:
		return c.conditional(t.If)
	case gojq.TermTypeQuery:
		return c.query(t.Query)
	}
	return nil
}

// numeral compiles a number that an int or a float holds.
func numeral(text string) direct {
	if n, err := strconv.Atoi(text); err == nil {
		return literal(n)
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && strings.ContainsAny(text, ".eE") {
		return literal(n)
	}
	return nil
}

func literal(v any) direct { return func(*run, any) (any, bool) { return v, true } }

// indexStep compiles .name, ."name" and .[0].
func indexStep(x *gojq.Index) func(any) (any, bool) {
	name := x.Name
	if x.Str != nil {
		if x.Str.Queries != nil {
			return nil
		}
		name = x.Str.Str
	} else if name == "" {
		return itemStep(x)
	}
	return func(v any) (any, bool) {
		switch v := v.(type) {
		case map[string]any:
			return v[name], true
		case nil:
			return nil, true
		}
		return nil, false
	}
}

func itemStep(x *gojq.Index) func(any) (any, bool) {
	if x.IsSlice || x.Start == nil {
		return nil
	}
	if name, ok := literalText(x.Start); ok {
		return indexStep(&gojq.Index{Str: &gojq.String{Str: name}})
	}
	n, ok := literalNumber(x.Start)
	if !ok || n != math.Trunc(n) || math.Abs(n) > maxIndex {
		return nil
	}
	at := int(n)
	return func(v any) (any, bool) {
		switch v := v.(type) {
		case []any:
			i := at
			if i < 0 {
				i += len(v)
			}
			if i < 0 || i >= len(v) {
				return nil, true
			}
			return v[i], true
		case nil:
			return nil, true
		}
		return nil, false
	}
}

// function compiles variables and a few functions of one operand.
func (c directCompiler) function(f *gojq.Func) direct {
	if len(f.Args) > 0 {
		return nil
	}
	if s, ok := lookup(c.variables, f.Name); ok {
		return func(r *run, _ any) (any, bool) { return r.variable(s), true }
	}
	switch f.Name {
	case "not":
		return func(_ *run, dot any) (any, bool) { return !truthy(dot), true }
	case "length":
		return func(_ *run, dot any) (any, bool) {
			switch v := dot.(type) {
			case nil:
				return 0, true
			case string:
				return utf8.RuneCountInString(v), true
			case []any:
				return len(v), true
			case map[string]any:
				return len(v), true
			}
			return nil, false
		}
	case "tostring":
		return func(_ *run, dot any) (any, bool) { return plainText(dot) }
	}
	return nil
}

// plainText is jq's tostring of what needs no encoder.
func plainText(v any) (any, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int:
		return strconv.Itoa(v), true
	case bool:
		return strconv.FormatBool(v), true
	case nil:
		return "null", true
	}
	return nil, false
}

// text compiles a string with its interpolations.
func (c directCompiler) text(s *gojq.String) direct {
	if s.Queries == nil {
		return literal(s.Str)
	}
	parts := make([]direct, len(s.Queries))
	for i, q := range s.Queries {
		if parts[i] = c.query(q); parts[i] == nil {
			return nil
		}
	}
	return func(r *run, dot any) (any, bool) {
		var out []byte
		for _, part := range parts {
			value, ok := part(r, dot)
			if ok {
				value, ok = plainText(value)
			}
			if !ok {
				return nil, false
			}
			if out = append(out, value.(string)...); len(out) > maxPlainText {
				return nil, false
			}
		}
		r.held += headerBytes + int64(len(out))
		return string(out), true
	}
}

func (c directCompiler) object(o *gojq.Object) direct {
	keys, values := make([]string, len(o.KeyVals)), make([]direct, len(o.KeyVals))
	for i, kv := range o.KeyVals {
		key := kv.Key
		if kv.KeyString != nil && kv.KeyString.Queries == nil {
			key = kv.KeyString.Str
		} else if key == "" || key[0] == '$' {
			return nil
		}
		keys[i] = key
		if kv.Val != nil {
			values[i] = c.query(kv.Val)
		} else if step := indexStep(&gojq.Index{Str: &gojq.String{Str: key}}); step != nil {
			values[i] = func(_ *run, dot any) (any, bool) { return step(dot) }
		}
		if values[i] == nil {
			return nil
		}
	}
	return func(r *run, dot any) (any, bool) {
		object := make(map[string]any, len(keys))
		for i, key := range keys {
			value, ok := values[i](r, dot)
			if !ok {
				return nil, false
			}
			object[key] = value
		}
		r.held += objectBytes(len(keys))
		return object, true
	}
}

func (c directCompiler) array(a *gojq.Array) direct {
	if a.Query == nil {
		return func(*run, any) (any, bool) { return []any{}, true }
	}
	var items []direct
	q := a.Query
	// Commas lean to the left: [1, 2, 3] is (1, 2), 3.
	for q.Op == gojq.OpComma && q.Term == nil && len(q.FuncDefs) == 0 {
		items = append(items, c.query(q.Right))
		q = q.Left
	}
	items = append(items, c.query(q))
	for _, item := range items {
		if item == nil {
			return nil
		}
	}
	return func(r *run, dot any) (any, bool) {
		array := make([]any, len(items))
		for i := range items {
			value, ok := items[len(items)-1-i](r, dot)
			if !ok {
				return nil, false
			}
			array[i] = value
		}
		r.held += arrayBytes(len(items))
		return array, true
	}
}

func (c directCompiler) conditional(f *gojq.If) direct {
	if len(f.Elif) > 0 {
		return nil
	}
	condition, then := c.query(f.Cond), c.query(f.Then)
	otherwise := direct(func(_ *run, dot any) (any, bool) { return dot, true })
	if f.Else != nil {
		otherwise = c.query(f.Else)
	}
	if condition == nil || then == nil || otherwise == nil {
		return nil
	}
	return func(r *run, dot any) (any, bool) {
		holds, ok := condition(r, dot)
		switch {
		case !ok:
			return nil, false
		case truthy(holds):
			return then(r, dot)
		}
		return otherwise(r, dot)
	}
}
