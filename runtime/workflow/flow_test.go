package workflow

import "testing"

func TestFlowDirectives(t *testing.T) {
	testFlows(t, nil, []flowCase{
		{"continue", `"do":[{"a":{"set":{"l":["a"]},"then":"continue"}},{"b":{"set":{"l":"${ .l + [\"b\"] }"}}}]`, `{}`, `{"l":["a","b"]}`},
		{"forward", `"do":[{"a":{"set":{"l":["a"]},"then":"c"}},{"b":{"set":{"l":"${ .l + [\"b\"] }"}}},{"c":{"set":{"l":"${ .l + [\"c\"] }"}}}]`, `{}`, `{"l":["a","c"]}`},
		{"backward, until it ends", `"do":[{"a":{"set":{"n":"${ .n + 1 }"}}},{"b":{"switch":[{"more":{"when":".n < 5","then":"a"}}]}}]`, `{"n":0}`, `{"n":5}`},
		{"exit of the main list", `"do":[{"a":{"set":{"x":1},"then":"exit"}},{"b":{"set":{"x":2}}}]`, `{}`, `{"x":1}`},
		{"exit leaves one list", `"do":[{"a":{"do":[{"b":{"set":{"x":1},"then":"exit"}},{"c":{"set":{"x":2}}}]}},{"d":{"set":{"y":"${ .x }"}}}]`, `{}`, `{"y":1}`},
		{"end leaves all", `"do":[{"a":{"do":[{"b":{"do":[{"c":{"set":{"x":1},"then":"end"}}],"output":{"as":"{never:true}"}}}],"output":{"as":"{never:true}"}}},{"d":{"set":{"y":2}}}],"output":{"as":"{out:.}"}`, `{}`, `{"out":{"x":1}}`},
		{"end in a loop", `"do":[{"a":{"for":{"in":".l"},"do":[{"b":{"set":{"x":"${ $item }"},"then":"end"}}]}},{"c":{"set":{"never":true}}}]`, `{"l":[1,2,3]}`, `{"x":1}`},
		{"end in a branch", `"do":[{"a":{"fork":{"branches":[{"b":{"set":{"x":1},"then":"end"}},{"c":{"wait":{"hours":1}}}]}}},{"d":{"set":{"never":true}}}]`, `{}`, `{"x":1}`},
		{"end in a try", `"do":[{"a":{"try":[{"b":{"set":{"x":1},"then":"end"}}],"catch":{}}},{"c":{"set":{"never":true}}}]`, `{}`, `{"x":1}`},
		{"end in a handler", `"do":[{"a":{"try":[{"b":{"raise":{"error":{"type":"x","status":400}}}}],"catch":{"do":[{"c":{"set":{"x":1},"then":"end"}}]}}},{"d":{"set":{"never":true}}}]`, `{}`, `{"x":1}`},
		{"end in a function", `"use":{"functions":{"f":{"set":{"x":1},"then":"end"}}},"do":[{"a":{"call":"f"}},{"b":{"set":{"never":true}}}]`, `{}`, `{"x":1}`},
		{"exit in a loop goes on with the next item", `"do":[{"a":{"for":{"in":".l"},"do":[{"b":{"set":{"l":"${ .l }","n":"${ .n + $item }"},"then":"exit"}},{"c":{"set":{"never":true}}}]}}]`, `{"l":[1,2,3]}`, `{"l":[1,2,3],"n":6}`},
		{"exit in a branch ends the branch", `"do":[{"a":{"fork":{"branches":[{"b":{"set":{"x":1},"then":"exit"}},{"c":{"set":{"x":2}}}]}}},{"d":{"set":{"l":"${ . }"}}}]`, `{}`, `{"l":[{"x":1},{"x":2}]}`},
		{"a task that is skipped goes to the next one", `"do":[{"a":{"if":".no","set":{"x":1},"then":"end"}},{"b":{"set":{"y":2}}}]`, `{}`, `{"y":2}`},
		{"then behind a composite task", `"do":[{"a":{"do":[{"b":{"set":{"x":1}}}],"then":"c"}},{"never":{"set":{"x":2}}},{"c":{"set":{"y":"${ .x }"}}}]`, `{}`, `{"y":1}`},
	})
}

