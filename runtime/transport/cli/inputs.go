package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// Pair is one input as it was typed: NAME=VALUE.
type Pair struct{ Name, Value string }

// ParsePairs reads inputs of the command line.
func ParsePairs(texts []string) ([]Pair, error) {
	pairs := make([]Pair, len(texts))
	for i, text := range texts {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" {
			return nil, usage(errors.New("--input: write NAME=VALUE, such as --input quantity=5"))
		}
		if slices.ContainsFunc(pairs[:i], func(p Pair) bool { return p.Name == name }) {
			return nil, usage(fmt.Errorf("--input: %s is given twice", name))
		}
		pairs[i] = Pair{name, value}
	}
	return pairs, nil
}

// Inputs makes the JSON object of inputs of what was typed, and of an object from a file,
// which may be empty, with what was typed in place of its members. The schema says of what
// type each is; without one, or where it leaves that open, a value that is JSON is taken
// as such, and any other as text.
//
// What is JSON is handed on as it stands: whatever a runtime refuses of it, such as a key
// that is there twice, it is to refuse here too.
func Inputs(inputSchema json.RawMessage, pairs []Pair, object []byte) (json.RawMessage, error) {
	object = bytes.TrimSpace(object)
	if len(object) == 0 {
		object = []byte("{}")
	}
	members, err := membersOf(object)
	if err != nil || !json.Valid(object) {
		return nil, newProblem(fault.InvalidInput, "the inputs are not a JSON object: write one whose members are the inputs").err(nil)
	}
	if len(pairs) == 0 {
		return object, nil
	}
	s := readSchema(inputSchema)
	for _, p := range pairs {
		value := typed(s, p)
		members = slices.DeleteFunc(members, func(m member) bool { return m.name == p.Name })
		members = append(members, member{p.Name, value})
	}
	out := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, text(m.name)...), ':'), m.value...)
	}
	return append(out, '}'), nil
}

// typed is the value of a pair as the schema types it. What does not read so stays text,
// and the runtime says what it should be.
func typed(s schema, p Pair) json.RawMessage {
	types := []string(nil)
	for _, property := range s.properties() {
		if property.name == p.Name {
			types = property.schema.types()
			if len(types) == 0 && onlyTexts(property.schema.at.Enum) {
				types = []string{"string"}
			}
		}
	}
	if slices.Contains(types, "string") || !json.Valid([]byte(p.Value)) {
		return text(p.Value)
	}
	return json.RawMessage(p.Value)
}

// onlyTexts says whether values are all texts, and there are some.
func onlyTexts(values []json.RawMessage) bool {
	return len(values) > 0 && !slices.ContainsFunc(values, func(v json.RawMessage) bool { return !bytes.HasPrefix(v, []byte{'"'}) })
}

// text is a text in JSON.
func text(s string) json.RawMessage {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string can always be encoded
	return bytes.TrimSpace(out.Bytes())
}

// ReadInputs reads an object of inputs from a stream, up to what any runtime would take.
func ReadInputs(from io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(from, maxReplyBytes))
	if err != nil {
		return nil, fmt.Errorf("reading the inputs: %w", err)
	}
	return raw, nil
}
