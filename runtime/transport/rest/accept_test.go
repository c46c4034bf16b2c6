package rest

import (
	"fmt"
	"net/http"
	"testing"
)

func TestQuality(t *testing.T) {
	for accept, want := range map[string]float64{
		"application/json": 1, "APPLICATION/JSON": 1, "*/*": 1, "application/*": 1, "application/json; charset=utf-8": 1, "application/json;q=0.3": 0.3,
		"text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8": 0.8,
		"*/*;q=0.1, application/json;q=0.5":                                  0.5,
		"application/json;q=0.5, */*":                                        0.5,
		"application/json;q=0, */*":                                          0,
		"application/*;q=0.2, */*;q=0.9":                                     0.2,
		"text/html":                                                          0, "application/jsonp": 0, "application/problem+json": 0, "text/*": 0, "*/*;q=0": 0, "*/*; Q = 0.5": 0.5,
		"application/json;q=2": 1, "application/json;q=x": 1, "": 1, "nonsense": 1, ",": 1, "nonsense, text/html": 0,
	} {
		if got := quality([]string{accept}, "application/json"); got != want {
			t.Errorf("%q: %v, want %v", accept, got, want)
		}
	}
	if quality([]string{"text/html", "application/json"}, "application/json") != 1 || quality(nil, "application/json") != 1 {
		t.Error("two headers are one list, and none accepts everything")
	}
}

// TestNegotiation: only who truly excludes JSON is refused, and errors are sent in any case.
func TestNegotiation(t *testing.T) {
	a := openWith(t, func(o *Options) { o.Docs = true })
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
	for _, c := range []struct {
		request, accept string
		want            int
		location        string
	}{
		{"GET /workflows", "*/*", 200, ""},
		{"GET /workflows", browser, 200, ""},
		{"GET /workflows", "text/html", 406, ""},
		{"GET /workflows", "application/json;q=0, */*", 406, ""},
		{"GET /openapi.json", "application/json", 200, ""},
		{"GET /nothing", "text/html", 404, ""},
		{"PUT /workflows", "text/html", 405, ""},
		{"GET /health", "text/plain", 200, ""},
		{"OPTIONS /workflows", "text/plain", 204, ""},
		{"GET /docs", "text/plain", 200, ""},
		{"POST /workflows/echo/execute", "application/json", 200, ""},
		{"POST /workflows/echo/execute", "text/event-stream", 200, ""},
		{"POST /workflows/echo/execute", "text/html", 406, ""},
		{"GET /api/echo", "text/csv", 406, ""},
		{"GET /", browser, 302, "docs"},
		{"GET /", "text/html", 302, "docs"},
		{"GET /", "application/json, text/html;q=0.9", 200, ""},
		{"GET /", "*/*", 200, ""},
		{"GET /", "", 200, ""},
		{"GET /", "image/png", 406, ""},
	} {
		var method, path string
		if _, err := fmt.Sscan(c.request, &method, &path); err != nil {
			t.Fatal(err)
		}
		w := a.send(method, path, "", "Accept", c.accept)
		if w.Code != c.want || w.Header().Get("Location") != c.location {
			t.Errorf("%s, %s: %d to %q, want %d to %q: %s", c.request, c.accept, w.Code, w.Header().Get("Location"), c.want, c.location, w.Body)
		}
		if c.want >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s, %s: the error is %s", c.request, c.accept, w.Header().Get("Content-Type"))
		}
	}
	// Where there is no page, a browser gets JSON.
	if w := open(t).send(http.MethodGet, "/", "", "Accept", browser); w.Code != http.StatusOK {
		t.Errorf("without a page: %d", w.Code)
	}
}
