package conformance

import (
	"bytes"
	"encoding/json"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// different is what jq 1.6 does otherwise, and ours is meant.
var different = []struct {
	why   string
	where func(text string, q question, ours, theirs string) bool
}{
	{"the run's clock tells the time", func(text string, _ question, _, _ string) bool { return text == "now" }},
	{"integers keep their digits beyond 2^53", func(_ string, q question, _, _ string) bool {
		return strings.Contains(show(q.Data), "9007199254740993")
	}},
	{"a text has characters by number, where jq has an error", func(text string, q question, ours, theirs string) bool {
		return theirs == failed && ours != failed && indexed.MatchString(text) && isText(q.Input)
	}},
}

var indexed = regexp.MustCompile(`\[\d+\]`)

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

// secretValues are too short to be taken out of the answers.
var secretValues = map[string]any{"key": "k", "client": "c", "store": map[string]any{"user": "u", "pass-word": "p"}}

// TestJQ evaluates every expression of the examples, the conformance kit and our own
// features with our engine and with Debian's jq. Both give the same, or both fail.
func TestJQ(t *testing.T) {
	all := everything(t)
	if _, err := exec.LookPath("jq"); err != nil {
		t.Fatalf("this compares with Debian's jq: apt-get install jq: %v", err)
	}
	inputs := map[string][]any{}
	for _, d := range all {
		if strings.HasPrefix(d.place, "limits.feature") {
			continue // jq has none
		}
		for _, text := range expressions(d.tree) {
			inputs[text] = append(inputs[text], d.inputs...)
		}
	}
	compared, used := 0, map[string]bool{}
	explained := func(text string, q question, ours, theirs string) bool {
		for _, d := range different {
			if d.where(text, q, ours, theirs) {
				used[d.why] = true
				return true
			}
		}
		return false
	}
	for _, text := range slices.Sorted(maps.Keys(inputs)) {
		e := newEvaluation(text)
		questions := e.ask(inputs[text])
		ours, ok := e.engine(t, questions)
		if !ok {
			continue // see the features about refusals
		}
		theirs := e.jq(t, questions)
		compared++
		for i, q := range questions {
			if ours[i] != theirs[i] && !explained(text, q, ours[i], theirs[i]) {
				t.Errorf("%s\n  on   %s\n  ours %s\n  jq   %s", text, show(q), ours[i], theirs[i])
			}
		}
	}
	if compared < 200 {
		t.Errorf("only %d expressions were compared", compared)
	}
	for _, d := range different {
		if !used[d.why] {
			t.Errorf("it is listed that %s, but nothing shows it", d.why)
		}
	}
}

// question is what an expression is evaluated on.
type question struct {
	Data, Input, Context any
	// Vars are the values of the variables that tasks declare.
	Vars map[string]any
}

// language are the variables of the language.
var language = map[string]bool{
	"context": true, "input": true, "output": true, "secrets": true, "authorization": true,
	"task": true, "workflow": true, "runtime": true,
}

// evaluation evaluates one expression.
type evaluation struct {
	text string
	// declared are the variables of the expression that tasks declare.
	declared []string
	// reference is where the task stands that evaluates it.
	reference  string
	definition map[string]any
}

// newEvaluation makes a workflow in which a task evaluates the expression in export.as,
// which sees every variable. Loops of one time round declare those that tasks declare.
func newEvaluation(text string) *evaluation {
	e := &evaluation{text: text}
	for _, name := range variables(text) {
		if !language[name] && name != "__loc__" && name != "ENV" {
			e.declared = append(e.declared, name)
		}
	}
	tasks := []any{
		map[string]any{"probe": map[string]any{
			"input":  map[string]any{"from": ".Input"},
			"set":    "${ $task.input.Data }",
			"export": map[string]any{"as": "${" + text + "\n}"},
		}},
		map[string]any{"result": map[string]any{"set": "${ [$context] }"}},
	}
	for _, name := range e.declared {
		tasks = []any{map[string]any{"loop": map[string]any{
			"for": map[string]any{"each": name, "at": "at_" + name, "in": "[.Vars." + name + "]"}, "do": tasks,
		}}}
	}
	e.reference = "/do/1" + strings.Repeat("/loop/do/0", len(e.declared)) + "/probe"
	e.definition = map[string]any{
		"document": map[string]any{"dsl": "1.0.3", "namespace": "default", "name": "jq", "version": "1.0.0"},
		"use":      map[string]any{"secrets": secretNames},
		"do":       append([]any{map[string]any{"context": map[string]any{"set": "${ . }", "export": map[string]any{"as": ".Context"}}}}, tasks...),
	}
	return e
}

// ask makes questions: of the inputs of the expression's own scenarios, and of values of
// each type where it looks.
func (e *evaluation) ask(own []any) []question {
	var out []question
	add := func(data, leaf any) {
		q := question{Data: data, Vars: map[string]any{}}
		q.Input, q.Context = grown(paths(e.text, "input"), leaf), grown(paths(e.text, "context"), leaf)
		for _, name := range e.declared {
			q.Vars[name] = grown(paths(e.text, name), leaf)
		}
		out = append(out, q)
	}
	for i, data := range own[:min(len(own), len(leaves))] {
		add(data, leaves[i])
	}
	for _, leaf := range leaves {
		add(grown(paths(e.text, ""), leaf), leaf)
		if len(paths(e.text, "")) > 0 {
			add(leaf, leaf)
		}
	}
	return out
}

// failed is the answer of an expression that gives no value, or more than one.
const failed = "fails"

// engine answers with our engine; not when the expression does not compile.
func (e *evaluation) engine(t *testing.T, questions []question) ([]string, bool) {
	t.Helper()
	d := parsed(t, e.text, show(e.definition))
	program, problems := compiled(&d)
	if len(problems) > 0 {
		return nil, false
	}
	host := &workflow.Host{Clock: newClock(), Secrets: func() map[string]any { return secretValues }}
	var out []string
	for _, q := range questions {
		input, err := decode(show(q))
		if err != nil {
			t.Fatal(err)
		}
		output, err := program.Run(t.Context(), input, host, workflow.Options{ID: "run-1"})
		if result, ok := output.([]any); ok && err == nil {
			out = append(out, show(settle(result[0])))
		} else {
			out = append(out, failed)
		}
	}
	return out, true
}

// bindings gives jq the variables of the language, as our engine has them.
const bindings = `
. as $question | .Context as $context | .Input as $input | .Data as $output | $values as $secrets | null as $authorization
| {iso8601: $now.iso, epoch: {seconds: $now.seconds, milliseconds: ($now.seconds * 1000)}} as $instant
| {id: "run-1", definition: $definition, input: $question, startedAt: $instant} as $workflow
| ($reference | ltrimstr("/") | split("/") | map(tonumber? // .)) as $path
| {name: "probe", reference: $reference, definition: ($definition | getpath($path)), input: $question, output: .Data, startedAt: $instant} as $task
| {name: "nexus", version: "unknown", metadata: {}} as $runtime
`

// jq answers with jq, one line for each question, so that what fails takes nothing else
// with it.
func (e *evaluation) jq(t *testing.T, questions []question) []string {
	t.Helper()
	program := bindings
	for _, name := range e.declared {
		program += " | .Vars." + name + " as $" + name
	}
	program += " | .Data | try [[" + e.text + "\n]] catch []"
	command := exec.CommandContext(t.Context(), "jq", "--compact-output", "--argjson", "definition", show(e.definition), "--arg", "reference", e.reference,
		"--argjson", "values", show(secretValues), "--argjson", "now", show(map[string]any{"iso": begin.Format("2006-01-02T15:04:05.000Z"), "seconds": begin.Unix()}), program)
	var stdin, stderr bytes.Buffer
	for _, q := range questions {
		stdin.WriteString(show(q) + "\n")
	}
	command.Stdin, command.Stderr, command.WaitDelay = &stdin, &stderr, time.Second
	stdout, err := command.Output()
	if err != nil {
		t.Errorf("%s: jq: %v: %s", e.text, err, stderr.String())
	}
	var out []string
	for line := range bytes.Lines(stdout) {
		var answer [][]any
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.UseNumber()
		if err := dec.Decode(&answer); err != nil {
			t.Fatalf("%s: jq says %s", e.text, line)
		}
		if len(answer) == 1 && len(answer[0]) == 1 {
			out = append(out, show(settle(answer[0][0])))
		} else {
			out = append(out, failed)
		}
	}
	for len(out) < len(questions) {
		out = append(out, "no answer of jq's")
	}
	return out
}
