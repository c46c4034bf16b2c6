package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/graph"
)

// graphFlags are the flags of 'nexus graph'.
type graphFlags struct {
	file, configMapsDir string
	workflow, output    string
}

func newGraph() *cobra.Command {
	var f graphFlags
	cmd := &cobra.Command{
		Use:   "graph -f FILE",
		Short: "Draw the workflows of a NexusApp manifest",
		Long: `Draw the workflows of a NexusApp manifest, as a Mermaid flowchart or in the DOT language of Graphviz.

With several workflows each has a box of its own, and tasks that run one of the others point to it. A manifest that
'nexus validate' refuses is not drawn.`,
		Example: `  nexus graph -f app.yaml --workflow quote
  nexus graph -f app.yaml --output dot | dot -Tsvg >app.svg`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return drawGraph(f, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "filename", "f", "", "manifest with the workflows; - is the standard input")
	flags.StringVar(&f.configMapsDir, "configmaps-dir", "", "where the ConfigMaps are that the manifest names, as <configmap>/<entry>: definitions, OpenAPI documents")
	flags.StringVar(&f.workflow, "workflow", "", "draw only the workflow with this name")
	flags.StringVar(&f.output, "output", "mermaid", "mermaid or dot")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"mermaid", "dot"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagRequired("filename")
	return cmd
}

func drawGraph(f graphFlags, in io.Reader, out io.Writer) error {
	draw := graph.Mermaid
	switch f.output {
	case "mermaid":
	case "dot":
		draw = graph.DOT
	default:
		return &exitError{exitUsage, fmt.Errorf("--output %q is not known: use mermaid or dot", f.output)}
	}
	raw, err := readFile(f.file, in)
	if err != nil {
		return err
	}
	_, doc, found := readApp(raw, f.configMapsDir)
	if len(found.problems) > 0 {
		return invalid(f.file, found.problems)
	}
	definitions, err := chosenDefinitions(doc.Workflows, f.workflow)
	if err != nil {
		return err
	}
	var picture bytes.Buffer
	if err := draw(&picture, definitions...); err != nil {
		return err
	}
	_, err = out.Write(picture.Bytes())
	return err
}

// chosenDefinitions returns the definition of the workflow called name, or all of them
// when name is empty.
func chosenDefinitions(workflows []v1alpha1.Workflow, name string) ([]map[string]any, error) {
	var out []map[string]any
	for i := range workflows {
		if name != "" && workflows[i].Name != name {
			continue
		}
		var definition map[string]any
		decoder := json.NewDecoder(bytes.NewReader(workflows[i].Definition.Raw))
		decoder.UseNumber() // numbers are drawn as they are written
		if err := decoder.Decode(&definition); err != nil {
			return nil, fmt.Errorf("reading the definition of %s: %w", workflows[i].Name, err)
		}
		out = append(out, definition)
	}
	if len(out) == 0 {
		return nil, &exitError{exitUsage, noSuchWorkflow(workflows, name)}
	}
	return out, nil
}

// noSuchWorkflow names those that there are, the nearest one first. Which is near is
// what cobra would suggest if they were commands.
func noSuchWorkflow(workflows []v1alpha1.Workflow, name string) error {
	commands, names := &cobra.Command{SuggestionsMinimumDistance: 3}, make([]string, len(workflows))
	for i := range workflows {
		names[i] = workflows[i].Name
		commands.AddCommand(&cobra.Command{Use: names[i], Run: func(*cobra.Command, []string) {}})
	}
	if near := commands.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("--workflow: the manifest has no workflow %q: did you mean %s?", name, near[0])
	}
	return fmt.Errorf("--workflow: the manifest has no workflow %q: it has %s", name, strings.Join(names, ", "))
}
