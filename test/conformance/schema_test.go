package conformance

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// looser is what we take although the specification's schema does not, by the feature
// and the start of the scenario's name, and why.
var looser = map[string]string{
	"schema.feature: Query parameters":                  "the reference has map[string, any]",
	"schema.feature: Headers":                           "the reference has map; a number has one way to be written",
	"schema.feature: An inline array":                   "the specification's text speaks of inline arrays, and an expression may give any array",
	"schema.feature: The input of another workflow":     "the reference has any",
	"schema.feature: The status of an error":            "as type, title and detail may be",
	"schema.feature: The parameters of an OpenAPI call": "as those of MCP calls may be",
	"schema.feature: The arguments of a function":       "as those of MCP calls may be",
	"schema.feature: The headers of an MCP call":        "as those of HTTP calls may be",
}

// TestSchema compares the compiler with the specification's schema. What compiles is
// valid, but for what is listed in looser. What does not compile may well be valid: it is
// outside of the profile, or wrong in a way that a schema cannot see; the examples' golden
// file and our features say which that is.
func TestSchema(t *testing.T) {
	schema := specificationSchema(t)
	used := map[string]bool{}
	good, all := 0, everything(t)
	for _, d := range all {
		err := schema.Validate(value(t, &d))
		_, problems := compiled(&d)
		reason := ""
		for place := range looser {
			if strings.HasPrefix(d.place, place) {
				reason = place
			}
		}
		switch {
		case len(problems) > 0:
		case err == nil:
			good++
		case reason == "":
			t.Errorf("%s compiles, but the schema says %v", &d, reasons(err))
		default:
			used[reason] = true
		}
	}
	for place := range looser {
		if !used[place] {
			t.Errorf("%s is listed as looser than the schema, and is not", place)
		}
	}
	if good < len(all)/2 {
		t.Errorf("only %d of %d definitions compile and are valid", good, len(all))
	}
}

// TestSchemaAndCompilerRefuse holds definitions against both that break the schema.
func TestSchemaAndCompilerRefuse(t *testing.T) {
	schema := specificationSchema(t)
	files, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no invalid definitions: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := parsed(t, filepath.Base(file), string(text))
		if schema.Validate(value(t, &d)) == nil {
			t.Errorf("%s: the schema takes it", d.place)
		}
		if _, problems := compiled(&d); len(problems) == 0 {
			t.Errorf("%s: the compiler takes it", d.place)
		}
	}
}

// specificationSchema is the specification's schema of definitions.
func specificationSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(specification(t), "schema", "workflow.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	d := parsed(t, "schema", string(text))
	const url = "https://example.com/workflow.json"
	c := jsonschema.NewCompiler()
	c.UseRegexpEngine(pattern)
	if err := c.AddResource(url, value(t, &d)); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(url)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// value is a definition as the validator holds values.
func value(t *testing.T, d *definition) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.text))
	if err != nil {
		t.Fatalf("%s: %v", d.place, err)
	}
	return v
}

// pattern compiles a pattern of the schema. Three of them look ahead, which Go's regular
// expressions do not: what they look for is a condition of its own here.
func pattern(text string) (jsonschema.Regexp, error) {
	var also []func(string) bool
	for _, ahead := range []struct {
		text  string
		holds func(string) bool
	}{
		{`(?!\s*\$\{)`, func(s string) bool { return !strings.HasPrefix(strings.TrimSpace(s), "${") }},
		{`(?=\S)`, func(s string) bool { return s != "" && strings.TrimSpace(s[:1]) != "" }},
		{`(?!$)`, func(s string) bool { return s != "P" }},
		{`(?=\d)`, func(s string) bool { return !strings.HasSuffix(s, "T") }},
	} {
		if strings.Contains(text, ahead.text) {
			text = strings.ReplaceAll(text, ahead.text, "")
			also = append(also, ahead.holds)
		}
	}
	plain, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	return &conditional{plain, also}, nil
}

// conditional is a pattern with conditions besides.
type conditional struct {
	*regexp.Regexp
	also []func(string) bool
}

// MatchString implements jsonschema.Regexp.
func (c *conditional) MatchString(s string) bool {
	for _, holds := range c.also {
		if !holds(s) {
			return false
		}
	}
	return c.Regexp.MatchString(s)
}

// reasons are the errors of a validation about what is nested deepest: the schema tries
// every kind of task, and most errors are about the wrong kinds.
func reasons(err error) string {
	e, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return err.Error()
	}
	var out []string
	deepest := 0
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		for _, c := range e.Causes {
			walk(c)
		}
		if len(e.Causes) > 0 || len(e.InstanceLocation) < deepest {
			return
		}
		if len(e.InstanceLocation) > deepest {
			deepest, out = len(e.InstanceLocation), nil
		}
		out = append(out, strings.TrimSpace(e.Error()))
	}
	walk(e)
	return strings.Join(out, "; ")
}
