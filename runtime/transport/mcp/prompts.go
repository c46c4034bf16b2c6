package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/prompt"
)

// maxValues is how many suggestions the protocol has in one answer.
const maxValues = 100

func (h *Handler) addPrompt(p *prompt.Prompt) {
	declared := &sdk.Prompt{Name: p.Name(), Title: p.Title(), Description: p.Description()}
	for _, a := range p.Arguments() {
		declared.Arguments = append(declared.Arguments, &sdk.PromptArgument{Name: a.Name, Title: a.Title, Description: a.Description, Required: a.Required})
	}
	h.prompts[p.Name()] = p
	h.server.AddPrompt(declared, h.getPrompt)
}

// getPrompt fills in a prompt. Its arguments passed the input rules when the message was
// read.
func (h *Handler) getPrompt(ctx context.Context, req *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
	x, err := exchangeOf(ctx, req.Extra)
	if err != nil {
		return nil, err
	}
	p := h.prompts[req.Params.Name]
	rendered, err := p.Render(req.Params.Arguments)
	if err != nil {
		return nil, x.refuse(err)
	}
	size := 0
	for _, m := range rendered {
		size += len(m.Content)
	}
	if err := x.afford(copies * int64(size)); err != nil {
		return nil, x.refuse(err)
	}
	result := &sdk.GetPromptResult{Description: p.Description()}
	for _, m := range rendered {
		message := &sdk.PromptMessage{}
		// The SDK reads what was checked when the prompt was compiled.
		text := bytes.Join([][]byte{[]byte(`{"role":"` + m.Role + `","content":`), m.Content, []byte("}")}, nil)
		if err := json.Unmarshal(text, message); err != nil {
			return nil, x.refuse(err)
		}
		result.Messages = append(result.Messages, message)
	}
	return result, nil
}

// complete suggests values for an argument of a prompt, or for a variable of a resource
// whose schema lists them.
func (h *Handler) complete(ctx context.Context, req *sdk.CompleteRequest) (*sdk.CompleteResult, error) {
	x, err := exchangeOf(ctx, req.Extra)
	if err != nil {
		return nil, err
	}
	values := []string{}
	argument := req.Params.Argument
	switch ref := req.Params.Ref; {
	case ref == nil:
		return nil, x.refuse(fault.New(fault.InvalidInput, "the message at /params/ref: name a prompt or the template of a resource"))
	case ref.Type == "ref/prompt":
		p := h.prompts[ref.Name]
		if p == nil {
			return nil, x.refuse(fault.New(fault.InvalidInput, "the message at /params/ref/name: there is no such prompt: prompts/list has those that there are"))
		}
		if found, ok := p.Complete(argument.Name, argument.Value); ok && found != nil {
			values = found
		}
	default:
		if values, err = h.completeVariable(ctx, x, ref.URI, argument); err != nil {
			return nil, x.refuse(err)
		}
	}
	total := len(values)
	return &sdk.CompleteResult{Completion: sdk.CompletionResultDetails{
		Values: values[:min(total, maxValues)], Total: total, HasMore: total > maxValues,
	}}, nil
}

// completeVariable takes the values that the input schema lists for a variable.
func (h *Handler) completeVariable(ctx context.Context, x *exchange, uri string, argument sdk.CompleteParamsArgument) ([]string, error) {
	may, err := h.may(ctx, x)
	if err != nil {
		return nil, err
	}
	w := h.workflowOf(uri)
	values := []string{}
	if w == nil || !may[w] {
		return values, nil
	}
	var schema struct {
		Properties map[string]struct {
			Enum []any `json:"enum"`
		} `json:"properties"`
	}
	_ = json.Unmarshal(w.Program.InputSchema(), &schema) // where there is none, nothing is suggested
	for _, value := range schema.Properties[argument.Name].Enum {
		if text, ok := value.(string); ok && strings.HasPrefix(text, argument.Value) {
			values = append(values, text)
		}
	}
	return values, nil
}
