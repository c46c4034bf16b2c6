package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
	"github.com/nexus-operator/nexus-operator/runtime/prompt"
	"github.com/nexus-operator/nexus-operator/runtime/telemetry"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
)

// tool is a workflow as a tool.
type tool struct {
	workflow *engine.Workflow
	metrics  *telemetry.RequestMetrics
	// content says that the output is content of the protocol, and logs that clients are
	// told of tasks.
	content, logs bool
	// objects says that an output schema, if there is one, is that of an object: all that
	// revisions before 2026-07-28 know.
	objects bool
	// limits writes what replies tell of the rate limits.
	limits wire.Limits
	// size is about that of its entry in a list, in bytes.
	size int
	// headers says that the input schema may have inputs repeated in headers.
	headers bool
}

// anyObject is the input schema of a workflow that has none.
var anyObject = json.RawMessage(`{"type":"object"}`)

// register makes the SDK's server: every tool, resource and prompt of the app. What of them
// a caller is shown is decided call by call.
func (h *Handler) register(o Options) error {
	h.tools, h.prompts = map[string]*tool{}, map[string]*prompt.Prompt{}
	h.info = &sdk.Implementation{Name: o.Engine.Name(), Version: o.Version}
	var err error
	if h.infoText, err = json.Marshal(h.info); err != nil {
		return err
	}
	h.server = sdk.NewServer(h.info, &sdk.ServerOptions{
		CompletionHandler:  h.complete,
		SubscribeHandler:   h.subscribe,
		UnsubscribeHandler: func(context.Context, *sdk.UnsubscribeRequest) error { return nil },
		SetCacheable:       cacheable,
		Capabilities: &sdk.ServerCapabilities{
			Completions: &sdk.CompletionCapabilities{},
			Logging:     &sdk.LoggingCapabilities{}, //nolint:staticcheck // clients of older revisions have nothing else
			Tools:       &sdk.ToolCapabilities{},
			Resources:   &sdk.ResourceCapabilities{Subscribe: true},
			Prompts:     &sdk.PromptCapabilities{},
		},
	})
	h.server.AddReceivingMiddleware(h.guard)
	for _, w := range o.Engine.Workflows() {
		if !w.Exposes(v1alpha1.ChannelMCP) {
			continue
		}
		if err := h.addTool(w); err != nil {
			return fmt.Errorf("workflow %q: %w", w.Name, err)
		}
	}
	h.addResources()
	for _, p := range o.Prompts {
		h.addPrompt(p)
	}
	return nil
}

// cacheable says how long a client may keep what it was told: nothing of it changes in the
// life of a pod, and what a caller sees is nobody else's.
func cacheable(_ context.Context, req sdk.Request, c *sdk.Cacheable) {
	const minute = 60_000
	c.TTLMs, c.CacheScope = minute, "private"
	if read, ok := req.(*sdk.ReadResourceRequest); ok && !strings.HasPrefix(read.Params.URI, workflowScheme) {
		c.TTLMs = 0 // what a run returns, or how an execution stands
	}
}

// addTool adds a workflow as a tool.
func (h *Handler) addTool(w *engine.Workflow) (err error) {
	defer func() {
		if cause := recover(); cause != nil { // the SDK's way to refuse a schema
			err = fmt.Errorf("the tool cannot be served: %v", cause)
		}
	}()
	p := w.Program
	t := &tool{
		workflow: w, metrics: h.metrics.Requests(string(v1alpha1.ChannelMCP), w.Name),
		content: w.MCP.Result == v1alpha1.MCPResultContent, logs: w.MCP.Logs == v1alpha1.MCPLogsTasks,
		limits:  wire.NewLimits(w.Policies),
		objects: isObjectSchema(p.OutputSchema()),
		headers: bytes.Contains(p.InputSchema(), []byte("x-mcp-header")),
	}
	declared := &sdk.Tool{Name: w.MCP.ToolName, Title: p.Title(), Description: p.Summary(), InputSchema: anyObject, Annotations: annotations(w)}
	if schema := p.InputSchema(); schema != nil {
		declared.InputSchema = schema
	}
	if schema := p.OutputSchema(); schema != nil && !t.content {
		declared.OutputSchema = schema
	}
	t.size = len(p.InputSchema()) + len(p.OutputSchema()) + len(declared.Description)
	h.tools[declared.Name] = t
	h.server.AddTool(declared, h.callTool)
	return nil
}

