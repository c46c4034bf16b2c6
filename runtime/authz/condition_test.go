package authz

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/validate"
)

// decoded reads JSON as the runtime does, so that the numbers have its types.
func decoded(tb testing.TB, text string) any {
	tb.Helper()
	value, err := validate.New(v1alpha1.Input{}).Decode([]byte(text))
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return value
}

func compiled(tb testing.TB, expression string) *Condition {
	tb.Helper()
	c, problems := Compile(expression)
	if problems != nil {
		tb.Fatalf("%s: %s", expression, strings.Join(problems, "; "))
	}
	return c
}

func TestCompileAccepts(t *testing.T) {
	for _, expression := range []string{
		"true",
		"size(input.items) <= 10 || 'bulk' in subject.roles",
		"subject.id == 'jwt|https://id.example.com|ann' && subject.issuer.startsWith('https://')",
		"subject.name == 'front' || subject.scopes.exists(s, s in ['orders', 'orders:write'])",
		"has(input.total) && input.total > 10",
		"input.confirmed == true",
		"bool(input.confirmed)",
		"input.owner == subject.id",
		"input.items.all(i, i.price * i.quantity < 1000.0)",
		"input.items.all(i, i.tags.all(t, t in subject.roles))",
		"input.items.map(i, i.price).exists(p, p > 10)",
		"input.items.filter(i, i.fragile).size() < 3",
		"input.name.matches('^[a-z]+$') && matches(subject.name, 'x')",
		"timestamp(input.at) < timestamp('2030-01-01T00:00:00Z')",
		"!(input.kind in ['gift', 'sample'])",
		"input.x == 1u || input.x == -1 || input.x < 1.5",
		"// a comment\ninput.x ==\n  1",
		strings.Repeat("true && ", 200) + "true",
	} {
		if c, problems := Compile(expression); problems != nil || c == nil {
			t.Errorf("%s: %q", expression, problems)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	const (
		dyn     = "1:1: its value is known only when it runs, and has to be true or false: compare it, as in input.confirmed == true"
		subject = "subject is no value by itself, and has() does not take its fields, which are always there: write subject.id, subject.name, subject.issuer, subject.roles or subject.scopes"
		pattern = "the pattern of matches is not a literal: write it as a string"
	)
	for _, c := range []struct {
		expression string
		want       []string
	}{
		{"", []string{"1:1: is not CEL: it ends too early"}},
		{"input.x ==", []string{"1:11: is not CEL: it ends too early"}},
		{"input.x = 1", []string{"1:9: is not CEL: write == to compare"}},
		{"input.x == 1 and true", []string{"1:14: is not CEL: mismatched input 'and' expecting <EOF>"}},
		{"(input.x == 1", []string{"1:14: is not CEL: it ends too early"}},
		{"input.x == 12345678901234567890", []string{"1:12: is not CEL: invalid int literal"}},
		{"input.?x == 1", []string{"1:6: is not CEL: unsupported syntax '.?'"}},
		{strings.Repeat("(", 60) + "true" + strings.Repeat(")", 60), []string{"1:1: is not CEL: expression recursion limit exceeded: 50"}},
		{strings.Repeat("true && ", 300) + "true", []string{"1:1: is not CEL: expression code point size exceeds limit: size: 2404, limit 2048"}},

		{"inptu.x == 1", []string{"1:1: there is no 'inptu': did you mean 'input'?"}},
		{"subject.role == 'a'", []string{"1:8: there is no 'subject.role': did you mean 'subject.roles'?"}},
		{"subjct.id == 'a'", []string{"1:7: there is no 'subjct.id': did you mean 'subject.id'?"}},
		{"siz(input.x) == 1", []string{"1:4: there is no 'siz': did you mean 'size'?"}},
		{"input.name.startWith('x')", []string{"1:21: there is no 'startWith': did you mean 'startsWith'?"}},
		{"input.x ==\n  'é' && y && z", []string{"2:10: there is no 'y'", "2:15: there is no 'z'"}},
		{"subject == 1", []string{"1:1: " + subject}},
		{"has(subject.id)", []string{"1:5: " + subject}},
		{"subject['id'] == ''", []string{"1:1: " + subject}},
		{"subject.roles.admin", []string{"1:14: type 'list(string)' does not support field selection"}},

		{"now() > 1", []string{"1:4: there is no 'now'"}},
		{"input.name.lowerAscii() == 'x'", []string{"1:22: there is no 'lowerAscii'"}},
		{"sets.contains(input.a, input.b)", []string{"1:1: there is no 'sets'"}},

		{"'a' == 1", []string{"1:5: no such operation: '==' applied to '(string, int)'"}},
		{"1 in subject.roles", []string{"1:3: no such operation: 'in' applied to '(int, list(string))'"}},
		{"subject.id", []string{"1:1: its value is of type string and has to be true or false: compare it"}},
		{"size(input.items)", []string{"1:1: its value is of type int and has to be true or false: compare it"}},
		{"input.confirmed", []string{dyn}},
		{"input.a == 1 ? true : input.b", []string{dyn}},

		{"input.a.matches(input.b)", []string{"1:22: " + pattern}},
		{"matches(subject.name, subject.id + '.*')", []string{"1:34: " + pattern}},
		{"input.a.matches('a(')", []string{"1:17: invalid matches argument"}},
		{"input.a.matches('a{1000}')", []string{"1:17: the pattern is too large: its size 1002 exceeds limit of 500"}},
		{"timestamp('x') == timestamp(input.a)", []string{"1:11: invalid timestamp argument"}},

		{"input.a.all(x, input.b.all(y, input.c.all(z, x == y && y == z)))",
			[]string{"1:1: with lists of 32 items it may cost 497859 steps, at most 100000 are allowed: shorten it, or put fewer loops into loops"}},
	} {
		got, problems := Compile(c.expression)
		if got != nil || strings.Join(problems, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s:\n got %q\nwant %q", c.expression, problems, c.want)
		}
	}
}

func TestAllows(t *testing.T) {
	subject := Subject{ID: "jwt|i|ann", Name: "ann", Issuer: "i", Roles: []string{"buyer", "bulk"}, Scopes: []string{"orders"}}
	const input = `{"total": 12, "price": 12.5, "whole": 12.0, "minus": -3, "large": 9223372036854775807, "larger": 9223372036854775808,
		"uint": 18446744073709551615, "huge": 18446744073709551616, "least": -9223372036854775809, "far": 1e300,
		"yes": true, "none": null, "name": "ann", "owner": "jwt|i|ann", "empty": [], "object": {"a": {"b": [1, 2.5, "c", null]}},
		"items": [{"price": 1, "tags": ["buyer"]}, {"price": 2.5, "tags": ["bulk"]}], "at": "2026-01-02T03:04:05Z"}`
	const (
		missing = ": a field that it reads is not there: ask has(...) first"
		kind    = ": a value is not of a type that this operation takes"
		big     = "an integer has more than 64 bits"
	)
	for expression, want := range map[string]string{ // "true", "false", or what the error says after its prefix
		"input.total > 10": "true", "input.total > 10.5": "true", "input.total == 12": "true", "input.total == 12.0": "true",
		"input.total == 12u": "true", "input.total > 12": "false", "input.total in [11, 12]": "true", "input.total in [12.0]": "true",
		"input.price > 12": "true", "input.price > 12.5": "false", "input.price == 12.5": "true", "input.price < 13u": "true",
		"input.whole == 12": "true", "input.whole in [12]": "true", "input.minus < 0": "true", "input.minus < 0u": "true",
		"input.total + 1 == 13": "true", "input.price * 2.0 == 25.0": "true", "double(input.total) * 2.0 == 24.0": "true",
		"input.total * 2.0 == 24.0": "at 1:13" + kind, "input.total / 0 == 1": "at 1:13: it cannot be decided with this input",
		"input.large + 1 > 0":                "at 1:13: it cannot be decided with this input",
		"input.large == 9223372036854775807": "true", "input.large < input.larger": "true", "input.larger > 10": "true",
		"input.larger > 9223372036854775807": "true", "input.larger <= 9223372036854775807": "false",
		"input.larger == 9223372036854775808u": "true", "input.uint == 18446744073709551615u": "true", "input.larger > 1.5": "true",
		"input.huge > 10": big, "input.huge <= 10": big, "input.huge != 1": big, "!(input.huge > 10)": big, "input.least < 0": big,
		"input.huge in [1]": big, "size([input.huge]) == 1": big, "input.huge > 10 || input.yes == true": "true", "input.far > 10": "true",
		"input.far > 18446744073709551615u": "true", "has(input.huge)": "true",

		"has(input.total)": "true", "has(input.nothing)": "false", "has(input.none)": "true", "has(input.object.a.b)": "true",
		"has(input.object.x.b)": "at 1:4" + missing, "input.nothing == 1": "at 1:6" + missing, "input.nothing != 1": "at 1:6" + missing,
		"input.nothing == 1 || input.yes == true": "true", "input.nothing == 1 && input.yes == false": "false",
		"input.none == null": "true", "input.total == null": "false", "input['total'] == 12": "true", "input.object.a.b[1] == 2.5": "true",
		"input.object.a.b[9] == 1": "at 1:17" + missing, "input.object == {'a': {'b': [1, 2.5, 'c', null]}}": "true",
		"'total' in input": "true", "'nothing' in input": "false", "input.total.x == 1": "at 1:12" + missing,

		"size(input.items) == 2": "true", "input.items.size() <= 1": "false", "size(input.empty) == 0": "true", "size(input.name) == 3": "true",
		"size(input.nothing) == 0": "at 1:11" + missing, "size(input.total) == 0": "at 1:5" + kind, "size(input.none) == 0": "at 1:5" + kind,
		"input.items.all(i, i.price < 3)": "true", "input.items.all(i, i.price < 2)": "false", "input.items.exists(i, i.price > 2)": "true",
		"input.items.all(i, i.tags.all(t, t in subject.roles))": "true", "input.items.exists_one(i, i.price == 1)": "true",
		"input.items.map(i, i.price) == [1, 2.5]": "true", "input.items.filter(i, 'bulk' in i.tags).size() == 1": "true",
		"input.all(k, k != 'zzz')": "true", "input.total.all(i, i > 0)": "it cannot be decided with this input",

		"'bulk' in subject.roles": "true", "'admin' in subject.roles": "false", "'orders' in subject.scopes": "true", "size(subject.roles) == 2": "true",
		"input.owner == subject.id": "true", "subject.name == input.name": "true", "subject.issuer == 'i'": "true", "subject.roles == ['buyer', 'bulk']": "true",

		"input.yes == true": "true", "input.yes": "", "bool(input.yes)": "true", "bool(input.name)": "at 1:5: it cannot be decided with this input", "!bool(input.yes)": "false",
		"input.name == 1": "false", "input.name > 1": "at 1:12" + kind, "input.name.matches('^an+$')": "true", "input.total.matches('1')": "at 1:20" + kind,
		"input.name + 'e' == 'anne'": "true", "timestamp(input.at).getFullYear() == 2026": "true", "int(input.price) == 12": "true",
	} {
		if want == "" {
			continue
		}
		allowed, err := compiled(t, expression).Allows(t.Context(), subject, decoded(t, input))
		got := map[bool]string{true: "true", false: "false"}[allowed]
		if err != nil {
			if allowed {
				t.Errorf("%s: allowed in spite of %v", expression, err)
			}
			got = strings.TrimPrefix(err.Error(), "deciding authorization.when: ")
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", expression, got, want)
		}
	}
}

// TestAllowsAnyInput: the input need not be an object, and there need not be one.
func TestAllowsAnyInput(t *testing.T) {
	for expression, input := range map[string]string{
		"input == null": "null", "input == 1": "1", "input[0] == 'a'": `["a"]`, "input == 'a'": `"a"`, "size(input) == 0": "{}",
	} {
		if ok, err := compiled(t, expression).Allows(t.Context(), Subject{}, decoded(t, input)); !ok || err != nil {
			t.Errorf("%s with %s: %t, %v", expression, input, ok, err)
		}
	}
	if ok, err := compiled(t, "size(subject.roles) == 0 && subject.id == ''").Allows(t.Context(), Subject{}, nil); !ok || err != nil {
		t.Errorf("nobody: %t, %v", ok, err)
	}
}

// TestErrorsHoldNoValue: what CEL says of an error is not passed on.
func TestErrorsHoldNoValue(t *testing.T) {
	input := decoded(t, `{"a": "s3cret", "m": {"x": 1}, "n": 73577357, "t": "s3cret-time"}`)
	for _, expression := range []string{
		"input.m[input.a] == 1", "int(input.a) == 1", "double(input.a) > 1.0", "timestamp(input.t) == timestamp(input.t)", "duration(input.a) == duration('1s')",
		"bool(input.a)", "[1, 2][input.n] == 1", "input.n * 9223372036854775807 > 1", "input.a > 1", "input.a.x == 1", "{input.a: 1}['y'] == 1",
	} {
		ok, err := compiled(t, expression).Allows(t.Context(), Subject{}, input)
		if ok || err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "73577357") {
			t.Errorf("%s: %t, %v", expression, ok, err)
		}
	}
}

// TestCost stops what costs too much, although || could do without it.
func TestCost(t *testing.T) {
	list := make([]any, 200_000)
	for i := range list {
		list[i] = 1
	}
	other := slices.Concat(list[1:], []any{2})
	input := map[string]any{"items": list, "few": list[:1000], "big": other, "deep": []any{[]any{list}}, "other": []any{[]any{other}}, "text": strings.Repeat("a", 2_000_000), "long": strings.Repeat("a", maxMatched+1)}
	for expression, want := range map[string]error{
		"size(input.items) == 200000":                                         nil,
		"input.few.all(i, i > 0)":                                             nil,
		"input.text.size() == 2000000":                                        nil,
		"input.items.all(i, i > 0)":                                           errCost,
		"input.items.all(i, i > 0) || subject.id == ''":                       errCost,
		"subject.id == '' || input.items.all(i, i > 0)":                       nil,
		"input.few.all(i, input.few.all(j, i == j))":                          errCost,
		"input.few.all(i, !(2 in input.items))":                               errCost,
		"input.items.map(i, i + 1).size() > 0":                                errCost,
		"input.text.contains('b') || input.few.all(i, i == 1)":                nil,
		"input.few.all(i, !input.text.contains('b'))":                         errCost,
		"input.text + input.text != ''":                                       nil,
		"input.few.map(i, input.text + input.text).size() > 0":                errCost,
		"input.text.matches('^a*$')":                                          errCost,
		"input.long.matches('^a*$')":                                          errLongText,
		"(input.long.matches('^a*$') || true) && size(input.items) == 200000": nil,
	} {
		ok, err := compiled(t, expression).Allows(t.Context(), Subject{}, input)
		if !errors.Is(err, want) || ok != (want == nil) {
			t.Errorf("%s: %t, %v", expression, ok, err)
		}
	}
}

// later is a context that ends once the evaluation has begun.
type later struct {
	context.Context
	asked int
}

func (c *later) Err() error {
	if c.asked++; c.asked == 1 {
		return nil
	}
	return c.Context.Err()
}

func TestCancellation(t *testing.T) {
	list := make([]any, 1000)
	for i := range list {
		list[i] = 1
	}
	c := compiled(t, "input.all(i, i > 0)")
	ctx, cancel := context.WithCancel(t.Context())
	if ok, err := c.Allows(ctx, Subject{}, list); !ok || err != nil {
		t.Errorf("before: %t, %v", ok, err)
	}
	cancel()
	if ok, err := c.Allows(ctx, Subject{}, list); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("before it begins: %t, %v", ok, err)
	}
	if ok, err := c.Allows(&later{Context: ctx}, Subject{}, list); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("while it runs: %t, %v", ok, err)
	}
}

