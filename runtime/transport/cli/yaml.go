package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// WriteYAML writes a JSON text as YAML, with the order of members and the digits of
// numbers.
func WriteYAML(out io.Writer, raw []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	node, err := yamlNode(decoder)
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	text, err := yaml.Dump(node)
	if err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	// Texts with such characters are quoted, so that an escape can stand for them.
	_, err = out.Write(withEscapes(text, func(b []byte, r rune) []byte {
		if r > 0xffff {
			return fmt.Appendf(b, `\U%08x`, r)
		}
		return fmt.Appendf(b, `\u%04x`, r)
	}))
	return err
}

// yamlNode reads one value.
func yamlNode(d *json.Decoder) (*yaml.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(t)}, nil
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(t.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: t.String()}, nil
	case string:
		return yamlText(t), nil
	}
	node := &yaml.Node{Kind: yaml.SequenceNode}
	if token == json.Delim('{') {
		node.Kind = yaml.MappingNode
	}
	for d.More() { // a member's name is a value like others
		item, err := yamlNode(d)
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, item)
	}
	if len(node.Content) == 0 {
		node.Style = yaml.FlowStyle
	}
	_, err = d.Token()
	return node, err
}

// plainText is a text that no reader of YAML, of version 1.1 or 1.2, takes for something
// else, unless it is one of the words.
var plainText = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./ -]*$`)

var yamlWords = []string{"y", "yes", "n", "no", "true", "false", "on", "off", "null"}

func yamlText(text string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}
	word := slices.ContainsFunc(yamlWords, func(w string) bool { return strings.EqualFold(w, text) })
	switch {
	case plainText.MatchString(text) && !word && !strings.HasSuffix(text, " "):
		node.Style = 0
	case strings.Contains(text, "\n") && !strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }):
		node.Style = yaml.LiteralStyle
	}
	return node
}
