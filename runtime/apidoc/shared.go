package apidoc

import (
	"net/http"
)

// The tags of what is no workflow's own.
const (
	tagApp        = "app"
	tagWorkflows  = "workflows"
	tagExecutions = "executions"
)

// addShared describes what every app serves.
func (b *builder) addShared() {
	schemas := b.doc.Components.Schemas
	for name, schema := range map[string]object{
		"Problem": problemSchema(), "Workflow": workflowSchema(), "Execution": executionSchema(),
	} {
		schemas[b.names.add(name)] = schema
	}
	b.addAbout()
	b.addExecutions()
}

func (b *builder) addAbout() {
	workflows := object{"type": "array", "items": schemaRef("Workflow")}
	str := object{"type": "string"}
	b.add("get", "/", b.read("getApp", "What the app serves of what the caller may run", tagApp, object{
		"type": "object", "required": []string{"name", "health", "openapi", "workflows"},
		"properties": object{"name": str, "health": str, "openapi": str, "docs": str, "workflows": workflows},
	}))
	b.add("get", "/workflows", b.read("listWorkflows", "The workflows that the caller may run", tagWorkflows, object{
		"type": "object", "required": []string{"workflows"}, "properties": object{"workflows": workflows},
	}))
	describe := b.read("getWorkflow", "One workflow, with its schemas", tagWorkflows, schemaRef("Workflow"))
	describe.Parameters = []*parameter{{Name: "name", In: "path", Required: true, Description: "Name of the workflow.", Schema: str}}
	b.refuse(describe, http.StatusNotFound)
	b.add("get", "/workflows/{name}", describe)

	description := b.read("getOpenAPI", "This description", tagApp, object{"type": "object"})
	description.Responses["200"].Headers = b.headers("X-Request-Id", "ETag")
	description.Responses["304"] = &response{Description: "It has not changed since the one that If-None-Match names.", Headers: b.headers("X-Request-Id", "ETag")}
	description.Parameters = []*parameter{{Name: "If-None-Match", In: "header", Description: "ETag of the description that the caller has.", Schema: str}}
	b.add("get", "/openapi.json", description)

	health := func(status, description string) *response {
		return &response{Description: description, Headers: b.headers("X-Request-Id"), Content: jsonContent(object{
			"type": "object", "required": []string{"status"}, "properties": object{"status": object{"const": status}},
		})}
	}
	b.add("get", "/health", &operation{
		OperationID: "getHealth", Summary: "Whether the app takes requests", Tags: []string{tagApp},
		Description: "Asks for no credential and spends from no limit.", Security: b.nobody(),
		Responses: map[string]*response{"200": health("healthy", "It does."), "503": health("unavailable", "It does not.")},
	})
}

// nobody is the security of what asks for no credential.
func (b *builder) nobody() *[]map[string][]string {
	if !b.authenticated() {
		return nil
	}
	return &[]map[string][]string{}
}

// read is an operation that tells something.
func (b *builder) read(id, summary, tag string, schema any) *operation {
	op := &operation{OperationID: id, Summary: summary, Tags: []string{tag}, Responses: map[string]*response{
		"200": {Description: summary + ".", Headers: b.headers("X-Request-Id"), Content: jsonContent(schema)},
	}}
	b.refuse(op, http.StatusBadRequest, http.StatusNotAcceptable, http.StatusInternalServerError)
	if b.authenticated() {
		b.refuse(op, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	}
	return op
}

func (b *builder) addExecutions() {
	str := object{"type": "string"}
	b.doc.Components.Parameters["ExecutionID"] = &parameter{Name: "id", In: "path", Required: true, Description: "Id of the execution.", Schema: str}
	id := &parameter{Ref: "#/components/parameters/ExecutionID"}

	list := b.read("listExecutions", "The caller's last executions", tagExecutions, object{
		"type": "object", "required": []string{"executions"}, "properties": object{"executions": object{"type": "array", "items": schemaRef("Execution")}},
	})
	list.Description = "The newest first, without their outputs. Callers who do not log in are told nothing."
	b.refuse(list, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	b.add("get", "/executions", list)

	get := b.read("getExecution", "How an execution stands", tagExecutions, schemaRef("Execution"))
	get.Description = "Who accepts " + eventsMedia + " gets its events instead: start, one task for each task, and complete or error."
	get.Parameters = []*parameter{id, {Name: "Last-Event-ID", In: "header", Description: "Event after which a stream goes on.", Schema: object{"type": "integer", "minimum": 0}}}
	ok := get.Responses["200"]
	ok.Headers = b.headers("X-Request-Id", "Retry-After")
	ok.Content[eventsMedia] = mediaType{str}
	get.Responses["204"] = &response{Description: "There are no more events.", Headers: b.headers("X-Request-Id")}
	b.refuse(get, http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	b.add("get", "/executions/{id}", get)

	cancel := b.read("cancelExecution", "Cancel an execution", tagExecutions, schemaRef("Execution"))
	cancel.Description = "One that has ended stays as it is."
	cancel.Parameters = []*parameter{id}
	cancel.Responses["200"].Description = "It has ended."
	cancel.Responses["202"] = &response{
		Description: "It ends shortly.", Headers: b.headers("X-Request-Id", "Retry-After"), Content: jsonContent(schemaRef("Execution")),
	}
	b.refuse(cancel, http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	b.add("delete", "/executions/{id}", cancel)
}

// workflowSchema is what is told of a workflow.
func workflowSchema() object {
	str := object{"type": "string"}
	return object{
		"type": "object", "required": []string{"name", "version", "execute"},
		"properties": object{
			"name": str, "version": str, "title": str, "summary": str,
			"execute": object{"type": "string", "description": "The path to POST to."},
			"tool":    object{"type": "string", "description": "The name of the workflow as a tool of MCP, where it is served there."},
			"routes": object{"type": "array", "items": object{
				"type": "object", "required": []string{"method", "path"}, "properties": object{"method": str, "path": str},
			}},
			"inputSchema":  object{"type": "object", "description": "JSON Schema 2020-12 of the inputs."},
			"outputSchema": object{"type": "object", "description": "JSON Schema 2020-12 of the output."},
		},
	}
}

// executionSchema is how an execution stands.
func executionSchema() object {
	str := object{"type": "string"}
	moment := object{"type": "string", "format": "date-time"}
	return object{
		"type": "object", "required": []string{"run_id", "workflow_id", "version", "mode", "status", "created_at"},
		"properties": object{
			"run_id": str, "workflow_id": str, "version": str,
			"mode":             object{"enum": []string{"async", "stream"}},
			"status":           object{"enum": []string{"running", "completed", "failed", "canceled"}},
			"created_at":       moment,
			"finished_at":      moment,
			"cancel_requested": object{"type": "boolean"},
			"execution_time":   object{"type": "number", "description": "In seconds."},
			"outputs":          object{"description": "The output, of one that is completed."},
			"problem":          schemaRef("Problem"),
		},
	}
}
