package openapi

import (
	"fmt"
	"maps"
	"mime"
	"slices"
	"strings"
)

// Operation is an operation of a document. It is safe for concurrent use.
type Operation struct {
	id, method, path string
	served           server
	sent             []parameter
	body             *body
	// accept is the media type of responses to ask for, empty for any.
	accept string
}

// location is where in a request a parameter stands.
type location string

const (
	inPath   location = "path"
	inQuery  location = "query"
	inHeader location = "header"
	inCookie location = "cookie"
	inForm   location = "formData" // 2.0: a field of the body
)

// parameter is a parameter and how its value is written.
type parameter struct {
	name     string
	in       location
	required bool
	writing
	// problem says why it cannot be sent.
	problem string
}

// body is the body of a request.
type body struct {
	// name is what the parameter is called that carries it, besides "body".
	name     string
	required bool
	media    string
	form     bool // the fields of an object, as HTML forms write them
	verbatim bool // a string as it stands
	// fields are those of a form that are not written as by default.
	fields  map[string]writing
	problem string
}

// parameters reads the parameters, those of the path item included, and the body.
func (d *Document) parameters(o *Operation, from place) error {
	type key struct {
		name string
		in   location
	}
	seen := map[key]bool{}
	// The operation's own come first: they replace those of the same name and place.
	for _, reference := range slices.Concat(from.operation.list("parameters"), from.item.list("parameters")) {
		described, err := d.resolve(reference)
		if err != nil {
			return err
		}
		k := key{described.text("name"), location(described.text("in"))}
		if k.name == "" || seen[k] {
			continue
		}
		seen[k] = true
		if d.swagger && k.in == "body" {
			o.body = d.swaggerBody(k.name, described, from)
			continue
		}
		p, ok := d.parameter(k.name, k.in, described, from)
		if !ok || !o.uses(p) {
			continue
		}
		if p.required && p.problem != "" {
			return fmt.Errorf("%s: it requires the parameter %q, which %s", described.pointer, p.name, p.problem)
		}
		o.sent = append(o.sent, p)
	}
	if err := d.requestBody(o, from); err != nil {
		return err
	}
	if o.body != nil && o.body.required && o.body.problem != "" {
		return fmt.Errorf("it requires a body, which %s", o.body.problem)
	}
	return nil
}

// uses says whether a parameter can be sent: one of the path has to be in it.
func (o *Operation) uses(p parameter) bool {
	return p.in != inPath || strings.Contains(o.path, "{"+p.name+"}")
}

// parameter reads a parameter. It is not ok when nothing that a caller gives can be
// sent in it.
func (d *Document) parameter(name string, in location, described object, from place) (parameter, bool) {
	p := parameter{name: name, in: in, required: described.flag("required", false) || in == inPath}
	if d.swagger {
		p.swagger(described)
		if p.in == inForm {
			p.problem = d.formProblem(described, from)
		}
	} else {
		p.style(described)
	}
	switch in {
	case inPath, inQuery, inCookie:
	case inForm:
		return p, d.swagger
	case inHeader:
		// OpenAPI 3 leaves these to the media types and to the security requirements.
		ignored := !d.swagger && (strings.EqualFold(name, "Accept") || strings.EqualFold(name, "Content-Type") || strings.EqualFold(name, "Authorization"))
		return p, !ignored
	default:
		return p, false
	}
	return p, true
}

// formProblem says why a field of a form cannot be sent.
func (d *Document) formProblem(described object, from place) string {
	consumes := d.either(from.operation, "consumes")
	switch {
	case described.text("type") == "file":
		return "is a file: files cannot be sent"
	case len(consumes) > 0 && !slices.Contains(consumes, formType):
		return "is a field of a form that is not sent as " + formType + ": only that is supported"
	}
	return ""
}

// maxTypes is how many media types, or schemes, of one list are looked at: many
// operations may share it.
const maxTypes = 50

// either returns the strings of a list that an operation has in place of the document's.
func (d *Document) either(operation object, key string) []string {
	source := d.root
	if _, own := operation.members[key]; own {
		source = operation.members
	}
	items, _ := source[key].([]any)
	var list []string
	for _, item := range items[:min(len(items), maxTypes)] {
		if text, ok := item.(string); ok {
			list = append(list, text)
		}
	}
	return list
}

func (d *Document) swaggerBody(name string, described object, from place) *body {
	consumes := d.either(from.operation, "consumes")
	if len(consumes) == 0 {
		consumes = []string{jsonType}
	}
	b := choose(consumes)
	b.name, b.required = name, described.flag("required", false)
	return b
}

