package workflow

import (
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/itchyny/gojq"
)

// What the tests below make: a tree of 2^22 leaves that takes 22 small arrays or objects,
// and a deep one.
const (
	twins  = `(reduce range(22) as $i (1; [., .]))`
	others = `(reduce range(22) as $i (1; [., .]))`
	pairs  = `(reduce range(20) as $i ({a: 1}; {a: ., b: .}))`
	deep   = `(reduce range(1000) as $i (1; [.]))`
	long   = `("x" * 1000000)`
)

// evaluateUnhurried gives the values of an expression and its error, however long it
// takes: what the clock refuses is not refused by the guards.
func evaluateUnhurried(t *testing.T, text string, input any) ([]any, error) {
	t.Helper()
	e, err := compileExpression("/x", text, siteTask, nil)
	if err != nil {
		t.Fatal(err)
	}
	return collect(e.code.RunWithContext(t.Context(), input))
}

func collect(results gojq.Iter) ([]any, error) {
	var values []any
	for {
		value, ok := results.Next()
		if !ok {
			return values, nil
		}
		if err, isErr := value.(error); isErr {
			return values, err
		}
		values = append(values, value)
	}
}

// TestInstructionsAreBounded runs what would take a single instruction of jq seconds or
// gigabytes, and more with each level: the guards refuse it, not the clock, which cannot.
func TestInstructionsAreBounded(t *testing.T) {
	whole, made, compared := errTooWhole.Error(), errTooMade.Error(), errTooLarge.Error()
	tests := []struct{ name, expression, refusal string }{
		{"add", long + ` as $s | [range(40) | $s] | add | length`, made},
		{"add of a generator", long + ` as $s | add(range(40) | $s) | length`, made},
		{"add arrays", `[range(1000)] as $a | [range(2000) | $a] | add | length`, made},
		{"add objects", `([range(1000) | {key: tostring, value: 1}] | from_entries) as $o | [range(400) | $o] | add | length`, made},
		{"add fields", long + ` as $s | [range(40) | {key: tostring, value: $s}] | from_entries | add | length`, made},
		{"join", long + ` as $s | [range(40) | $s] | join("") | length`, made},
		{"join fields", `([range(100) | {key: tostring, value: ""}] | from_entries) | join("x" * 100000) | length`, "separators"},
		{"flatten", twins + ` | flatten | length`, "flattened"},
		{"flatten arrays", `[range(1000)] as $a | [range(2000) | $a] | flatten(1) | length`, "flattened"},
		{"flatten deeply", deep + ` | flatten | length`, "flattened"},
		{"strings put together", `reduce range(25) as $i ("x"; . + .) | length`, made},
		{"strings put together by update", `reduce range(25) as $i ("x"; . += .) | length`, made},
		{"arrays put together", `reduce range(21) as $i ([1]; . + .) | length`, made},
		{"objects put together", `[range(110000) | {key: tostring, value: 1}] | from_entries | . + . | length`, made},
		{"merge", pairs + ` | . * . | length`, made},
		{"merge by update", pairs + ` | . *= . | length`, made},
		{"split", `(` + long + ` + ("x" * 100000)) / "" | length`, "cannot be split"},
		{"split by update", `(` + long + ` + ("x" * 100000)) | . /= "" | length`, "cannot be split"},
		{"split by function", `(` + long + ` + ("x" * 100000)) | split("") | length`, "cannot be split"},
		{"explode", `(` + long + ` + ("x" * 100000)) | explode | length`, "cannot be split"},

		{"tojson", twins + ` | tojson | length`, whole},
		{"tojson of long texts", long + ` as $s | [range(40) | $s] | tojson | length`, whole},
		{"tojson deeply", deep + ` | tojson | length`, whole},
		{"tostring", twins + ` | tostring | length`, whole},
		{"interpolation", twins + ` | "\(.)" | length`, whole},
		{"interpolation of many", long + ` as $s | "` + strings.Repeat(`\($s)`, 40) + `" | length`, made},
		{"interpolation in a name", twins + ` as $t | {"\($t)": 1} | length`, whole},
		{"interpolation in an index", twins + ` as $t | {} | ."\($t)"`, whole},
		{"interpolation in a format", twins + ` | @uri "x\(.)" | length`, whole},
		{"format by name", twins + ` | format("html") | length`, whole},
		{"csv", long + ` as $s | [range(40) | $s] | @csv | length`, whole},
		{"tsv", long + ` as $s | [range(40) | $s] | @tsv | length`, whole},
		{"sh", long + ` as $s | [range(40) | $s] | @sh | length`, whole},
		{"error", twins + ` | error`, whole},
		{"error of a value", twins + ` as $t | error($t)`, whole},
		{"names of an index", twins + ` as $t | INDEX(1; $t) | length`, whole},

		{"equal", twins + ` == ` + others, compared},
		{"unequal", twins + ` != ` + others, compared},
		{"less", twins + ` < ` + others, compared},
		{"at most", twins + ` <= ` + others, compared},
		{"greater", twins + ` > ` + others, compared},
		{"at least", twins + ` >= ` + others, compared},
		{"equal objects", pairs + ` == ` + pairs, compared},
		{"equal deeply", deep + ` == ` + deep, compared},
		{"equal in IN", twins + ` as $t | ` + others + ` | IN($t)`, compared},
		{"equal in IN of two", `IN(` + twins + `; ` + others + `)`, compared},
		{"min", `[` + twins + `, ` + others + `] | min | length`, compared},
		{"max", `[` + twins + `, ` + others + `] | max | length`, compared},
		{"min of large objects", `([range(2000) | {key: tostring, value: 1}] | from_entries) as $o | [range(2000) | $o] | min | length`, compared},
		{"min_by", `[` + twins + `, ` + others + `] | min_by(.) | length`, compared},
		{"max_by", `[` + twins + `, ` + others + `] | max_by(.) | length`, compared},
		{"sort", `[` + twins + `, ` + others + `] | sort | length`, compared},
		{"sort_by", `[` + twins + `, ` + others + `] | sort_by(.) | length`, compared},
		{"group_by", `[` + twins + `, ` + others + `] | group_by(.) | length`, compared},
		{"unique", `[` + twins + `, ` + others + `] | unique | length`, compared},
		{"unique_by", `[` + twins + `, ` + others + `] | unique_by(.) | length`, compared},
		{"bsearch", others + ` as $t | [` + twins + `] | bsearch($t)`, compared},
		{"subtract", `[` + twins + `] - [` + others + `] | length`, "too large to compare all"},
		{"subtract large objects", `([range(5000) | {key: tostring, value: 1}] | from_entries) as $o | [range(1000) | {}] - [$o, $o] | length`, compared},
		{"contains", twins + ` | contains(` + others + `)`, "too large to compare all"},
		{"inside", twins + ` | inside(` + others + `)`, "too large to compare all"},
		{"index", `[` + twins + `] | index([` + others + `])`, "too large to compare all"},
		{"index with an array", `[` + twins + `] | .[[` + others + `]]`, "take long to compare"},
		{"index in JOIN", `[` + twins + `] as $l | ` + others + ` as $t | $l | JOIN($l; [$t])`, "take long to compare"},
		{"path of an object", `null | delpaths([[{a: ` + twins + `}], [{a: ` + others + `}]])`, "start and end only"},

		{"del", `[1, ` + twins + `] | del(.[0]) | length`, whole},
		{"delpaths", `[1, ` + twins + `] | delpaths([[0]]) | length`, whole},
		{"no value to assign", `[1, ` + twins + `] | (.[] | select(. == 1)) |= empty | length`, whole},
		{"no value to assign at an index", `[1, ` + twins + `] | .[0] |= empty | length`, whole},
		{"no value to assign, and a large one", twins + ` as $t | [1, 2] | .[] |= if . > 1 then $t else empty end | length`, whole},
		{"assignment at a depth", deep + ` | (.. | select(. == 1)) |= 2 | length`, whole},
		{"assignment of a value at a depth", deep + ` | (.. | select(. == 1)) = 2 | length`, whole},
		{"addition at a depth", deep + ` | (.. | select(. == 1)) += 2 | length`, whole},
		{"pick at a depth", deep + ` | pick(.. | select(. == 1)) | length`, "path has more than"},
		{"del at a depth", `[range(300)] as $r | {} | del(getpath($r))`, "path has more than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			values, err := evaluateUnhurried(t, tt.expression, map[string]any{})
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), tt.refusal) {
				t.Errorf("got %v, want a refusal: %s (%d values)", err, tt.refusal, len(values))
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 192<<20 {
				t.Errorf("it allocated %d MiB", used>>20)
			}
		})
	}
}

