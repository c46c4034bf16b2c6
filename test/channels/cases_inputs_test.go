package channels

import (
	"fmt"
	"strings"
	"testing"
)

// passes is a case of inputs that echo gives back.
func passes(name, inputs string) testCase {
	return one(name, step{workflow: "echo", inputs: inputs, output: inputs})
}

// blocks is a case of inputs that a rule refuses, at a pointer within the inputs.
func blocks(name, inputs, rule, pointer string) testCase {
	return one(name, step{workflow: "echo", inputs: inputs, code: "invalid_input", check: violates(rule, pointer)})
}

// violates checks which rule was violated, and where. Pointers begin at what the channel
// puts around the inputs.
func violates(rule, pointer string) func(*testing.T, channel, verdict) {
	return func(t *testing.T, ch channel, v verdict) {
		t.Helper()
		around := "/inputs"
		if ch.mcp {
			around = "/params/arguments"
		}
		if len(v.problem.Violations) != 1 || v.problem.Violations[0].Rule != rule || v.problem.Violations[0].Pointer != around+pointer {
			t.Errorf("the violations are %+v, want %s at %s", v.problem.Violations, rule, around+pointer)
		}
	}
}

// keyCases are about the names in inputs.
func keyCases() []testCase {
	var cases []testCase
	for _, name := range []string{"__import__", "eval", "exec", "compile", "globals", "locals", "__builtins__", "__class__"} {
		cases = append(cases, blocks("blocked key "+name, `{"`+name+`":1}`, "blocked_key", "/"+name))
	}
	for _, name := range []string{"token", "password", "api_key", "jwt", "authorization", "mcp_auth", "username"} {
		cases = append(cases, passes("input named "+name, `{"`+name+`":"its value","other":1}`))
	}
	return append(cases,
		blocks("blocked key at depth 1", `{"a":{"eval":1}}`, "blocked_key", "/a/eval"),
		blocks("blocked key at depth 5", `{"a":{"b":{"c":{"d":{"e":{"__class__":1}}}}}}`, "blocked_key", "/a/b/c/d/e/__class__"),
		blocks("blocked key in a list", `{"a":[1,[{"exec":1}]]}`, "blocked_key", "/a/1/0/exec"),
		blocks("blocked key in full width", `{"a":{"ｅｖａｌ":1}}`, "blocked_key", "/a/ｅｖａｌ"),
		blocks("blocked key in full-width underscores", `{"＿＿import＿＿":1}`, "blocked_key", "/＿＿import＿＿"),
		blocks("blocked key in upper case", `{"GLOBALS":1}`, "blocked_key", "/GLOBALS"),
		blocks("blocked key in mixed case", `{"a":{"CompIle":1}}`, "blocked_key", "/a/CompIle"),
		blocks("blocked key with an escape", `{"\u0065val":1}`, "blocked_key", "/eval"),
		blocks("blocked key behind two underscores", `{"__anything":1}`, "blocked_key", "/__anything"),
		blocks("blocked key, escaped in its pointer", `{"a/b~c":{"eval":1}}`, "blocked_key", "/a~1b~0c/eval"),
		passes("allowed key", `{"__typename":"Order"}`),
		passes("names like blocked ones", `{"evaluate":1,"medieval":1,"_eval":1,"executor":1,"my__key__":1}`),
		passes("blocked name as a value", `{"a":"please eval this","b":"__import__"}`),
		passes("key of 256 characters", `{"`+strings.Repeat("k", 256)+`":1}`),
		passes("key of 256 long characters", `{"`+strings.Repeat("ü", 256)+`":1}`),
		blocks("key of 257 characters", `{"a":{"`+strings.Repeat("k", 257)+`":1}}`, "key_too_long", "/a"),
		passes("empty key", `{"":1}`),
	)
}

