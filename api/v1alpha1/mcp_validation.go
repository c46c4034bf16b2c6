package v1alpha1

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Exposes says whether a channel serves the workflow.
func (w *Workflow) Exposes(channel Channel) bool { return slices.Contains(w.Expose, channel) }

// ServesMCP says whether any workflow is served over MCP.
func (s *NexusAppSpec) ServesMCP() bool { return AnyExposes(s.Workflows, ChannelMCP) }

// AnyExposes says whether a channel serves any of the workflows.
func AnyExposes(workflows []Workflow, channel Channel) bool {
	return slices.ContainsFunc(workflows, func(w Workflow) bool { return w.Exposes(channel) })
}

// URIVariable is a variable of an MCPResource's URI.
var URIVariable = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// validateMCP applies the rules about MCP that span fields.
func validateMCP(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	errs = append(errs, validatePublicURL(spec, path.Child("publicURL"))...)
	if strings.HasSuffix(spec.PublicURL, "/mcp") {
		errs = append(errs, field.Invalid(path.Child("publicURL"), spec.PublicURL, "MCP is at /mcp below publicURL: leave /mcp out"))
	}
	if len(spec.Prompts) > 0 && !spec.ServesMCP() {
		errs = append(errs, field.Forbidden(path.Child("prompts"), "prompts are served over MCP, and no workflow is: add MCP to the expose of one, or remove the prompts"))
	}
	seen := map[string]bool{}
	for i, p := range spec.Prompts {
		if seen[p.Name] {
			errs = append(errs, field.Duplicate(path.Child("prompts").Index(i).Child("name"), p.Name))
		}
		seen[p.Name] = true
	}
	for i := range spec.Workflows {
		errs = append(errs, validateWorkflowMCP(&spec.Workflows[i], path.Child("workflows").Index(i))...)
	}
	return append(errs, validateToolNames(spec.Workflows, path.Child("workflows"))...)
}

func validatePublicURL(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	if spec.PublicURL == "" {
		return nil
	}
	if spec.Environment != Development && !strings.HasPrefix(spec.PublicURL, "https://") {
		return field.ErrorList{field.Invalid(path, spec.PublicURL, "callers send their credentials to publicURL: write an https:// URL")}
	}
	if _, ok := ruleOfURL(spec.PublicURL); !ok { // what a pattern cannot tell: a port that there is not
		return field.ErrorList{field.Invalid(path, spec.PublicURL, "write the URL as https://HOST or https://HOST/PATH, without user, query, fragment and a slash at the end")}
	}
	return nil
}

func validateWorkflowMCP(w *Workflow, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if w.MCP != (WorkflowMCP{}) && !w.Exposes(ChannelMCP) {
		errs = append(errs, field.Forbidden(at.Child("mcp"), "mcp says how a workflow is served over MCP, and expose leaves that out: add MCP to the workflow's expose, or remove mcp"))
	}
	if len(w.Routes) > 0 && !w.Exposes(ChannelREST) {
		errs = append(errs, field.Forbidden(at.Child("routes"), "routes are URLs of the REST API, and expose leaves that out: add REST to the workflow's expose, or remove routes"))
	}
	if w.MCP.Resource == nil {
		return errs
	}
	seen := map[string]bool{}
	for _, variable := range URIVariable.FindAllString(w.MCP.Resource.URI, -1) {
		if seen[variable] {
			errs = append(errs, field.Invalid(at.Child("mcp", "resource", "uri"), w.MCP.Resource.URI, fmt.Sprintf("the variable %s stands twice: rename one", variable)))
		}
		seen[variable] = true
	}
	return errs
}

// validateToolNames refuses two workflows with one name of a tool, or one URI of a
// resource. Which template a URI matches would depend on the order of the workflows, so
// templates may not be alike but for the names of their variables.
func validateToolNames(workflows []Workflow, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	tools, uris := map[string]string{}, map[string]string{}
	for i := range workflows {
		w, at := &workflows[i], path.Index(i).Child("mcp")
		if !w.Exposes(ChannelMCP) {
			continue
		}
		if other, taken := tools[w.MCP.ToolName]; taken && other != w.Name {
			errs = append(errs, field.Invalid(at.Child("toolName"), w.MCP.ToolName, fmt.Sprintf("the tool of workflow %q has this name already: choose another", other)))
		}
		tools[w.MCP.ToolName] = w.Name
		if w.MCP.Resource == nil {
			continue
		}
		uri := URIVariable.ReplaceAllString(w.MCP.Resource.URI, "{}")
		if other, taken := uris[uri]; taken && other != w.Name {
			errs = append(errs, field.Invalid(at.Child("resource", "uri"), w.MCP.Resource.URI, fmt.Sprintf("the resource of workflow %q has this URI already: choose another", other)))
		}
		uris[uri] = w.Name
	}
	return errs
}
