package validate

import (
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// vector is an input and the rule that refuses it, none for an input that passes.
type vector struct{ name, body, rule, pointer string }

// in wraps a JSON value as an input.
func in(value string) string { return `{"inputs":{"a":` + value + `}}` }

// text is an input with one string.
func text(s string) string { return in(`"` + s + `"`) }

// key is an input with one key.
func key(s string) string { return in(`{"` + s + `":1}`) }

var vectors = []vector{
	// JSON.
	{"empty body", ``, NotJSON, ""},
	{"white space", "  \n", NotJSON, ""},
	{"a word", `hello`, NotJSON, ""},
	{"byte order mark", "\ufeff{}", NotJSON, ""},
	{"unfinished object", `{"a":1`, NotJSON, ""},
	{"unfinished array", `{"a":[1,`, NotJSON, "/a/1"},
	{"unfinished string", `"abc`, NotJSON, ""},
	{"unfinished escape", `"abc\`, NotJSON, ""},
	{"unfinished unit", `"\u12`, NotJSON, ""},
	{"bad unit", `"\u12g4"`, NotJSON, ""},
	{"trailing comma in an array", `[1,]`, NotJSON, "/1"},
	{"trailing comma in an object", `{"a":1,}`, NotJSON, ""},
	{"missing colon", `{"a" 1}`, NotJSON, ""},
	{"missing comma", `[1 2]`, NotJSON, ""},
	{"key without quotes", `{a:1}`, NotJSON, ""},
	{"single quotes", `{'a':1}`, NotJSON, ""},
	{"comment", `{} // x`, NotJSON, ""},
	{"two values", `{}{}`, NotJSON, ""},
	{"NaN", `[NaN]`, NotJSON, "/0"},
	{"Infinity", `[-Infinity]`, NotJSON, "/0"},
	{"leading zero", `[01]`, NotJSON, "/0"},
	{"lone minus", `[-]`, NotJSON, "/0"},
	{"plus sign", `[+1]`, NotJSON, "/0"},
	{"fraction without digits", `[1.]`, NotJSON, "/0"},
	{"exponent without digits", `[1e+]`, NotJSON, "/0"},
	{"hexadecimal", `[0x10]`, NotJSON, ""},
	{"unknown escape", `"\x41"`, NotJSON, ""},
	{"control character", "\"a\nb\"", NotJSON, ""},
	{"capital True", `True`, NotJSON, ""},
	{"half a word", `tru`, NotJSON, ""},
	{"every kind of value", `{"s":"x","n":null,"t":true,"f":false,"i":-1,"d":1.5e3,"a":[[],{}],"o":{}}`, "", ""},
	{"every white space", " \t\r\n{ \"a\" : [ 1 , 2 ] } \n", "", ""},
	{"a scalar", `5`, "", ""},
	{"escapes", `"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, "", ""},
	// UTF-8.
	{"invalid UTF-8 in a value", "{\"a\":\"\xff\"}", NotUTF8, ""},
	{"invalid UTF-8 in a key", "{\"\xc3\x28\":1}", NotUTF8, ""},
	{"overlong UTF-8", "\"\xc0\xae\"", NotUTF8, ""},
	{"surrogate as UTF-8", "\"\xed\xa0\x80\"", NotUTF8, ""},
	{"lone high surrogate", in(`"\ud83d"`), NotUTF8, "/inputs/a"},
	{"lone low surrogate", in(`"\ude00"`), NotUTF8, "/inputs/a"},
	{"two high surrogates", in(`"\ud83d\ud83d"`), NotUTF8, "/inputs/a"},
	{"many scripts", text(`Grüße, 你好, שלום, 😀`), "", ""},
	// Duplicate keys.
	{"duplicate key", `{"a":1,"a":2}`, DuplicateKey, "/a"},
	{"duplicate key, escaped", `{"a":1,"\u0061":2}`, DuplicateKey, "/a"},
	{"duplicate key at depth", in(`[{"x":{"y":1,"z":2,"y":3}}]`), DuplicateKey, "/inputs/a/0/x/y"},
	{"duplicate inputs", `{"inputs":{},"inputs":{}}`, DuplicateKey, "/inputs"},
	{"same key in other letters", `{"a":1,"A":2}`, "", ""},
	{"same key in other objects", `{"a":{"a":{"a":1}}}`, "", ""},
	// Depth.
	{"64 levels", strings.Repeat("[", 64) + strings.Repeat("]", 64), "", ""},
	{"65 levels", strings.Repeat("[", 65) + strings.Repeat("]", 65), TooDeep, strings.Repeat("/0", 64)},
	{"65 objects", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), TooDeep, strings.Repeat("/a", 64)},
	{"100,000 levels", strings.Repeat("[", 100_000), TooDeep, strings.Repeat("/0", 64)},
	// Keys.
	{"256 characters", key(strings.Repeat("k", 256)), "", ""},
	{"257 characters", key(strings.Repeat("k", 257)), KeyTooLong, "/inputs/a"},
	{"256 long characters", key(strings.Repeat("ü", 256)), "", ""},
	{"257 long characters", key(strings.Repeat("ü", 257)), KeyTooLong, "/inputs/a"},
	{"long allowed-looking key", key("__" + strings.Repeat("k", 300)), KeyTooLong, "/inputs/a"},
	{"empty key", key(""), "", ""},
	{"key with a slash", in(`{"a/b~c":{"eval":1}}`), BlockedKey, "/inputs/a/a~1b~0c/eval"},
	{"blocked at depth 0", `{"__import__":1}`, BlockedKey, "/__import__"},
	{"blocked at depth 1", `{"a":{"eval":1}}`, BlockedKey, "/a/eval"},
	{"blocked at depth 5", `{"a":{"b":{"c":{"d":{"exec":1}}}}}`, BlockedKey, "/a/b/c/d/exec"},
	{"blocked in an array", in(`[1,{"compile":1}]`), BlockedKey, "/inputs/a/1/compile"},
	{"mixed case", key("EvAl"), BlockedKey, "/inputs/a/EvAl"},
	{"upper case", key("GLOBALS"), BlockedKey, "/inputs/a/GLOBALS"},
	{"full-width", key("ｅｖａｌ"), BlockedKey, "/inputs/a/ｅｖａｌ"},
	{"full-width underscores", key("＿＿class＿＿"), BlockedKey, "/inputs/a/＿＿class＿＿"},
	{"vertical underscores", key("︳︳x"), BlockedKey, "/inputs/a/︳︳x"},
	{"long s", key("localſ"), BlockedKey, "/inputs/a/localſ"},
	{"mathematical letters", key("𝐞𝐱𝐞𝐜"), BlockedKey, "/inputs/a/𝐞𝐱𝐞𝐜"},
	{"lower case", key("compile"), BlockedKey, "/inputs/a/compile"},
	{"escaped letters", in(`{"\u0065val":1}`), BlockedKey, "/inputs/a/eval"},
	{"two underscores", key("__anything"), BlockedKey, "/inputs/a/__anything"},
	{"only two underscores", key("__"), BlockedKey, "/inputs/a/__"},
	{"one underscore", key("_id"), "", ""},
	{"underscores inside", key("my__key__"), "", ""},
	{"blocked word as a part", in(`{"evaluate":1,"medieval":1,"eval_at":1,"executor":1,"locale":1,"global":1}`), "", ""},
	{"blocked word as a value", text(`please eval this`), "", ""},
	{"blocked word alone as a value", text(`__import__`), "", ""},
	{"ordinary words", in(`{"token":1,"constructor":1,"prototype":1,"init":1,"name":1,"class":1}`), "", ""},
	// Path traversal.
	{"up", text(`../../etc/passwd`), PathTraversal, "/inputs/a"},
	{"up, backslashes", text(`..\\windows\\system32`), PathTraversal, "/inputs/a"},
	{"up in the middle", text(`uploads/../../secret`), PathTraversal, "/inputs/a"},
	{"up at the end", text(`uploads/..`), PathTraversal, "/inputs/a"},
	{"only up", text(`..`), PathTraversal, "/inputs/a"},
	{"mixed slashes", text(`a\\..//b`), PathTraversal, "/inputs/a"},
	{"encoded", text(`%2e%2e%2fetc`), PathTraversal, "/inputs/a"},
	{"encoded, capitals", text(`%2E%2E%5Cetc`), PathTraversal, "/inputs/a"},
	{"partly encoded", text(`..%2f..%2fetc`), PathTraversal, "/inputs/a"},
	{"encoded twice", text(`%252e%252e%252fetc`), PathTraversal, "/inputs/a"},
	{"encoded three times", text(`%25252e%25252e%25252fetc`), "", ""},
	{"escaped slashes", text(`..\/..\/x`), PathTraversal, "/inputs/a"},
	{"escaped dots", text(`\u002e\u002e/x`), PathTraversal, "/inputs/a"},
	{"white space around", text(`  ../../etc/passwd\n`), PathTraversal, "/inputs/a"},
	{"in an array", in(`["ok","../x"]`), PathTraversal, "/inputs/a/1"},
	{"/etc", text(`/etc/shadow`), PathTraversal, "/inputs/a"},
	{"/etc itself", text(`/etc`), PathTraversal, "/inputs/a"},
	{"/proc", text(`/proc/self/environ`), PathTraversal, "/inputs/a"},
	{"/sys", text(`/sys/class`), PathTraversal, "/inputs/a"},
	{"/root", text(`/root/.ssh/id_rsa`), PathTraversal, "/inputs/a"},
	{"more slashes", text(`//etc//passwd`), PathTraversal, "/inputs/a"},
	{"a dot segment", text(`/./etc/passwd`), PathTraversal, "/inputs/a"},
	{"/etc encoded", text(`%2fetc%2fpasswd`), PathTraversal, "/inputs/a"},
	{"drive", text(`C:\\Windows\\win.ini`), PathTraversal, "/inputs/a"},
	{"drive, slash", text(`d:/secrets`), PathTraversal, "/inputs/a"},
	{"drive as a scheme", text(`c://windows`), PathTraversal, "/inputs/a"},
	{"absolute elsewhere", text(`/api/v1/orders`), "", ""},
	{"similar directory", text(`/etcetera/x`), "", ""},
	{"relative etc", text(`etc/passwd`), "", ""},
	{"relative path", text(`images/2026/logo.png`), "", ""},
	{"dots in names", text(`a..b/...c/v1.2..3`), "", ""},
	{"ellipsis", text(`wait...`), "", ""},
	{"two dots and space", text(`and so on .. etc/ ../x`), "", ""},
	{"prose with /etc", text(`put it in /etc/app or ../conf, please`), "", ""},
	{"URL", text(`https://example.com/a/../b?x=/etc/passwd`), "", ""},
	{"other scheme", text(`s3+v2://bucket/../key`), "", ""},
	{"Markdown link", text(`[guide](../docs/guide.md)`), "", ""},
	{"Markdown link with URL", text(`[x](https://example.com/../y)`), "", ""},
	{"percent sign", text(`100%/year`), "", ""},
	{"bad escape", text(`50%zz/x`), "", ""},
	{"date and ratio", in(`["01/02/2026","3/4","a:b","09:26"]`), "", ""},
	{"path as a key", key("../x"), "", ""},
	// NUL.
	{"NUL in a value", text(`a\u0000b`), NULByte, "/inputs/a"},
	{"NUL in prose", text(`one two\u0000`), NULByte, "/inputs/a"},
	{"NUL in a key", in(`{"a\u0000":1}`), NULByte, "/inputs/a"},
	{"raw NUL", "\"a\x00\"", NotJSON, ""},
	{"encoded NUL in a path", text(`file.txt%00.png`), NULByte, "/inputs/a"},
	{"NUL encoded twice in a path", text(`a/b%2500`), NULByte, "/inputs/a"},
	// Numbers.
	{"1024 digits", in(strings.Repeat("7", 1024)), "", ""},
	{"1025 digits", in(strings.Repeat("7", 1025)), NumberOutOfRange, "/inputs/a"},
	{"long fraction", in("0." + strings.Repeat("7", 2000)), NumberOutOfRange, "/inputs/a"},
	{"huge exponent", in(`1e999999999`), NumberOutOfRange, "/inputs/a"},
	{"beyond a float", in(`1e309`), NumberOutOfRange, "/inputs/a"},
	{"tiny", in(`1e-400`), "", ""},
}

func TestVectors(t *testing.T) {
	rules := standard()
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			_, err := rules.Decode([]byte(v.body))
			expect(t, err, v.rule, v.pointer)
		})
	}
}

// expect checks the verdict on an input.
func expect(t *testing.T, err error, rule, pointer string) {
	t.Helper()
	if rule == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	f := fault.As(err)
	if err == nil || f.Code != fault.InvalidInput || len(f.Violations) != 1 {
		t.Fatalf("got %+v, want the rule %s", f, rule)
	}
	v := f.Violations[0]
	if v.Rule != rule || v.Pointer != pointer || v.Message == "" {
		t.Errorf("got %+v, want the rule %s at %q", v, rule, pointer)
	}
}

func TestManyKeys(t *testing.T) {
	var b strings.Builder
	b.WriteByte('{')
	for i := range 1_000_000 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"`)
		for n := i; ; n /= 26 {
			b.WriteByte(byte('a' + n%26))
			if n < 26 {
				break
			}
		}
		b.WriteString(`x":1`)
	}
	b.WriteByte('}')
	v, err := standard().Decode([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(v.(map[string]any)); n != 1_000_000 {
		t.Errorf("got %d keys", n)
	}
}