func TestSwitch(t *testing.T) {
	const tasks = `{"red":{"set":{"is":"red"},"then":"end"}},{"blue":{"set":{"is":"blue"},"then":"end"}}]`
	testFlows(t, nil, []flowCase{
		{"first case that holds", `"do":[{"a":{"switch":[{"no":{"when":".c == \"green\"","then":"blue"}},{"yes":{"when":"${ .c == \"red\" }","then":"red"}},{"also":{"when":"true","then":"blue"}}]}},` + tasks, `{"c":"red"}`, `{"is":"red"}`},
		{"default, wherever it stands", `"do":[{"a":{"switch":[{"other":{"then":"blue"}},{"yes":{"when":".c == \"red\"","then":"red"}}]}},` + tasks, `{"c":"red"}`, `{"is":"red"}`},
		{"default", `"do":[{"a":{"switch":[{"other":{"then":"blue"}},{"yes":{"when":".c == \"red\"","then":"red"}}]}},` + tasks, `{"c":"x"}`, `{"is":"blue"}`},
		{"no match goes on", `"do":[{"a":{"switch":[{"yes":{"when":".c == \"blue\"","then":"blue"}}]}},` + tasks, `{"c":"x"}`, `{"is":"red"}`},
		{"no match, and then", `"do":[{"a":{"switch":[{"yes":{"when":".c == \"blue\"","then":"blue"}}],"then":"end"}},` + tasks, `{"c":"x"}`, `{"c":"x"}`},
		{"continue goes before then", `"do":[{"a":{"switch":[{"yes":{"when":"true","then":"continue"}}],"then":"end"}},` + tasks, `{"c":"x"}`, `{"is":"red"}`},
		{"output is transformed", `"do":[{"a":{"input":{"from":".c"},"switch":[{"yes":{"when":". == 1","then":"end"}}],"output":{"as":"{seen: .}"}}},` + tasks, `{"c":1}`, `{"seen":1}`},
	})
}

func TestFor(t *testing.T) {
	testFlows(t, nil, []flowCase{
		{"item and index", `"do":[{"a":{"for":{"in":".l"},"do":[{"b":{"set":{"l":"${ .l }","r":"${ .r + [[$item, $index]] }"}}}]}}]`, `{"l":["x","y"]}`, `{"l":["x","y"],"r":[["x",0],["y",1]]}`},
		{"named", `"do":[{"a":{"for":{"in":"${ .l }","each":"pet","at":"i"},"do":[{"b":{"set":"${ (. // {}) + {($pet): $i} }"}}]}}]`, `{"l":["x","y"]}`, `{"l":["x","y"],"x":0,"y":1}`},
		{"inline, with expressions", `"do":[{"a":{"for":{"in":[{"n":1},{"n":"${ .two }"}]},"do":[{"b":{"set":{"two":"${ .two }","sum":"${ .sum + $item.n }"}}}]}}]`, `{"two":2}`, `{"two":2,"sum":3}`},
		{"no items", `"do":[{"a":{"for":{"in":".l"},"do":[{"b":{"set":{"never":true}}}]}}]`, `{"l":[],"x":1}`, `{"l":[],"x":1}`},
		{"while sees the last output, the item and the input", `"do":[{"a":{"for":{"in":".l"},"while":".n < $input.most and $item < 9","do":[{"b":{"set":{"n":"${ .n + $item }"}}}]}}]`, `{"l":[1,2,3,4],"most":3,"n":0}`, `{"n":3}`},
		{"nested, with one name", `"do":[{"a":{"for":{"in":".l"},"do":[{"b":{"for":{"in":"$item"},"do":[{"c":{"set":{"l":1,"r":"${ .r + [$item] }"}}}]}},{"d":{"set":"${ .r += [$item] }"}}]}}]`, `{"l":[[1,2],[3]]}`, `{"l":1,"r":[1,2,[1,2],3,[3]]}`},
		{"input.from and output.as", `"do":[{"a":{"input":{"from":".order"},"for":{"in":".items"},"do":[{"b":{"set":{"items":1,"sum":"${ .sum + $item.p }"}}}],"output":{"as":".sum * $input.factor"}}}]`, `{"order":{"factor":10,"items":[{"p":1},{"p":2}]}}`, `30`},
	})
	for in, what := range map[string]string{`.missing`: "gives null", `{a: 1}`: "gives an object", `"text"`: "gives a string"} {
		e, _ := mustFail(t, compileFor(t, `"do":[{"a":{"for":{"in":`+quote(in)+`},"do":[{"b":{"set":{"x":1}}}]}}]`), map[string]any{}, nil)
		if !e.IsKind(ExpressionError) || e.Instance != "/do/0/a" || e.Detail != "/do/0/a/for/in "+what+": it must give an array" {
			t.Errorf("%s: got %v", in, e)
		}
	}
}

