package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Workflow is what a server tells of a workflow.
type Workflow struct {
	Name         string           `json:"name"`
	Version      string           `json:"version"`
	Title        string           `json:"title"`
	Summary      string           `json:"summary"`
	Execute      string           `json:"execute"`
	Routes       []v1alpha1.Route `json:"routes"`
	Tool         string           `json:"tool"`
	InputSchema  json.RawMessage  `json:"inputSchema"`
	OutputSchema json.RawMessage  `json:"outputSchema"`
}

// List returns the workflows that the caller may run, and the answer as it came.
func (c *Client) List(ctx context.Context) ([]Workflow, json.RawMessage, error) {
	raw, err := c.ask(ctx, http.MethodGet, "/workflows", nil, nil, http.StatusOK)
	if err != nil {
		return nil, nil, err
	}
	var answer struct {
		Workflows []Workflow `json:"workflows"`
	}
	if json.Unmarshal(raw, &answer) != nil || answer.Workflows == nil {
		return nil, nil, c.stranger()
	}
	return answer.Workflows, raw, nil
}

// Workflow returns one workflow, and the answer as it came.
func (c *Client) Workflow(ctx context.Context, name string) (Workflow, json.RawMessage, error) {
	raw, err := c.ask(ctx, http.MethodGet, "/workflows/"+url.PathEscape(name), nil, nil, http.StatusOK)
	if err != nil {
		return Workflow{}, nil, err
	}
	var w Workflow
	if json.Unmarshal(raw, &w) != nil || w.Name == "" {
		return Workflow{}, nil, c.stranger()
	}
	return w, raw, nil
}

// WriteWorkflows writes a line for each workflow.
func WriteWorkflows(out io.Writer, workflows []Workflow) error {
	rows := [][]string{{"NAME", "VERSION", "TITLE", "ROUTES"}}
	for _, w := range workflows {
		rows = append(rows, []string{w.Name, w.Version, cmp.Or(w.Title, w.Summary), strings.Join(routes(w), ", ")})
	}
	return WriteTable(out, rows)
}

func routes(w Workflow) []string {
	out := make([]string, len(w.Routes))
	for i, r := range w.Routes {
		out[i] = r.Method + " " + r.Path
	}
	return out
}

// WriteWorkflow writes what there is to know to call a workflow.
func WriteWorkflow(out io.Writer, w Workflow) error {
	var rows [][]string
	for _, row := range [][]string{
		{"Name:", w.Name}, {"Version:", w.Version}, {"Title:", w.Title}, {"Summary:", w.Summary},
		{"Execute:", "POST " + w.Execute}, {"Routes:", strings.Join(routes(w), ", ")}, {"MCP tool:", w.Tool},
	} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	if len(w.InputSchema) == 0 {
		rows = append(rows, []string{"Inputs:", "any; the workflow has no input schema"})
	}
	err := WriteTable(out, rows)
	return errors.Join(err, writeSchema(out, "INPUT", w.InputSchema), writeSchema(out, "OUTPUT", w.OutputSchema))
}

// writeSchema writes the properties of a schema, those that are required first.
func writeSchema(out io.Writer, title string, raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	s := readSchema(raw)
	properties := s.properties()
	rows := [][]string{{}, {title, "TYPE", "REQUIRED", "DESCRIPTION"}}
	if len(properties) == 0 {
		rows = append(rows, []string{"(any)", s.typeName(), "", s.description()})
	}
	slices.SortStableFunc(properties, func(a, b property) int {
		switch {
		case a.required == b.required:
			return 0
		case a.required:
			return -1
		default:
			return 1
		}
	})
	for _, p := range properties {
		required := "no"
		if p.required {
			required = "yes"
		}
		rows = append(rows, []string{p.name, p.schema.typeName(), required, p.schema.description()})
	}
	return WriteTable(out, rows)
}
