package spelling

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"input", "input", 0}, {"inptu", "input", 1}, {"outut", "output", 1},
		{"call", "cell", 1}, {"timeout", "timeouts", 1}, {"do", "for", 2}, {strings.Repeat("a", 65), "a", maxWord},
	} {
		if got := Distance(c.a, c.b); got != c.want || Distance(c.b, c.a) != got {
			t.Errorf("%q and %q: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestSuggest(t *testing.T) {
	for _, c := range []struct {
		name  string
		known []string
		want  string
	}{
		{"tokem", []string{"password", "token"}, `did you mean "token"?`},
		{"TOKEN", []string{"token"}, `did you mean "token"?`},
		{"x", []string{"password", "token"}, "known are password, token"},
		{"x", nil, "there are none"},
		{"y", []string{strings.Repeat("x", 3000)}, "known are " + strings.Repeat("x", maxKnown) + "..."},
	} {
		if got := Suggest(c.name, c.known); got != c.want {
			t.Errorf("%q among %.40q: got %.80s", c.name, c.known, got)
		}
	}
}
