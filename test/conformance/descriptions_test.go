package conformance

import (
	"io"
	"net/http"
)

// descriptions are the OpenAPI documents of the stand-in for httpbin.org, one of each
// version that has a request body.
func (s *services) descriptions(mux *http.ServeMux, host string) {
	mux.HandleFunc("GET "+host+"/openapi-3.0.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = io.WriteString(w, orders30)
	})
	mux.HandleFunc("GET "+host+"/private/openapi-3.1.json", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer document-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, orders31)
	})
}

const orders30 = `
openapi: 3.0.3
info: {title: Orders, version: 1.0.0}
servers:
- url: /anything
paths:
  /orders/{id}:
    parameters:
    - $ref: '#/components/parameters/id'
    put:
      operationId: replaceOrder
      parameters:
      - {name: notify, in: query, schema: {type: boolean}}
      - {name: X-Trace, in: header, schema: {type: string}}
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object}
      responses: {'200': {description: ok}}
components:
  parameters:
    id: {name: id, in: path, required: true, schema: {type: string}}
`

const orders31 = `{
  "openapi": "3.1.0",
  "info": {"title": "Orders", "version": "2.0.0"},
  "servers": [{"url": "https://{host}/anything", "variables": {"host": {"default": "httpbin.org"}}}],
  "paths": {
    "/orders": {
      "get": {
        "operationId": "listOrders",
        "parameters": [{"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}}],
        "responses": {"200": {"description": "ok"}}
      }
    }
  }
}`
