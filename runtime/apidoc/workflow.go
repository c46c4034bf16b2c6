package apidoc

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/engine"
)

// described is a workflow whose schemas have been hoisted; a schema that it lacks is nil.
type described struct {
	*engine.Workflow
	input, output *hoist
	tags          []string
}

func (b *builder) addWorkflow(w *engine.Workflow) error {
	d := &described{Workflow: w, tags: tagsOf(w)}
	d.input = b.hoist(w.Program.InputSchema(), w.Name+".input", w.Name)
	d.output = b.hoist(w.Program.OutputSchema(), w.Name+".output", w.Name)
	b.addExecute(d)
	for _, r := range w.Routes {
		if err := b.addRoute(d, r); err != nil {
			return err
		}
	}
	return nil
}

// hoist adds a schema to the components; without one it is nil. One that cannot be moved
// is left out: a description that says less is still true.
func (b *builder) hoist(raw json.RawMessage, name, workflow string) *hoist {
	if raw == nil {
		return nil
	}
	h, components, err := tryHoist(raw, name, b.names)
	if err != nil {
		left := object{"description": "This schema reads differently within another document. GET /workflows/" + workflow + " has it."}
		h = &hoist{root: left, name: name}
		components = map[string]any{name: left}
	}
	maps.Copy(b.doc.Components.Schemas, components)
	return h
}

func tryHoist(raw json.RawMessage, name string, taken *names) (*hoist, map[string]any, error) {
	h, err := newHoist(raw, name, taken)
	if err != nil {
		return nil, nil, err
	}
	components, err := h.components()
	return h, components, err
}

// addExecute describes POST /workflows/NAME/execute.
func (b *builder) addExecute(d *described) {
	request := b.names.add(d.Name + ".request")
	b.doc.Components.Schemas[request] = requestSchema(d, b.inputs(d))
	result := b.names.add(d.Name + ".result")
	b.doc.Components.Schemas[result] = resultSchema(d)
	op := b.run(d, "execute_"+d.Name)
	op.RequestBody = &requestBody{Required: needsInputs(d), Content: jsonContent(schemaRef(request))}
	replayed := b.headers(b.limited(d, "X-Request-Id", "Idempotency-Replayed")...)
	op.Responses["200"] = &response{
		Description: "What came of it; or, in mode stream, its events: start, one task for each task, and complete or error.",
		Headers:     replayed,
		Content:     map[string]mediaType{jsonMedia: {schemaRef(result)}, eventsMedia: {object{"type": "string"}}},
	}
	op.Responses["202"] = &response{
		Description: "It was started, in mode async.",
		Headers:     b.headers(b.limited(d, "X-Request-Id", "Idempotency-Replayed", "Location", "Retry-After")...),
		Content:     jsonContent(schemaRef("Execution")),
	}
	b.refuseRun(op, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	b.add("post", "/workflows/"+d.Name+"/execute", op)
}

// run is what all operations have in common that run a workflow.
func (b *builder) run(d *described, id string) *operation {
	op := &operation{OperationID: id, Summary: d.Program.Title(), Description: d.Program.Summary(), Tags: d.tags, Responses: map[string]*response{}}
	if op.Summary == "" {
		op.Summary = d.Name
	}
	b.doc.Components.Parameters["IdempotencyKey"] = &parameter{
		Name: "Idempotency-Key", In: "header", Description: "Has the call made only once: a second one with the same key and inputs gets the first one's reply.",
		Schema: object{"type": "string", "minLength": 1, "maxLength": 255},
	}
	op.Parameters = []*parameter{{Ref: "#/components/parameters/IdempotencyKey"}}
	b.refuseRun(op, http.StatusBadRequest, http.StatusNotAcceptable, http.StatusConflict, http.StatusUnprocessableEntity,
		http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout)
	if b.authenticated() {
		b.refuseRun(op, http.StatusUnauthorized)
	}
	if b.authenticated() || len(d.Policies) > 0 {
		b.refuseRun(op, http.StatusTooManyRequests)
	}
	if a := d.Authorization; a.When != "" || len(a.AnyRole) > 0 || len(a.AnyScope) > 0 {
		b.refuseRun(op, http.StatusForbidden)
	}
	return op
}

// limited adds the headers that tell of limits, where there are any.
func (b *builder) limited(d *described, headers ...string) []string {
	if len(d.Policies) == 0 {
		return headers
	}
	return append(headers, "RateLimit", "RateLimit-Policy")
}

// inputs is the schema of a workflow's inputs.
func (b *builder) inputs(d *described) any {
	switch {
	case d.input != nil:
		return d.input.ref()
	case b.app.Strict:
		return object{"type": "object", "maxProperties": 0, "description": "The workflow takes no inputs."}
	default:
		return object{"type": "object"}
	}
}

// needsInputs says whether the workflow refuses to run without any.
func needsInputs(d *described) bool { return d.Program.Check(map[string]any{}) != nil }

// requestSchema is the body of an execution.
func requestSchema(d *described, inputs any) object {
	out := object{
		"type": "object", "additionalProperties": false,
		"properties": object{
			"inputs": inputs,
			"mode": object{
				"enum": []string{"sync", "async", "stream"}, "default": "sync",
				"description": "Whether the reply is the outcome, where to ask for it later, or a stream of events.",
			},
		},
	}
	if needsInputs(d) {
		out["required"] = []string{"inputs"}
	}
	return out
}

// resultSchema is the reply of an execution in mode sync.
func resultSchema(d *described) object {
	str := object{"type": "string"}
	return object{
		"type": "object", "required": []string{"outputs", "execution_time", "workflow_id", "version", "run_id", "status"},
		"properties": object{
			"outputs":        outputs(d),
			"execution_time": object{"type": "number", "description": "In seconds."},
			"workflow_id":    object{"const": d.Name}, "version": str, "run_id": str,
			"status": object{"const": "completed"},
		},
	}
}

// outputs is the schema of what a workflow returns; any value without one.
func outputs(d *described) any {
	if d.output != nil {
		return d.output.ref()
	}
	return object{}
}

// tagsOf are the tags of a definition, as key:value.
func tagsOf(w *engine.Workflow) []string {
	var definition struct {
		Document struct{ Tags map[string]any }
	}
	_ = json.Unmarshal(w.Definition.Raw, &definition) // it was compiled
	var out []string
	for _, key := range slices.Sorted(maps.Keys(definition.Document.Tags)) {
		value, ok := definition.Document.Tags[key].(string)
		if !ok {
			raw, _ := json.Marshal(definition.Document.Tags[key]) // it was read from JSON
			value = string(raw)
		}
		out = append(out, strings.TrimSuffix(key+":"+value, ":"))
	}
	if len(out) == 0 {
		return []string{tagWorkflows}
	}
	return out
}
