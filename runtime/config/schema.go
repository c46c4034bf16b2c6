package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/config/crd"
)

// schema is the part of a CRD's structural schema that is needed to check a manifest
// without an API server.
type schema struct {
	Type            string             `json:"type"`
	Format          string             `json:"format"`
	Description     string             `json:"description"`
	Properties      map[string]*schema `json:"properties"`
	Values          *schema            `json:"additionalProperties"`
	Items           *schema            `json:"items"`
	Required        []string           `json:"required"`
	Enum            []string           `json:"enum"`
	Pattern         string             `json:"pattern"`
	Minimum         *float64           `json:"minimum"`
	Maximum         *float64           `json:"maximum"`
	MinLength       int                `json:"minLength"`
	MaxLength       *int               `json:"maxLength"`
	MinItems        int                `json:"minItems"`
	MaxItems        *int               `json:"maxItems"`
	MinProperties   int                `json:"minProperties"`
	MaxProperties   *int               `json:"maxProperties"`
	IntOrString     bool               `json:"x-kubernetes-int-or-string"`
	PreserveUnknown bool               `json:"x-kubernetes-preserve-unknown-fields"`
	ListType        string             `json:"x-kubernetes-list-type"`
	ListMapKeys     []string           `json:"x-kubernetes-list-map-keys"`
	Rules           []rule             `json:"x-kubernetes-validations"`
}

// rule is a CEL rule. Those of the form self.matches(r'...') or !self.matches(r'...')
// are evaluated here; every other one is repeated by v1alpha1.Validate, with the same
// message.
type rule struct {
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

var matchesRule = regexp.MustCompile(`^(!?)self\.matches\(r'([^']+)'\)$`)

// appSchema is the schema of NexusApp in the embedded CRD. The API server itself
// knows what metadata holds, so the CRD does not say.
var appSchema = sync.OnceValue(func() *schema {
	var definition struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema *schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(crd.NexusApps, &definition); err != nil {
		panic("the embedded CRD is not YAML: " + err.Error()) // the build is broken
	}
	root := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
	text, anything := &schema{Type: "string"}, &schema{PreserveUnknown: true}
	root.Properties["metadata"] = &schema{Type: "object", Required: []string{"name"}, Properties: map[string]*schema{
		"name": text, "namespace": text, "generateName": text,
		"labels": {Type: "object", Values: text}, "annotations": {Type: "object", Values: text},
		"finalizers": {Type: "array", Items: text}, "ownerReferences": anything, "managedFields": anything,
		"uid": anything, "resourceVersion": anything, "generation": anything, "selfLink": anything,
		"creationTimestamp": anything, "deletionTimestamp": anything, "deletionGracePeriodSeconds": anything,
	}}
	root.Required = append(root.Required, "metadata")
	return root
})

// checkSchema returns every place where a manifest departs from the schema, in the
// order of the field names.
func checkSchema(tree map[string]any) []Problem {
	c := &checker{}
	c.check(appSchema(), tree, "")
	return c.problems
}

type checker struct{ problems []Problem }

func (c *checker) report(path, format string, args ...any) {
	c.problems = append(c.problems, Problem{path, fmt.Sprintf(format, args...)})
}

func (c *checker) check(s *schema, value any, path string) {
	if s.PreserveUnknown && s.Type == "" {
		return
	}
	if value == nil {
		c.report(path, "has no value: give it one, or remove it")
		return
	}
	switch v := value.(type) {
	case map[string]any:
		if s.Type == "object" {
			c.checkObject(s, v, path)
			return
		}
	case []any:
		if s.Type == "array" {
			c.checkList(s, v, path)
			return
		}
	case string:
		if s.Type == "string" || s.IntOrString {
			c.checkText(s, v, path)
			return
		}
	case bool:
		if s.Type == "boolean" {
			return
		}
	case int64, float64:
		if number, ok := s.number(v); ok {
			c.checkNumber(s, number, path)
			return
		}
	}
	c.report(path, "%s is %s: write %s", show(value), typeName(value), s.wanted(value))
}

// number returns a value as what the schema takes for a number, if it does.
func (s *schema) number(value any) (float64, bool) {
	number, isFloat := value.(float64)
	if n, ok := value.(int64); ok {
		number = float64(n)
	}
	switch {
	case s.Type == "number":
		return number, true
	case s.Type == "integer", s.IntOrString:
		return number, !isFloat || number == math.Trunc(number)
	default:
		return 0, false
	}
}

func (c *checker) checkObject(s *schema, object map[string]any, path string) {
	// A field without a value counts as left out, as it does for the API server.
	maps.DeleteFunc(object, func(name string, value any) bool {
		return value == nil && !s.PreserveUnknown && (s.Properties[name] != nil || s.Values != nil)
	})
	for _, name := range s.Required {
		if _, present := object[name]; !present {
			c.report(child(path, name), "is required: %s", s.Properties[name].hint())
		}
	}
	if len(object) < s.MinProperties {
		c.report(path, "is empty: give it at least %d, or remove it", s.MinProperties)
	}
	if s.MaxProperties != nil && len(object) > *s.MaxProperties {
		c.report(path, "has %d entries: keep at most %d", len(object), *s.MaxProperties)
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		property, known := s.Properties[name]
		switch {
		case known:
			c.check(property, object[name], child(path, name))
		case s.Values != nil:
			c.check(s.Values, object[name], child(path, name))
		case !s.PreserveUnknown:
			c.report(child(path, name), "unknown field: %s", suggest(name, slices.Sorted(maps.Keys(s.Properties))))
		}
	}
}

func (c *checker) checkList(s *schema, list []any, path string) {
	if len(list) < s.MinItems {
		c.report(path, "is empty: list at least %d, or remove it", s.MinItems)
	}
	if s.MaxItems != nil && len(list) > *s.MaxItems {
		c.report(path, "has %d entries: keep at most %d", len(list), *s.MaxItems)
	}
	seen := map[string]bool{}
	for i, item := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.check(s.Items, item, at)
		if s.ListType != "set" && s.ListType != "map" {
			continue
		}
		key, names := identity(item, s.ListMapKeys)
		if key != "" && seen[key] {
			c.report(at+names, "%s stands twice: remove or rename one", key)
		}
		seen[key] = true
	}
}

