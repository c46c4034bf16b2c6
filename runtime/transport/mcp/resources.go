package mcp

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
	"github.com/nexus-operator/nexus-operator/runtime/validate"
)

// The schemes of the runtime's own resources: what a workflow is, and how an execution
// stands.
const (
	workflowScheme  = "workflow://"
	executionScheme = "execution://"
)

// resource is a workflow as a resource.
type resource struct {
	tool     *tool
	uri      string
	mimeType string
	// pattern finds the variables of a URI; names are theirs, in order.
	pattern *regexp.Regexp
	names   []string
}

// variable is the value of one in a URI: the characters that a simple expansion leaves as
// they are, and escapes (RFC 6570 section 3.2.2). It is what the SDK takes too.
const variable = `((?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+)`

func newResource(t *tool) *resource {
	declared := t.workflow.MCP.Resource
	r := &resource{tool: t, uri: declared.URI, mimeType: declared.MIMEType}
	var pattern strings.Builder
	rest := declared.URI
	for _, at := range v1alpha1.URIVariable.FindAllStringSubmatchIndex(declared.URI, -1) {
		before := declared.URI[len(declared.URI)-len(rest) : at[0]]
		pattern.WriteString(regexp.QuoteMeta(before) + variable)
		r.names = append(r.names, declared.URI[at[2]:at[3]])
		rest = declared.URI[at[1]:]
	}
	pattern.WriteString(regexp.QuoteMeta(rest))
	r.pattern = regexp.MustCompile("^" + pattern.String() + "$")
	return r
}

// inputs are the variables of a URI as inputs, typed by the input schema. What does not
// read as its type stays text, and the schema's own check says so.
func (r *resource) inputs(rules *validate.Rules, values []string) map[string]any {
	inputs := make(map[string]any, len(values))
	for i, value := range values {
		inputs[r.names[i]] = wire.Typed(rules, r.tool.workflow.Program.PropertyType(r.names[i]), value)
	}
	return inputs
}

// findResource finds the workflow behind a URI, and the values of its variables. One
// without variables goes before a template.
func (h *Handler) findResource(uri string) (*resource, []string) {
	var found *resource
	var values []string
	for _, r := range h.resources {
		match := r.pattern.FindStringSubmatch(uri)
		if match == nil || found != nil && len(r.names) > 0 {
			continue
		}
		found, values = r, match[1:]
	}
	for i, value := range values {
		if decoded, err := url.PathUnescape(value); err == nil {
			values[i] = decoded
		}
	}
	return found, values
}

// workflowOf is the workflow that a resource or a template is about; nil for that of
// executions, which are their caller's.
func (h *Handler) workflowOf(uri string) *engine.Workflow {
	if name, ok := strings.CutPrefix(uri, workflowScheme); ok {
		for _, t := range h.tools {
			if t.workflow.Name == name {
				return t.workflow
			}
		}
	}
	for _, r := range h.resources {
		if r.uri == uri {
			return r.tool.workflow
		}
	}
	return nil
}

func (h *Handler) addResources() {
	for _, w := range h.engine.Workflows() {
		t := h.tools[w.MCP.ToolName]
		if t == nil || t.workflow != w {
			continue
		}
		h.server.AddResource(&sdk.Resource{
			URI: workflowScheme + w.Name, Name: w.Name, Title: w.Program.Title(), MIMEType: jsonType[0],
			Description: "The definition and the schemas of the workflow " + w.Name,
		}, h.readWorkflow)
		if w.MCP.Resource == nil {
			continue
		}
		r := newResource(t)
		h.resources = append(h.resources, r)
		if len(r.names) == 0 {
			h.server.AddResource(&sdk.Resource{URI: r.uri, Name: w.Name, Title: w.Program.Title(), Description: w.Program.Summary(), MIMEType: r.mimeType}, h.readRun)
			continue
		}
		h.server.AddResourceTemplate(&sdk.ResourceTemplate{URITemplate: r.uri, Name: w.Name, Title: w.Program.Title(), Description: w.Program.Summary(), MIMEType: r.mimeType}, h.readRun)
	}
	h.server.AddResourceTemplate(&sdk.ResourceTemplate{
		URITemplate: executionScheme + "{id}", Name: "execution", MIMEType: jsonType[0],
		Description: "How an execution of yours stands, and its result once there is one",
	}, h.readExecution)
}

func contents(c *sdk.ResourceContents) *sdk.ReadResourceResult {
	return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{c}}
}

// readWorkflow tells what a workflow is.
func (h *Handler) readWorkflow(ctx context.Context, req *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
	x, err := exchangeOf(ctx, req.Extra)
	if err != nil {
		return nil, err
	}
	x.call.Workflow = strings.TrimPrefix(req.Params.URI, workflowScheme)
	w, err := h.engine.Describe(ctx, &x.call)
	if err != nil {
		return nil, x.notFound(err, req.Params.URI)
	}
	p := w.Program
	text, err := json.Marshal(struct {
		Name         string          `json:"name"`
		Version      string          `json:"version"`
		Title        string          `json:"title,omitempty"`
		Summary      string          `json:"summary,omitempty"`
		Tool         string          `json:"tool"`
		InputSchema  json.RawMessage `json:"inputSchema,omitempty"`
		OutputSchema json.RawMessage `json:"outputSchema,omitempty"`
		Definition   json.RawMessage `json:"definition"`
	}{w.Name, p.Version(), p.Title(), p.Summary(), w.MCP.ToolName, p.InputSchema(), p.OutputSchema(), w.Definition.Raw})
	if err == nil {
		err = x.afford(copies * int64(len(text)))
	}
	if err != nil {
		return nil, x.refuse(err)
	}
	return contents(&sdk.ResourceContents{URI: req.Params.URI, MIMEType: jsonType[0], Text: string(text)}), nil
}

