package yamltext

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
)

const kib64 = 64 << 10

func TestDecode(t *testing.T) {
	large, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for text, want := range map[string]any{
		// What the readers of YAML 1.1 take for booleans, dates, octal and sexagesimal numbers.
		"[on, off, yes, no, y, n, On, OFF]":                                         []any{"on", "off", "yes", "no", "y", "n", "On", "OFF"},
		"on: {off: yes}":                                                            map[string]any{"on": map[string]any{"off": "yes"}},
		"[2001-01-01, 2001-12-14t21:59:43Z, 12:30:45]":                              []any{"2001-01-01", "2001-12-14t21:59:43Z", "12:30:45"},
		"[010, 0o10, 0x1F, 1_000, 0b1, +12, -0]":                                    []any{10, 8, 31, "1_000", "0b1", 12, 0},
		"[true, True, FALSE, tRUE, ~, null, Null, nil]":                             []any{true, true, false, "tRUE", nil, nil, nil, "nil"},
		"[1.0, 1e3, .5, 5., -1.5E-2, 1.2.3, e3, .]":                                 []any{1.0, 1000.0, 0.5, 5.0, -0.015, "1.2.3", "e3", "."},
		"[9223372036854775807, 123456789012345678901234567890, 0xffffffffffffffff]": []any{9223372036854775807, large, new(big.Int).SetUint64(1<<64 - 1)},
		// Quoted and tagged.
		`["1", '2', "on", "", ! 3, !!str 4, !!str null]`:                            []any{"1", "2", "on", "", "3", "4", "null"},
		`[!!int "5", !!float 6, !!bool "true", !!null "", !!seq [7], !!map {a: b}]`: []any{5, 6.0, true, nil, []any{7}, map[string]any{"a": "b"}},
		"a: |\n  two\n  lines\nb: >-\n  one\n  line\n":                              map[string]any{"a": "two\nlines\n", "b": "one line"},
		"a: \"\\u00e9\\/\\x41\"\n":                                                  map[string]any{"a": "é/A"},
		"a: &x {b: 1}\nc: *x\nd: &k e\n*k : f\n":                                    map[string]any{"a": map[string]any{"b": 1}, "c": map[string]any{"b": 1}, "d": "e", "e": "f"},
		"a:\n-\n- ~\n- b:\n":                                                        map[string]any{"a": []any{nil, nil, map[string]any{"b": nil}}},
		"a: ${ .b }\nc: '${ {d: .e} }'\n":                                           map[string]any{"a": "${ .b }", "c": "${ {d: .e} }"},
		"\"<<\": a\n\"true\": b\n":                                                  map[string]any{"<<": "a", "true": "b"},
		"# comment\n---\na: 1 # comment\n...\n":                                     map[string]any{"a": 1},
		"%YAML 1.2\n---\na: 010\n":                                                  map[string]any{"a": 10},
		"\ufeff# comment\n%YAML 1.2\n---\na: yes\n":                                 map[string]any{"a": "yes"},
		"%YAML 1.1\n---\na: yes\n":                                                  map[string]any{"a": "yes"},
		"a: b\r\nc: d\r\n":                                                          map[string]any{"a": "b", "c": "d"},
		"just text":                                                                 "just text",
		" {\n\t\"a\": [1, 1.0, true, null, \"\\ud83d\\ude00\", 1e2, 123456789012345678901234567890]}": map[string]any{"a": []any{1, 1.0, true, nil, "😀", 100.0, large}},
		"{}": map[string]any{},
		"[]": []any{},
	} {
		got, err := Decode([]byte(text), Options{MaxBytes: kib64})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %#v, %v\nwant %#v", text, got, err, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "is empty",
		"# nothing\n":                       "is empty",
		"a: 1\n---\nb: 2\n":                 "line 2, column 1: a second document begins: keep one",
		"a: 1\n---\n[":                      "line 4, column 1: ",
		"a: [1, 2\n":                        "line 2, column 1: ",
		"a:\n\t- b\n":                       "line 2, column 1: found character that cannot start any token: indent with spaces",
		"a: ${ {d: .e} }":                   "line 1, column 9: mapping values are not allowed in this context: quote text that holds a colon and a space",
		"x: 1\nb: 1\nb: 2\n":                `line 3, column 1: the key "b" stands twice: remove or rename one`,
		"a: 1\n\"a\": 2\n":                  `line 2, column 1: the key "a" stands twice`,
		"{\"b\": {\n \"a\": 1, \"a\": 2}}":  `line 2, column 12: the key "a" stands twice`,
		"true: 1":                           `line 1, column 1: the key "true" is a boolean, and keys are text: quote it`,
		"a: {~: 1}":                         `line 1, column 5: the key "~" is null, and keys are text: quote it`,
		"1: 2":                              `the key "1" is a number, and keys are text: quote it`,
		"[a]: b":                            "line 1, column 1: a key is a list or a mapping: keys are text",
		"? {a: b}\n: c":                     "line 1, column 3: a key is a list or a mapping",
		"a: &x {}\n*x : b":                  "line 2, column 1: a key is a list or a mapping",
		"a: *nope":                          "line 1, column 4: unknown anchor",
		"a: &b {c: 1}\nd: {<<: *b}":         "line 2, column 5: the merge key << is no part of YAML 1.2: write out what it stands for",
		"a: !Ref b":                         "line 1, column 4: the tag !Ref is not supported",
		"a: !set {b, c}":                    "the tag !set is not supported: remove it",
		"a: !list [b]":                      "the tag !list is not supported: remove it",
		"a: !!binary aGk=":                  "the tag !!binary is not supported here",
		"a: !!int b":                        "line 1, column 4: the tag !!int is not supported here",
		"a: !!timestamp 2001-01-01":         "the tag !!timestamp is not supported here",
		"a: .inf":                           "line 1, column 4: .inf is a number that JSON does not have: quote it",
		"a: -.Inf":                          "a number that JSON does not have",
		"a: .nan":                           "a number that JSON does not have",
		"a: 1e999":                          "1e999 is out of the range of numbers",
		"[1,\n1e999]":                       "line 2, column 5: 1e999 is out of the range of numbers",
		"a: 0x" + strings.Repeat("f", 1000): "line 1, column 4: a number has more than 1000 digits",
		strings.Repeat("9", 1001):           "line 1, column 1001: a number has more than 1000 digits",
		"a:\n  b: \x80":                     "line 2, column 6: is not UTF-8: save it as UTF-8",
		"\xff\xfea\x00:\x00":                "line 1, column 1: is not UTF-8",
		"a: \x00":                           "control characters are not allowed",
		"a: 'b":                             "found unexpected end of stream",
		"a: {b: c}}":                        "line 1, column 10: ",
		"&a [*a]":                           "nested deeper than 100 levels",
		"&a {b: *a}":                        "nested deeper than 100 levels",
		strings.Repeat("[", 101) + strings.Repeat("]", 101):    "line 1, column 101: lists and mappings are nested deeper than 100 levels",
		strings.Repeat("- ", 101) + "x":                        "nested deeper than 100 levels",
		strings.Repeat("{a: ", 101) + strings.Repeat("}", 101): "nested deeper than 100 levels",
		"a: " + strings.Repeat("x", kib64):                     "has 65539 bytes, at most 65536 are read: shorten it",
		bomb():                                                 "the aliases stand for more than 131072 bytes in all",
	} {
		got, err := Decode([]byte(text), Options{MaxBytes: kib64})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: got %v, want %s", text, err, want)
		}
		if _, ok := errors.AsType[*Error](err); err != nil && !ok {
			t.Errorf("%.80q: the error is a %T", text, err)
		}
		if got != nil {
			t.Errorf("%.80q: a value was returned beside the error", text)
		}
	}
}

