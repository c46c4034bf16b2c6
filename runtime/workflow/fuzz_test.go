package workflow

import (
	"context"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/itchyny/gojq"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// expressions are the seeds of FuzzRun: every kind of query that has a short cut or a
// guard, on data that takes both sides of each.
var expressions = []string{
	`.`, `.a`, `.a.b`, `.a.b.c`, `."a"."b"`, `.["a"]`, `.l[0]`, `.l[-1]`, `.l[99]`, `.l[-99]`, `.s[0]`, `.l[1.0]`, `.l[1.5]`, `$input.a`, `$context`,
	`null`, `true`, `1`, `-1`, `1.5`, `1e3`, `1e999`, `12345678901234567890`, `"text"`, `"a\(.s)b\(.n)"`, `"\(.l)"`, `"\(.f)\(null)\(true)"`,
	`.a // 1`, `.missing // "x"`, `.s.x // 1`, `(.f, .n) // 1`, `false // null`, `.l[] // 1`,
	`.n + 1`, `.n - .n`, `.n * 2`, `.n / 2`, `.n / 3`, `.n / 0`, `.n % 2`, `.f + .n`, `.f * .f`, `.f / 0`, `.s + .s`, `.s * 2`, `.s * 0`, `.s * 0.5`, `.s * -1`, `0 * .s`,
	`.l + .l`, `.l - [1]`, `.a * .a`, `.a * {b: {c: {d: 1}}}`, `.big + 1`, `.big * .big`, `.big - .big`, `.n - .big`, `null + 1`, `.a + .a`, `{} - {}`, `"a" - 1`, `[] * 2`, `nan * 1`, `infinite - infinite`,
	`.n == 1`, `.n != .f`, `.s < "b"`, `.s <= .n`, `.a == .a`, `.l > .n`, `null < false`, `true > false`, `.big == .big`, `nan == nan`, `nan < 1`, `9007199254740993 == 9007199254740992.0`,
	`.n and .s`, `false or .missing`, `.missing and error`, `true or error`, `.t | not`, `.s | length`, `.l | length`, `.a | length`, `.n | length`, `null | length`, `-1 | length`,
	`{a, "b": .n, "c d": 1}`, `{(.s): 1}`, `{"a\(1)": 1}`, `{$input}`, `{a: 1, a: 2}`, `{a: (1, 2)}`, `[]`, `[.a, .n, 1]`, `[.l[]]`, `[1, (2, 3)]`,
	`if .t then 1 else 2 end`, `if .missing then 1 end`, `if .t then .s.x end`, `if .n > 0 then "p" elif .n < 0 then "n" else "z" end`,
	`.a | .b | .c`, `.l | map(. + 1)`, `.l | add`, `[.l[] | select(. > 1)]`, `.s as $x | [$x, $input.s]`, `def f(x): x * 2; f(.n)`, `reduce .l[] as $i (0; . + $i)`,
	`.l | sort`, `.l | sort_by(-.)`, `.l | unique`, `.l | group_by(. > 1)`, `[.l, .l] | transpose`, `.s | tonumber`, `"12" | tonumber`, `"1e5" | tonumber`, `.s | tostring`, `.l | tostring`,
	`.l | contains([1])`, `[1] | inside([1, 2])`, `.s | index("b")`, `.l | indices(1)`, `.l | indices([1, 2])`, `.l | join(",")`, `.s | test("A"; "i")`, `.s | [match("(?<x>a)"; "g")]`,
	`.s | capture("(?<x>a)")`, `.s | sub("a"; "b")`, `.s | gsub("(?<x>.)"; "\(.x)!")`, `.s | [splits("b")]`, `.s | split("b"; null)`, `"[1,{\"a\":2.50}]" | fromjson`, `"1 2" | fromjson`, `.s | fromjson`,
	`getpath(["a", "b"])`, `setpath(["l", 1]; 9)`, `delpaths([["a"], ["l", 0]])`, `.l | nth(1)`, `.l[.n]`, `.[.s]`, `.l[.n:]`, `.l[.n] = 5`, `.a.b |= 1`, `.n += 1`, `.n -= 1`, `.n *= 3`, `.l -= [1]`, `(.n, .f) *= 2`, `.n *= (1, 2)`,
	`del(.a)`, `del(.l[] | select(. == 1))`, `to_entries`, `with_entries(.value |= tostring)`, `[paths]`, `pick(.a.b)`, `[..]`, `@json`, `@base64 "\(.s)"`, `@csv "\(.l)"`, `now | type`, `0 | todate`, `"2026-01-02" | strptime("%Y-%m-%d") | mktime`,
	`try error("x") catch .`, `error`, `empty`, `1, 2`, `.[]`, `.[]?`, `.s.x?`, `limit(3; range(10))`, `[limit(3; range(10))]`, `first(range(5))`, `label $out | 1, break $out`, `input`, `env`, `$ENV`, `$__loc__`, `_multiply(1; 2)`, `import "a" as a; .`, `. as [$x, {a: $y}] ?// $x | $x`,
}

const fuzzInput = `{"a":{"b":{"c":1}},"l":[1,2,3],"n":1,"f":2.5,"s":"abc","t":true,"z":null,"big":123456789012345678901234567890}`

// huge matches numbers with which unguarded jq would exhaust memory.
var huge = regexp.MustCompile(`\d{5}|\d[eE]|infinite`)

// FuzzRun compares the three ways to evaluate an expression: the short cut, jq with
// guards, and plain jq. Whatever two of them give must be the same.
func FuzzRun(f *testing.F) {
	for _, e := range expressions {
		f.Add(e, fuzzInput)
	}
	for _, input := range []string{`null`, `[1,"a",null]`, `"text"`, `-5`, `1.5`, `{"a":null,"l":{},"n":"x","s":[],"f":-1}`, `{"n":4611686018427387904,"f":1e308,"s":"é\u0000"}`} {
		for _, e := range expressions {
			f.Add(e, input)
		}
	}
	f.Fuzz(func(t *testing.T, text, input string) {
		var decoded any
		dec := json.NewDecoder(strings.NewReader(input))
		dec.UseNumber()
		if len(input) > 4096 || len(text) > 512 || dec.Decode(&decoded) != nil || depth(decoded) > 64 {
			return
		}
		decoded = numbers(decoded)
		before, err := json.Marshal(decoded)
		if err != nil {
			return
		}
		e, err := compileExpression("/x", text, siteTask, nil)
		if err != nil {
			return
		}
		r := newRun(t.Context(), &Program{name: "fuzz"}, decoded, nil, Options{})
		r.frame.input = decoded
		if err := r.startExpression(); err != nil {
			t.Fatal(err)
		}
		guarded, guardedErr := e.execute(r, decoded)
		if _, intact := r.watch.stop(); !intact {
			return
		}
		if e.direct != nil {
			if short, ok := e.direct(r, decoded); ok {
				if guardedErr != nil {
					t.Errorf("%s on %s: the short cut gives %v, jq fails: %v", text, input, short, fault.As(guardedErr).Cause)
				} else if !sameValue(short, guarded) {
					t.Errorf("%s on %s: the short cut gives %#v, jq %#v", text, input, short, guarded)
				}
			}
		}
		if guardedErr == nil {
			comparePlain(t, text, decoded, guarded)
		}
		if after, err := json.Marshal(decoded); err != nil || string(after) != string(before) {
			t.Errorf("%s changed its input from %s to %s", text, before, after)
		}
	})
}

// comparePlain evaluates the expression with jq as it comes.
func comparePlain(t *testing.T, text string, input, got any) {
	t.Helper()
	// The words of an error are our own.
	if huge.MatchString(text) || strings.Contains(text, "now") || strings.Contains(text, "catch") || huge.MatchString(mustJSON(input)) && strings.ContainsAny(text, "*[") {
		return
	}
	query, err := gojq.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	code, err := gojq.Compile(query, gojq.WithVariables(slotNames[:]))
	if err != nil {
		t.Fatalf("%s compiles only with guards: %v", text, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if strings.Contains(text, "$runtime") || strings.Contains(text, "$workflow") {
		return
	}
	want, _ := code.RunWithContext(ctx, input, emptyContext, input, nil, nil, nil, nil, nil, nil, nil).Next()
	if ctx.Err() == nil && !sameValue(got, want) {
		t.Errorf("%s on %v: with guards %#v, without %#v", text, input, got, want)
	}
}

func mustJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "1e9" // too odd to compare
	}
	return string(text)
}

// sameValue compares results as jq does, and their types.
func sameValue(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	a, b = settle(a), settle(b)
	return reflect.DeepEqual(a, b)
}

// settle gives equal results one form: NaN is not equal to itself, and an integer may
// be an int, a *big.Int or a json.Number.
func settle(v any) any {
	text, err := gojq.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	if dec.Decode(&out) != nil {
		return v
	}
	return numbers(out)
}

// FuzzCompile compiles any definition, and runs what compiles where every call is answered
// and no time passes. Nothing panics, nothing is a fault of ours, no limit is passed, and
// nothing is left over.
func FuzzCompile(f *testing.F) {
	for _, seed := range definitions() {
		f.Add([]byte(seed))
	}
	other, problems := Compile("child", child("child", "2.0.0", `"do":[{"x":{"set":{"y":"${ .n }"}}}]`), Environment{})
	if len(problems) > 0 {
		f.Fatal(problems)
	}
	f.Fuzz(func(t *testing.T, definition []byte) {
		p, problems := Compile("quote", definition, app())
		if (p == nil) == (len(problems) == 0) || len(problems) > maxProblems {
			t.Fatalf("program %v and problems %v", p, problems)
		}
		for _, problem := range problems {
			if problem.Message == "" || problem.Pointer != "" && !strings.HasPrefix(problem.Pointer, "/") {
				t.Errorf("a problem without place or message: %+v", problem)
			}
		}
		if p == nil {
			return
		}
		if again, _ := Compile("quote", definition, app()); again.Hash() != p.Hash() {
			t.Errorf("two hashes of one definition: %s %s", p.Hash(), again.Hash())
		}
		if len(Link([]*Program{p, other})[0]) > 0 {
			return
		}
		for _, input := range []any{nil, map[string]any{}, value(t, fuzzInput)} {
			if err := p.Check(input); err != nil && fault.As(err).Code != fault.SchemaViolation {
				t.Errorf("Check: %v", fault.As(err).Cause)
			}
			runFuzzed(t, p, input)
		}
		for _, d := range p.Documents() {
			if _, err := d.Access(t.Context(), fuzzHost()); err != nil && problemOf(err).IsKind(RuntimeError) {
				t.Errorf("Access: %v", err)
			}
		}
	})
}

// fuzzHost answers every call, and lets no time pass.
func fuzzHost() *Host {
	return &Host{Clock: instantClock{}, Random: func() float64 { return 0.5 }, Caller: forgetful{jsonAnswer(`{"a":[1,{"b":"${ .c }"}],"status":"sold"}`)}, Secrets: func() map[string]any {
		return map[string]any{"pricing": "tok-1234", "stock": map[string]any{"username": "me", "password": "pw-1234"}}
	}}
}

// instantClock stands still: whatever waits for it goes on at once.
type instantClock struct{}

func (instantClock) Now() time.Time { return time.Unix(1_900_000_000, 0) }

func (instantClock) AfterFunc(_ time.Duration, f func()) func() bool {
	go f()
	return func() bool { return false }
}

// runFuzzed runs a program that has next to no time and few tasks left.
func runFuzzed(t *testing.T, p *Program, input any) {
	t.Helper()
	var started atomic.Int64
	trace := func(e TaskEvent) {
		if e.Phase == TaskStarted {
			started.Add(1)
		}
	}
	r := newRun(t.Context(), p, input, fuzzHost(), Options{ID: "fuzz", Trace: trace, Spawn: func(context.Context, string, any) error { return nil }})
	r.shared.spent.Store(int64(runTime - 20*time.Millisecond))
	r.shared.transitions.Store(maxTransitions - 200)
	r.shared.iterations.Store(maxIterations - 200)
	output, err := r.guarded(r.workflow)
	if err != nil {
		if f := fault.As(r.fault(err)); f.Code == fault.Internal {
			t.Errorf("Run: %v", f.Cause)
		}
	}
	told := textOf(r.shared.redact.value(output))
	if strings.Contains(told, "tok-1234") || strings.Contains(told, "pw-1234") {
		t.Errorf("it tells a secret: %s", told)
	}
	// A call of a function is one task that is counted and one that is not.
	if n := started.Load(); n > 2*200+maxBranches {
		t.Errorf("it started %d tasks", n)
	}
	if live := r.shared.live.Load(); live != 0 {
		t.Errorf("%d branches are left", live)
	}
	r.shared.settle()
	if left := runsMemory.Load(); left != 0 {
		t.Errorf("%d bytes are left", left)
	}
}

// definitions are seeds with every construct of the language.
func definitions() []string {
	seeds := []string{
		def(set), def(`"do":[{"a":{"set":"${ .a }","if":".b","input":{"from":".c"},"output":{"as":{"x":"${ . }"}}}}]`),
		def(`"input":{"schema":{"format":"json","document":{"type":"object","properties":{"a":{"type":"integer","minimum":1}},"required":["a"]}},"from":"."},"output":{"as":"."},` + set),
		schemaOf(`{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"properties":{"c":{"$ref":"#/$defs/a"}}}},"properties":{"x":{"$ref":"#/$defs/a"}}}`),
		schemaOf(`{"patternProperties":{"^a":{"type":"string"}},"unevaluatedProperties":false,"if":{"required":["a"]},"then":{"minProperties":2}}`),
		`{"document":null}`, `{}`, `[]`, `null`, `{"do":[{"a":{"call":"http"}}]}`, `{"do":[{"":{"set":{"":"${}"}}}]}`, doc(`"dsl":"1.0.9999999999999999999","name":1`),
		expr(`${ . as [$a, {b: $c}] | $c }`), expr(`${ def f(x; $y): x | $y; f(.a; 2) }`), expr(`${ \"\\(.a | test(\"x\"))\" }`), expr(`${ try error catch (.[1:2] = 3) }`), expr("${ @base64 \\\"\\\\(1)\\\" }"),
		def(`"use":{"secrets":["pricing","stock"],"timeouts":{"t":{"after":"PT1S"}},"errors":{"e":{"type":"urn:x","status":400,"title":"${ .s }"}},"retries":{"r":{"delay":{"seconds":1},"backoff":{"exponential":{}},"limit":{"attempt":{"count":2,"duration":"PT1S"},"duration":"PT5S"},"jitter":{"from":"PT0S","to":"PT1S"},"when":"$error.status > 1","exceptWhen":"false"}},
			"authentications":{"b":{"basic":{"use":"stock"}},"o":{"oauth2":{"authority":"https://id.example/{s}","grant":"client_credentials","client":{"id":"a","secret":"${ $secrets.pricing }"},"scopes":["a"]}}},"functions":{"f":{"call":"g","with":{"x":"${ .x }"}},"g":{"set":{"x":"${ .x }"},"output":{"as":".x"}}}},
			"timeout":{"after":{"hours":1}},"do":[{"a":{"call":"f","with":{"x":1},"then":"b"}},{"b":{"try":[{"c":{"raise":{"error":"e"}}}],"catch":{"errors":{"with":{"status":400}},"when":"$error.status == 400","retry":"r","do":[{"d":{"set":"${ $error }"}}],"then":"f"}}},{"f":{"timeout":"t","wait":{"milliseconds":5}}},
			{"g":{"for":{"in":".l // [1,2]","each":"i","at":"n"},"while":"$n < 5","do":[{"h":{"switch":[{"x":{"when":"$i == 1","then":"exit"}},{"y":{"then":"continue"}}]}},{"i":{"set":{"l":"${ [$i, $n] }"},"export":{"as":"$context + {k: .l}"}}}]}}]`),
		def(`"use":{"secrets":["pricing"]},"do":[{"a":{"fork":{"compete":false,"branches":[{"b":{"call":"http","with":{"method":"post","endpoint":{"uri":"https://a.example/{n}?q={s}","authentication":{"bearer":{"token":"${ $secrets.pricing }"}}},"headers":{"X":"${ .n }"},"query":{"a":["${ .s }"]},"body":{"x":"${ . }"},"output":"response","redirect":true},"output":{"as":"{s: .statusCode, a: $authorization.scheme}"}}},
			{"c":{"call":"openapi","with":{"document":{"endpoint":"configmap:a/b"},"operationId":"find","parameters":{"status":"${ .s }"}}}},{"d":{"call":"mcp","with":{"method":"tools/call","parameters":{"name":"x"},"timeout":"PT5S","transport":{"http":{"endpoint":"https://mcp.example","headers":{"A":"b"}}}}}},
			{"e":{"emit":{"event":{"with":{"type":"t","data":"${ . }","subject":"${ .s }"}}}}},{"f":{"run":{"workflow":{"namespace":"shop","name":"child","version":"latest","input":{"n":"${ .n }"}}}}},{"g":{"run":{"await":false,"workflow":{"namespace":"shop","name":"child","version":"2.0.0"}}}}]}}},
			{"z":{"fork":{"compete":true,"branches":[{"p":{"wait":"PT1H"}},{"q":{"set":{"x":"${ $workflow.id + $task.name + $runtime.name }"}}}]},"then":"end"}}]`),
	}
	for _, members := range hostile() {
		seeds = append(seeds, def(members))
	}
	return seeds
}

// FuzzCheck compares the recognizer with the full validator: what it takes for valid
// must be valid.
func FuzzCheck(f *testing.F) {
	values := []string{`{}`, `{"a":1}`, `{"a":0.1}`, `{"a":3.0}`, `{"a":"x"}`, `{"a":null}`, `{"a":[1,2]}`, `{"a":{"b":"c"}}`, `{"a":9007199254740993}`, `{"a":1e300,"b":true}`, `[]`, `1`, `"x"`, `null`, `{"a":"2026-01-02T03:04:05Z"}`, `{"a":100000000000000000000}`}
	for _, keyword := range []string{
		`{}`, `{"type":"string"}`, `{"type":"integer"}`, `{"type":["number","null"]}`, `{"enum":["x",1,null,true,1.5,[1]]}`, `{"const":"x"}`, `{"const":1}`, `{"minimum":1}`, `{"maximum":0.1}`, `{"exclusiveMinimum":0.1,"exclusiveMaximum":9007199254740993}`,
		`{"minLength":1,"maxLength":2}`, `{"pattern":"^x"}`, `{"format":"date-time"}`, `{"items":{"type":"integer"},"minItems":1,"maxItems":2}`, `{"properties":{"b":{"type":"string"}},"required":["b"],"additionalProperties":false}`,
		`{"additionalProperties":{"type":"string"}}`, `{"minProperties":1,"maxProperties":1}`, `{"allOf":[{"type":"integer"},{"minimum":1}]}`, `{"anyOf":[{"type":"string"},{"type":"integer"}]}`, `{"$ref":"#"}`, `true`, `false`, `{"uniqueItems":true}`, `{"not":{"type":"string"}}`, `{"oneOf":[{"type":"string"},{"const":"x"}]}`, `{"multipleOf":0.1}`,
	} {
		for _, v := range values {
			f.Add(`{"properties":{"a":`+keyword+`},"required":["a"]}`, v)
		}
	}
	f.Fuzz(func(t *testing.T, document, input string) {
		tree, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
		object, ok := tree.(map[string]any)
		if err != nil || !ok || len(document) > 2048 || len(input) > 2048 || depth(object) > 32 {
			return
		}
		c := &compiler{}
		s := c.compileSchema("", object)
		if s == nil || s.quick == nil {
			return
		}
		var v any
		dec := json.NewDecoder(strings.NewReader(input))
		dec.UseNumber()
		if dec.Decode(&v) != nil || depth(v) > 64 {
			return
		}
		v = numbers(v)
		if s.quick(v) {
			if err := s.compiled.Validate(plain(v)); err != nil {
				t.Errorf("%s takes %s, but %v", document, input, err)
			}
		}
	})
}
