package apidoc

import (
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
)

// refusal is what a reply with a status means: the name of its component, and in words.
type refusal struct{ name, description string }

// refusals are the errors by status. One status may have several codes.
var refusals = map[int]refusal{
	http.StatusBadRequest:            {"InvalidInput", "The request is malformed, or the input rules refuse it."},
	http.StatusUnauthorized:          {"Unauthenticated", "There is no credential, or it is not accepted."},
	http.StatusForbidden:             {"Forbidden", "The caller may not do this."},
	http.StatusNotFound:              {"NotFound", "There is no such thing, or it is not the caller's."},
	http.StatusNotAcceptable:         {"NotAcceptable", "The reply is JSON, which the header Accept excludes."},
	http.StatusConflict:              {"IdempotencyConflict", "The call with this Idempotency-Key is being made, or its reply is gone."},
	http.StatusRequestEntityTooLarge: {"BodyTooLarge", "The body has more bytes than the app takes."},
	http.StatusUnsupportedMediaType:  {"UnsupportedMediaType", "The body is not JSON."},
	http.StatusUnprocessableEntity:   {"SchemaViolation", "The inputs do not match the schema; or the Idempotency-Key belongs to another call."},
	http.StatusTooManyRequests:       {"RateLimited", "A limit is spent: wait as long as Retry-After says."},
	http.StatusInternalServerError:   {"Failed", "Something went wrong on the app's side, or within the workflow."},
	http.StatusServiceUnavailable:    {"Overloaded", "The app has no room for this just now: wait as long as Retry-After says."},
	http.StatusGatewayTimeout:        {"Timeout", "The workflow did not end in its time."},
}

// codes are the codes that requests are refused with, by status.
var codes = func() map[int][]string {
	out := map[int][]string{}
	for _, code := range []fault.Code{
		fault.Unauthenticated, fault.Forbidden, fault.WorkflowNotFound, fault.InvalidInput, fault.SchemaViolation, fault.BodyTooLarge,
		fault.RateLimited, fault.Overloaded, fault.Timeout, fault.WorkflowFailed, fault.Internal, fault.IdempotencyConflict,
		fault.IdempotencyMismatch, fault.NotFound, fault.NotAcceptable, fault.UnsupportedMedia,
	} {
		status := wire.Status(code, 0)
		out[status] = append(out[status], string(code))
	}
	return out
}()

// refuse adds the errors with these statuses to the replies of an operation that runs
// nothing.
func (b *builder) refuse(op *operation, statuses ...int) {
	for _, status := range statuses {
		with := slices.DeleteFunc(slices.Clone(codes[status]), func(code string) bool { return code == string(fault.WorkflowFailed) })
		b.addRefusal(op, status, refusals[status].name, with)
	}
}

// refuseRun is refuse for an operation that runs a workflow: that may raise an error of its
// own with any status, and does with those that are not listed.
func (b *builder) refuseRun(op *operation, statuses ...int) {
	for _, status := range statuses {
		with := slices.Clone(codes[status])
		if !slices.Contains(with, string(fault.WorkflowFailed)) {
			with = append(with, string(fault.WorkflowFailed))
		}
		b.addRefusal(op, status, "Run"+refusals[status].name, with)
	}
	b.raise(op)
}

func (b *builder) addRefusal(op *operation, status int, name string, with []string) {
	if b.doc.Components.Responses[name] == nil {
		b.doc.Components.Responses[name] = b.problem(status, with)
	}
	op.Responses[strconv.Itoa(status)] = &response{Ref: "#/components/responses/" + name}
}

func (b *builder) raise(op *operation) {
	const name = "WorkflowFailed"
	if b.doc.Components.Responses[name] == nil {
		b.doc.Components.Responses[name] = &response{
			Description: "The workflow raised an error, with the status that it says.",
			Headers:     b.headers("X-Request-Id", "RateLimit", "RateLimit-Policy", "Idempotency-Replayed"),
			Content:     map[string]mediaType{problemMedia: {object{"allOf": []any{schemaRef("Problem"), object{"properties": object{"code": object{"const": string(fault.WorkflowFailed)}}}}}}},
		}
	}
	op.Responses["default"] = &response{Ref: "#/components/responses/" + name}
}

