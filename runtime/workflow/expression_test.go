package workflow

import (
	"strings"
	"testing"
)

func TestCompileRefusesExpressions(t *testing.T) {
	testWrong(t, []wrong{
		{"empty expression", expr(`${ }`), "/do/0/a/set/x/0", "the expression is empty"},
		{"only a comment", expr(`${ # nothing\n }`), "/do/0/a/set/x/0", "missing query"},
		{"syntax", expr(`${ .a + }`), "/do/0/a/set/x/0", "ends too early"},
		{"syntax in the middle", expr(`${ .a ) + 1 }`), "/do/0/a/set/x/0", `at ")"`},
		{"two expressions", expr(`${ .a } and ${ .b }`), "/do/0/a/set/x/0", "syntax error"},
		{"unknown function", expr(`${ frobnicate }`), "/do/0/a/set/x/0", "frobnicate/0"},
		{"unknown variable", expr(`${ $inputs }`), "/do/0/a/set/x/0", `did you mean "$input"?`},
		{"too long", expr(`${ \"` + strings.Repeat("a", 17<<10) + `\" }`), "/do/0/a/set/x/0", "bytes"},
		{"environment", expr(`${ env.HOME }`), "/do/0/a/set/x/0", "environment"},
		{"environment variable", expr(`${ $ENV.HOME }`), "/do/0/a/set/x/0", "environment"},
		{"input", expr(`${ input }`), "/do/0/a/set/x/0", "one input"},
		{"inputs", expr(`${ [inputs] }`), "/do/0/a/set/x/0", "one input"},
		{"debug", expr(`${ debug }`), "/do/0/a/set/x/0", "side effects"},
		{"stderr", expr(`${ stderr }`), "/do/0/a/set/x/0", "side effects"},
		{"halt", expr(`${ halt }`), "/do/0/a/set/x/0", "use error"},
		{"halt_error", expr(`${ halt_error(1) }`), "/do/0/a/set/x/0", "use error"},
		{"input_filename", expr(`${ input_filename }`), "/do/0/a/set/x/0", "one input"},
		{"modules", expr(`${ import \"a\" as a; . }`), "/do/0/a/set/x/0", "modules"},
		{"builtins", expr(`${ builtins }`), "/do/0/a/set/x/0", "interpreter"},
		{"Bessel function", expr(`${ jn(.n; 1) }`), "/do/0/a/set/x/0", "cannot be bounded"},
		{"internal function", expr(`${ _multiply(\"x\"; 1000000000) }`), "/do/0/a/set/x/0", "underscore"},
		{"guarded variable", expr(`${ 1 as $__guard | . }`), "/do/0/a/set/x/0", "underscore"},
		{"guarded function", expr(`${ def contains(x): 1; contains(2) }`), "/do/0/a/set/x/0", "cannot be defined anew"},
		{"pattern from data", expr(`${ .s | test($input.p) }`), "/do/0/a/set/x/0", "must be literal strings"},
		{"pattern in an array from data", expr(`${ .s | test([.p, \"g\"]) }`), "/do/0/a/set/x/0", "must be literal strings"},
		{"pattern and flags in an array", expr(`${ .s | test([.p]) }`), "/do/0/a/set/x/0", "must be literal strings"},
		{"bad pattern in an array", expr(`${ .s | test([\"(\", \"g\"]) }`), "/do/0/a/set/x/0", "not a regular expression"},
		{"flags from data", expr(`${ .s | sub(\"a\"; \"b\"; .f) }`), "/do/0/a/set/x/0", "must be literal strings"},
		{"format from data", expr(`${ now | strftime($input.f) }`), "/do/0/a/set/x/0", "must be literal strings"},
		{"bad pattern", expr(`${ .s | test(\"(\") }`), "/do/0/a/set/x/0", "not a regular expression"},
		{"index too large", expr(`${ .l[5000000] = 1 }`), "/do/0/a/set/x/0", "too large"},
		{"refused inside everything", expr(`${ try (reduce .[] as {a: $x} (0; if {b: [env]} then \"\\(1)\" else -1 end)) catch . }`), "/do/0/a/set/x/0", "environment"},
		{"misspelt variable of a loop", oneTask(`{"for":{"each":"item","in":".l"},"do":[{"b":{"set":{"x":"${ $itme }"}}}]}`), "/do/0/a/do/0/b/set/x", `did you mean "$item"?`},
		{"variable of a loop behind it", def(`"do":[{"a":{"for":{"in":".l"},"do":[{"b":{"set":{"x":1}}}]}},{"c":{"set":{"x":"${ $item }"}}}]`), "/do/1/c/set/x", "$item is not defined"},
		{"input in the workflow's input.from", def(`"input":{"from":"$input.a"},` + set), "/input/from", "$input does not exist in the workflow's input.from"},
		{"task in the workflow's input.from", def(`"input":{"from":"$task.name"},` + set), "/input/from", "$task does not exist"},
		{"input in if", oneTask(`{"if":"$input.a","set":{"x":1}}`), "/do/0/a/if", "$input does not exist in if and input.from"},
		{"output in output.as", oneTask(`{"set":{"x":1},"output":{"as":"$output"}}`), "/do/0/a/output/as", "$output does not exist in output.as"},
		{"a secret that the app has not", def(`"use":{"secrets":["pricin"]},` + set), "/use/secrets/0", `there is no secret "pricin" in spec.secrets: add {name: pricin, secretRef: {name: ..., key: ...}} there; or did you mean pricing?`},
		{"a secret that is not used", expr(`${ $secrets.pricing }`), "/do/0/a/set/x/0", `the secret "pricing" is not in use.secrets: list it there`},
		{"a misspelt secret", def(`"use":{"secrets":["pricing"]},"do":[{"a":{"set":{"x":"${ $secrets.pricng }"}}}]`), "/do/0/a/set/x", "or did you mean pricing?"},
		{"a secret that data chooses", def(`"use":{"secrets":["pricing"]},"do":[{"a":{"set":{"x":"${ $secrets[.name] }"}}}]`), "/do/0/a/set/x", "must name the secret"},
		{"all secrets", def(`"use":{"secrets":["pricing"]},"do":[{"a":{"set":{"x":"${ $secrets | keys }"}}}]`), "/do/0/a/set/x", "must name the secret"},
		{"all secrets as a field", def(`"use":{"secrets":["pricing"]},"do":[{"a":{"set":{"x":"${ {$secrets} }"}}}]`), "/do/0/a/set/x", "must name the secret"},
		{"too many expressions", def(`"use":{"timeouts":{"t":{"after":"${ ` + strings.Repeat(" ", 16000) + `\"PT1S\" }"}}},"do":[` + strings.TrimSuffix(manyTasks(17, `{"timeout":"t","set":{"x":1}},`), ",") + `]`), "", "more than 256 KiB"},
	})
}

// manyTasks repeats a task under different names.
func manyTasks(n int, definition string) string {
	var out strings.Builder
	for i := range n {
		out.WriteString(`{"t` + strings.Repeat("x", i) + `":` + strings.TrimSuffix(definition, ",") + `},`)
	}
	return out.String()
}
