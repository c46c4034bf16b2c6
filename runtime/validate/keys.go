package validate

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// CheckKey applies the rules for keys to one name, for example that of a query
// parameter. The violation's pointer is the key.
func (r *Rules) CheckKey(key string) error {
	if !utf8.ValidString(key) {
		return notUTF8().fault()
	}
	if f := r.key(key, false); f != nil {
		return f.fault()
	}
	return nil
}

// key applies the rules for keys to valid UTF-8. plain says that the key is known to
// be ASCII without control characters, which needs no folding.
func (r *Rules) key(key string, plain bool) *failure {
	if len(key) > MaxKeyLength && utf8.RuneCountInString(key) > MaxKeyLength {
		return keyTooLong()
	}
	folded := key
	if !plain {
		if strings.IndexByte(key, 0) >= 0 {
			return nulByte()
		}
		folded = fold(key)
	}
	if !blocked(folded) {
		return nil
	}
	if len(r.allowed) > 0 {
		if _, ok := r.allowed[fold(folded)]; ok {
			return nil
		}
	}
	f := &failure{
		rule:    BlockedKey,
		message: fmt.Sprintf("uses the blocked name %q: rename the key, or list it in spec.input.allowedKeys", key),
	}
	return f.in(key)
}

// fold maps names that look the same to an interpreter to the same name: NFKC (a
// full-width letter is its ASCII twin) and case folding, repeated because folding may
// denormalize.
func fold(key string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(key)))
}

// blocked says whether a name is one of those that an interpreter gives a meaning:
// eval exec compile globals locals, and every name that starts with two underscores
// (__import__ __builtins__ __class__ __init__ __dict__ __reduce__ __globals__
// __code__ __name__ __bases__ ...). The letter case does not matter.
func blocked(key string) bool {
	if len(key) < 2 {
		return false
	}
	if key[0] == '_' {
		return key[1] == '_'
	}
	switch len(key) {
	case 4:
		return strings.EqualFold(key, "eval") || strings.EqualFold(key, "exec")
	case 6:
		return strings.EqualFold(key, "locals")
	case 7:
		return strings.EqualFold(key, "compile") || strings.EqualFold(key, "globals")
	}
	return false
}
