package workflow

import (
	"maps"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/spelling"
)

// call compiles a call task: of a protocol, or of one of use.functions.
func (c *compiler) call(at pointer, definition map[string]any) action {
	name, ok := c.text(at, definition, "call", true)
	if !ok {
		return nil
	}
	switch name {
	case "http", "openapi", "mcp":
		with, ok := c.object(at, definition, "with")
		if !ok {
			if _, present := definition["with"]; !present {
				c.problem(at.child("with"), "is required: it says what to call")
			}
			return nil
		}
		at = at.child("with")
		switch name {
		case "http":
			return c.httpCall(at, with)
		case "openapi":
			return c.openAPICall(at, with)
		}
		return c.mcpCall(at, with)
	}
	if why := unsupportedCalls[name]; why != "" {
		c.problem(at.child("call"), "the call %q is not supported: %s", name, why)
		return nil
	}
	return c.functionCall(at, name, definition)
}

// unsupportedCalls are the calls of the language that are outside of the profile.
var unsupportedCalls = map[string]string{
	"asyncapi": "it takes a broker's client; call its HTTP gateway, or emit an event to spec.events.sink",
	"grpc":     "call an HTTP interface of the service (call: http or openapi)",
	"a2a":      "call the agent over HTTP (call: http), or its tools (call: mcp)",
}

func (c *compiler) httpCall(at pointer, with map[string]any) action {
	c.fields(at, with, httpFields)
	t := &httpCall{result: c.result(at, with)}
	if method, ok := c.text(at, with, "method", true); ok {
		if _, dynamic := unwrap(method); !dynamic && !methodSyntax.MatchString(strings.ToUpper(method)) {
			c.problem(at.child("method"), "is not a method of HTTP: write for example get or post")
		}
		t.method = c.template(at.child("method"), method, siteTask)
	}
	t.endpoint = c.endpoint(at, with)
	t.headers = c.objectTemplate(at, with, "headers")
	t.query = c.objectTemplate(at, with, "query")
	if body, present := with["body"]; present {
		t.hasBody, t.body = true, c.template(at.child("body"), body, siteTask)
	}
	return t
}

// result compiles what becomes of a response.
func (c *compiler) result(at pointer, with map[string]any) result {
	t := result{form: "content", redirect: c.boolean(at, with, "redirect")}
	if form, ok := c.text(at, with, "output", false); ok {
		switch form {
		case "content", "response", "raw":
			t.form = form
		default:
			c.problem(at.child("output"), "must be content, response or raw")
		}
	}
	return t
}

// objectTemplate compiles a member that is an object with expressions in it, or an
// expression that gives one.
func (c *compiler) objectTemplate(at pointer, parent map[string]any, key string) *template {
	value, present := parent[key]
	if !present {
		return nil
	}
	at = at.child(key)
	switch value := value.(type) {
	case map[string]any:
		return c.template(at, value, siteTask)
	case string:
		if inner, ok := unwrap(value); ok {
			return &template{expression: c.expression(at, inner, siteTask)}
		}
	}
	c.problem(at, "must be an object, or an expression that gives one, not %s", kindOf(value))
	return nil
}

// openAPIPrefix begins the name of a document that is in a ConfigMap.
const openAPIPrefix = "configmap:"

func (c *compiler) openAPICall(at pointer, with map[string]any) action {
	c.fields(at, with, openAPIFields)
	t := &openAPICall{result: c.result(at, with)}
	if document, ok := c.object(at, with, "document"); ok {
		here := at.child("document")
		c.fields(here, document, resourceFields)
		if e := c.endpointOf(here, document, "a URL, or configmap:NAME/KEY for an entry of a ConfigMap", false); e != nil {
			if !e.uri.fixed() {
				c.problem(here.child("endpoint"), "must be known beforehand: write the URL of the document, or configmap:NAME/KEY, without expressions and variables")
				return nil
			}
			t.document, t.access = e.uri.texts[0], e.authentication
			if !strings.HasPrefix(t.document, openAPIPrefix) {
				c.reached(here.child("endpoint"), e.uri)
			}
			c.addDocument(t.document, t.access)
		}
	} else if _, present := with["document"]; !present {
		c.problem(at.child("document"), "is required: write {endpoint: URL} or {endpoint: configmap:NAME/KEY}")
	}
	t.operation, _ = c.text(at, with, "operationId", true)
	t.parameters = c.objectTemplate(at, with, "parameters")
	t.authentication = c.authentication(at, with)
	if t.document != "" && t.operation != "" && c.env.Operation != nil {
		if err := c.env.Operation(t.document, t.operation); err != nil {
			c.problem(at.child("operationId"), "%v", err)
		}
	}
	return t
}

