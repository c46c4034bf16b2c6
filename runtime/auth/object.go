package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep the parts of a token are nested.
const maxDepth = 16

// decodePart decodes one part of a token. There is one way to write its bytes: line
// breaks, padding and stray bits, which decoders like to pass over, are refused.
func decodePart(part string) ([]byte, bool) {
	if part == "" || strings.ContainsAny(part, "\r\n") {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	return raw, err == nil
}

// parseObject reads a JSON object. It refuses what two readers could read differently:
// a name that stands twice, and text that is not UTF-8. Numbers stay as they are
// written.
func parseObject(raw []byte) (map[string]any, bool) {
	if !utf8.Valid(raw) || !json.Valid(raw) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, ok := parseValue(d, maxDepth)
	object, isObject := v.(map[string]any)
	return object, ok && isObject
}

// parseValue reads the next value of what is known to be valid JSON.
func parseValue(d *json.Decoder, depth int) (any, bool) {
	token, err := d.Token()
	if err != nil || depth == 0 {
		return nil, false
	}
	switch token {
	case json.Delim('{'):
		return parseMembers(d, depth)
	case json.Delim('['):
		var list []any
		for d.More() {
			v, ok := parseValue(d, depth-1)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err == nil
	default:
		return token, true
	}
}

func parseMembers(d *json.Decoder, depth int) (any, bool) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		name, isName := token.(string)
		if _, twice := object[name]; err != nil || !isName || twice {
			return nil, false
		}
		v, ok := parseValue(d, depth-1)
		if !ok {
			return nil, false
		}
		object[name] = v
	}
	_, err := d.Token()
	return object, err == nil
}
