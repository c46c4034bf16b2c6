package workflow

import (
	"strconv"

	"github.com/itchyny/gojq"
)

// term guards one term and everything in it.
func (g *guard) term(t *gojq.Term) {
	if t == nil {
		return
	}
	g.index(t.Index)
	isFormat := t.Type == gojq.TermTypeFormat
	if isFormat {
		g.format(t) // what takes its place is guarded
	} else {
		g.text(t.Str)
	}
	if t.Object != nil {
		for _, kv := range t.Object.KeyVals {
			if kv.Key != "" && kv.Key[0] == '$' {
				g.name(kv.Key)
				g.reads(kv.Key, nil)
			}
			g.text(kv.KeyString)
			g.part(kv.KeyQuery)
			g.part(kv.Val)
		}
	}
	if t.Array != nil {
		g.part(t.Array.Query)
	}
	if t.Unary != nil {
		g.term(t.Unary.Term)
	}
	g.control(t)
	if t.Type == gojq.TermTypeQuery && !isFormat {
		g.part(t.Query)
	}
	for _, s := range t.SuffixList {
		g.index(s.Index)
	}
	if t.Func != nil {
		g.function(t)
	}
}

// format guards a format, on its own or of an interpolated string.
func (g *guard) format(t *gojq.Term) {
	body := formatted(t.Format)
	if t.Str != nil {
		if t.Str.Queries == nil {
			return
		}
		parts := make([]*gojq.Query, len(t.Str.Queries))
		for i, part := range t.Str.Queries {
			if parts[i] = part; part.Term == nil || part.Term.Str == nil {
				g.part(part)
				parts[i] = &gojq.Query{Left: part, Op: gojq.OpPipe, Right: formatted(t.Format)}
			}
		}
		body = asQuery(concatenation(parts))
	}
	*t = gojq.Term{Type: gojq.TermTypeQuery, Query: body, SuffixList: t.SuffixList}
}

// formatted is a format of what is not too large for it.
func formatted(format string) *gojq.Query {
	return &gojq.Query{Left: asQuery(call("_guard_whole")), Op: gojq.OpPipe, Right: asQuery(&gojq.Term{Type: gojq.TermTypeFormat, Format: format})}
}

// control guards the control structures.
func (g *guard) control(t *gojq.Term) {
	if t.If != nil {
		g.part(t.If.Cond)
		g.part(t.If.Then)
		for _, e := range t.If.Elif {
			g.part(e.Cond)
			g.part(e.Then)
		}
		g.part(t.If.Else)
	}
	if t.Try != nil {
		g.part(t.Try.Body)
		g.part(t.Try.Catch)
	}
	if t.Reduce != nil {
		g.part(t.Reduce.Query)
		for _, p := range t.Reduce.Patterns {
			g.pattern(p)
		}
		g.part(t.Reduce.Start)
		g.part(t.Reduce.Update)
	}
	if t.Foreach != nil {
		g.part(t.Foreach.Query)
		for _, p := range t.Foreach.Patterns {
			g.pattern(p)
		}
		g.part(t.Foreach.Start)
		g.part(t.Foreach.Update)
		g.part(t.Foreach.Extract)
	}
	if t.Label != nil {
		g.part(t.Label.Body)
	}
}

// function guards a call, whose suffixes stay where they are.
func (g *guard) function(t *gojq.Term) {
	f := t.Func
	if why := refused[f.Name]; why != "" {
		g.errorf("the function %s cannot be used in expressions: %s", f.Name, why)
		return
	}
	g.name(f.Name)
	g.reads(f.Name, t.SuffixList)
	if len(f.Args) == 0 && g.parameters[f.Name] > 0 {
		return // a parameter, whose argument is guarded where it is passed
	}
	if f.Name == "now" && len(f.Args) == 0 {
		f.Name = nowVariable
		g.used[nowVariable] = true
		return
	}
	key := f.Name + "/" + strconv.Itoa(len(f.Args))
	g.arguments(key, f)
	if check := checkedArgument[key]; check != "" {
		f.Args[0] = pipe(f.Args[0], check)
	}
	if builtins[key] != "" {
		g.called[key] = true
	}
	var body *gojq.Query
	switch {
	case regexps[key] > 0:
		body = checked("_guard_text", f)
	case checkedInput[key] != "":
		body = checked(checkedInput[key], f)
	case checkedPair[key] != "":
		check := asQuery(call(checkedPair[key], reservedQuery()))
		inner := &gojq.Query{Left: check, Op: gojq.OpPipe, Right: asQuery(call(f.Name, reservedQuery()))}
		body = &gojq.Query{Left: f.Args[0], Op: gojq.OpPipe, Patterns: bind(), Right: inner}
	case replaced[key] != "":
		f.Name = replaced[key]
		return
	default:
		return
	}
	t.Type, t.Func, t.Query = gojq.TermTypeQuery, nil, body
}

// arguments guards the arguments of a call, of which some must be literal.
func (g *guard) arguments(key string, f *gojq.Func) {
	literal := regexps[key]
	if literals[key] {
		literal = 1
	}
	for i, arg := range f.Args {
		// The flags of sub and gsub come last, after the replacement.
		isFlags := i == 2 && (key == "sub/3" || key == "gsub/3")
		if i < literal || isFlags {
			g.literalArgument(f.Name, arg, i == 0 && regexps[key] > 0)
		} else {
			g.part(arg)
		}
	}
}

// checked returns the call f on an input that passed a check.
func checked(check string, f *gojq.Func) *gojq.Query {
	return &gojq.Query{Left: asQuery(call(check)), Op: gojq.OpPipe, Right: asQuery(&gojq.Term{Type: gojq.TermTypeFunc, Func: f})}
}

// reads notes which secret is read, if it is one.
func (g *guard) reads(name string, suffixes []*gojq.Suffix) {
	if name == slotNames[slotSecrets] {
		g.secrets = append(g.secrets, secretName(suffixes))
	}
}

// secretName is what is read off $secrets, empty when that is found out by running.
func secretName(suffixes []*gojq.Suffix) string {
	if len(suffixes) == 0 || suffixes[0].Index == nil {
		return ""
	}
	x := suffixes[0].Index
	switch {
	case x.Name != "":
		return x.Name
	case x.Str != nil && x.Str.Queries == nil:
		return x.Str.Str
	case x.Start != nil && !x.IsSlice:
		name, _ := literalText(x.Start)
		return name
	}
	return ""
}
