package workflow

import (
	"errors"
	"strings"
	"testing"
)

// TestReasonsShowNoData looks at what the log has of expressions that fail on data.
func TestReasonsShowNoData(t *testing.T) {
	const data = "4111-1111-1111-1111 (card)"
	for expression, want := range map[string]string{
		`.card + 1`:                "cannot add: string and number",
		`.card.number`:             "expected an object but got: string",
		`[.card] | implode`:        "implode cannot be applied to: array",
		`.card | tonumber`:         "",
		`error(.)`:                 "the expression raised an error of its own",
		`error("out of stock")`:    "error: out of stock",
		`.card | error("x" * 300)`: "the expression raised an error of its own",
	} {
		t.Run(expression, func(t *testing.T) {
			p := mustCompile(t, `"do":[{"a":{"set":{"x":`+quote("${ "+expression+" }")+`}}}]`)
			_, err := p.Run(t.Context(), map[string]any{"card": data}, nil, Options{})
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Cause == nil {
				t.Fatalf("got %v", err)
			}
			if got := e.Cause.Error(); strings.Contains(got, "4111") || !strings.Contains(got, want) {
				t.Errorf("the log has %q, want %q and no data", got, want)
			}
		})
	}
}