// TestGuardsChangeNoMeaning evaluates expressions with and without the guards.
func TestGuardsChangeNoMeaning(t *testing.T) {
	input := value(t, `{"a":null,"b":[3,1,2,1],"c":{"x":1,"y":[true,"z"]},"s":"a,b,\"c\" <é>","n":1.5,"big":123456789012345678901234567890,
		"l":[{"k":"b","v":2},{"k":"a","v":1},{"k":"b","v":3}],"m":[[1,[2]],[[3]]],"e":{},"z":[]}`)
	scalars := []string{"null", "false", "1", "1.5", "nan", `"x"`, ".b", ".c", ".e", ".z", ".s", ".big"}
	var expressions []string
	for _, op := range []string{"+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">="} {
		for _, l := range scalars {
			for _, r := range scalars {
				expressions = append(expressions, l+" "+op+" "+r)
			}
		}
	}
	for _, s := range scalars {
		for _, f := range []string{"add", "tojson", "tostring", "@text", "@json", "@html", "@uri", "@csv", "@tsv", "@sh", "@base64", "@urid", "flatten", "min", "max", "sort", "unique", "explode", "error", "map_values(.)", "map_values(empty)", "walk(.)", "from_entries", "to_entries", "join(\"-\")", "join(1)"} {
			expressions = append(expressions, "("+s+") | "+f)
		}
	}
	expressions = append(expressions,
		`"x\(.b)y\(.s)\(.n)"`, `"\(1,2)-\(3,4)"`, `@uri "u\(.s)&\(1,2)"`, `@json "j\(.s)"`, `@sh "echo \(.b)"`, `@base64 "x\(.s)"`, `"\("in\(.n)ner")"`,
		`{"k\(.n)": 1}`, `{"k\(1,2)": (3,4)}`, `{"\("s")"}`, `."\("s")"`, `.["\("s")"]?`, `.c as {"\("x")": $x} | $x`, `.c as {$x, "y": [$t]} | [$x, $t]`,
		`"`+strings.Repeat(`\(.n)`, 70)+`"`, `[.[] | "\(.)"]`, `.s | @text "a\(.)"`,
		`.l | sort_by(.k)`, `.l | sort_by(.k, .v)`, `.l | sort_by(.k; 1)?`, `.l | group_by(.k)`, `.l | unique_by(.k)`, `.l | min_by(.v), max_by(.v)`, `.l | min_by(empty)`,
		`.l | map({key: .k, value: .v}) | from_entries`, `[{"name":"n","Value":1},{"Key":"q"}] | from_entries`, `.c | with_entries(.key |= ascii_upcase)`, `.c | with_entries(select(.key == "x"))`,
		`.b | IN([3,1,2,1], 2)`, `.n | IN(1, 1.5)`, `IN(.b[]; 2, 9)`, `INDEX(.l[]; .v)`, `.l | INDEX(.k)`, `(.l | INDEX(.k)) as $i | .l | JOIN($i; .k)`, `(.l | INDEX(.k)) as $i | [JOIN($i; .l[]; .k)]`, `(.l | INDEX(.k)) as $i | [JOIN($i; .l[]; .k; add)]`,
		`.b | index(1), rindex(1), indices(1), indices([1,2]), bsearch(1)`, `.b | .[[1]]`, `.b | inside([1,2,3])`, `.c | contains({y: ["z"]})`,
		`add(.b[])`, `add(empty)`, `.m | flatten, flatten(1), flatten(0)`, `[.c, .e] | add`, `.c * {y: {z: 1}, x: null}`, `{a: {b: 1}} * {a: {c: 2}} * {a: {b: {d: 3}}}`,
		`del(.a, .b[0], .c.y[1:])`, `del(.b[0,2], .b[-1])`, `del(..)`, `del(.l[] | select(.v == 2))`, `delpaths([["a"], ["b", 0]])`, `pick(.c.x)`, `pick(.b[1], .c.y)`, `try pick(first(.z[])) catch .`,
		`.b[] |= empty`, `(.b[] | select(. == 1)) |= empty`, `.b |= map(. + 1)`, `.b[] |= (., 1)`, `.b[1:] |= [9]`, `.. |= (numbers |= . + 1)`, `(.. | numbers) |= . * 2`, `(.. | strings) = 1`,
		`.b[0] += 1`, `.b[] -= 1`, `.s /= ","`, `.n /= 2`, `.c.x *= 3`, `.n //= 1`, `.a //= 7`, `.n %= 1`, `.b += (1 | [.], [2])`, `(.b, .z) += [1]`, `.c |= with_entries(.value = 1)`,
		`.c | map_values(select(. == 1))`, `.b | map_values(. + 1, 9)`, `.b | map_values(select(. > 1))`, `walk(if type == "array" then sort else . end)`, `walk(numbers)`, `[walk(1, 2)]`, `.c | walk(if . == 1 then empty else . end)`,
		`try error("x") catch .`, `try error({a: 1}) catch .`, `try error catch length`, `.s / ", "`, `.s | split(",")`, `.s | format("csv")?`, `.b | format("csv")`,
		`def min_by(f): 7; .b | min_by(.)`, `def f($min; add): [$min, add]; f(1; 2)`, `def f(tojson): tojson + 1; f(3)`, `def map(f): 1; .l | sort_by(.v)`, `def first(f): 9; .c | map_values(2)`, `def select(f): .; .b | map(select(false))`,
		`.b[] |= (try error catch 0)`, `.b[] |= (error? // 5)`, `.l[] |= (.k |= empty)`, `.b[] |= (empty // 5)`, `.b[] |= (5 // empty)`, `.b[] |= (empty, 5)`, `.l[] |= ((.k, .v) = 5)`, `.b[] |= reduce empty as $x (1; 2)`, `.b[] |= reduce 1 as $x (1; empty)`, `.l[] |= (.v = empty)`, `.b[] |= first(empty)`, `.b[] |= if . > 1 then . else empty end`, `.l[] |= if .v > 1 then .v += 1 else . end`,
		`def length: empty; .b[] |= length`, `def f(length): .b[] |= length; f(empty)`, `.b |= (.[0] |= empty)`, `reduce .b[] as $x (0; . + $x)`, `[foreach .b[] as $x (0; . + $x; "\(.)")]`, `.c | to_entries | map("\(.key)=\(.value)") | join("&")`, `[paths]`, `[tostream]`, `limit(2; .b[])`, `-(.n)`, `.b as [$x, $y] ?// $x | $x + $y`,
	)
	for _, text := range expressions {
		query, err := gojq.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var want []any
		code, refused := gojq.Compile(query)
		if refused == nil {
			want, refused = collect(code.RunWithContext(t.Context(), clone(input)))
		}
		e, err := compileExpression("/x", text, siteTask, nil)
		var got []any
		if err == nil {
			got, err = collect(e.code.RunWithContext(t.Context(), clone(input)))
		}
		if (err != nil) != (refused != nil) || gojq.Compare(got, want) != 0 && !slices.ContainsFunc(want, unequalToItself) {
			t.Errorf("%s\ngot  %v (%v)\nwant %v (%v)", text, got, err, want, refused)
		}
	}
}

