package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"
)

// same says whether two values are the same JSON: 1 is 1.0, whatever holds it.
func same(a, b any) bool { return reflect.DeepEqual(settle(a), settle(b)) }

// settle gives equal values one form.
func settle(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return v
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var out any
	if dec.Decode(&out) != nil {
		return v
	}
	return rational(out)
}

func rational(v any) any {
	switch v := v.(type) {
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok {
			return json.Number(r.RatString())
		}
	case []any:
		for i := range v {
			v[i] = rational(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = rational(v[key])
		}
	}
	return v
}

// show is a value in a message.
func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%#v", v)
	}
	return string(text)
}

// lookUp follows a path such as request.headers.Accept or items.0.
func lookUp(v any, path string) (any, error) {
	here := v
	for key := range strings.SplitSeq(path, ".") {
		switch value := here.(type) {
		case map[string]any:
			next, ok := value[key]
			if !ok {
				return nil, fmt.Errorf("there is no %q in %s", path, show(v))
			}
			here = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(value) {
				return nil, fmt.Errorf("there is no %q in %s", path, show(v))
			}
			here = value[i]
		default:
			return nil, fmt.Errorf("there is no %q in %s", path, show(v))
		}
	}
	return here, nil
}

// equal compares a value with the text that a scenario expects.
func equal(got any, text string) error {
	want, err := decode(text)
	if err != nil {
		return fmt.Errorf("reading what is expected: %w", err)
	}
	if !same(got, want) {
		return fmt.Errorf("got %s, want %s", show(got), show(want))
	}
	return nil
}

// quoted reads 'a', 'b', 'c'.
func quoted(list string) ([]string, error) {
	var out []string
	for item := range strings.SplitSeq(list, ",") {
		name, ok := strings.CutPrefix(strings.TrimSpace(item), "'")
		name, closed := strings.CutSuffix(name, "'")
		if !ok || !closed {
			return nil, errors.New("write the names as 'a', 'b'")
		}
		out = append(out, name)
	}
	return out, nil
}
