package openapi

import (
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

// Whatever a document says, a request that comes of it is one whole URL that stays below
// the operation's server.
func FuzzParse(f *testing.F) {
	for _, name := range []string{v2, v30, v31} {
		raw, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, "x/../y")
	}
	f.Add([]byte(`{"openapi":"3.0.0","paths":{"/{a}":{"get":{"operationId":"o","parameters":[{"name":"a","in":"path"}]}}}}`), "..")
	f.Fuzz(func(t *testing.T, raw []byte, text string) {
		d, err := Parse(raw)
		if err != nil {
			return
		}
		for _, id := range slices.Sorted(maps.Keys(d.places)) {
			o, err := d.Operation(id)
			if err != nil {
				continue
			}
			values := map[string]any{}
			for _, p := range o.sent {
				values[p.name] = text
			}
			if o.body != nil && len(values) == 0 {
				values[bodyName] = map[string]any{"a": text}
			}
			r, err := o.Request("https://docs.example/a/b", values)
			if err != nil {
				continue
			}
			server, err := o.Server("https://docs.example/a/b")
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(r.URL)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
				t.Fatalf("the URL is %q (%v)", r.URL, err)
			}
			root, err := url.Parse(server)
			if err != nil || root.Host != u.Host || !strings.HasPrefix(u.Path, root.Path) {
				t.Fatalf("the URL %q is not below %q (%v)", r.URL, server, err)
			}
			for segment := range strings.SplitSeq(u.Path, "/") {
				if segment == ".." {
					t.Fatalf("the URL %q leads up", r.URL)
				}
			}
		}
	})
}
