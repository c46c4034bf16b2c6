// Package apidoc describes the REST API of an app in OpenAPI 3.1: what it serves of the
// workflows that a caller may run, and nothing else. It is a pure function of the compiled
// workflows, and the same workflows always give the same bytes.
package apidoc

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
)

// App is what a description says of the app as a whole.
type App struct {
	// Name of the app, the title of its API.
	Name string
	// PublicURL is spec.publicURL: how callers reach the app. Where it is empty, it is where
	// they got the description.
	PublicURL string
	// Auth is spec.auth, with its defaults.
	Auth v1alpha1.Auth
	// Strict says that a workflow without an input schema takes no inputs.
	Strict bool
}

// Render describes an app to a caller who may run the workflows. The version of the API is
// made from the description itself: it changes exactly when something else in it does. The
// error says which workflow cannot be described.
func Render(app App, workflows []*engine.Workflow) ([]byte, error) {
	b := &builder{
		app: app, names: newNames(), operations: newNames(), tags: map[string]bool{},
		doc: &document{
			OpenAPI: "3.1.0",
			Info:    info{Title: app.Name, Description: about},
			Servers: []server{{URL: "/"}},
			Paths:   map[string]map[string]*operation{},
			Components: components{
				Schemas: map[string]any{}, Responses: map[string]*response{}, Headers: map[string]*header{}, Parameters: map[string]*parameter{},
			},
		},
	}
	if app.PublicURL != "" {
		b.doc.Servers[0].URL = app.PublicURL
	}
	b.addSecurity()
	b.addShared()
	for _, w := range workflows {
		if err := b.addWorkflow(w); err != nil {
			return nil, fmt.Errorf("describing workflow %q: %w", w.Name, err)
		}
	}
	for tag := range b.tags {
		b.doc.Tags = append(b.doc.Tags, tagObject{Name: tag})
	}
	slices.SortFunc(b.doc.Tags, func(x, y tagObject) int { return strings.Compare(x.Name, y.Name) })
	raw, err := json.Marshal(b.doc)
	if err != nil {
		return nil, fmt.Errorf("describing the API: %w", err)
	}
	sum := sha256.Sum256(raw)
	b.doc.Info.Version = hex.EncodeToString(sum[:6])
	if raw, err = json.Marshal(b.doc); err != nil {
		return nil, fmt.Errorf("describing the API: %w", err)
	}
	return append(raw, '\n'), nil
}

const about = "Every path that has GET also has HEAD, and all have OPTIONS. Errors are problem details (RFC 9457) whose code says what went wrong."

// builder puts a document together.
type builder struct {
	app App
	doc *document
	// names are those of components, operations those of operations.
	names, operations *names
	tags              map[string]bool
}

// add adds an operation. Paths that differ only in the names of their variables are one
// path in OpenAPI: the first one's names count.
func (b *builder) add(method, path string, op *operation) {
	op.OperationID = b.operations.add(op.OperationID)
	for _, tag := range op.Tags {
		b.tags[tag] = true
	}
	for known := range b.doc.Paths {
		if shape(known) == shape(path) {
			renameVariables(op, path, known)
			path = known
		}
	}
	if b.doc.Paths[path] == nil {
		b.doc.Paths[path] = map[string]*operation{}
	}
	b.doc.Paths[path][method] = op
}

// addSecurity declares the credentials that spec.auth accepts.
func (b *builder) addSecurity() {
	auth := b.app.Auth
	if auth.Mode != v1alpha1.AuthRequired {
		return
	}
	bearer := &securityScheme{Type: "http", Scheme: "bearer", Description: "An API key."}
	switch {
	case len(auth.JWT) > 0 && auth.APIKeys != nil:
		bearer.Description = "A JSON Web Token, or an API key."
	case len(auth.JWT) > 0:
		bearer.Description, bearer.BearerFormat = "A JSON Web Token.", "JWT"
	}
	b.doc.Components.SecuritySchemes = map[string]*securityScheme{"bearer": bearer}
	b.doc.Security = []map[string][]string{{"bearer": {}}}
	if auth.APIKeys != nil {
		b.doc.Components.SecuritySchemes["apiKey"] = &securityScheme{Type: "apiKey", In: "header", Name: "X-API-Key", Description: "An API key."}
		b.doc.Security = append(b.doc.Security, map[string][]string{"apiKey": {}})
	}
}

// authenticated says whether callers have to say who they are.
func (b *builder) authenticated() bool { return b.app.Auth.Mode == v1alpha1.AuthRequired }
