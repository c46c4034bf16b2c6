package validate

import (
	"maps"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Check applies the rules to a value that did not come from JSON text, such as one
// put together from a URL's path and query. It accepts what Decode returns: nil,
// bool, int, float64, *big.Int, string, []any and map[string]any.
func (r *Rules) Check(value any) error {
	if f := r.check(value, 0); f != nil {
		return f.fault()
	}
	return nil
}

func (r *Rules) check(value any, depth int) *failure {
	switch v := value.(type) {
	case nil, bool, int, float64, *big.Int:
		return nil
	case string:
		return stringValue(v)
	case []any:
		if depth == MaxDepth {
			return tooDeep()
		}
		for i, item := range v {
			if f := r.check(item, depth+1); f != nil {
				return f.in(strconv.Itoa(i))
			}
		}
		return nil
	case map[string]any:
		if depth == MaxDepth {
			return tooDeep()
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if !utf8.ValidString(key) {
				return notUTF8()
			}
			if f := r.key(key, false); f != nil {
				return f
			}
			if f := r.check(v[key], depth+1); f != nil {
				return f.in(key)
			}
		}
		return nil
	}
	return &failure{rule: NotJSON, message: "is not a JSON value"}
}
