// Package manifests is the table of manifests that have to be refused, each with what
// has to be said about it. One table serves the API server's admission, the operator's
// conditions and 'nexus validate', so that all three name the same field and fix.
package manifests

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/nexus-operator/nexus-operator/runtime/config"
)

//go:embed bad good
var files embed.FS

// Stage is where a manifest is refused when it is applied to a cluster.
type Stage string

// The stages, in their order.
const (
	// Admission: the API server refuses the object.
	Admission Stage = "admission"
	// Accepted: the object is stored, and the operator says Accepted=False.
	Accepted Stage = "accepted"
	// References: the operator says ReferencesResolved=False.
	References Stage = "references"
)

// Case is a manifest that has to be refused.
type Case struct {
	// Name is the file's name, without its ending.
	Name string
	// Raw is the whole file, App the document of the NexusApp alone.
	Raw, App []byte
	// At is where a cluster refuses it; offline everything is refused at once.
	At Stage
	// WantOnline and WantOffline are the texts that a cluster and 'nexus validate' have
	// to say: the field, and what to write instead. Most are the same.
	WantOnline, WantOffline []string
	// Beside are what the file says exists beside the app.
	Beside
}

// Beside are objects beside an app: values by name and entry.
type Beside struct{ Secrets, ConfigMaps map[string]map[string]string }

// Source reads the ConfigMaps.
func (b Beside) Source(e config.Entry) (string, error) {
	text, ok := b.ConfigMaps[e.ConfigMap][e.Key]
	if !ok {
		return "", fmt.Errorf("there is no entry %q in a ConfigMap %q", e.Key, e.ConfigMap)
	}
	return text, nil
}

// Missing returns the wanted texts that said does not hold.
func Missing(wanted []string, said string) []string {
	var missing []string
	for _, w := range wanted {
		if !strings.Contains(said, w) {
			missing = append(missing, w)
		}
	}
	return missing
}

var header = regexp.MustCompile(`(?m)^# (want-at|want-admission|want-offline|want): (.+)\n`)

// Load returns the bad manifests, in the order of their names.
func Load(tb testing.TB) []Case {
	tb.Helper()
	var cases []Case
	for name, raw := range read(tb, "bad") {
		c := Case{Name: name, Raw: raw}
		for _, m := range header.FindAllSubmatch(raw, -1) {
			switch key, value := string(m[1]), string(m[2]); key {
			case "want-at":
				c.At = Stage(value)
			case "want":
				c.WantOnline, c.WantOffline = append(c.WantOnline, value), append(c.WantOffline, value)
			case "want-admission":
				c.WantOnline = append(c.WantOnline, value)
			case "want-offline":
				c.WantOffline = append(c.WantOffline, value)
			}
		}
		if c.At != Admission && c.At != Accepted && c.At != References || len(c.WantOnline) == 0 {
			tb.Fatalf("bad/%s.yaml: begin with '# want-at: admission|accepted|references' and '# want: TEXT'", name)
		}
		c.App, c.Beside = Split(tb, raw)
		cases = append(cases, c)
	}
	return cases
}

// Good returns the manifests of folder good, each with one NexusApp that has to be
// accepted.
func Good(tb testing.TB) map[string][]byte {
	tb.Helper()
	return maps.Collect(read(tb, "good"))
}

// read yields the name and content of each file of a folder.
func read(tb testing.TB, folder string) iter.Seq2[string, []byte] {
	tb.Helper()
	entries, err := fs.ReadDir(files, folder)
	if err != nil {
		tb.Fatal(err)
	}
	return func(yield func(string, []byte) bool) {
		for _, entry := range entries {
			raw, err := files.ReadFile(path.Join(folder, entry.Name()))
			if err != nil {
				tb.Fatal(err)
			}
			if !yield(strings.TrimSuffix(entry.Name(), ".yaml"), raw) {
				return
			}
		}
	}
}

// Split parts a file into the NexusApp, which comes first, and what stands beside it.
func Split(tb testing.TB, raw []byte) (app []byte, beside Beside) {
	tb.Helper()
	beside = Beside{Secrets: map[string]map[string]string{}, ConfigMaps: map[string]map[string]string{}}
	for i, part := range bytes.Split(raw, []byte("\n---\n")) {
		if i == 0 {
			app = part
			continue
		}
		var object struct {
			Kind             string
			Metadata         struct{ Name string }
			StringData, Data map[string]string
		}
		if err := yaml.Unmarshal(part, &object); err != nil {
			tb.Fatalf("document %d of %.60q: %v", i+1, app, err)
		}
		switch object.Kind {
		case "Secret":
			beside.Secrets[object.Metadata.Name] = object.StringData
		case "ConfigMap":
			beside.ConfigMaps[object.Metadata.Name] = object.Data
		default:
			tb.Fatalf("document %d of %.60q is neither a Secret nor a ConfigMap", i+1, app)
		}
	}
	return app, beside
}