func (b *builder) problem(status int, with []string) *response {
	headers := []string{"X-Request-Id"}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		headers = append(headers, "WWW-Authenticate")
	case http.StatusTooManyRequests:
		headers = append(headers, "Retry-After", "RateLimit", "RateLimit-Policy")
	case http.StatusServiceUnavailable, http.StatusConflict:
		headers = append(headers, "Retry-After")
	}
	about := object{"properties": object{"status": object{"const": status}, "code": object{"enum": with}}}
	return &response{
		Description: refusals[status].description, Headers: b.headers(headers...),
		Content: map[string]mediaType{problemMedia: {object{"allOf": []any{schemaRef("Problem"), about}}}},
	}
}

// problemSchema is a problem of this API.
func problemSchema() object {
	all := []string{string(engine.Canceled)}
	for _, status := range slices.Sorted(maps.Keys(codes)) {
		all = append(all, codes[status]...)
	}
	slices.Sort(all)
	str := object{"type": "string"}
	return object{
		"type": "object", "description": "Problem details (RFC 9457).",
		"required": []string{"type", "title", "status", "detail", "instance", "code"},
		"properties": object{
			"type":      object{"type": "string", "format": "uri-reference"},
			"title":     str,
			"status":    object{"type": "integer"},
			"detail":    object{"type": "string", "description": "What is wrong, and what to do."},
			"instance":  object{"type": "string", "description": "The path of the request."},
			"code":      object{"type": "string", "description": "What went wrong; the same for every channel.", "enum": all},
			"requestId": object{"type": "string", "description": "Finds the request in the log."},
			"violations": object{
				"type": "array", "description": "What is wrong with the input.",
				"items": object{"type": "object", "required": []string{"pointer", "message"}, "properties": object{
					"pointer": object{"type": "string", "description": "A JSON pointer to the value."}, "rule": str, "message": str,
				}},
			},
			"violated-policies": object{"type": "array", "description": "The limits that are spent.", "items": str},
			"error": object{
				"type": "object", "description": "The error that the workflow raised.", "required": []string{"type", "status"},
				"properties": object{"type": str, "status": object{"type": "integer"}, "title": str, "detail": str, "instance": str},
			},
		},
	}
}

// The headers of replies, by name.
var headerTable = map[string]header{
	"X-Request-Id":         {Description: "Finds the request in the log.", Schema: object{"type": "string"}},
	"WWW-Authenticate":     {Description: "How to authenticate (RFC 6750).", Schema: object{"type": "string"}},
	"Retry-After":          {Description: "How many seconds to wait.", Schema: object{"type": "integer", "minimum": 1}},
	"RateLimit":            {Description: "What is left of the tightest limit (r), and in how many seconds it is full again or passes one request (t).", Schema: object{"type": "string"}},
	"RateLimit-Policy":     {Description: "The limits that apply: how many requests (q) in how many seconds (w).", Schema: object{"type": "string"}},
	"Location":             {Description: "Where the execution is.", Schema: object{"type": "string", "format": "uri-reference"}},
	"Idempotency-Replayed": {Description: "The reply is that of an earlier call with the same Idempotency-Key.", Schema: object{"type": "string", "const": "true"}},
	"ETag":                 {Description: "Changes exactly when the description does.", Schema: object{"type": "string"}},
}

// headers refers to headers by their names.
func (b *builder) headers(list ...string) map[string]*header {
	out := map[string]*header{}
	for _, name := range list {
		if b.doc.Components.Headers[name] == nil {
			h := headerTable[name]
			b.doc.Components.Headers[name] = &h
		}
		out[name] = &header{Ref: "#/components/headers/" + name}
	}
	return out
}
