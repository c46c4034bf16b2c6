package workflow

import (
	"fmt"
	"maps"
	"slices"

	"github.com/itchyny/gojq"
)

// builtins are those of jq's functions that are written in jq and do with a native
// function what must be bounded, once more with the checks. They are put before a query
// that calls them, so that they see none of its definitions, and it may define them anew.
var builtins = map[string]string{
	"add/1":          `def add(f): [f] | _guard_sum | add;`,
	"from_entries/0": `def from_entries: ` + fromEntries + `;`,
	"with_entries/1": `def with_entries(f): to_entries | map(f) | ` + fromEntries + `;`,

	"min_by/1":    `def min_by(f): _min_by(map([f]) | _guard_least);`,
	"max_by/1":    `def max_by(f): _max_by(map([f]) | _guard_least);`,
	"sort_by/1":   `def sort_by(f): _guard_count | _sort_by(map([f]) | _guard_sort);`,
	"group_by/1":  `def group_by(f): _guard_count | _group_by(map([f]) | _guard_sort);`,
	"unique_by/1": `def unique_by(f): _guard_count | _unique_by(map([f]) | _guard_sort);`,

	"IN/1":    `def IN(s): any(_guard_equal(s; .); .);`,
	"IN/2":    `def IN(src; s): any(_guard_equal(src; s); .);`,
	"INDEX/1": `def INDEX(f): reduce .[] as $row ({}; .[$row | f | _guard_tostring] = $row);`,
	"INDEX/2": `def INDEX(stream; f): reduce stream as $row ({}; .[$row | f | _guard_tostring] = $row);`,
	"JOIN/2":  `def JOIN($idx; f): [.[] | [., $idx[f | _guard_index]]];`,
	"JOIN/3":  `def JOIN($idx; stream; f): stream | [., $idx[f | _guard_index]];`,
	"JOIN/4":  `def JOIN($idx; stream; f; join): stream | [., $idx[f | _guard_index]] | join;`,

	"del/1":        `def del(f): _guard_copy | delpaths([path(f) | _guard_path]);`,
	"pick/1":       `def pick(f): . as $v | reduce (path(f) | _guard_path) as $p (null; setpath($p; $v | getpath($p)));`,
	"map_values/1": `def map_values(f): if type == "object" then ` + mapFields + ` else [.[] | first(f)] end;`,
	"walk/1": `def walk(g): def f: if type == "array" then map(f) elif type == "object" then ` +
		mapFields + ` end | g; f;`,
}

const (
	fromEntries = `map({(.key // .Key // .name // .Name): if has("value") then .value else .Value end}) | (_guard_sum | add) // {}`
	// mapFields replaces the fields of an object. jq assigns to them, and then deletes
	// those for which there was no value in place.
	mapFields = `([keys[] as $k | first(.[$k] | f) as $v | [$k, $v]] | _guard_object)`
)

// define puts what the query calls of the builtins before it.
func (g *guard) define(q *gojq.Query) {
	var defs []*gojq.FuncDef
	for _, key := range slices.Sorted(maps.Keys(g.called)) {
		parsed, err := gojq.Parse(builtins[key] + " .")
		if err != nil {
			g.errs = append(g.errs, fmt.Errorf("the definition of %s: %w", key, err))
			return
		}
		defs = append(defs, parsed.FuncDefs...)
	}
	q.FuncDefs = append(defs, q.FuncDefs...)
}