func isObjectSchema(schema json.RawMessage) bool {
	var root struct {
		Type any `json:"type"`
	}
	return json.Unmarshal(schema, &root) == nil && root.Type == "object"
}

// annotations are the hints of a definition; nil when it has none.
func annotations(w *engine.Workflow) *sdk.ToolAnnotations {
	hints := w.Program.Hints()
	if hints.ReadOnly == nil && hints.Destructive == nil && hints.Idempotent == nil && hints.OpenWorld == nil {
		return nil
	}
	return &sdk.ToolAnnotations{
		ReadOnlyHint: hints.ReadOnly != nil && *hints.ReadOnly, IdempotentHint: hints.Idempotent != nil && *hints.Idempotent,
		DestructiveHint: hints.Destructive, OpenWorldHint: hints.OpenWorld,
	}
}

// guard is around every handler: a panic is an error of the one call, and a list has what
// its caller may run.
func (h *Handler) guard(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, req sdk.Request) (result sdk.Result, err error) {
		x, err := exchangeOf(ctx, req.GetExtra())
		if err != nil {
			return nil, err
		}
		x.seen = true
		defer func() {
			if cause := recover(); cause != nil {
				result, err = nil, x.refuse(x.panicked(cause))
			}
		}()
		if result, err = next(ctx, method, req); err != nil {
			if method == methodReadResource && x.outcome == "" {
				return nil, x.noResource(x.message.name)
			}
			return nil, x.note(err)
		}
		if err := h.narrow(ctx, x, req, result); err != nil {
			return nil, x.refuse(err)
		}
		return result, nil
	}
}

// narrow takes out of a list what its caller may not run.
func (h *Handler) narrow(ctx context.Context, x *exchange, req sdk.Request, result sdk.Result) error {
	switch list := result.(type) {
	case *sdk.ListToolsResult:
		may, err := h.may(ctx, x)
		if err != nil {
			return err
		}
		list.Tools = slices.DeleteFunc(list.Tools, func(t *sdk.Tool) bool { return !may[h.tools[t.Name].workflow] })
		size := 0
		for _, t := range list.Tools {
			size += h.tools[t.Name].size
		}
		if err := x.afford(copies * int64(size)); err != nil {
			return err
		}
		for i, t := range list.Tools {
			list.Tools[i] = h.tools[t.Name].forRevision(t, revisionOf(req))
		}
	case *sdk.ListResourcesResult:
		may, err := h.may(ctx, x)
		if err != nil {
			return err
		}
		list.Resources = slices.DeleteFunc(list.Resources, func(r *sdk.Resource) bool { return !may[h.workflowOf(r.URI)] })
	case *sdk.ListResourceTemplatesResult:
		may, err := h.may(ctx, x)
		if err != nil {
			return err
		}
		list.ResourceTemplates = slices.DeleteFunc(list.ResourceTemplates, func(r *sdk.ResourceTemplate) bool {
			w := h.workflowOf(r.URITemplate)
			return w != nil && !may[w]
		})
	}
	return nil
}

// may are the workflows that the caller may run.
func (h *Handler) may(ctx context.Context, x *exchange) (map[*engine.Workflow]bool, error) {
	list, err := h.engine.List(ctx, &x.call)
	if err != nil {
		return nil, err
	}
	return maps.Collect(func(yield func(*engine.Workflow, bool) bool) {
		for _, w := range list {
			if !yield(w, true) {
				return
			}
		}
	}), nil
}

// revisionOf is the revision that a request is made in.
func revisionOf(req sdk.Request) string {
	if r, ok := req.(interface{ ProtocolVersion() string }); ok {
		return r.ProtocolVersion()
	}
	return ""
}