func TestConcurrency(t *testing.T) {
	var group sync.WaitGroup
	c := compiled(t, "input.items.all(i, i.price < 10) && subject.roles.exists(r, r == input.role)")
	for n := range 8 {
		group.Go(func() {
			role := string(rune('a' + n))
			input := decoded(t, `{"items": [{"price": 1}, {"price": 2.5}], "role": "`+role+`"}`)
			for i := range 200 {
				has := i%2 == 0
				s := Subject{Roles: []string{"x", map[bool]string{true: role, false: "y"}[has]}}
				if ok, err := c.Allows(t.Context(), s, input); ok != has || err != nil {
					t.Errorf("%t, %v", ok, err)
					return
				}
			}
			if _, problems := Compile("size(input.items) < " + role); len(problems) != 1 {
				t.Errorf("got %q", problems)
			}
		})
	}
	group.Wait()
}

// FuzzCondition: nothing panics, a nil condition always has a problem, and what cannot be
// decided is not allowed.
func FuzzCondition(f *testing.F) {
	for _, expression := range []string{"size(input.items) <= 10 || 'bulk' in subject.roles", "input.a.all(x, x.b[0] > 1.5)", "has(input.a.b) ? input.a.b == 1 : true",
		"input.a.matches('^a+$')", "input.map(x, x + 1) == [2]", "timestamp(input.a) > timestamp('2026-01-01T00:00:00Z')", "{'a': input}.a[input.k] == b'x'", "type(input) == int"} {
		f.Add(expression, `{"a": {"b": 1}, "items": [1, 2.5, 18446744073709551616, null], "k": "a"}`)
		f.Add(expression, `[1, "a"]`)
	}
	rules := validate.New(v1alpha1.Input{})
	f.Fuzz(func(t *testing.T, expression, input string) {
		c, problems := Compile(expression)
		if (c == nil) != (len(problems) > 0) {
			t.Fatalf("%q: %v, %q", expression, c, problems)
		}
		value, err := rules.Decode([]byte(input))
		if c == nil || err != nil {
			return
		}
		if ok, err := c.Allows(t.Context(), Subject{ID: "a", Roles: []string{"a"}}, value); ok && err != nil {
			t.Errorf("%q allows in spite of %v", expression, err)
		}
	})
}

func BenchmarkAllows(b *testing.B) {
	c := compiled(b, "size(input.items) <= 10 || 'bulk' in subject.roles")
	input := decoded(b, `{"items": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}`)
	subject := Subject{ID: "jwt|i|ann", Roles: []string{"buyer", "bulk"}}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := c.Allows(b.Context(), subject, input); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		compiled(b, "size(input.items) <= 10 || 'bulk' in subject.roles")
	}
}