func TestFork(t *testing.T) {
	testFlows(t, nil, []flowCase{
		{"outputs in their order", `"do":[{"a":{"fork":{"branches":[{"slow":{"wait":{"milliseconds":2},"output":{"as":"1"}}},{"fast":{"set":"${ 2 }"}},{"third":{"set":{"x":3}}}]}}}]`, `{}`, `[1,2,{"x":3}]`},
		{"branches see input, context and variables", `"do":[{"c":{"set":{"k":1},"export":{"as":"."}}},{"a":{"for":{"in":"[7]"},"do":[{"f":{"fork":{"branches":[{"x":{"set":{"i":"${ $item }","c":"${ $context.k }","d":"${ .k }"}}}]}}}]}}]`, `{}`, `[{"i":7,"c":1,"d":1}]`},
		{"the first to succeed wins", `"do":[{"a":{"fork":{"compete":true,"branches":[{"never":{"wait":{"hours":1}}},{"fails":{"raise":{"error":{"type":"x","status":400}}}},{"wins":{"set":{"x":1}}}]}}}]`, `{}`, `{"x":1}`},
		{"nested", `"do":[{"a":{"fork":{"branches":[{"x":{"fork":{"branches":[{"p":{"set":"${ 1 }"}},{"q":{"set":"${ 2 }"}}]}}},{"y":{"set":"${ 3 }"}}]}}}]`, `{}`, `[[1,2],3]`},
		{"contexts are put together", `"do":[{"s":{"set":{"x":1},"export":{"as":"{kept: 1, changed: 1, gone: 1}"}}},{"a":{"fork":{"branches":[
			{"p":{"set":"${ 1 }","export":{"as":"$context + {p: 1}"}}},{"q":{"set":"${ 1 }","export":{"as":"$context + {changed: 2, both: \"q\"} | del(.gone)"}}},
			{"r":{"set":"${ 1 }","export":{"as":"$context + {both: \"r\"}"}}},{"n":{"set":"${ 1 }"}}]}}},{"o":{"set":"${ $context }"}}]`, `{}`, `{"kept":1,"changed":2,"p":1,"both":"r"}`},
		{"a context that is no object", `"do":[{"a":{"fork":{"branches":[{"p":{"set":"${ 1 }","export":{"as":"[1]"}}},{"q":{"set":"${ 1 }"}}]}}},{"o":{"set":"${ $context }"}}]`, `{}`, `[1]`},
		{"the winner's context", `"do":[{"a":{"fork":{"compete":true,"branches":[{"p":{"set":"${ 1 }","export":{"as":"{won: true}"}}},{"q":{"wait":{"hours":1},"export":{"as":"{never: true}"}}}]}}},{"o":{"set":"${ $context }"}}]`, `{}`, `{"won":true}`},
	})
	e, _ := mustFail(t, compileFor(t, `"do":[{"a":{"fork":{"branches":[{"b":{"raise":{"error":{"type":"urn:x","status":418}}}},{"c":{"wait":{"hours":1}}}]}}}]`), nil, nil)
	if e.Type != "urn:x" || e.Instance != "/do/0/a/fork/branches/0/b" {
		t.Errorf("got %v", e)
	}
	e, _ = mustFail(t, compileFor(t, `"do":[{"a":{"fork":{"compete":true,"branches":[{"b":{"raise":{"error":{"type":"urn:x","status":418}}}},{"c":{"wait":{"milliseconds":1},"output":{"as":".a.b.c"}}}]}}}]`), "text", nil)
	if !e.IsKind(ExpressionError) || e.Instance != "/do/0/a/fork/branches/1/c" {
		t.Errorf("of competing branches that all fail the last one counts, got %v", e)
	}
}

