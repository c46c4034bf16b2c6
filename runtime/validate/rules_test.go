package validate

import (
	"encoding/json"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

func TestDecodeKeepsNumbers(t *testing.T) {
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	tests := []struct {
		body string
		want any
	}{
		{`0`, 0}, {`-0`, 0}, {`42`, 42}, {`-7`, -7}, {`9223372036854775807`, 9223372036854775807}, {`-9223372036854775808`, -9223372036854775808},
		{`9223372036854775808`, new(big.Int).SetUint64(1 << 63)}, {`-123456789012345678901234567890`, huge},
		{`9007199254740993`, 9007199254740993}, {`1.0`, 1.0}, {`1e3`, 1000.0}, {`1E-2`, 0.01}, {`-2.5e+2`, -250.0}, {`0.1`, 0.1},
	}
	for _, tt := range tests {
		got, err := standard().Decode([]byte(tt.body))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %#v, %v, want %#v", tt.body, got, err, tt.want)
		}
	}
}

func TestDecodeDoesNotShareTheBody(t *testing.T) {
	body := []byte(`{"key":"value"}`)
	got, err := standard().Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	copy(body, `{"XXX":"YYYYY"}`)
	if want := map[string]any{"key": "value"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

// TestDecodeForgets reads inputs after each other: none may see parts of another, in
// particular after a refused one.
func TestDecodeForgets(t *testing.T) {
	rules := standard()
	for range 50 {
		if _, err := rules.Decode([]byte(`{"a":[1,2,{"b":[3,{"c":"../x"}]}],"z":1}`)); err == nil {
			t.Fatal("the path passed")
		}
		got, err := rules.Decode([]byte(`{"d":[4]}`))
		if want := map[string]any{"d": []any{4}}; err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, %v", got, err)
		}
	}
}

func TestAllowedKeys(t *testing.T) {
	rules := standard("__typename", "Eval", "ｅｘｅｃ")
	for body, rule := range map[string]string{
		`{"__typename":1}`: "", `{"__TypeName":1}`: "", `{"eval":1}`: "", `{"ＥＶＡＬ":1}`: "", `{"exec":1}`: "",
		`{"__typename2":1}`: BlockedKey, `{"compile":1}`: BlockedKey,
	} {
		_, err := rules.Decode([]byte(body))
		if got := ruleOf(err); got != rule {
			t.Errorf("%s: got %q, want %q", body, got, rule)
		}
	}
	// An allowed name lifts no other rule.
	_, err := rules.Decode([]byte(`{"eval":"../x"}`))
	expect(t, err, PathTraversal, "/eval")
}

func ruleOf(err error) string {
	if err == nil {
		return ""
	}
	return fault.As(err).Violations[0].Rule
}

func TestViolationsHoldNoValue(t *testing.T) {
	for _, v := range vectors {
		_, err := standard().Decode([]byte(strings.ReplaceAll(v.body, "passwd", "TOPSECRET")))
		if err == nil {
			continue
		}
		f := fault.As(err)
		raw, jsonErr := json.Marshal(f.Violations)
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		if all := f.Detail + string(raw); strings.Contains(all, "TOPSECRET") || len(all) > 4096 {
			t.Errorf("%s: %s", v.name, all)
		}
		if !slices.Contains(RuleNames(), f.Violations[0].Rule) {
			t.Errorf("%s: the rule %q is not among RuleNames", v.name, f.Violations[0].Rule)
		}
	}
}

func TestEveryRuleHasAVector(t *testing.T) {
	for _, rule := range RuleNames() {
		if !slices.ContainsFunc(vectors, func(v vector) bool { return v.rule == rule }) {
			t.Errorf("no vector breaks %s", rule)
		}
	}
}

// TestCheckAgreesWithDecode gives Check what another reader made of each vector: the
// channel does not change the verdict.
func TestCheckAgreesWithDecode(t *testing.T) {
	rules, compared := standard(), 0
	for _, v := range vectors {
		switch v.rule {
		case NotJSON, NotUTF8, DuplicateKey, NumberOutOfRange:
			continue // rules about the text; a value that is not text cannot break them
		}
		var value any
		if json.Unmarshal([]byte(v.body), &value) != nil {
			continue // encoding/json gives up on 100,000 levels
		}
		compared++
		t.Run(v.name, func(t *testing.T) { expect(t, rules.Check(value), v.rule, v.pointer) })
	}
	if compared < 60 {
		t.Errorf("only %d vectors compared", compared)
	}
	expect(t, rules.Check(map[string]any{"a": "\xff"}), NotUTF8, "/a")
	expect(t, rules.Check(map[string]any{"\xff": 1}), NotUTF8, "")
	expect(t, rules.Check(map[string]any{"a": struct{}{}}), NotJSON, "/a")
	expect(t, rules.Check(map[string]any{"a": []any{1, 2.5, big.NewInt(1), nil, true}}), "", "")
}

func TestCheckOneKeyOrString(t *testing.T) {
	rules := standard()
	expect(t, rules.CheckKey("__class__"), BlockedKey, "/__class__")
	expect(t, rules.CheckKey("\xff"), NotUTF8, "")
	expect(t, rules.CheckKey("page"), "", "")
	expect(t, rules.CheckString("../x"), PathTraversal, "")
	expect(t, rules.CheckString("a\x00"), NULByte, "")
	expect(t, rules.CheckString("\xff"), NotUTF8, "")
	expect(t, rules.CheckString("plain"), "", "")
}

func TestRulesOfTheSpec(t *testing.T) {
	r := New(v1alpha1.Input{MaxBytes: resource.MustParse("1Mi"), Policy: v1alpha1.InputStrict})
	if !r.Strict() || r.MaxBytes() != 1<<20 || standard().Strict() {
		t.Errorf("got strict %v, %d bytes", r.Strict(), r.MaxBytes())
	}
}
