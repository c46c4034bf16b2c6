package conformance

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

var update = flag.Bool("update", false, "write the golden files anew")

const golden = "testdata/examples.golden"

// TestExamples compiles every example of the specification. The golden file says of each
// whether it is in the profile, and if not, what in it is refused.
func TestExamples(t *testing.T) {
	var out strings.Builder
	for _, d := range examples(t) {
		program, problems := compiled(&d)
		if len(problems) == 0 {
			problems = workflow.Link([]*workflow.Program{program})[0]
		}
		if len(problems) == 0 {
			fmt.Fprintf(&out, "%s: compiled\n", d.place)
			continue
		}
		fmt.Fprintf(&out, "%s: refused\n", d.place)
		for _, p := range problems {
			fmt.Fprintf(&out, "    %s\n", p)
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("the examples do not compile as %s says; read the difference and run 'go test ./test/conformance -run Examples -update':\n%s", golden, difference(string(want), out.String()))
	}
}

// secretNames are those that examples and features name.
var secretNames = []string{"mySecret", "mine", "client", "realm", "api", "mcp", "key", "store"}

// compiled compiles a definition in an app that has the secrets of secretNames.
// Where it may call is left open.
func compiled(d *definition) (*workflow.Program, []workflow.Problem) {
	return workflow.Compile(d.name(), d.text, workflow.Environment{Secrets: secretNames})
}

// difference are the lines that only one of two texts has.
func difference(want, got string) string {
	var out strings.Builder
	for line := range strings.Lines(want) {
		if !strings.Contains(got, line) {
			out.WriteString("- " + line)
		}
	}
	for line := range strings.Lines(got) {
		if !strings.Contains(want, line) {
			out.WriteString("+ " + line)
		}
	}
	return out.String()
}