// notFound says of what a caller may not see that it is not there.
func (x *exchange) notFound(err error, uri string) error {
	if f := fault.As(err); f.Code != fault.WorkflowNotFound && f.Code != fault.NotFound {
		return x.refuse(err)
	}
	return x.noResource(uri)
}

// noResource is the error of a resource that is not there. Its data name the URI, as the
// protocol has it.
func (x *exchange) noResource(uri string) error {
	x.outcome = fault.NotFound
	out := x.asError(fault.New(fault.NotFound, "there is no such resource: resources/list has those that you may read"))
	out.Data = jsontext.AppendString(append(out.Data[:len(out.Data)-1], `,"uri":`...), uri)
	out.Data = append(out.Data, '}')
	return out
}

// readExecution tells how an execution of the caller's stands.
func (h *Handler) readExecution(ctx context.Context, req *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
	x, err := exchangeOf(ctx, req.Extra)
	if err != nil {
		return nil, err
	}
	found, err := h.engine.Execution(ctx, &x.call, strings.TrimPrefix(req.Params.URI, executionScheme))
	if err != nil {
		return nil, x.notFound(err, req.Params.URI)
	}
	text := wire.AppendExecution(nil, found)
	if err := x.afford(copies * int64(len(text))); err != nil {
		return nil, x.refuse(err)
	}
	return contents(&sdk.ResourceContents{URI: req.Params.URI, MIMEType: jsonType[0], Text: string(text)}), nil
}

// readRun runs the workflow behind a resource.
func (h *Handler) readRun(ctx context.Context, req *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
	x, err := exchangeOf(ctx, req.Extra)
	if err != nil {
		return nil, err
	}
	r, _ := h.findResource(req.Params.URI)
	if r == nil || x.tool != r.tool {
		return nil, x.noResource(req.Params.URI)
	}
	if f := fault.As(x.refusal); x.refusal != nil && f.Code == fault.Forbidden {
		return nil, x.noResource(req.Params.URI)
	}
	// The URI is no JSON that the rules were applied to while it was decoded.
	if err := h.engine.Rules().Check(x.inputs); err != nil {
		return nil, x.refuse(err)
	}
	if err := x.run(ctx, req.Session); err != nil {
		return nil, x.refuse(err)
	}
	read, err := r.read(req.Params.URI, x.call.Output)
	if err == nil {
		err = x.afford(copies * sizeOf(read))
	}
	if err != nil {
		return nil, x.refuse(err)
	}
	return read, nil
}

func sizeOf(read *sdk.ReadResourceResult) (size int64) {
	for _, c := range read.Contents {
		size += int64(len(c.Text) + len(c.Blob))
	}
	return size
}

// read is the output of a run as the contents of a resource.
func (r *resource) read(uri string, output any) (*sdk.ReadResourceResult, error) {
	if r.tool.content {
		content, err := contentOf(jsontext.Append(nil, output))
		if err != nil {
			return nil, err
		}
		return r.contentsOf(uri, content)
	}
	c := &sdk.ResourceContents{URI: uri, MIMEType: r.mimeType}
	if text, ok := output.(string); ok {
		c.Text = text
		if c.MIMEType == "" {
			c.MIMEType = "text/plain"
		}
		return contents(c), nil
	}
	c.Text = string(jsontext.Append(nil, output))
	if c.MIMEType == "" {
		c.MIMEType = jsonType[0]
	}
	return contents(c), nil
}

// contentsOf turns content of a tool into the contents of a resource.
func (r *resource) contentsOf(uri string, content []sdk.Content) (*sdk.ReadResourceResult, error) {
	out := &sdk.ReadResourceResult{}
	for _, c := range content {
		read := &sdk.ResourceContents{URI: uri, MIMEType: r.mimeType}
		switch c := c.(type) {
		case *sdk.TextContent:
			read.Text = c.Text
		case *sdk.ImageContent:
			read.Blob, read.MIMEType = c.Data, c.MIMEType
		case *sdk.AudioContent:
			read.Blob, read.MIMEType = c.Data, c.MIMEType
		case *sdk.EmbeddedResource:
			read = c.Resource
		default:
			return nil, fault.New(fault.WorkflowFailed, "the workflow's output has a link, which is no content of a resource")
		}
		out.Contents = append(out.Contents, read)
	}
	if len(out.Contents) == 0 {
		return nil, fault.New(fault.WorkflowFailed, "the workflow's output has no content, and a resource has at least one")
	}
	return out, nil
}

// subscribe takes a subscription to a resource that there is. What a resource says may
// change with every run, and a definition changes with the pod: there is nothing to notify of.
func (h *Handler) subscribe(ctx context.Context, req *sdk.SubscribeRequest) error {
	x, err := exchangeOf(ctx, req.Extra)
	if err != nil {
		return err
	}
	r, _ := h.findResource(req.Params.URI)
	w := h.workflowOf(req.Params.URI)
	if r != nil {
		w = r.tool.workflow
	}
	may, err := h.may(ctx, x)
	if err != nil {
		return x.refuse(err)
	}
	if w == nil || !may[w] {
		return x.noResource(req.Params.URI)
	}
	return nil
}
