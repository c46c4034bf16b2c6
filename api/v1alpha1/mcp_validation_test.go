package v1alpha1

import (
	"strings"
	"testing"
)

// withMCP is a workflow with these settings of MCP.
func withMCP(name string, mcp WorkflowMCP) Workflow {
	w := workflow(name)
	w.MCP = mcp
	return w
}

func asResource(uri string) WorkflowMCP { return WorkflowMCP{Resource: &MCPResource{URI: uri}} }

func TestValidateMCP(t *testing.T) {
	restAlone := func(w Workflow) Workflow {
		w.Expose = []Channel{ChannelREST}
		return w
	}
	mcpAlone := func(w Workflow) Workflow {
		w.Expose = []Channel{ChannelMCP}
		return w
	}
	routed := workflow("echo")
	routed.Routes = []Route{{Method: "GET", Path: "/api/echo"}}
	prompts := []Prompt{{Name: "review"}}
	tests := []struct {
		name string
		spec NexusAppSpec
		want string // the fields refused, joined
	}{
		{"one resource", NexusAppSpec{Workflows: []Workflow{withMCP("a", asResource("orders://{id}"))}}, ""},
		{"two that differ by a text", NexusAppSpec{Workflows: []Workflow{withMCP("a", asResource("orders://{id}/a")), withMCP("b", asResource("orders://{id}/b"))}}, ""},
		{"two that differ by a variable's name", NexusAppSpec{Workflows: []Workflow{withMCP("a", asResource("orders://{id}")), withMCP("b", asResource("orders://{number}"))}}, "spec.workflows[1].mcp.resource.uri"},
		{"a fixed one beside a template", NexusAppSpec{Workflows: []Workflow{withMCP("a", asResource("orders://{id}")), withMCP("b", asResource("orders://all"))}}, ""},
		{"a variable twice", NexusAppSpec{Workflows: []Workflow{withMCP("a", asResource("orders://{id}/{id}"))}}, "spec.workflows[0].mcp.resource.uri"},
		{"a tool with the default name of another", NexusAppSpec{Workflows: []Workflow{workflow("a"), withMCP("b", WorkflowMCP{ToolName: "a"})}}, "spec.workflows[1].mcp.toolName"},
		{"names exchanged", NexusAppSpec{Workflows: []Workflow{withMCP("a", WorkflowMCP{ToolName: "b"}), withMCP("b", WorkflowMCP{ToolName: "a"})}}, ""},
		{"the name of a workflow that is no tool", NexusAppSpec{Workflows: []Workflow{restAlone(workflow("a")), withMCP("b", WorkflowMCP{ToolName: "a"})}}, ""},
		{"MCP that is not exposed", NexusAppSpec{Workflows: []Workflow{restAlone(withMCP("a", WorkflowMCP{Logs: MCPLogsTasks}))}}, "spec.workflows[0].mcp"},
		{"routes that are not exposed", NexusAppSpec{Workflows: []Workflow{mcpAlone(routed)}}, "spec.workflows[0].routes"},
		{"prompts", NexusAppSpec{Prompts: prompts, Workflows: []Workflow{workflow("a")}}, ""},
		{"prompts without MCP", NexusAppSpec{Prompts: prompts, Workflows: []Workflow{restAlone(workflow("a"))}}, "spec.prompts"},
		{"a prompt twice", NexusAppSpec{Prompts: append(prompts, prompts...), Workflows: []Workflow{workflow("a")}}, "spec.prompts[1].name"},
		{"an https URL", NexusAppSpec{PublicURL: "https://shop.example.com:8443/a", Environment: Staging}, ""},
		{"an http URL", NexusAppSpec{PublicURL: "http://shop.example.com", Environment: Staging}, "spec.publicURL"},
		{"an http URL in Development", NexusAppSpec{PublicURL: "http://localhost:8000", Environment: Development}, ""},
		{"a port that there is not", NexusAppSpec{PublicURL: "https://shop.example.com:99999", Environment: Development}, "spec.publicURL"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			app := production()
			app.Spec.Environment, app.Spec.PublicURL, app.Spec.Prompts = Production, test.spec.PublicURL, test.spec.Prompts
			if test.spec.Environment != "" {
				app.Spec.Environment = test.spec.Environment
			}
			if test.spec.Workflows != nil {
				app.Spec.Workflows = test.spec.Workflows
			}
			if got := strings.Join(validate(app), " "); got != test.want {
				t.Errorf("refused %q, want %q", got, test.want)
			}
		})
	}
}

func TestExposes(t *testing.T) {
	spec := &NexusAppSpec{Workflows: []Workflow{{Name: "a", Expose: []Channel{ChannelREST}}}}
	if SetDefaults(spec); spec.ServesMCP() || spec.Workflows[0].Exposes(ChannelMCP) || !spec.Workflows[0].Exposes(ChannelREST) {
		t.Error("an app of REST alone serves MCP")
	}
	spec.Workflows = append(spec.Workflows, Workflow{Name: "b"})
	if SetDefaults(spec); !spec.ServesMCP() || !spec.Workflows[1].Exposes(ChannelMCP) || !spec.Workflows[1].Exposes(ChannelREST) {
		t.Error("by default a workflow is not served over both channels")
	}
}
