package config

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzLoad: whatever the bytes, Load returns a document that can be rendered and is
// then loaded again to the same, or an error.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.json", "testdata/bad/*.json"} {
		seed(f, pattern)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := Load(raw, "")
		if err != nil {
			return
		}
		once, err := d.Marshal()
		if err != nil {
			t.Fatalf("a loaded document cannot be rendered: %v", err)
		}
		again, err := Load(once, Hash(once))
		if err != nil {
			t.Fatalf("a rendered document cannot be loaded: %v\n%s", err, once)
		}
		twice, err := again.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(once, twice) {
			t.Errorf("rendering is not canonical:\n%s\n%s", once, twice)
		}
	})
}

// FuzzReadManifest: whatever the bytes, ReadManifest returns an app or problems, and
// what is said stays short.
func FuzzReadManifest(f *testing.F) {
	for _, pattern := range []string{"../../config/samples/*.yaml", "../../test/manifests/good/*.yaml", "../../test/manifests/bad/[d-y]*.yaml"} {
		seed(f, pattern)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		app, problems := ReadManifest(raw)
		if (app == nil) != (len(problems) > 0) {
			t.Fatalf("an app %v beside %d problems", app != nil, len(problems))
		}
		for _, p := range problems {
			if p.Message == "" {
				t.Errorf("a problem with %q says nothing", p.Field)
			}
		}
		if app == nil {
			return
		}
		d, errs := FromApp(app, func(e Entry) (string, error) {
			if e.Field == "" || e.ConfigMap == "" || e.Key == "" || e.Holds == "" {
				t.Errorf("too little is said of an entry: %+v", e)
			}
			return "{do: [], openapi: 3.1.0}", nil
		})
		if len(errs) > 0 {
			for _, p := range Problems(errs) {
				if p.Field == "" || p.Message == "" {
					t.Errorf("a rule says too little: %q", p)
				}
			}
			return
		}
		if d.NeedsCluster() {
			d.Cluster = &ClusterIssuer{Issuer: "https://kubernetes.default.svc", Keys: []byte(`{"keys":[]}`)}
		}
		rendered, err := d.Marshal()
		if err != nil {
			return // too large
		}
		if _, err := Load(rendered, Hash(rendered)); err != nil {
			t.Errorf("the runtime does not load what was rendered: %v\n%s", err, rendered)
		}
	})
}

func seed(f *testing.F, pattern string) {
	f.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		f.Fatalf("no file is called %s: %v", pattern, err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(raw) < 20<<10 {
			f.Add(raw)
		}
	}
}
