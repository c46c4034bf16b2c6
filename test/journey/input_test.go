package journey

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func TestBodyCap(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("  input: {maxBytes: 200Ki}", echo), keys)
	body := func(size int) string {
		const frame = `{"inputs":{"s":""}}`
		return `{"inputs":{"s":"` + strings.Repeat("x", size-len(frame)) + `"}}`
	}
	send := func(size int, chunked bool) answer {
		var reader interface{ Read([]byte) (int, error) } = strings.NewReader(body(size))
		if chunked {
			reader = struct{ *bytes.Buffer }{bytes.NewBufferString(body(size))}
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.api+"/workflows/echo/execute", reader)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-API-Key", key)
		req.Header.Set("Content-Type", "application/json")
		return a.do(req)
	}
	const limit = 200 << 10
	for _, chunked := range []bool{false, true} {
		if got := send(limit, chunked); got.status != http.StatusOK {
			t.Errorf("exactly the cap, chunked %v: %d", chunked, got.status)
		}
		a.wantProblem(send(limit+1, chunked), http.StatusRequestEntityTooLarge, "body_too_large")
	}
	a.wantMetric(`nexus_input_blocked_total{rule="body_too_large"}`, "2")
	if got := a.send(http.MethodPost, "/workflows/echo/execute", `a=b`, "X-API-Key", key, "Content-Type", "application/x-www-form-urlencoded"); true {
		a.wantProblem(got, http.StatusUnsupportedMediaType, "unsupported_media_type")
	}
}

func TestInputRules(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("  input: {allowedKeys: [compile]}", echo), keys)
	for inputs, want := range map[string]struct{ rule, pointer string }{
		`{"a":{"__import__":1}}`:    {"blocked_key", "/inputs/a/__import__"},
		`{"a":[{"ｅval":1}]}`:        {"blocked_key", "/inputs/a/0/ｅval"},
		`{"f":"../../etc/passwd"}`:  {"path_traversal", "/inputs/f"},
		`{"a":1,"a":2}`:             {"duplicate_key", "/inputs/a"},
		`{"a":"` + "\\u0000" + `"}`: {"nul_byte", "/inputs/a"},
		`{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`: {"too_deep", ""},
	} {
		got := a.execute("echo", inputs, key)
		p := a.wantProblem(got, http.StatusBadRequest, "invalid_input")
		if len(p.Violations) != 1 || p.Violations[0].Rule != want.rule || want.pointer != "" && p.Violations[0].Pointer != want.pointer {
			t.Errorf("%.40s: violations %+v, want %+v", inputs, p.Violations, want)
		}
	}
	if strings.Contains(a.log.String(), "passwd") {
		t.Error("the log holds a value")
	}
	a.wantMetric(`nexus_input_blocked_total{rule="blocked_key"}`, "2")
	a.wantOK(a.execute("echo", `{"compile":"https://a.example/../b","note":"either/or .. etc"}`, key), `{"compile":"https://a.example/../b","note":"either/or .. etc"}`)
	a.wantOK(a.send(http.MethodPost, "/workflows/echo/execute", `{"parameters":{"a":1},"mode":"sync"}`, "X-API-Key", key), `{"a":1}`)
	for _, body := range []string{`{"inputs":{},"parameters":{}}`, `{"inputs":{},"x":1}`, `{"inputs":[]}`, `{"mode":"later"}`, `[]`, `{`, `{"inputs":{}} x`} {
		a.wantProblem(a.send(http.MethodPost, "/workflows/echo/execute", body, "X-API-Key", key), http.StatusBadRequest, "invalid_input")
	}
}

// typedWorkflow has a schema and routes.
const typedWorkflow = echo + `
  - name: quote
    routes: [{method: GET, path: "/api/quote/{id}"}, {method: POST, path: /api/quote}]
    definition:
      document: {dsl: "1.0.3", namespace: team-a, name: quote, version: 1.2.0}
      input:
        schema:
          document:
            type: object
            additionalProperties: false
            required: [id]
            properties:
              id: {type: string, maxLength: 8}
              count: {type: integer}
              price: {type: number}
              fast: {type: boolean}
              tags: {type: array, items: {type: string}}
      do: [{reply: {set: "${ . }"}}]
`

