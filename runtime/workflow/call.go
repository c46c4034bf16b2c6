package workflow

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// httpCall is call: http.
type httpCall struct {
	method         *template
	endpoint       *endpoint
	headers, query *template
	body           *template
	hasBody        bool
	result         result
}

func (t *httpCall) perform(r *run, input any) (any, flow, error) {
	request := &HTTPRequest{Redirect: t.result.redirect, HasBody: t.hasBody}
	method, err := t.method.apply(r, input)
	if err != nil {
		return nil, flow{}, err
	}
	text, _ := method.(string)
	if request.Method = strings.ToUpper(text); !methodSyntax.MatchString(request.Method) {
		return nil, flow{}, NewError(ExpressionError, nil, "the method of the call must be a name such as GET")
	}
	if request.URL, request.Authentication, err = t.endpoint.evaluate(r, input); err != nil {
		return nil, flow{}, err
	}
	if request.Header, err = r.texts(t.headers, input, "headers"); err != nil {
		return nil, flow{}, err
	}
	if request.Query, err = r.object(t.query, input, "query"); err != nil {
		return nil, flow{}, err
	}
	if t.hasBody {
		if request.Body, err = t.body.made(r, input, "the body"); err != nil {
			return nil, flow{}, err
		}
	}
	return t.result.of(r, func(ctx context.Context, caller Caller) (*HTTPResponse, error) {
		return caller.HTTP(ctx, request)
	})
}

// methodSyntax is a method of HTTP.
var methodSyntax = regexp.MustCompile(`^[A-Z]{1,32}$`)

// openAPICall is call: openapi.
type openAPICall struct {
	document       string
	access         *authentication
	operation      string
	parameters     *template
	authentication *authentication
	result         result
}

func (t *openAPICall) perform(r *run, input any) (any, flow, error) {
	request := &OpenAPIRequest{Document: t.document, OperationID: t.operation, Redirect: t.result.redirect}
	var err error
	if request.Access, err = t.access.evaluate(r, input); err != nil {
		return nil, flow{}, err
	}
	if request.Authentication, err = t.authentication.authorize(r, input); err != nil {
		return nil, flow{}, err
	}
	if request.Parameters, err = r.object(t.parameters, input, "parameters"); err != nil {
		return nil, flow{}, err
	}
	return t.result.of(r, func(ctx context.Context, caller Caller) (*HTTPResponse, error) {
		return caller.OpenAPI(ctx, request)
	})
}

// mcpCall is call: mcp.
type mcpCall struct {
	method, protocol      string
	client, clientRelease string
	endpoint              *endpoint
	headers, parameters   *template
	timeout               *duration
}

func (t *mcpCall) perform(r *run, input any) (any, flow, error) {
	request := &MCPRequest{Method: t.method, ProtocolVersion: t.protocol, ClientName: t.client, ClientVersion: t.clientRelease}
	var err error
	if request.Endpoint, request.Authentication, err = t.endpoint.evaluate(r, input); err != nil {
		return nil, flow{}, err
	}
	if request.Header, err = r.texts(t.headers, input, "headers"); err != nil {
		return nil, flow{}, err
	}
	if request.Parameters, err = r.object(t.parameters, input, "parameters"); err != nil {
		return nil, flow{}, err
	}
	if t.timeout == nil {
		output, err := r.mcp(request)
		return output, flow{}, err
	}
	limit, err := t.timeout.evaluate(r, input)
	if err != nil {
		return nil, flow{}, err
	}
	var output any
	err = r.within(limit, func() error {
		output, err = r.mcp(request)
		return err
	})
	return output, flow{}, err
}

func (r *run) mcp(request *MCPRequest) (any, error) {
	caller, err := r.caller()
	if err != nil {
		return nil, err
	}
	output, err := caller.MCP(r.ctx, request)
	if err != nil {
		return nil, r.called(err, RuntimeError)
	}
	return r.received(numbers(output))
}

// received is what a call got.
func (r *run) received(value any) (any, error) {
	value, size, err := r.weigh(value, maxResponseBytes, "the response")
	if err != nil {
		return nil, err
	}
	return value, r.hold(size)
}

// caller makes the calls of the run.
func (r *run) caller() (Caller, error) {
	if r.shared.host.Caller == nil {
		return nil, NewError(ConfigurationError, nil, "calls cannot be made here")
	}
	return r.shared.host.Caller, nil
}

// called is the error of a call, which is of a kind unless it says more. One that was
// ended from outside is no error of the call, and an error object belongs to one run.
func (r *run) called(err error, kind ErrorKind) error {
	if r.expired() {
		return r.ended()
	}
	if e, ok := errors.AsType[*Error](err); ok {
		own := *e
		own.Title, own.Detail, own.Instance = clip(e.Title, maxErrorText), clip(e.Detail, maxErrorText), ""
		return &own
	}
	return NewError(kind, err, "the call failed")
}

// texts evaluates an object whose values are texts: numbers and booleans are written
// out, null is left out.
func (r *run) texts(t *template, input any, what string) (map[string]string, error) {
	object, err := r.object(t, input, what)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if object[name] == nil {
			continue
		}
		text, ok := scalarText(object[name])
		if !ok {
			return nil, NewError(ExpressionError, nil, "%s: %q must be a text, a number or a boolean", what, clip(name, 80))
		}
		out[name] = text
	}
	return out, nil
}

// object evaluates a template that gives an object; no template gives none.
func (r *run) object(t *template, input any, what string) (map[string]any, error) {
	if t == nil {
		return nil, nil
	}
	value, err := t.made(r, input, what)
	if err != nil || value == nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, NewError(ExpressionError, nil, "%s must be an object, not %s", what, kindOf(value))
	}
	return object, nil
}
