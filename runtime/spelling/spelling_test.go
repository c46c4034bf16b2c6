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
