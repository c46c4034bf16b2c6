package call

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// mcpSend returns the call of a method with its parameters.
func mcpSend(method string, parameters map[string]any) (func(context.Context, *mcp.ClientSession) error, error) {
	p := mcpParameters{values: parameters}
	var send func(context.Context, *mcp.ClientSession) error
	switch method {
	case "tools/list":
		params := &mcp.ListToolsParams{Cursor: p.text("cursor", false)}
		send = func(ctx context.Context, s *mcp.ClientSession) error {
			_, err := s.ListTools(ctx, params)
			return err
		}
		params.Meta = p.meta()
	case "tools/call":
		params := &mcp.CallToolParams{Name: p.text("name", true), Arguments: p.object("arguments")}
		send = func(ctx context.Context, s *mcp.ClientSession) error {
			_, err := s.CallTool(ctx, params)
			return err
		}
		params.Meta = p.meta()
	case "prompts/list":
		params := &mcp.ListPromptsParams{Cursor: p.text("cursor", false)}
		send = func(ctx context.Context, s *mcp.ClientSession) error {
			_, err := s.ListPrompts(ctx, params)
			return err
		}
		params.Meta = p.meta()
	case "prompts/get":
		params := &mcp.GetPromptParams{Name: p.text("name", true), Arguments: p.textsOf("arguments")}
		send = func(ctx context.Context, s *mcp.ClientSession) error {
			_, err := s.GetPrompt(ctx, params)
			return err
		}
		params.Meta = p.meta()
	case "resources/list":
		params := &mcp.ListResourcesParams{Cursor: p.text("cursor", false)}
		send = func(ctx context.Context, s *mcp.ClientSession) error {
			_, err := s.ListResources(ctx, params)
			return err
		}
		params.Meta = p.meta()
	case "resources/read":
		params := &mcp.ReadResourceParams{URI: p.text("uri", true)}
		send = func(ctx context.Context, s *mcp.ClientSession) error {
			_, err := s.ReadResource(ctx, params)
			return err
		}
		params.Meta = p.meta()
	case "resources/templates/list":
		params := &mcp.ListResourceTemplatesParams{Cursor: p.text("cursor", false)}
		send = func(ctx context.Context, s *mcp.ClientSession) error {
			_, err := s.ListResourceTemplates(ctx, params)
			return err
		}
		params.Meta = p.meta()
	default:
		return nil, workflow.NewError(workflow.ConfigurationError, nil, "method: %q is none that can be called: use tools/list, tools/call, prompts/list, prompts/get, resources/list, resources/read or resources/templates/list", method)
	}
	return send, p.check(method)
}

// mcpParameters takes the parameters of a method out of a map.
type mcpParameters struct {
	values map[string]any
	known  []string
	// wrong is the first that has no value, or one of a wrong type.
	wrong, why string
}

// take returns a parameter, nil when it has no value.
func (p *mcpParameters) take(name string) any {
	p.known = append(p.known, name)
	return p.values[name]
}

func (p *mcpParameters) fail(name, why string) {
	if p.wrong == "" {
		p.wrong, p.why = name, why
	}
}

func (p *mcpParameters) text(name string, required bool) string {
	value := p.take(name)
	text, ok := value.(string)
	switch {
	case required && (value == nil || text == "" && ok):
		p.fail(name, "is required and has no value")
	case value != nil && !ok:
		p.fail(name, "is not a string")
	}
	return text
}

func (p *mcpParameters) object(name string) map[string]any {
	value := p.take(name)
	object, ok := value.(map[string]any)
	if value != nil && !ok {
		p.fail(name, "is not an object")
	}
	if object == nil {
		object = map[string]any{} // a method that takes arguments is called with some
	}
	return object
}

// textsOf returns an object of strings, as the arguments of prompts are.
func (p *mcpParameters) textsOf(name string) map[string]string {
	object := p.object(name)
	texts := make(map[string]string, len(object))
	for key, value := range object {
		if value == nil {
			continue
		}
		text, ok := scalar(value)
		if !ok {
			p.fail(name+"."+key, "is neither a string, a number nor a boolean")
		}
		texts[key] = text
	}
	return texts
}

// meta is a copy: the library writes into it.
func (p *mcpParameters) meta() mcp.Meta {
	value := p.take("_meta")
	object, ok := value.(map[string]any)
	if value != nil && !ok {
		p.fail("_meta", "is not an object")
	}
	return maps.Clone(object)
}

// check tells what is wrong with the parameters.
func (p *mcpParameters) check(method string) error {
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if !slices.Contains(p.known, name) {
			return workflow.NewError(workflow.ConfigurationError, nil, "parameters: %s has no parameter %q: it has %s", method, name, strings.Join(p.known, ", "))
		}
	}
	if p.wrong != "" {
		return workflow.NewError(workflow.ExpressionError, nil, "parameters: %s %s", p.wrong, p.why)
	}
	return nil
}
