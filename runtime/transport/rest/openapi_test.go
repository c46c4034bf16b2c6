package rest

import (
	"net/http"
	"strings"
	"testing"
)

func TestDescription(t *testing.T) {
	a := open(t)
	if w := a.send(http.MethodGet, "/openapi.json", "", "X-Api-Key", "another"); w.Code != http.StatusUnauthorized {
		t.Errorf("somebody: %d", w.Code)
	}
	first, second := a.send(http.MethodGet, "/openapi.json", ""), a.send(http.MethodGet, "/openapi.json", "")
	etag := first.Header().Get("Etag")
	if first.Code != http.StatusOK || first.Body.String() != second.Body.String() || etag == "" || etag != second.Header().Get("Etag") {
		t.Fatalf("%d, Etag: %s, then %s", first.Code, etag, second.Header().Get("Etag"))
	}
	if !strings.Contains(first.Body.String(), `"/workflows/echo/execute"`) {
		t.Errorf("%s", first.Body)
	}
	for value, want := range map[string]int{
		etag: 304, "W/" + etag: 304, `"x", ` + etag: 304, "*": 304, `"x"`: 200, "": 200, strings.Trim(etag, `"`): 200,
	} {
		if w := a.send(http.MethodGet, "/openapi.json", "", "If-None-Match", value); w.Code != want || want == 304 && w.Body.Len() > 0 {
			t.Errorf("If-None-Match: %s: %d, want %d", value, w.Code, want)
		}
	}
}

// TestDescriptionsAreBounded: each set of workflows has one description, and all of them
// together have a bound.
func TestDescriptionsAreBounded(t *testing.T) {
	a := open(t)
	d, workflows := &a.handler.descriptions, a.handler.engine.Workflows()
	all, err := d.of(workflows)
	if err != nil {
		t.Fatal(err)
	}
	fewer, err := d.of(workflows[1:])
	if err != nil || string(fewer.text) == string(all.text) || len(d.kept) != 2 || d.size != len(all.text)+len(fewer.text) {
		t.Fatalf("%v, %d kept in %d bytes", err, len(d.kept), d.size)
	}
	if again, _ := d.of(workflows); again != all {
		t.Error("it was rendered twice")
	}
	d.size = maxDescriptions
	if _, err := d.of(workflows[2:]); err != nil || len(d.kept) != 1 || d.size >= maxDescriptions {
		t.Errorf("%v, %d kept in %d bytes", err, len(d.kept), d.size)
	}
}

// TestDocs: the page is there in Development only, and may load nothing from elsewhere.
func TestDocs(t *testing.T) {
	a, without := openWith(t, func(o *Options) { o.Docs = true }), open(t)
	for _, f := range pageFiles {
		w := a.send(http.MethodGet, f.path, "")
		policy := w.Header().Get("Content-Security-Policy")
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != f.media || !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %d, %s, %s", f.path, w.Code, w.Header().Get("Content-Type"), policy)
		}
		if strings.Contains(w.Body.String(), "{{") || strings.Contains(strings.ReplaceAll(w.Body.String(), `xmlns="http://www.w3.org/2000/svg"`, ""), "//www.") {
			t.Errorf("%s: a marker was left, or something is loaded from elsewhere", f.path)
		}
		if w := without.send(http.MethodGet, f.path, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s without a page: %d", f.path, w.Code)
		}
	}
	if w := a.send(http.MethodGet, "/docs", ""); !strings.Contains(w.Body.String(), `data-auth="Required"`) {
		t.Errorf("the page does not know that callers log in: %s", w.Body)
	}
	if w := a.send(http.MethodGet, "/docs/../docs.go", ""); w.Code != http.StatusNotFound {
		t.Errorf("another file: %d", w.Code)
	}
}
