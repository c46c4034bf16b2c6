package validate

import (
	"bytes"
	"encoding/json"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// FuzzDecode compares Decode with encoding/json: what passes means the same to both,
// and what encoding/json refuses never passes. The rules hold for what passes.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors {
		if len(v.body) < 2048 {
			f.Add([]byte(v.body))
		}
	}
	f.Add([]byte(order))
	rules := standard()
	f.Fuzz(func(t *testing.T, body []byte) {
		before := slices.Clone(body)
		got, err := rules.Decode(body)
		if !slices.Equal(body, before) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			v := fault.As(err).Violations
			if len(v) != 1 || v[0].Message == "" || !slices.Contains(RuleNames(), v[0].Rule) {
				t.Errorf("got %+v", v)
			}
			if v[0].Rule == NotJSON && json.Valid(body) {
				t.Errorf("refused as JSON: %s", v[0].Message)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatal("it passed, but is not JSON to encoding/json")
		}
		var want any
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("it passed, but %v", err)
		}
		got, want = asFloats(got), asFloats(want)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %#v, encoding/json %#v", got, want)
		}
		if err := rules.Check(want); err != nil {
			t.Errorf("Decode lets through what Check does not: %v", err)
		}
	})
}

// asFloats turns every number into a float, an infinity where none holds it.
func asFloats(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case *big.Int:
		return asFloats(json.Number(v.String()))
	case json.Number:
		n, _ := strconv.ParseFloat(string(v), 64)
		return n
	case []any:
		for i, item := range v {
			v[i] = asFloats(item)
		}
	case map[string]any:
		for key, item := range v {
			v[key] = asFloats(item)
		}
	}
	return v
}
