package conformance

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cucumber/godog"
)

// definition is a definition of the specification's or of ours, and where it stands.
type definition struct {
	// place is the file, and the scenario where there is one.
	place string
	tree  any
	text  json.RawMessage
	// inputs are those that its scenario gives to workflows.
	inputs []any
}

// examples are the specification's.
func examples(t *testing.T) []definition {
	t.Helper()
	dir := filepath.Join(specification(t), "examples")
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples in %s: %v", dir, err)
	}
	slices.Sort(files)
	var all []definition
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parsed(t, filepath.Base(file), string(text)))
	}
	return all
}

func parsed(t *testing.T, place, text string) definition {
	t.Helper()
	tree, err := decode(text)
	if err != nil {
		t.Fatalf("%s: %v", place, err)
	}
	d := definition{place: place, tree: tree}
	if d.text, err = json.Marshal(tree); err != nil {
		t.Fatalf("%s: %v", place, err)
	}
	return d
}

// The steps that hold a definition; see scenario.arrange.
var (
	wholeStep = regexp.MustCompile(`^(?:a|another) workflow with definition:$`)
	partStep  = regexp.MustCompile(`^a workflow that has:$`)
	tasksStep = regexp.MustCompile(`^a workflow that does (\[.+\])$`)
	bothStep  = regexp.MustCompile(`^a workflow that has \{(.+)\} and does (\[.+\])$`)
	inputStep = regexp.MustCompile(`^given the workflow input is:$`)
)

// scenarios are the definitions in the features of a directory.
func scenarios(t *testing.T, dir string) []definition {
	t.Helper()
	suite := godog.TestSuite{Options: &godog.Options{Paths: []string{dir}, Output: io.Discard}}
	features, err := suite.RetrieveFeatures()
	if err != nil {
		t.Fatal(err)
	}
	var all []definition
	for _, feature := range features {
		for _, pickle := range feature.Pickles {
			first := len(all)
			var inputs []any
			for _, step := range pickle.Steps {
				body := ""
				if step.Argument != nil && step.Argument.DocString != nil {
					body = step.Argument.DocString.Content
				}
				place := filepath.Base(feature.Uri) + ": " + pickle.Name
				switch {
				case wholeStep.MatchString(step.Text):
					all = append(all, parsed(t, place, body))
				case partStep.MatchString(step.Text):
					all = append(all, parsed(t, place, document(body).Content))
				case inputStep.MatchString(step.Text):
					inputs = append(inputs, parsed(t, place, body).tree)
				}
				if m := tasksStep.FindStringSubmatch(step.Text); m != nil {
					all = append(all, parsed(t, place, document("do: "+m[1]).Content))
				}
				if m := bothStep.FindStringSubmatch(step.Text); m != nil {
					all = append(all, parsed(t, place, document(m[1]+"\ndo: "+m[2]).Content))
				}
			}
			for i := first; i < len(all); i++ {
				all[i].inputs = inputs
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("no definitions in %s", dir)
	}
	return all
}

// everything is every definition that there is.
func everything(t *testing.T) []definition {
	t.Helper()
	all := append(examples(t), scenarios(t, filepath.Join(specification(t), "ctk", "features"))...)
	return append(all, scenarios(t, "features")...)
}

// name is what a definition calls itself.
func (d *definition) name() string { return nameOf(d.text) }

// String is the definition in a message.
func (d *definition) String() string {
	return strings.TrimSuffix(d.place+" ("+d.name()+")", " ()")
}
