package jsontext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"testing"
)

func TestAppend(t *testing.T) {
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for _, c := range []struct {
		value any
		want  string
	}{
		{nil, "null"}, {json.RawMessage(`{"b":1,"a":"<"}`), `{"b":1,"a":"<"}`}, {true, "true"}, {-7, "-7"}, {huge, "123456789012345678901234567890"},
		{1.5, "1.5"}, {1e21, "1e+21"}, {1e-7, "1e-07"}, {100.0, "100"}, {0.0, "0"},
		{math.NaN(), "null"}, {math.Inf(1), "1.7976931348623157e+308"}, {math.Inf(-1), "-1.7976931348623157e+308"},
		{"<a href=\"x\">&\\\n\r\t\x00\x1f\x7fé😀\u2028", `"<a href=\"x\">&\\\n\r\t\u0000\u001f` + "\x7fé😀\u2028" + `"`},
		{"a\xff\xc3b", "\"a\uFFFD\uFFFDb\""},
		{[]any{}, "[]"}, {map[string]any{}, "{}"},
		{map[string]any{"b": []any{1, "x"}, "a": nil, "": map[string]any{"z": 1, "y": 2}}, `{"":{"y":2,"z":1},"a":null,"b":[1,"x"]}`},
	} {
		got := string(Append(nil, c.value))
		if got != c.want {
			t.Errorf("%#v: %s, want %s", c.value, got, c.want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("%s is not JSON", got)
		}
	}
	many := map[string]any{}
	for i := range 100 {
		many[fmt.Sprint(i)] = i
	}
	var want bytes.Buffer
	if err := json.NewEncoder(&want).Encode(many); err != nil {
		t.Fatal(err)
	}
	if got := string(Append(nil, many)) + "\n"; got != want.String() {
		t.Errorf("got %s, want %s", got, want.String())
	}
}

// FuzzAppendString: what is written reads back as the same text.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a\"b\\c", "\x00\x1f\u2028", "\xff\xed\xa0\x80", "é😀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(AppendString(nil, s), &got); err != nil || got != string([]rune(s)) {
			t.Errorf("%q was written as %s and reads as %q, %v", s, AppendString(nil, s), got, err)
		}
	})
}