// pathCases are about values that read as paths.
func pathCases() []testCase {
	var cases []testCase
	for _, c := range [][2]string{
		{"up", `../etc/passwd`}, {"up with backslashes", `..\\windows\\system32`}, {"system directory", `/etc/shadow`},
		{"processes", `/proc/self/environ`}, {"drive", `C:\\Windows\\win.ini`}, {"encoded", `%2e%2e%2f`}, {"encoded twice", `%252e%252e%252fetc`},
		{"in the middle", `uploads/../../secret`}, {"white space around", ` ../../x\n`}, {"escaped dots", `\u002e\u002e/x`},
	} {
		cases = append(cases, blocks("path: "+c[0], `{"file":"`+c[1]+`"}`, "path_traversal", "/file"))
	}
	return append(cases,
		blocks("path in a list", `{"files":["ok.txt",{"name":"../x"}]}`, "path_traversal", "/files/1/name"),
		blocks("NUL", `{"a":"x\u0000y"}`, "nul_byte", "/a"),
		blocks("NUL in prose", `{"a":"one two\u0000"}`, "nul_byte", "/a"),
		blocks("NUL in a path, encoded", `{"a":"file.txt%00.png"}`, "nul_byte", "/a"),
		blocks("NUL in a key", `{"a":{"x\u0000":1}}`, "nul_byte", "/a"),
		passes("prose about paths", `{"a":"put it in /etc/app or ../conf, please","b":"see [guide](../docs/guide.md)"}`),
		passes("URL", `{"a":"https://example.com/a/../b?x=/etc/passwd"}`),
		passes("ordinary paths", `{"a":"images/2026/logo.png","b":"/api/v1/orders","c":"100%/year","d":"a..b/v1.2..3"}`),
	)
}

// nested is an object n levels deep, itself counted.
func nested(n int) string { return strings.Repeat(`{"a":`, n-1) + `{}` + strings.Repeat("}", n-1) }

// nestedLists is an object that with the lists in it is n levels deep.
func nestedLists(n int) string {
	return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
}

// jsonCases are about inputs as text.
func jsonCases() []testCase {
	cases := []testCase{
		blocks("duplicate key", `{"a":1,"a":2}`, "duplicate_key", "/a"),
		blocks("duplicate key at depth", `{"a":[{"x":{"y":1,"z":2,"y":3}}]}`, "duplicate_key", "/a/0/x/y"),
		blocks("duplicate key with an escape", `{"a":1,"\u0061":2}`, "duplicate_key", "/a"),
		passes("keys in other letters", `{"a":1,"A":2}`),
		one("bad UTF-8 in a value", step{workflow: "echo", inputs: "{\"a\":\"\xff\"}", code: "invalid_input"}),
		one("bad UTF-8 in a key", step{workflow: "echo", inputs: "{\"\xc3\x28\":1}", code: "invalid_input"}),
		one("surrogate as UTF-8", step{workflow: "echo", inputs: "{\"a\":\"\xed\xa0\x80\"}", code: "invalid_input"}),
		blocks("half a surrogate pair", `{"a":"\ud83d"}`, "not_utf8", "/a"),
		blocks("the other half", `{"a":{"b":"\ude00 x"}}`, "not_utf8", "/a/b"),
		passes("64 levels", nested(64)),
		blocks("65 levels", nested(65), "too_deep", strings.Repeat("/a", 64)),
		passes("64 levels of lists", nestedLists(64)),
		blocks("65 levels of lists", nestedLists(65), "too_deep", "/a"+strings.Repeat("/0", 63)),
		passes("huge integers", `{"n":123456789012345678901234567890,"m":-9223372036854775809,"k":9007199254740993}`),
		passes("fractions", `{"n":0.1,"m":-12.5,"k":1.5}`),
		one("forms of numbers", step{workflow: "echo", inputs: `{"a":1.0,"b":1e2,"c":-0,"d":1e-7,"e":123456789.123456789}`, output: `{"a":1,"b":100,"c":0,"d":1e-07,"e":123456789.12345679}`}),
		blocks("number beyond a float", `{"a":[1e400]}`, "number_out_of_range", "/a/0"),
		blocks("number of 1025 digits", `{"a":`+strings.Repeat("7", 1025)+`}`, "number_out_of_range", "/a"),
		passes("number of 1024 digits", `{"a":`+strings.Repeat("7", 1024)+`}`),
		passes("every kind of value", `{"s":"x","n":null,"t":true,"f":false,"i":-1,"a":[[],{}],"o":{}}`),
		passes("white space", " { \"a\" :\t[ 1 , 2 ] } "),
	}
	for _, c := range [][2]string{
		{"comma at the end", `{"a":1,}`}, {"comment", `{"a":1/*x*/}`}, {"NaN", `{"a":NaN}`}, {"leading zero", `{"a":01}`},
		{"single quotes", `{'a':1}`}, {"control character", "{\"a\":\"x\ty\"}"}, {"unknown escape", `{"a":"\x41"}`}, {"a word", `hello`}, {"unfinished", `{"a":[1,`},
		{"blanks", `  `}, {"byte order mark", "\ufeff{}"}, {"two values", `{} {}`},
	} {
		cases = append(cases, one("no JSON: "+c[0], step{workflow: "echo", inputs: c[1], code: "invalid_input", unread: true}))
	}
	for _, c := range [][2]string{{"list", `[1]`}, {"text", `"x"`}, {"number", `5`}, {"null", `null`}, {"truth value", `true`}} {
		cases = append(cases, one("inputs that are a "+c[0], step{workflow: "echo", inputs: c[1], code: "invalid_input"}))
	}
	return cases
}

