package yamltext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// decodeJSON reads a text that is known to be JSON.
func decodeJSON(text []byte) (any, error) {
	d := jsonReader{text: text, tokens: json.NewDecoder(bytes.NewReader(text))}
	d.tokens.UseNumber()
	return d.value(0)
}

type jsonReader struct {
	text   []byte
	tokens *json.Decoder
}

// fail is about the token that was read last.
func (d *jsonReader) fail(format string, args ...any) error {
	e := at(d.text, max(int(d.tokens.InputOffset())-1, 0))
	e.Message = fmt.Sprintf(format, args...)
	return e
}

func (d *jsonReader) value(depth int) (any, error) {
	token, err := d.tokens.Token()
	if err != nil {
		return nil, d.fail("%v", err)
	}
	switch t := token.(type) {
	case json.Number:
		value, err := number(t.String())
		if err != nil {
			return nil, d.fail("%v", err)
		}
		return value, nil
	case json.Delim:
		if depth >= MaxDepth {
			return nil, d.fail("%v", errTooDeep)
		}
		if t == '[' {
			return d.list(depth)
		}
		return d.object(depth)
	default:
		return token, nil
	}
}

// number keeps the digits of whole numbers.
func number(text string) (any, error) {
	if strings.ContainsAny(text, ".eE") {
		return fraction(text)
	}
	return whole(text)
}

func (d *jsonReader) list(depth int) (any, error) {
	list := []any{}
	for d.tokens.More() {
		value, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := d.tokens.Token()
	return list, err
}

func (d *jsonReader) object(depth int) (any, error) {
	object := map[string]any{}
	for d.tokens.More() {
		token, err := d.tokens.Token()
		if err != nil {
			return nil, d.fail("%v", err)
		}
		key, _ := token.(string)
		if _, twice := object[key]; twice {
			return nil, d.fail("the key %q stands twice: remove or rename one", key)
		}
		if object[key], err = d.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := d.tokens.Token()
	return object, err
}