// addDocument notes a document, once.
func (c *compiler) addDocument(name string, access *authentication) {
	if !slices.ContainsFunc(c.program.documents, func(d Document) bool { return d.Name == name }) {
		c.program.documents = append(c.program.documents, Document{Name: name, access: access, program: c.program})
	}
}

// mcpMethods are the methods of an MCP server that a workflow may call.
var mcpMethods = []string{"tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list", "resources/read", "resources/templates/list"}

func (c *compiler) mcpCall(at pointer, with map[string]any) action {
	c.fields(at, with, mcpFields)
	t := &mcpCall{}
	t.protocol, _ = c.text(at, with, "protocolVersion", false)
	if method, ok := c.text(at, with, "method", true); ok {
		t.method = method
		c.oneOf(at.child("method"), method, mcpMethods)
	}
	t.parameters = c.objectTemplate(at, with, "parameters")
	if timeout, present := with["timeout"]; present {
		t.timeout = c.duration(at.child("timeout"), timeout, siteTask)
	}
	if client, ok := c.object(at, with, "client"); ok {
		here := at.child("client")
		c.fields(here, client, mcpClientFields)
		t.client, _ = c.text(here, client, "name", true)
		t.clientRelease, _ = c.text(here, client, "version", true)
	}
	transport, ok := c.object(at, with, "transport")
	if !ok {
		if _, present := with["transport"]; !present {
			c.problem(at.child("transport"), "is required: write {http: {endpoint: URL}}")
		}
		return t
	}
	at = at.child("transport")
	if _, stdio := transport["stdio"]; stdio {
		c.problem(at.child("stdio"), "is not supported: pods start no other programs; write {http: {endpoint: URL}} of the server's Streamable HTTP endpoint")
		return t
	}
	c.fields(at, transport, mcpTransportFields)
	http, ok := c.object(at, transport, "http")
	if !ok {
		c.problem(at.child("http"), "is required: write {endpoint: URL}")
		return t
	}
	at = at.child("http")
	c.fields(at, http, mcpHTTPFields)
	t.endpoint = c.endpoint(at, http)
	t.headers = c.objectTemplate(at, http, "headers")
	return t
}

// endpoint is where a call goes, and how it proves who calls.
type endpoint struct {
	uri            *uri
	authentication *authentication
}

func (e *endpoint) evaluate(r *run, input any) (string, *Authentication, error) {
	target, err := e.uri.evaluate(r, input)
	if err != nil {
		return "", nil, err
	}
	a, err := e.authentication.authorize(r, input)
	return target, a, err
}

// endpoint compiles the member endpoint of a call, whose host must be within reach.
func (c *compiler) endpoint(at pointer, parent map[string]any) *endpoint {
	return c.endpointOf(at, parent, "the URL to call", true)
}

func (c *compiler) endpointOf(at pointer, parent map[string]any, what string, reach bool) *endpoint {
	value, present := parent["endpoint"]
	at = at.child("endpoint")
	if !present {
		c.problem(at, "is required: %s", what)
		return nil
	}
	e := &endpoint{}
	text, ok := value.(string)
	if object, isObject := value.(map[string]any); isObject {
		c.fields(at, object, endpointFields)
		e.authentication = c.authentication(at, object)
		if text, ok = c.text(at, object, "uri", true); !ok {
			return nil
		}
		at = at.child("uri")
	}
	if !ok {
		c.problem(at, "must be a URL, or an object with uri and authentication, not %s", kindOf(value))
		return nil
	}
	if e.uri = c.uri(at, text); e.uri == nil {
		return nil
	}
	if reach {
		c.reached(at, e.uri)
	}
	return e
}

// functionCall compiles the call of one of use.functions.
func (c *compiler) functionCall(at pointer, name string, definition map[string]any) action {
	if strings.ContainsAny(name, "@/:") {
		c.problem(at.child("call"), "functions of catalogs and of other places are not fetched: define the function in use.functions and call it by its name")
		return nil
	}
	if _, defined := c.reusable["functions"][name]; !defined {
		known := append([]string{"http", "mcp", "openapi"}, slices.Sorted(maps.Keys(c.reusable["functions"]))...)
		c.problem(at.child("call"), "%q is neither a kind of call nor one of use.functions: %s", name, spelling.Suggest(name, known))
		return nil
	}
	return &functionCall{function: c.function(at.child("call"), name), with: c.objectTemplate(at, definition, "with")}
}

// functionCall runs a task of use.functions on the arguments of the call.
type functionCall struct {
	function *function
	with     *template
}

func (t *functionCall) perform(r *run, input any) (any, flow, error) {
	arguments, err := r.object(t.with, input, "with")
	if err != nil {
		return nil, flow{}, err
	}
	if arguments == nil {
		arguments = map[string]any{}
	}
	output, next, err := t.function.task.run(r, arguments)
	if next.kind != flowOver {
		next = flow{} // a function is over after its task, wherever its then goes
	}
	return output, next, err
}