// bomb is a small text that stands for a thousand million entries.
func bomb() string {
	var text strings.Builder
	text.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 9; i++ {
		items := strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10)
		fmt.Fprintf(&text, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(items, ", "))
	}
	return text.String()
}

func TestDepthIsAllowed(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth),
		strings.Repeat("[", MaxDepth) + "a" + strings.Repeat("]", MaxDepth),
		strings.Repeat("- ", MaxDepth) + "a",
	} {
		if _, err := Decode([]byte(text), Options{MaxBytes: kib64}); err != nil {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestNumberKeys(t *testing.T) {
	text := []byte("responses: {200: ok, 0x1f: {}, \"404\": gone}")
	got, err := Decode(text, Options{MaxBytes: kib64, NumberKeys: true})
	want := map[string]any{"responses": map[string]any{"200": "ok", "0x1f": map[string]any{}, "404": "gone"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Decode([]byte("{200: a, \"200\": b}"), Options{MaxBytes: kib64, NumberKeys: true}); err == nil || !strings.Contains(err.Error(), "stands twice") {
		t.Errorf("a number and a text that are the same key: %v", err)
	}
	if _, err := Decode([]byte("{1.5: a}"), Options{MaxBytes: kib64, NumberKeys: true}); err == nil {
		t.Error("a fraction was taken for a key")
	}
}

// FuzzDecode: whatever the text, there is a value of plain types which JSON can hold and
// which is then read to the same again, or an *Error.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		"a: &x [1, 2.5, 0x1f, ~, true, \"b\"]\nc: *x\n", "%YAML 1.2\n--- |\n text\n...\n", "? a\n: - b\n  - c\n", `{"a": [1e2, -0.0, null]}`,
		"a: >-\n  b\n\n  c\n# d\n", "!!map {a: !!str 1, 'b': \"\\u0041\"}", "a: 1\n---\nb", "<<: {}", bomb(),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o := Options{MaxBytes: 4096, NumberKeys: true}
		value, err := Decode(text, o)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("the error is a %T: %v", err, err)
			}
			return
		}
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("JSON cannot hold %#v: %v", value, err)
		}
		again, err := Decode(raw, Options{MaxBytes: len(raw)})
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		twice, err := json.Marshal(again)
		if err != nil || string(twice) != string(raw) {
			t.Fatalf("%s became %s (%v)", raw, twice, err)
		}
	})
}
