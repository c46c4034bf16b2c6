package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"

	"github.com/nexus-operator/nexus-operator/runtime/apidoc"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
)

// maxDescriptions bounds the descriptions of the API that are kept, in bytes.
const maxDescriptions = 4 << 20

// descriptions are those of the API, one for each set of workflows that callers may run.
// They are rendered when they are first asked for.
type descriptions struct {
	app  apidoc.App
	mu   sync.Mutex
	kept map[string]*description
	size int
}

type description struct {
	text []byte
	etag []string
}

// of returns the description of these workflows. Those who wait meanwhile mostly wait for
// the same one.
func (d *descriptions) of(workflows []*engine.Workflow) (*description, error) {
	var key strings.Builder
	for _, w := range workflows {
		key.WriteString(w.Name)
		key.WriteByte('/') // in no name
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if found := d.kept[key.String()]; found != nil {
		return found, nil
	}
	text, err := apidoc.Render(d.app, workflows)
	if err != nil {
		return nil, err
	}
	if d.kept == nil || d.size+len(text) > maxDescriptions {
		d.kept, d.size = map[string]*description{}, 0
	}
	sum := sha256.Sum256(text)
	made := &description{text: text, etag: []string{`"` + hex.EncodeToString(sum[:12]) + `"`}}
	d.kept[key.String()], d.size = made, d.size+len(text)
	return made, nil
}

// openapi serves GET /openapi.json: the API as far as the caller may use it.
func (x *exchange) openapi() error {
	workflows, err := x.handler.engine.List(x.r.Context(), &x.call)
	if err != nil {
		return err
	}
	found, err := x.handler.descriptions.of(workflows)
	if err != nil {
		return err
	}
	header := x.w.Header()
	header["Etag"] = found.etag
	header["Cache-Control"] = []string{"private, no-cache"}
	header["Vary"] = []string{"Authorization, X-API-Key"}
	if matches(x.r.Header["If-None-Match"], found.etag[0]) {
		x.wrote = true
		x.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if err := x.afford(found.text); err != nil {
		return err
	}
	x.write(http.StatusOK, jsonType, found.text)
	return nil
}

// matches says whether the header If-None-Match names what the caller would get.
func matches(values []string, etag string) bool {
	for _, value := range values {
		for tag := range strings.SplitSeq(value, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}