func TestDataFlow(t *testing.T) {
	testFlows(t, nil, []flowCase{
		{"if, input.schema and input.from in their order", `"do":[{"a":{"if":".n == 1","input":{"schema":{"document":{"required":["n"]}},"from":".n"},"set":{"x":"${ . }","y":"${ $input }","z":"${ $task.input.n }"}}}]`, `{"n":1}`, `{"x":1,"y":1,"z":1}`},
		{"a skipped task is not validated", `"do":[{"a":{"if":"false","input":{"schema":{"document":{"required":["n"]}}},"output":{"as":"{never: true}"},"export":{"as":"{never: true}"},"set":{"x":1}}},{"b":{"set":{"d":"${ . }","c":"${ $context }"}}}]`, `{}`, `{"d":{},"c":{}}`},
		{"$output and $task.output", `"do":[{"a":{"set":{"x":1},"output":{"as":"{y: .x}"},"export":{"as":"{out: $output, dot: ., raw: $task.output, in: $input}"}}},{"b":{"set":"${ $context }"}}]`, `{"i":1}`, `{"out":{"y":1},"dot":{"y":1},"raw":{"x":1},"in":{"i":1}}`},
		{"export does not change the output", `"do":[{"a":{"set":{"x":1},"export":{"as":{"k":"${ .x }","l":[1]}}}},{"b":{"set":{"d":"${ .x }","c":"${ $context }"}}}]`, `{}`, `{"d":1,"c":{"k":1,"l":[1]}}`},
		{"the context is replaced", `"do":[{"a":{"set":{"x":1},"export":{"as":"{a: 1}"}}},{"b":{"set":{"x":1},"export":{"as":"{b: 1}"}}},{"c":{"set":"${ $context }"}}]`, `{}`, `{"b":1}`},
		{"input.from of composite tasks", `"do":[{"a":{"input":{"from":".x"},"do":[{"b":{"set":{"y":"${ . }","i":"${ $input }"}}}],"output":{"as":"{r: ., i: $input}"}}}]`, `{"x":[1]}`, `{"r":{"y":[1],"i":[1]},"i":[1]}`},
		{"the workflow's context", `"do":[{"a":{"set":{"x":1},"export":{"as":"{k: 2}"}}}],"output":{"as":"{x: .x, k: $context.k, i: $input}"}`, `{"i":1}`, `{"x":1,"k":2,"i":{"i":1}}`},
		{"a schema of each kind", `"do":[{"a":{"set":{"x":1},"output":{"schema":{"document":{"required":["x"]}}},"export":{"as":"{k: 1}","schema":{"document":{"required":["k"]}}}}}]`, `{}`, `{"x":1}`},
		{"wait hands its input on", `"do":[{"a":{"wait":"PT0.001S"}},{"b":{"wait":{"milliseconds":0}}}]`, `{"x":1}`, `{"x":1}`},
	})
}

// TestSchemasOfTasks: what a task gets may be the caller's fault, what it makes is the
// workflow's.
func TestSchemasOfTasks(t *testing.T) {
	const schema = `{"schema":{"document":{"type":"object","required":["zip"],"properties":{"zip":{"type":"string"}}}}}`
	for members, want := range map[string]int{
		`"do":[{"a":{"set":{"x":1},"input":` + schema + `}}]`:                                                         400,
		`"do":[{"a":{"set":{"x":1},"output":` + schema + `}}]`:                                                        500,
		`"do":[{"a":{"set":{"x":1},"export":` + schema + `}}]`:                                                        500,
		`"do":[{"a":{"set":{"x":1}}}],"output":` + schema:                                                             500,
		`"use":{"functions":{"f":{"set":{"x":1},"input":` + schema + `}}},"do":[{"a":{"call":"f","with":{"zip":1}}}]`: 400,
	} {
		e, f := mustFail(t, compileFor(t, members), map[string]any{"secret-value": 1}, nil)
		if !e.IsKind(ValidationError) || e.Status != 400 || f.Status != want {
			t.Errorf("%s: got %v, %d", members, e, f.Status)
		}
	}
}