// unequalToItself says whether a value is, or holds, NaN.
func unequalToItself(v any) bool { return gojq.Compare(v, v) != 0 }

// TestDeletingLeavesTheInputAlone deletes in values that other branches read at the same
// time; the race detector tells whether jq writes to them.
func TestDeletingLeavesTheInputAlone(t *testing.T) {
	for _, expression := range []string{
		`del(.a)`, `delpaths([["a"]])`, `.a |= empty`, `(.l[] | select(. > 1)) |= empty`, `. as $all | {x: 1, y: 2} | .[] |= if . == 1 then empty else $all end`,
		`map_values(if . == 1 then empty else . end)`, `walk(if . == 1 then empty else . end)`,
	} {
		t.Run(expression, func(t *testing.T) {
			text := `{"a":1,"o":{"p":{"q":[1,{"r":2}]}},"l":[1,2,3]}`
			input := value(t, text)
			e, err := compileExpression("/x", expression, siteTask, nil)
			if err != nil {
				t.Fatal(err)
			}
			var group sync.WaitGroup
			for range 2 {
				group.Go(func() {
					for range 20 {
						if _, err := collect(e.code.RunWithContext(t.Context(), input)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
			if !reflect.DeepEqual(input, value(t, text)) {
				t.Errorf("the input is now %v", input)
			}
		})
	}
}

// TestGuardsCannotBeRedefined would take the place of what is guarded.
func TestGuardsCannotBeRedefined(t *testing.T) {
	for _, definition := range []string{"tojson", "tostring", "add", "min", "max", "error", "error(f)", "flatten", "split(f)", "bsearch(f)", "delpaths(f)", "_guard_whole"} {
		if _, err := compileExpression("/x", "def "+definition+": .; 1", siteTask, nil); err == nil || !strings.Contains(errors.Join(err).Error(), "cannot be defined anew") {
			t.Errorf("%s: got %v", definition, err)
		}
	}
}
