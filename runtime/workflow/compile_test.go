package workflow

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

// set is a list of one valid task.
const set = `"do":[{"a":{"set":{"x":1}}}]`

// app is an environment in which everything can be called but what says so.
func app() Environment {
	return Environment{
		Secrets: []string{"pricing", "stock"},
		Reach: func(url string) error {
			if strings.Contains(url, "evil.example") {
				return errors.New("the host is not in spec.egress.allow")
			}
			return nil
		},
		Operation: func(_, operation string) error {
			if operation == "missing" {
				return errors.New("there is no such operation")
			}
			return nil
		},
	}
}

// wrong is a definition with one thing wrong: where, and what is said of it.
type wrong struct{ name, definition, pointer, message string }

// testWrong checks that each definition is refused, and that what is wrong is reported
// once.
func testWrong(t *testing.T, tests []wrong) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := Compile("quote", []byte(tt.definition), app())
			if p != nil {
				t.Errorf("there is a program in spite of %v", problems)
			}
			found := 0
			for _, p := range problems {
				if p.Pointer == tt.pointer && strings.Contains(p.Message, tt.message) {
					found++
				}
			}
			if found != 1 {
				t.Errorf("want once %s: ...%s..., got %v", tt.pointer, tt.message, problems)
			}
		})
	}
}

// doc, def, expr, schemaOf and task make definitions with one part that matters.
func doc(members string) string { return `{"document":{` + members + `},` + set + `}` }

func def(members string) string { return string(define(members)) }

func expr(text string) string { return def(`"do":[{"a":{"set":{"x":["` + text + `"]}}}]`) }

func schemaOf(document string) string {
	return def(`"input":{"schema":{"document":` + document + `}},` + set)
}

func oneTask(definition string) string { return def(`"do":[{"a":` + definition + `}]`) }