// schemaCases are about inputs that a workflow's own schema judges, and about the policy that
// takes no others.
func schemaCases() []testCase {
	wrong := func(name, inputs string, pointers ...string) testCase {
		return one("schema: "+name, step{workflow: "order", inputs: inputs, code: "schema_violation", check: wantPointers(pointers)})
	}
	return []testCase{
		one("schema: as it should be", step{
			workflow: "order", inputs: `{"item":"pen","quantity":2,"color":"red","customer":{"address":{"zip/code":"12345"}},"lines":[{"sku":"a"}]}`,
			output: `{"accepted":"pen","quantity":2}`,
		}),
		wrong("type", `{"item":7,"quantity":1}`, "/item"),
		wrong("text for a number", `{"item":"pen","quantity":"1"}`, "/quantity"),
		wrong("fraction", `{"item":"pen","quantity":1.5}`, "/quantity"),
		wrong("required", `{"item":"pen"}`, ""),
		wrong("additional property", `{"item":"pen","quantity":1,"discount":100}`, ""),
		wrong("enum", `{"item":"pen","quantity":1,"color":"blue"}`, "/color"),
		wrong("nested", `{"item":"pen","quantity":1,"customer":{"address":{"zip/code":"x"}}}`, "/customer/address/zip~1code"),
		wrong("in a list", `{"item":"pen","quantity":1,"lines":[{"sku":"a"},{}]}`, "/lines/1"),
		wrong("list too long", `{"item":"pen","quantity":1,"lines":[{"sku":"a"},{"sku":"b"},{"sku":"c"}]}`, "/lines"),
		wrong("several at once", `{"item":"","quantity":0}`, "/item", "/quantity"),
		one("schema and a blocked key", step{workflow: "order", inputs: `{"item":7,"eval":1}`, code: "invalid_input"}),
		one("strict: no inputs", step{app: "strict", workflow: "echo", output: `{}`}),
		one("strict: undeclared input", step{app: "strict", workflow: "echo", inputs: `{"a":1}`, code: "invalid_input"}),
		one("strict: declared inputs", step{app: "strict", workflow: "order", inputs: `{"item":"pen","quantity":2}`, output: `{"ok":true}`}),
		one("strict: input that the schema does not have", step{app: "strict", workflow: "order", inputs: `{"item":"pen","quantity":2,"a":1}`, code: "schema_violation"}),
	}
}

// wantPointers checks where a schema was violated: pointers begin at the inputs, whatever the
// channel puts around them.
func wantPointers(pointers []string) func(*testing.T, channel, verdict) {
	return func(t *testing.T, _ channel, v verdict) {
		t.Helper()
		var got []string
		for _, violation := range v.problem.Violations {
			got = append(got, violation.Pointer)
		}
		if fmt.Sprint(got) != fmt.Sprint(pointers) {
			t.Errorf("the violations are at %q, want %q: %s", got, pointers, brief(v.raw))
		}
	}
}

// sizeCases are about how much is sent.
func sizeCases() []testCase {
	// What a channel puts around the inputs takes less than this.
	const around = 600
	pad := func(n int) string { return `{"text":"` + strings.Repeat("x", n-len(`{"text":""}`)) + `"}` }
	return []testCase{
		passes("just below the cap", pad(maxBytes-around)),
		one("above the cap", step{workflow: "echo", inputs: pad(maxBytes + around), code: "body_too_large"}),
		one("far above the cap", step{workflow: "echo", inputs: pad(20 * maxBytes), code: "body_too_large"}),
		one("above the cap, and no JSON", step{workflow: "echo", inputs: pad(2*maxBytes) + "x", code: "body_too_large"}).
			except("what is no JSON is refused before it is sent", "stdio-"+dated, "stdio-"+stateless, "stdio-file", "command", "command-file"),
		one("above the cap, without a credential", step{workflow: "echo", as: "-", inputs: pad(2 * maxBytes), code: "unauthenticated"}),
	}
}
