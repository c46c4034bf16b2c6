package rest

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
)

// Inputs implements engine.Source.
func (x *exchange) Inputs(c *engine.Call) (any, error) {
	var err error
	if c.IdempotencyKey, err = idempotencyKey(x.r.Header["Idempotency-Key"]); err != nil {
		return nil, err
	}
	if !x.asRoute && x.r.URL.RawQuery != "" {
		return nil, x.unknownQuery()
	}
	if x.asRoute && x.hasUnreadableBody() {
		return nil, malformed("", "GET takes no body: send the inputs in the URL's query")
	}
	value, err := x.decodeBody(c)
	if err != nil {
		return nil, err
	}
	if x.asRoute {
		return x.routeInputs(value)
	}
	inputs, mode, err := envelopeInputs(value)
	c.Mode = mode
	return inputs, err
}

// maxNamed is how much of a parameter's name an error repeats, in bytes.
const maxNamed = 64

// unknownQuery refuses a query where the body says everything, rather than ignore it.
func (x *exchange) unknownQuery() error {
	name, _, _ := strings.Cut(x.r.URL.RawQuery, "&")
	name, _, _ = strings.Cut(name, "=")
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = decoded
	}
	if len(name) > maxNamed {
		name = strings.ToValidUTF8(name[:maxNamed], "") + "..."
	}
	return fault.New(fault.InvalidInput, `the URL has the parameter %q, and a query is not read here: send {"inputs": {...}, "mode": "sync"} in the body`, name)
}

// hasUnreadableBody says whether a GET came with a body, which nothing would read.
func (x *exchange) hasUnreadableBody() bool {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead || x.r.ContentLength == 0 {
		return false
	}
	var first [1]byte
	n, _ := io.ReadFull(x.r.Body, first[:]) // a body that breaks off is as good as none
	return n > 0
}

// decodeBody reads the body, if there is one, under the input rules. No body is no
// inputs.
func (x *exchange) decodeBody(c *engine.Call) (any, error) {
	if x.r.ContentLength == 0 {
		return nil, nil
	}
	if !isJSON(x.r.Header["Content-Type"]) {
		return nil, fault.New(fault.UnsupportedMedia, "the body must be JSON: send it with Content-Type: application/json")
	}
	body, err := x.handler.engine.ReadBody(c, x.r.Body, x.r.ContentLength, x.body)
	if err != nil {
		return nil, err
	}
	x.body = body
	if len(body) == 0 {
		return nil, nil
	}
	if x.asRoute {
		return x.handler.engine.Rules().Decode(body)
	}
	return x.handler.engine.Rules().DecodeNested(body, 1) // the inputs are a member of the body
}

// isJSON says whether a Content-Type is JSON, or absent; JSON is always UTF-8.
func isJSON(values []string) bool {
	if len(values) == 0 {
		return true
	}
	if len(values) > 1 {
		return false
	}
	if values[0] == "application/json" {
		return true
	}
	media, parameters, _ := strings.Cut(values[0], ";")
	if !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return false
	}
	name, charset, found := strings.Cut(strings.TrimSpace(parameters), "=")
	return !found || !strings.EqualFold(name, "charset") || strings.EqualFold(strings.Trim(charset, `"`), "utf-8")
}

// envelopeInputs takes the inputs, and the mode, out of {"inputs": {...}, "mode": "sync"}.
// "parameters" is what inputs were once called.
func envelopeInputs(body any) (inputs any, mode engine.Mode, err error) {
	envelope, ok := body.(map[string]any)
	if !ok && body != nil {
		return nil, "", malformed("", `the body must be an object: {"inputs": {...}}`)
	}
	inputs = map[string]any{}
	for key, value := range envelope {
		switch key {
		case "inputs", "parameters":
			if _, both := envelope["inputs"]; both && key == "parameters" {
				return nil, "", malformed("/parameters", `"parameters" is another name for "inputs": send one of them`)
			}
			if _, ok := value.(map[string]any); !ok {
				return nil, "", malformed("/"+key, `must be an object: {"inputs": {...}}`)
			}
			inputs = value
		case "mode":
			name, _ := value.(string)
			if mode, ok = modes[name]; !ok {
				return nil, "", malformed("/mode", `must be "sync", "async" or "stream"`)
			}
		default:
			return nil, "", malformed("/"+jsontext.EscapePointer(key),
				"is no member of a request: send inputs inside \"inputs\"; beside it there is only \"mode\"")
		}
	}
	return inputs, mode, nil
}