// forRevision is a tool as clients of a revision can read it: one schema that they cannot
// would cost them the whole list.
func (t *tool) forRevision(declared *sdk.Tool, revision string) *sdk.Tool {
	if t.objects || declared.OutputSchema == nil || revision >= statelessRevision {
		return declared
	}
	out := *declared
	out.OutputSchema = nil
	return &out
}

// callTool runs a workflow.
func (h *Handler) callTool(ctx context.Context, req *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
	x, err := exchangeOf(ctx, req.Extra)
	if err != nil {
		return nil, err
	}
	if x.tool == nil || x.tool.workflow.MCP.ToolName != req.Params.Name {
		return x.fail(fmt.Errorf("a call of %q arrived as one of another tool", req.Params.Name))
	}
	if err := x.run(ctx, req.Session); err != nil {
		return x.fail(err)
	}
	if x.call.Mode == engine.Async {
		return x.started(), nil
	}
	result, err := x.result(req.ProtocolVersion())
	if err != nil {
		return x.fail(err)
	}
	return result, nil
}

// run has the engine run the workflow, and tells the client of its tasks if it asked.
func (x *exchange) run(ctx context.Context, session *sdk.ServerSession) error {
	if x.refusal != nil {
		return x.refusal
	}
	ctx, cancel := x.bound(ctx)
	defer cancel()
	reporter := x.report(ctx, session)
	defer reporter.close()
	return x.handler.engine.Execute(ctx, &x.call)
}

// result is the output of a run as the result of a tool.
func (x *exchange) result(revision string) (*sdk.CallToolResult, error) {
	text := jsontext.Append(nil, x.call.Output)
	_, object := x.call.Output.(map[string]any)
	if raw, ok := x.call.Output.(json.RawMessage); ok { // the answer to an earlier call
		object = len(raw) > 0 && raw[0] == '{'
	}
	x.call.Output = nil // its text is all that is needed from now on
	if err := x.afford(copies * int64(len(text))); err != nil {
		return nil, err
	}
	if x.tool.content {
		content, err := contentOf(text)
		return &sdk.CallToolResult{Content: content}, err
	}
	result := &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: string(text)}}}
	if object || revision >= statelessRevision {
		result.StructuredContent = json.RawMessage(text)
	}
	return result, nil
}

// contentOf reads an output that is content of the protocol: one object or a list of them.
func contentOf(text []byte) ([]sdk.Content, error) {
	var one sdk.CallToolResult
	wrapped := append(append([]byte(`{"content":[`), text...), "]}"...)
	if text[0] == '[' {
		wrapped = append(append([]byte(`{"content":`), text...), '}')
	}
	err := json.Unmarshal(wrapped, &one)
	if err == nil {
		err = checkContent(one.Content)
	}
	if err != nil {
		f := fault.New(fault.WorkflowFailed, "the workflow's output is no MCP content, which its mcp.result says it is: one object such as {\"type\": \"text\", \"text\": ...}, or a list of them")
		f.Cause = err
		return nil, f
	}
	return one.Content, nil
}

// checkContent refuses what the SDK reads and no result of a tool may have.
func checkContent(content []sdk.Content) error {
	for _, c := range content {
		switch c := c.(type) {
		case *sdk.TextContent, *sdk.ImageContent, *sdk.AudioContent, *sdk.ResourceLink:
		case *sdk.EmbeddedResource:
			if c.Resource == nil {
				return errors.New("a resource without its resource")
			}
		default:
			return fmt.Errorf("%T is no content of a result", c)
		}
	}
	return nil
}

// started tells of an execution that goes on by itself.
func (x *exchange) started() *sdk.CallToolResult {
	text := wire.AppendExecution(nil, x.call.Execution)
	uri := executionScheme + x.call.Execution.ID
	return &sdk.CallToolResult{
		Content: []sdk.Content{
			&sdk.TextContent{Text: string(text)},
			&sdk.ResourceLink{URI: uri, Name: x.call.Execution.ID, Description: "How the execution stands, and its result once there is one", MIMEType: jsonType[0]},
		},
		Meta: sdk.Meta{metaExecution: json.RawMessage(text)},
	}
}