// identity returns what tells an item of a list apart: the item itself in a set, its
// key fields in a map. It is empty for an item that has none.
func identity(item any, keys []string) (key, field string) {
	if len(keys) == 0 {
		return show(item), ""
	}
	object, ok := item.(map[string]any)
	if !ok {
		return "", ""
	}
	var parts []string
	for _, k := range keys {
		if value, present := object[k]; present {
			parts = append(parts, show(value))
		}
	}
	return strings.Join(parts, ", "), "." + keys[0]
}

func (c *checker) checkText(s *schema, text, path string) {
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) {
		c.report(path, "%s is not one of %s", show(text), strings.Join(s.Enum, ", "))
		return
	}
	length := utf8.RuneCountInString(text)
	if length < s.MinLength && length == 0 {
		c.report(path, "is empty: give it a value, or remove it")
		return
	}
	if length < s.MinLength {
		c.report(path, "%s is too short: use at least %d characters", show(text), s.MinLength)
	}
	if s.MaxLength != nil && length > *s.MaxLength {
		c.report(path, "has %d characters: use at most %d", length, *s.MaxLength)
	}
	if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(text) {
		if s.IntOrString {
			c.report(path, "%s is not a quantity: write a number with one of the suffixes m, k, M, G, Ki, Mi, Gi or none, for example 500m or 512Mi", show(text))
		} else {
			c.report(path, "%s does not match %s", show(text), s.Pattern)
		}
	}
	for _, r := range s.Rules {
		m := matchesRule.FindStringSubmatch(r.Rule)
		if m != nil && regexp.MustCompile(m[2]).MatchString(text) == (m[1] == "!") {
			c.report(path, "%s is refused: %s", show(text), r.Message)
		}
	}
}

func (c *checker) checkNumber(s *schema, number float64, path string) {
	if s.Minimum != nil && number < *s.Minimum {
		c.report(path, "%v is too small: write at least %v", number, *s.Minimum)
	}
	limit := s.Maximum
	if largest := float64(math.MaxInt32); limit == nil && s.Format == "int32" {
		limit = &largest
	}
	if limit != nil && number > *limit {
		c.report(path, "%v is too large: write at most %.0f", number, *limit)
	}
}

// hint says what to write for a field that is missing.
func (s *schema) hint() string {
	if len(s.Enum) > 0 {
		return "write one of " + strings.Join(s.Enum, ", ")
	}
	text := strings.ReplaceAll(s.Description, "\n", " ")
	sentence, _, _ := strings.Cut(text, ". ")
	if sentence == "" {
		return "give it a value"
	}
	return strings.TrimSuffix(sentence, ".")
}

// wanted says what the schema takes, in words.
func (s *schema) wanted(instead any) string {
	switch {
	case s.IntOrString:
		return "a whole number, or text in quotes"
	case len(s.Enum) > 0:
		return "one of " + strings.Join(s.Enum, ", ")
	}
	switch s.Type {
	case "object":
		return "an object (\"name: value\" lines, indented)"
	case "array":
		return "a list (\"- item\" lines)"
	case "integer":
		return "a whole number, without quotes or a unit"
	case "number":
		return "a number, without quotes"
	case "boolean":
		return "true or false"
	}
	if _, isBool := instead.(bool); isBool {
		return "text in quotes (YAML reads the unquoted on, off, yes, no, y and n as booleans)"
	}
	return "text, in quotes where it looks like a number"
}

func typeName(value any) string {
	switch value.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "text"
	case bool:
		return "a boolean"
	case nil:
		return "nothing"
	default:
		return "a number"
	}
}

// show writes a value the way a manifest would, cut to a length that fits a line.
func show(value any) string {
	if v := reflect.ValueOf(value); v.Kind() == reflect.Pointer && !v.IsNil() {
		value = v.Elem().Interface()
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%v", value)
	}
	const most = 80
	text := string(raw)
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return text
}

func child(path, name string) string {
	switch {
	case path == "":
		return name
	case strings.ContainsAny(name, "./[]"):
		return path + "[" + name + "]"
	default:
		return path + "." + name
	}
}
