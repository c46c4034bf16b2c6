package workflow

import (
	"encoding/json"
	"math/big"
	"strings"
)

// scalarText writes a text, a number or a boolean as it stands in a URL or a header; false
// for anything else.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case float64:
		return textOf(v), true
	case *big.Int:
		return v.String(), true
	case nil:
		return "", false
	}
	text, ok := plainText(v)
	written, _ := text.(string)
	return written, ok
}

// textOf is a value's JSON text, empty for what has none.
func textOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// clip cuts a text that is too long for its place.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
