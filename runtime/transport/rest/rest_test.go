package rest

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

func TestRouter(t *testing.T) {
	var r router
	serve := func(*exchange) error { return nil }
	for _, route := range []string{"GET /", "GET /a", "GET /a/{x}", "POST /a/b", "GET /a/b/{y}", "GET /a/{x}/c", "DELETE /{z}"} {
		method, path, _ := strings.Cut(route, " ")
		if err := r.add(method, path, target{serve: serve}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.add("GET", "/a/{other}", target{serve: serve}); err == nil {
		t.Error("two routes for the same requests")
	}
	for request, want := range map[string]string{
		"GET /":        "[]",
		"GET /a":       "[]",
		"GET /a/b":     "[x=b]",
		"POST /a/b":    "[]",
		"GET /a/b/q":   "[y=q]",
		"GET /a/b/c":   "[y=c]",
		"GET /a/z/c":   "[x=z]",
		"DELETE /a":    "[z=a]",
		"GET /a/":      "404",
		"GET //a":      "404",
		"GET a":        "404",
		"GET ":         "404",
		"GET /a/b/c/d": "404",
		"PUT /a/b":     "405 GET, HEAD, POST, OPTIONS",
		"POST /a":      "405 DELETE, GET, HEAD, OPTIONS",
		"POST /":       "405 GET, HEAD, OPTIONS",
		"GET /other":   "405 DELETE, OPTIONS",
	} {
		method, path, _ := strings.Cut(request, " ")
		var v variables
		got := "404"
		if n := r.match(method, path, &v); n != nil {
			pairs := []string{}
			for i, name := range n.names {
				pairs = append(pairs, name+"="+v.values[i])
			}
			got = fmt.Sprint(pairs)
		} else if allowed := r.allowed(path, &v); allowed != "" {
			got = "405 " + allowed
		}
		if got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
}

func TestIsJSON(t *testing.T) {
	for value, want := range map[string]bool{
		"application/json": true, "Application/JSON": true, "application/json; charset=utf-8": true, `application/json;charset="UTF-8"`: true,
		"application/json; charset=latin1": false, "text/plain": false, "application/x-www-form-urlencoded": false, "": false, "application/jsonp": false,
	} {
		if got := isJSON([]string{value}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
	if !isJSON(nil) || isJSON([]string{"application/json", "text/plain"}) {
		t.Error("none is JSON, two are not")
	}
}

func TestEnvelopeInputs(t *testing.T) {
	for _, c := range []struct {
		body    any
		want    any
		mode    engine.Mode
		pointer string
	}{
		{body: nil, want: map[string]any{}},
		{body: map[string]any{}, want: map[string]any{}},
		{body: map[string]any{"inputs": map[string]any{"a": 1}, "mode": "sync"}, want: map[string]any{"a": 1}},
		{body: map[string]any{"parameters": map[string]any{"a": 1}}, want: map[string]any{"a": 1}},
		{body: map[string]any{"mode": "async"}, want: map[string]any{}, mode: engine.Async},
		{body: map[string]any{"mode": "stream", "inputs": map[string]any{}}, want: map[string]any{}, mode: engine.Stream},
		{body: map[string]any{"inputs": nil}, pointer: "/inputs"},
		{body: map[string]any{"mode": "Async"}, pointer: "/mode"},
		{body: map[string]any{"mode": ""}, pointer: "/mode"},
		{body: map[string]any{"mode": 1}, pointer: "/mode"},
		{body: map[string]any{"mode": nil}, pointer: "/mode"},
		{body: map[string]any{"mode": []any{"async"}}, pointer: "/mode"},
		{body: map[string]any{"mode": map[string]any{}}, pointer: "/mode"},
		{body: map[string]any{"a/b~c": 1}, pointer: "/a~1b~0c"},
		{body: "text", pointer: ""},
	} {
		got, mode, err := envelopeInputs(c.body)
		if c.want != nil {
			if err != nil || mode != c.mode || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v: %v, %q, %v", c.body, got, mode, err)
			}
			continue
		}
		if f := fault.As(err); f.Code != fault.InvalidInput || len(f.Violations) != 1 || f.Violations[0].Pointer != c.pointer {
			t.Errorf("%v: %v %+v, want a violation at %q", c.body, err, f.Violations, c.pointer)
		}
	}
}

func TestHeaders(t *testing.T) {
	key := "nxs_12345678_" + strings.Repeat("a", 43)
	for query, want := range map[string]bool{"k=" + key: true, "a=1&" + key: true, url.Values{"x": {key}}.Encode(): true, "a=nxs_docs": false, "": false} {
		if auth.InQuery(query) != want {
			t.Errorf("%q: %v", query, !want)
		}
	}
}