func TestSchema(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("  input: {policy: Strict}", typedWorkflow), keys)
	a.wantOK(a.execute("quote", `{"id":"a","count":2}`, key), `{"count":2,"id":"a"}`)
	p := a.wantProblem(a.execute("quote", `{"id":7,"count":1.5}`, key), http.StatusUnprocessableEntity, "schema_violation")
	pointers := map[string]bool{}
	for _, v := range p.Violations {
		pointers[v.Pointer] = true
	}
	if len(pointers) != 2 || !pointers["/id"] || !pointers["/count"] {
		t.Errorf("violations %+v", p.Violations)
	}
	// Strict: a workflow without a schema takes no inputs.
	a.wantOK(a.execute("echo", `{}`, key), `{}`)
	a.wantProblem(a.execute("echo", `{"a":1}`, key), http.StatusBadRequest, "invalid_input")
	a.wantMetric(`nexus_input_blocked_total{rule="undeclared_input"}`, "1")
}

func TestRoutes(t *testing.T) {
	keys := newKeyring(t)
	key := keys.mint("one")
	a := serve(t, manifest("", typedWorkflow), keys)
	for path, want := range map[string]string{
		"/api/quote/a%2Fb": `{"id":"a/b"}`,
		"/api/quote/x?count=3&price=1e2&fast=true&tags=a&tags=b%20c": `{"count":3,"fast":true,"id":"x","price":100,"tags":["a","b c"]}`,
	} {
		if got := a.send(http.MethodGet, path, "", "X-API-Key", key); got.status != http.StatusOK || got.body != want+"\n" {
			t.Errorf("GET %s: %d %s, want %s", path, got.status, got.body, want)
		}
	}
	if got := a.send(http.MethodPost, "/api/quote?count=1", `{"id":"z"}`, "X-API-Key", key); got.body != `{"count":1,"id":"z"}`+"\n" {
		t.Errorf("POST: %d %s", got.status, got.body)
	}
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"/api/quote/x?count=three":          {http.StatusUnprocessableEntity, "schema_violation"},
		"/api/quote/x?unknown=1":            {http.StatusUnprocessableEntity, "schema_violation"},
		"/api/quote/x?count=1&count=2":      {http.StatusBadRequest, "invalid_input"},
		"/api/quote/x?id=y":                 {http.StatusBadRequest, "invalid_input"},
		"/api/quote/..%2F..%2Fetc%2Fpasswd": {http.StatusBadRequest, "invalid_input"},
		"/api/quote/x?__class__=1":          {http.StatusBadRequest, "invalid_input"},
		"/api/quote/x?count=%zz":            {http.StatusBadRequest, "invalid_input"},
		"/api/quote/x/y":                    {http.StatusNotFound, "not_found"},
		"/api/quote/":                       {http.StatusNotFound, "not_found"},
		"/docs":                             {http.StatusNotFound, "not_found"},
		"/workflows/quote/execute":          {http.StatusMethodNotAllowed, "method_not_allowed"},
	} {
		got := a.send(http.MethodGet, path, "", "X-API-Key", key)
		a.wantProblem(got, want.status, want.code)
		if allow := got.header.Get("Allow"); (want.status == http.StatusMethodNotAllowed) != (allow == "POST, OPTIONS") {
			t.Errorf("GET %s: Allow is %q", path, allow)
		}
	}
	a.wantProblem(a.send(http.MethodGet, "/api/quote/x", ""), http.StatusUnauthorized, "unauthenticated")
	head := a.send(http.MethodHead, "/api/quote/x", "", "X-API-Key", key)
	if head.status != http.StatusOK || head.body != "" || head.header.Get("Content-Length") != strconv.Itoa(len(`{"id":"x"}`)+1) {
		t.Errorf("HEAD: %d %v", head.status, head.header)
	}
}
