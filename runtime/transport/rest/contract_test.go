package rest

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// TestContract: another program holds requests and their replies against the description.
func TestContract(t *testing.T) {
	a := openWith(t, func(o *Options) { o.App.Auth.APIKeys = &v1alpha1.APIKeys{} })
	document, err := libopenapi.NewDocument(a.send(http.MethodGet, "/openapi.json", "").Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	v, problems := validator.NewValidator(document)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	running := a.start("longest")
	ended := a.start("raises")
	a.ended(ended)
	for _, c := range []struct {
		method, path, body string
		header             []string
		want               int
		// malformed says that the description, too, finds fault with the request.
		malformed bool
	}{
		{"GET", "/", "", nil, 200, false},
		{"GET", "/health", "", nil, 200, false},
		{"GET", "/openapi.json", "", nil, 200, false},
		{"GET", "/openapi.json", "", []string{"If-None-Match", "*"}, 304, false},
		{"GET", "/workflows", "", nil, 200, false},
		{"GET", "/workflows", "", []string{"X-Api-Key", "another"}, 401, false},
		{"GET", "/workflows/echo", "", nil, 200, false},
		{"GET", "/workflows/none", "", nil, 404, false},
		{"POST", "/workflows/echo/execute", `{"inputs":{"a":[1,null]}}`, nil, 200, false},
		{"POST", "/workflows/echo/execute", `{"inputs":{"__class__":1}}`, nil, 400, false},
		{"POST", "/workflows/echo/execute", `{"inputs":[]}`, nil, 400, true},
		{"POST", "/workflows/echo/execute", `{"input":{}}`, nil, 400, true},
		{"POST", "/workflows/echo/execute", `{"mode":"later"}`, nil, 400, true},
		{"POST", "/workflows/echo/execute", `{"inputs":{"a":"` + strings.Repeat("x", 1100) + `"}}`, nil, 413, false},
		{"POST", "/workflows/echo/execute", `{"mode":"async"}`, []string{"Idempotency-Key", "one"}, 202, false},
		{"POST", "/workflows/echo/execute", `{"inputs":{"other":1}}`, []string{"Idempotency-Key", "one"}, 422, false},
		{"POST", "/workflows/raises/execute", `{}`, nil, 409, false},
		{"POST", "/workflows/echo/execute", `{}`, []string{"Accept", "text/html"}, 406, false},
		{"POST", "/api/echo", `{"a":1}`, nil, 200, false},
		{"GET", "/api/echo?a=1", "", nil, 200, false},
		{"GET", "/api/echo/7?id=8", "", nil, 400, false},
		{"GET", "/api/echo/7", "", nil, 200, false},
		{"GET", "/executions", "", nil, 200, false},
		{"GET", running, "", nil, 200, false},
		{"GET", ended, "", nil, 200, false},
		{"GET", "/executions/none", "", nil, 404, false},
		{"DELETE", running, "", nil, 202, false},
		{"DELETE", ended, "", nil, 200, false},
	} {
		r := a.request(t.Context(), c.method, c.path, c.body)
		for i := 0; i < len(c.header); i += 2 {
			r.Header.Set(c.header[i], c.header[i+1])
		}
		if c.body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		w := a.serve(r)
		if c.method == http.MethodDelete && c.path == running && w.Code == http.StatusOK {
			c.want = http.StatusOK // the run was quick to end
		}
		if w.Code != c.want {
			t.Errorf("%s %s %s: %d, want %d: %s", c.method, c.path, c.body, w.Code, c.want, w.Body)
			continue
		}
		r.Body = io.NopCloser(strings.NewReader(c.body))
		reply := w.Result()
		text, _ := io.ReadAll(reply.Body)
		reply.Body = io.NopCloser(bytes.NewReader(text))
		if ok, problems := v.ValidateHttpRequest(r); ok == c.malformed {
			t.Errorf("%s %s %s: the description says that the request is right: %v", c.method, c.path, c.body, ok)
			for _, p := range problems {
				t.Logf("%s: %s", p.Message, p.Reason)
			}
		}
		if ok, problems := v.ValidateHttpResponse(r, reply); !ok {
			for _, p := range problems {
				t.Errorf("%s %s %s: the reply %s: %s: %s: %v", c.method, c.path, c.body, text, p.Message, p.Reason, p.SchemaValidationErrors)
			}
		}
	}
}
