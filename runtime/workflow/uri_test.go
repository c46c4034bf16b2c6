package workflow

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT15S": 15 * time.Second, "PT1M30S": 90 * time.Second, "P1D": 24 * time.Hour, "P1DT12H": 36 * time.Hour, "P2W": 14 * 24 * time.Hour, "P1W2DT3H4M5S": 9*24*time.Hour + 3*time.Hour + 4*time.Minute + 5*time.Second,
		"PT0.5S": 500 * time.Millisecond, "PT1.5H": 90 * time.Minute, "PT0S": 0, "PT0.0000000001S": 0, "P99999999999W": 1<<63 - 1, "PT" + strings.Repeat("9", 400) + "S": 1<<63 - 1,
	} {
		if got, ok := parseDuration(text); !ok || got != want {
			t.Errorf("%s is %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "P", "PT", "P1DT", "15S", "PT15", "P1Y", "P1M", "-PT1S", "PT-1S", "PT1S ", "pt1s", "PT1H1H", "PT1S1M", "P1.S", "PT.5S", "PT1,5S", "PT1e3S", "PTNaNS", "PT٣S"} {
		if got, ok := parseDuration(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, text := range []string{"PT15S", "P1W2DT3H4M5.678S", "P1Y2M", "PT", "", "PT0.1H", "P99999999999999999999D", "PT1S\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, ok := parseDuration(text)
		if d < 0 || !ok && d != 0 {
			t.Errorf("%q is %v, %v", text, d, ok)
		}
		if ok && (!strings.HasPrefix(text, "P") || strings.TrimLeft(text, "PWDTHMS.0123456789") != "") {
			t.Errorf("%q is taken for a duration", text)
		}
		// A duration of an object and one of a text are the same thing.
		c := &compiler{}
		if compiled := c.duration("/x", text, siteTask); ok && (compiled.fixed != d || len(c.problems) > 0) {
			t.Errorf("%q compiles to %v, %v", text, compiled.fixed, c.problems)
		}
	})
}

// FuzzURI: whatever the template and the data, what data says stays in its place: it
// neither changes the host nor adds a step to the path, a field to the query or a
// fragment.
func FuzzURI(f *testing.F) {
	for _, template := range []string{"https://a.example/v1/{x}", "https://a.example/{x}/y?q={x}&r=1#{x}", "https://{x}.example/", "{x}", "https://a.example/{x", "https://a.example/{+x}{}", "/{x}", "${ .x }", "https://a.example/{a.b}"} {
		for _, data := range []string{"7", "a b", "../..", "..", ".", "x/y?z=1#f", "%2e%2e", "@evil.example", "é\u0000", ""} {
			f.Add(template, data)
		}
	}
	f.Fuzz(func(t *testing.T, template, data string) {
		c := &compiler{program: &Program{}}
		u := c.uri("/x", template)
		c.reached("/x", u)
		if u == nil || u.expression != nil || len(c.problems) > 0 {
			return
		}
		r := newRun(t.Context(), &Program{}, nil, nil, Options{})
		plain, errPlain := u.evaluate(r, map[string]any{"x": "x"})
		filled, err := u.evaluate(r, map[string]any{"x": data})
		if errPlain != nil || err != nil {
			return
		}
		before, errBefore := url.Parse(plain)
		after, errAfter := url.Parse(filled)
		if errBefore != nil || errAfter != nil || !strings.Contains(u.texts[0], "/") || strings.Count(u.texts[0], "/") < 3 {
			return // a host from data is the guard's business
		}
		if before.Host != after.Host || before.Scheme != after.Scheme || steps(plain) != steps(filled) || data != "" && (len(before.Query()) != len(after.Query()) || (before.Fragment == "") != (after.Fragment == "")) {
			t.Errorf("%q with %q is %q", template, data, filled)
		}
	})
}

// steps is how many steps the path of a URI has, as it is written.
func steps(uri string) int {
	if i := strings.IndexAny(uri, "?#"); i >= 0 {
		uri = uri[:i]
	}
	return strings.Count(uri, "/")
}
