package apidoc

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// addRoute describes a route of a workflow, whose inputs come from the path, the query and
// the body.
func (b *builder) addRoute(d *described, r v1alpha1.Route) error {
	method := strings.ToLower(r.Method)
	op := b.run(d, d.Name+"_"+method+strings.NewReplacer("/", "_", "{", "", "}", "").Replace(r.Path))
	properties, err := d.input.properties()
	if err != nil {
		return err
	}
	inPath := variables(r.Path)
	for _, name := range inPath {
		p := properties[name]
		op.Parameters = append(op.Parameters, &parameter{
			Name: name, In: "path", Required: true, Description: "The input " + name + ".", Schema: p.schemaOr(object{"type": "string"}),
		})
		delete(properties, name)
	}
	switch r.Method {
	case http.MethodGet, http.MethodDelete:
		b.addQuery(op, d, properties)
	default:
		if op.RequestBody, err = b.routeBody(d, inPath); err != nil {
			return err
		}
		b.refuseRun(op, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	op.Responses["200"] = &response{
		Description: "The workflow's output.", Headers: b.headers(b.limited(d, "X-Request-Id", "Idempotency-Replayed")...), Content: jsonContent(outputs(d)),
	}
	b.add(method, r.Path, op)
	return nil
}

// addQuery adds the inputs that the query may give. Where nothing says which
// inputs there are, each parameter is one.
func (b *builder) addQuery(op *operation, d *described, properties map[string]property) {
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		p := properties[name]
		if !p.inURL {
			continue
		}
		op.Parameters = append(op.Parameters, &parameter{
			Name: name, In: "query", Required: p.required, Description: "The input " + name + ".", Style: "form", Explode: true, Schema: p.schema,
		})
	}
	if d.input == nil && !b.app.Strict {
		op.Parameters = append(op.Parameters, &parameter{
			Name: "inputs", In: "query", Description: "Each parameter of the query is an input of its name.", Style: "form", Explode: true,
			Schema: object{"type": "object", "additionalProperties": object{"type": "string"}},
		})
	}
}

// routeBody is the body of a route: the inputs, without those that the path gives.
func (b *builder) routeBody(d *described, inPath []string) (*requestBody, error) {
	if len(inPath) == 0 || d.input == nil {
		return &requestBody{Required: len(inPath) == 0 && needsInputs(d), Content: jsonContent(b.inputs(d))}, nil
	}
	rest, ok, err := d.input.without(inPath)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return &requestBody{Content: jsonContent(object{
			"type": "object", "description": "The inputs that the path does not give. All together they match " + d.input.name + ".",
		})}, nil
	}
	required, _ := rest["required"].([]any)
	return &requestBody{Required: len(required) > 0, Content: jsonContent(rest)}, nil
}

// variables are the names of a path's variables.
func variables(path string) []string {
	var out []string
	for segment := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(segment, "{") {
			out = append(out, strings.Trim(segment, "{}"))
		}
	}
	return out
}

// shape is a path without the names of its variables.
func shape(path string) string {
	for _, name := range variables(path) {
		path = strings.Replace(path, "{"+name+"}", "{}", 1)
	}
	return path
}

// renameVariables has the parameters of a path called as in another path of its shape.
func renameVariables(op *operation, from, to string) {
	names := map[string]string{}
	as, bs := variables(from), variables(to)
	for i := range as {
		names[as[i]] = bs[i]
	}
	for _, p := range op.Parameters {
		if p.In == "path" {
			p.Name = names[p.Name]
		}
	}
}