// requestBody reads the body of OpenAPI 3.
func (d *Document) requestBody(o *Operation, from place) error {
	if _, ok := from.operation.members["requestBody"]; !ok || d.swagger {
		return nil
	}
	described, err := d.resolve(from.operation.at("requestBody"))
	if err != nil {
		return err
	}
	content, _ := described.object("content")
	b := choose(slices.Sorted(maps.Keys(content.members)))
	b.required = described.flag("required", false)
	if b.form {
		media, _ := content.object(b.media)
		b.encodings(media)
	}
	o.body = b
	return nil
}

// encodings reads how the fields of a form are written.
func (b *body) encodings(media object) {
	encodings, _ := media.object("encoding")
	for name := range encodings.members {
		encoding, ok := encodings.object(name)
		_, styled := encoding.members["style"]
		_, exploded := encoding.members["explode"]
		if !ok || !styled && !exploded {
			continue
		}
		field := parameter{name: name, in: inQuery}
		field.style(encoding)
		if field.problem != "" {
			b.problem = fmt.Sprintf("has the field %q, which %s", name, field.problem)
		}
		if b.fields == nil {
			b.fields = map[string]writing{}
		}
		b.fields[name] = field.writing
	}
}

// The media types that bodies are written in.
const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

// choose takes the media type that says most about a value: JSON, then a form, then
// anything that a string can hold.
func choose(types []string) *body {
	rank := func(match func(base string) bool) string {
		for _, t := range types {
			if base, _, err := mime.ParseMediaType(t); err == nil && match(base) {
				return t
			}
		}
		return ""
	}
	if t := rank(func(base string) bool { return base == jsonType }); t != "" {
		return &body{media: t}
	}
	if t := rank(isJSON); t != "" {
		return &body{media: t}
	}
	if rank(func(base string) bool { return base == "*/*" || base == "application/*" }) != "" {
		return &body{media: jsonType}
	}
	if t := rank(func(base string) bool { return base == formType }); t != "" {
		return &body{media: t, form: true}
	}
	t := rank(func(base string) bool { return !strings.HasPrefix(base, "multipart/") && !strings.Contains(base, "*") })
	if t == "" {
		return &body{problem: "has none of the media types that are supported (JSON, " + formType + ", or one that a string can hold)"}
	}
	return &body{media: t, verbatim: true}
}

func isJSON(base string) bool {
	return base == jsonType || base == "text/json" || strings.HasSuffix(base, "+json")
}

// accept is the media type to ask for: JSON, where the operation can answer so.
func (d *Document) accept(operation object) string {
	types := d.either(operation, "produces")
	if !d.swagger {
		types = d.answers(operation)
	}
	for _, t := range types {
		if base, _, err := mime.ParseMediaType(t); err == nil && isJSON(base) {
			return t
		}
	}
	return ""
}

// answers are the media types of the responses that are successes, in OpenAPI 3.
func (d *Document) answers(operation object) []string {
	var types []string
	responses, _ := operation.object("responses")
	for _, code := range slices.Sorted(maps.Keys(responses.members)) {
		if !strings.HasPrefix(code, "2") {
			continue
		}
		response, err := d.resolve(responses.at(code))
		if err != nil {
			continue
		}
		if content, _ := response.object("content"); len(content.members) <= maxTypes {
			types = append(types, slices.Sorted(maps.Keys(content.members))...)
		}
	}
	return types
}

// apiKeys lets the API keys that the operation may need be given like parameters: the
// authentication policies of workflows have no scheme for them.
func (d *Document) apiKeys(o *Operation, from place) {
	requirements := from.operation
	if _, own := requirements.members["security"]; !own {
		requirements = object{members: d.root}
	}
	schemes, _ := object{members: d.root}.object("securityDefinitions")
	if !d.swagger {
		components, _ := object{members: d.root}.object("components")
		schemes, _ = components.object("securitySchemes")
	}
	for _, item := range requirements.list("security") {
		requirement, _ := item.object()
		for _, name := range slices.Sorted(maps.Keys(requirement.members)) {
			scheme, err := d.resolve(schemes.at(name))
			if err != nil || scheme.text("type") != "apiKey" {
				continue
			}
			p := parameter{name: scheme.text("name"), in: location(scheme.text("in")), writing: writing{separator: ","}}
			known := slices.ContainsFunc(o.sent, func(other parameter) bool { return other.name == p.name })
			if p.name != "" && !known && slices.Contains([]location{inQuery, inHeader, inCookie}, p.in) {
				o.sent = append(o.sent, p)
			}
		}
	}
}