// modes are the values of mode.
var modes = map[string]engine.Mode{"sync": engine.Sync, "async": engine.Async, "stream": engine.Stream}

func malformed(pointer, message string) error {
	detail := message
	if pointer != "" {
		detail = "the body at " + pointer + ": " + message
	}
	f := fault.New(fault.InvalidInput, "%s", detail)
	f.Violations = []fault.Violation{{Pointer: pointer, Message: message}}
	return f
}

// routeInputs gathers the inputs of a workflow's route: the path's variables, the
// query's parameters, typed as the input schema says, and the members of the body. A
// name that comes from two of them is refused rather than one of them chosen.
func (x *exchange) routeInputs(body any) (any, error) {
	inputs, ok := body.(map[string]any)
	if !ok && body != nil {
		return nil, malformed("", "the body must be an object whose members are the inputs")
	}
	rest := map[string]any{}
	for i, name := range x.vars.names {
		rest[name] = x.typed(name, x.vars.values[i])
	}
	if err := x.addQuery(rest); err != nil {
		return nil, err
	}
	if len(rest) == 0 {
		if inputs == nil {
			return rest, nil
		}
		return inputs, nil
	}
	// The body's members passed the rules while they were decoded.
	if err := x.handler.engine.Rules().Check(rest); err != nil {
		return nil, err
	}
	for name, value := range inputs {
		if _, twice := rest[name]; twice {
			return nil, givenTwice(name)
		}
		rest[name] = value
	}
	return rest, nil
}

func givenTwice(name string) error {
	return malformed("/"+name, "is given twice, in the URL and elsewhere: give each input once")
}

func (x *exchange) addQuery(inputs map[string]any) error {
	if x.r.URL.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return malformed("", "the URL's query is malformed: escape special characters as %XX")
	}
	for name, values := range query {
		if _, twice := inputs[name]; twice {
			return givenTwice(name)
		}
		switch {
		case x.target.workflow.Program.PropertyType(name) == "array":
			items := make([]any, len(values))
			for i, v := range values {
				items[i] = v
			}
			inputs[name] = items
		case len(values) > 1:
			return givenTwice(name)
		default:
			inputs[name] = x.typed(name, values[0])
		}
	}
	return nil
}

// typed reads a value of the URL as the input schema types it. What does not read so
// stays text, and the schema's own check then says what it should be.
func (x *exchange) typed(name, text string) any {
	return wire.Typed(x.handler.engine.Rules(), x.target.workflow.Program.PropertyType(name), text)
}

// execute serves POST /workflows/{name}/execute.
func (x *exchange) execute() error {
	x.call.Workflow = x.vars.values[0]
	if err := x.run(); err != nil {
		return err
	}
	switch {
	case x.call.Mode == engine.Sync:
		return x.writeRun()
	case x.call.Mode == engine.Async || x.stream(x.call.Execution.ID, 0) != nil:
		// What cannot be followed just now has been started all the same.
		return x.writeStarted()
	}
	return nil
}

// route serves a workflow's own route.
func (x *exchange) route() error {
	x.asRoute = true
	x.call.Workflow = x.target.workflow.Name
	if err := x.run(); err != nil {
		return err
	}
	return x.writeOutput()
}

func (x *exchange) run() error {
	err := x.handler.engine.Execute(x.r.Context(), &x.call)
	if x.call.Target != nil {
		x.entry = x.handler.entries[x.call.Target.Name]
	}
	return err
}
