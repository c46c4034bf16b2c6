package wire

import "github.com/nexus-operator/nexus-operator/runtime/validate"

// Typed reads a text of a URL as the input schema types it: JSON where that is a number or
// a truth value. What does not read so stays text, and the schema's own check then says what
// it should be.
func Typed(rules *validate.Rules, kind, text string) any {
	switch kind {
	case "integer", "number", "boolean":
	default:
		return text
	}
	value, err := rules.Decode([]byte(text))
	if _, isBool := value.(bool); err != nil || isBool != (kind == "boolean") {
		return text
	}
	switch value.(type) {
	case nil, string, []any, map[string]any:
		return text
	}
	return value
}
