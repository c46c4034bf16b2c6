package wire

import (
	"net/http"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/limit"
)

func TestQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"":              `""`,
		"shop":          `"shop"`,
		`a "b" \c`:      `"a \"b\" \\c"`,
		"a\r\nb: c\x00": `"a??b: c?"`,
		"é":             `"??"`,
	} {
		if got := Quoted(in); got != want {
			t.Errorf("%q is written %s, want %s", in, got, want)
		}
	}
}

func TestLimits(t *testing.T) {
	l := NewLimits([]*limit.Policy{limit.NewPolicy("app", 60, 10), limit.NewPolicy("workflow/a", 6, 2)})
	if want := `"app";q=60;w=60, "workflow/a";q=6;w=60`; l.Policy != want {
		t.Errorf("the policy is %s, want %s", l.Policy, want)
	}
	if got, want := l.Left(&limit.Verdict{Tightest: 1, Remaining: 1, Reset: 1500 * time.Millisecond}), `"workflow/a";r=1;t=2`; got != want {
		t.Errorf("what is left is %s, want %s", got, want)
	}
	if got := WholeSeconds(0); got != 1 {
		t.Errorf("at once is %d s", got)
	}
}

func TestLargeBody(t *testing.T) {
	for length, large := range map[int64]bool{-1: true, 0: false, 256 << 10: false, 256<<10 + 1: true} {
		if LargeBody(&http.Request{ContentLength: length}) != large {
			t.Errorf("a body of %d bytes: large is not %v", length, large)
		}
	}
}
