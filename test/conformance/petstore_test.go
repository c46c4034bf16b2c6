package conformance

import (
	"net/http"
	"strconv"
)

// petstore stands in for petstore.swagger.io: what the conformance kit asks of it.
func petstore(mux *http.ServeMux) {
	const host = "petstore.swagger.io"
	pet := func(id int, status string) map[string]any {
		return map[string]any{
			"id": id, "name": "pet " + strconv.Itoa(id), "status": status,
			"category": map[string]any{"id": 1, "name": "dog"}, "photoUrls": []any{}, "tags": []any{},
		}
	}
	mux.HandleFunc("GET "+host+"/v2/pet/findByStatus", func(w http.ResponseWriter, r *http.Request) {
		status := r.URL.Query().Get("status")
		if status == "" {
			reply(w, http.StatusBadRequest, map[string]any{"message": "Invalid status value"})
			return
		}
		reply(w, http.StatusOK, []any{pet(1, status), pet(2, status), pet(3, status)})
	})
	mux.HandleFunc("GET "+host+"/v2/pet/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.PathValue("id"))
		if err != nil || id < 1 || id > 100 {
			reply(w, http.StatusNotFound, map[string]any{"code": 1, "type": "error", "message": "Pet not found"})
			return
		}
		reply(w, http.StatusOK, pet(id, "available"))
	})
	mux.HandleFunc("GET "+host+"/v2/swagger.json", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, swagger) })
	mux.HandleFunc(host+"/", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusNotFound, map[string]any{"code": 404, "type": "unknown", "message": "not found"})
	})
}

// swagger describes the stand-in in OpenAPI 2.0, as the real one does.
var swagger = map[string]any{
	"swagger": "2.0", "info": map[string]any{"title": "Pets", "version": "1.0.0"},
	"host": "petstore.swagger.io", "basePath": "/v2", "schemes": []any{"http", "https"},
	"paths": map[string]any{
		"/pet/findByStatus": map[string]any{"get": map[string]any{
			"operationId": "findPetsByStatus", "produces": []any{"application/json"},
			"parameters": []any{map[string]any{
				"name": "status", "in": "query", "required": true, "type": "array", "collectionFormat": "multi",
				"items": map[string]any{"type": "string", "enum": []any{"available", "pending", "sold"}},
			}},
			"responses": map[string]any{"200": map[string]any{"description": "pets"}},
		}},
		"/pet/{petId}": map[string]any{"get": map[string]any{
			"operationId": "getPetById", "produces": []any{"application/json"},
			"parameters": []any{map[string]any{"name": "petId", "in": "path", "required": true, "type": "integer", "format": "int64"}},
			"responses":  map[string]any{"200": map[string]any{"description": "a pet"}},
		}},
	},
}
