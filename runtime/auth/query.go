package auth

import "strings"

// InQuery says whether a URL's query holds an API key.
func InQuery(query string) bool {
	if !strings.Contains(query, "nxs_") {
		return false
	}
	for part := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == '=' || r == ';' || r == '+' }) {
		if LooksLikeKey(part) {
			return true
		}
	}
	return false
}