func TestCompileRefusesDefinitions(t *testing.T) {
	testWrong(t, []wrong{
		{"not JSON", `{`, "", "not a JSON object"},
		{"an array", `[]`, "", "not a JSON object"},
		{"null", `null`, "", "not a JSON object"},
		{"trailing data", `{}{}`, "", "something follows"},
		{"too deep", `{"do":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, "", "nested"},
		{"no document", `{` + set + `}`, "/document", "is required"},
		{"document is a list", `{"document":[],` + set + `}`, "/document", "must be an object, not an array"},
		{"dsl missing", doc(`"namespace":"a","name":"quote","version":"1.0.0"`), "/document/dsl", "is required"},
		{"namespace missing", doc(`"dsl":"1.0.3","name":"quote","version":"1.0.0"`), "/document/namespace", "is required"},
		{"name missing", doc(`"dsl":"1.0.3","namespace":"a","version":"1.0.0"`), "/document/name", "is required"},
		{"name empty", doc(`"dsl":"1.0.3","namespace":"a","name":"","version":"1.0.0"`), "/document/name", "must not be empty"},
		{"version missing", doc(`"dsl":"1.0.3","namespace":"a","name":"quote"`), "/document/version", "is required"},
		{"dsl a number", doc(`"dsl":1.0,"namespace":"a","name":"quote","version":"1.0.0"`), "/document/dsl", "quotes"},
		{"dsl too new", doc(`"dsl":"1.1.0","namespace":"a","name":"quote","version":"1.0.0"`), "/document/dsl", "not supported"},
		{"dsl too old", doc(`"dsl":"0.8","namespace":"a","name":"quote","version":"1.0.0"`), "/document/dsl", "not supported"},
		{"dsl pre-release", doc(`"dsl":"1.0.0-alpha5","namespace":"a","name":"quote","version":"1.0.0"`), "/document/dsl", "not supported"},
		{"other name", doc(`"dsl":"1.0.3","namespace":"a","name":"order","version":"1.0.0"`), "/document/name", `is called "quote"`},
		{"bad namespace", doc(`"dsl":"1.0.3","namespace":"a b","name":"quote","version":"1.0.0"`), "/document/namespace", "letters, digits and dashes"},
		{"bad version", doc(`"dsl":"1.0.3","namespace":"a","name":"quote","version":"v1"`), "/document/version", "semantic version"},
		{"tags a list", doc(`"dsl":"1.0.3","namespace":"a","name":"quote","version":"1.0.0","tags":[]`), "/document/tags", "must be an object"},
		{"unknown document field", doc(`"dsl":"1.0.3","namespace":"a","name":"quote","version":"1.0.0","titel":"x"`), "/document/titel", `did you mean "title"?`},
		{"misspelt field", def(`"inptu":{},` + set), "/inptu", `did you mean "input"?`},
		{"unknown field", def(`"zzzzz":{},` + set), "/zzzzz", "known are document, input, use, do, timeout, output, evaluate"},
		{"schedule", def(`"schedule":{"cron":"0 0 * * *"},` + set), "/schedule", "call it from a CronJob"},
		{"language", def(`"evaluate":{"language":"js"},` + set), "/evaluate/language", `"js" is not supported: write jq`},
		{"loose mode", def(`"evaluate":{"mode":"loose"},` + set), "/evaluate/mode", "write strict"},
		{"evaluate a string", def(`"evaluate":"jq",` + set), "/evaluate", "must be an object"},
		{"input a string", def(`"input":".a",` + set), "/input", "must be an object, not a string"},
		{"input.form", def(`"input":{"form":".a"},` + set), "/input/form", `did you mean "from"?`},
		{"input.from a number", def(`"input":{"from":1},` + set), "/input/from", "must be an expression or an object"},
		{"output.as null", def(`"output":{"as":null},` + set), "/output/as", "must be an expression or an object, not null"},
		{"on of YAML 1.1", def(`"true":{},` + set), "/true", "YAML 1.1"},
		{"no do", def(`"input":{}`), "/do", "is required"},
		{"do empty", def(`"do":[]`), "/do", "is empty"},
		{"do an object", def(`"do":{"a":{"set":{"x":1}}}`), "/do", "must be a list"},
	})
}

func TestCompileReportsEverything(t *testing.T) {
	_, problems := Compile("quote", []byte(`{"document":{"dsl":"2.0","namespace":"a","name":"x","version":"1"},"use":{"catalogs":{}},"schedule":{},
		"output":{"as":1},"input":{"from":".a +"},"do":[{"a":{"call":"http"}},{"b":{"set":{"x":"${ env + input }","y":"${ ( }"}}},{"c":{}},
		{"d":{}},{"e":{}},{"f":{}},{"g":{}},{"h":{}},{"i":{}},{"j":{}},{"k":{}}]}`), Environment{})
	var got []string
	for _, p := range problems {
		got = append(got, p.Pointer)
	}
	want := []string{"/document/dsl", "/document/name", "/document/version", "/input/from", "/use/catalogs", "/do/0/a/with", "/do/1/b/set/x", "/do/1/b/set/x", "/do/1/b/set/y",
		"/do/2/c", "/do/3/d", "/do/4/e", "/do/5/f", "/do/6/g", "/do/7/h", "/do/8/i", "/do/9/j", "/do/10/k", "/output/as", "/schedule"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", problems, want)
	}
	for _, p := range problems {
		if s := p.String(); !strings.HasPrefix(s, p.Pointer+": ") {
			t.Errorf("String: %s", s)
		}
	}
}

// TestCompileStopsAtTooManyProblems: a definition of 64 KiB can have thousands of them,
// each with the nearest of thousands of names.
func TestCompileStopsAtTooManyProblems(t *testing.T) {
	var tasks strings.Builder
	for i := range 1200 {
		tasks.WriteString(strings.Repeat(",", min(i, 1)) + `{"` + strings.Repeat("x", 30) + strings.Repeat("y", i%30) + `":{"set":1,"then":"` + strings.Repeat("z", i%60) + `"}}`)
	}
	_, problems := Compile("quote", define(`"do":[`+tasks.String()+`]`), Environment{})
	if len(problems) != maxProblems {
		t.Errorf("got %d problems", len(problems))
	}
}

func TestProgramDescribesItself(t *testing.T) {
	p, problems := Compile("quote", []byte(`{"document":{"dsl":"1.0.0","namespace":"a","name":"quote","version":"2.1.0","title":"Quote","summary":"Quotes.","tags":{"a":"b"},"metadata":{"x":1}},
		"input":{"schema":{"format":"json","document":{"type":"object","properties":{"n":{"type":"integer"},"s":{"type":["string","null"]},"r":{"$ref":"#/$defs/r"},"any":{},"two":{"type":["string","integer"]},"o":{"type":"object"}},"$defs":{"r":{"type":"boolean"}}}}},
		"output":{"schema":{"document":{"type":"object"}}},`+set+`}`), Environment{})
	if problems != nil {
		t.Fatal(problems)
	}
	if p.Name() != "quote" || p.Version() != "2.1.0" || p.Title() != "Quote" || p.Summary() != "Quotes." || len(p.Hash()) != 16 {
		t.Errorf("got %q %q %q %q %q", p.Name(), p.Version(), p.Title(), p.Summary(), p.Hash())
	}
	if !json.Valid(p.InputSchema()) || string(p.OutputSchema()) != `{"type":"object"}` {
		t.Errorf("schemas: %s %s", p.InputSchema(), p.OutputSchema())
	}
	for name, want := range map[string]string{"n": "integer", "s": "string", "r": "boolean", "any": "", "two": "", "o": "object", "missing": ""} {
		if got := p.PropertyType(name); got != want {
			t.Errorf("PropertyType(%s) = %q, want %q", name, got, want)
		}
	}
	bare := mustCompile(t, set)
	if bare.InputSchema() != nil || bare.OutputSchema() != nil || bare.PropertyType("n") != "" || bare.Check(5) != nil {
		t.Error("a workflow without a schema has one")
	}
}

func TestHashIgnoresTheOrderOfKeys(t *testing.T) {
	a := mustCompile(t, `"do":[{"a":{"set":{"x":1,"y":2}}}]`)
	b := mustCompile(t, `"do":[{"a":{"set":{"y":2, "x":1}}}]`)
	c := mustCompile(t, `"do":[{"a":{"set":{"x":1,"y":3}}}]`)
	if a.Hash() != b.Hash() || a.Hash() == c.Hash() {
		t.Errorf("got %s %s %s", a.Hash(), b.Hash(), c.Hash())
	}
}
