package workflow

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// pointer is a JSON pointer (RFC 6901).
type pointer string

var escapeToken = strings.NewReplacer("~", "~0", "/", "~1")

func (p pointer) child(token string) pointer { return p + "/" + pointer(escapeToken.Replace(token)) }

func (p pointer) index(i int) pointer { return p + "/" + pointer(strconv.Itoa(i)) }

// comparePointers orders pointers as a definition is usually written, whose own order
// is lost in JSON: its sections first, items by number, fields by name.
func comparePointers(a, b string) int {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	for i := 1; i < min(len(x), len(y)); i++ {
		if x[i] == y[i] {
			continue
		}
		if i == 1 {
			return cmp.Or(cmp.Compare(section(x[i]), section(y[i])), strings.Compare(x[i], y[i]))
		}
		m, errA := strconv.Atoi(x[i])
		n, errB := strconv.Atoi(y[i])
		if errA == nil && errB == nil {
			return cmp.Compare(m, n)
		}
		return strings.Compare(x[i], y[i])
	}
	return cmp.Compare(len(x), len(y))
}

// section is the place of a section in a definition; unknown ones come first.
func section(name string) int {
	return slices.Index([]string{"document", "input", "use", "timeout", "do", "output", "schedule", "evaluate"}, name)
}
