package apidoc

import (
	"strconv"
	"strings"
)

// names are those that are taken.
type names struct{ taken map[string]bool }

func newNames() *names { return &names{taken: map[string]bool{}} }

// add takes a name that OpenAPI allows, as near as possible to the one that is wanted: with
// a number where that is taken.
func (n *names) add(wanted string) string {
	wanted = componentName(wanted)
	name := wanted
	for i := 2; n.taken[name]; i++ {
		name = wanted + "_" + strconv.Itoa(i)
	}
	n.taken[name] = true
	return name
}

// componentName replaces what the name of a component may not hold.
func componentName(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			b.WriteRune(r)
			continue
		}
		b.WriteByte('_')
	}
	return b.String()
}
