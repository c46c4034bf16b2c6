// Package openapi reads OpenAPI documents as far as calling their operations takes:
// which operations there are, where they are served, and how their parameters and
// bodies are written down. It validates neither documents nor what is sent, and follows
// no reference that leaves the document.
package openapi

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nexus-operator/nexus-operator/runtime/yamltext"
)

// MaxBytes bounds a document.
const MaxBytes = 1 << 20

// Document is a description of an API. It is safe for concurrent use.
type Document struct {
	root map[string]any
	// swagger says that it is one of version 2.0.
	swagger bool
	places  map[string]place
	// operations are those that were asked for: func() (*Operation, error) by id.
	operations sync.Map
	// unread is why some path could not be looked at.
	unread error
}

// place is where in the document an operation stands.
type place struct {
	path, method string
	// item is the path item, which may say what all its operations have in common.
	item object
	// operation is the operation itself.
	operation object
	// accept is the media type of responses to ask for, empty for any.
	accept string
	// twice says that another operation has the same id.
	twice bool
}

var (
	version2 = regexp.MustCompile(`^2\.0$`)
	version3 = regexp.MustCompile(`^3\.[01]\.\d+`)
)

// methods are the members of a path item that are operations.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// Parse reads a document in JSON or YAML, of OpenAPI 2.0 (Swagger), 3.0 or 3.1. An
// operation without an operationId is left out, as nothing can name it. What is wrong
// with one operation is told when that operation is asked for.
func Parse(raw []byte) (*Document, error) {
	value, err := yamltext.Decode(raw, yamltext.Options{MaxBytes: MaxBytes, NumberKeys: true})
	if err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	root, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("reading the OpenAPI document: it is no object")
	}
	d := &Document{root: root, places: map[string]place{}}
	switch {
	case version2.MatchString(versionText(root["swagger"])):
		d.swagger = true
	case version3.MatchString(versionText(root["openapi"])):
	default:
		return nil, errors.New(`reading the OpenAPI document: it does not say which version of OpenAPI it has, or has another one than 2.0, 3.0 and 3.1: it begins with swagger: "2.0" or openapi: 3.0.x or 3.1.x`)
	}
	if err := d.index(); err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	d.prune()
	return d, nil
}

// prune lets go of what no call needs: mostly schemas, which are the bulk of a document.
func (d *Document) prune() {
	root := object{members: d.root}
	root.drop("definitions", "responses", "tags")
	if components, ok := root.object("components"); ok {
		components.drop("schemas", "examples", "responses", "headers", "links", "callbacks")
	}
	for _, place := range d.places {
		place.operation.drop("callbacks", "description", "externalDocs", "responses", "summary", "tags")
		for _, item := range slices.Concat(place.operation.list("parameters"), place.item.list("parameters")) {
			if parameter, ok := item.object(); ok {
				parameter.drop("description", "example", "examples", "items", "schema")
			}
		}
	}
}

// versionText is a version as text: in YAML, 2.0 without quotes is a number.
func versionText(value any) string {
	if number, ok := value.(float64); ok {
		return strconv.FormatFloat(number, 'f', 1, 64)
	}
	text, _ := value.(string)
	return text
}

// index finds the operations. A path that cannot be read has none: it may be one that
// nobody calls.
func (d *Document) index() error {
	root := object{pointer: "", members: d.root}
	paths, ok := root.object("paths")
	if !ok {
		return errors.New("it has no object paths")
	}
	for _, path := range slices.Sorted(maps.Keys(paths.members)) {
		item, err := d.resolve(paths.at(path))
		if err != nil {
			d.unread = err
			continue
		}
		for _, method := range methods {
			operation, ok := item.object(method)
			if !ok {
				continue
			}
			id, _ := operation.members["operationId"].(string)
			if id == "" {
				continue
			}
			if first, twice := d.places[id]; twice {
				first.twice = true
				d.places[id] = first
				continue
			}
			d.places[id] = place{path: path, method: strings.ToUpper(method), item: item, operation: operation, accept: d.accept(operation)}
		}
	}
	return nil
}

// Operation returns the operation with an id. The error says what the document lacks,
// or which part of it is not supported; when there is no such operation, it names the
// nearest one.
func (d *Document) Operation(id string) (*Operation, error) {
	from, ok := d.places[id]
	if !ok {
		return nil, d.missing(id)
	}
	read, _ := d.operations.LoadOrStore(id, sync.OnceValues(func() (*Operation, error) { return d.operation(id, from) }))
	return read.(func() (*Operation, error))()
}

func (d *Document) missing(id string) error {
	known := slices.Sorted(maps.Keys(d.places))
	switch {
	case d.unread != nil:
		return fmt.Errorf("the OpenAPI document has no operation %q, unless on a path that cannot be looked at: %w", id, d.unread)
	case len(known) == 0:
		return fmt.Errorf("the OpenAPI document has no operation %q, and no other one with an operationId", id)
	}
	return fmt.Errorf("the OpenAPI document has no operation %q: %s", id, suggest(id, known))
}

// operation reads an operation.
func (d *Document) operation(id string, from place) (*Operation, error) {
	if from.twice {
		return nil, fmt.Errorf("the OpenAPI document has several operations %q: an operationId has to be unique", id)
	}
	o := &Operation{id: id, method: from.method, path: from.path}
	if err := d.describe(o, from); err != nil {
		return nil, fmt.Errorf("the operation %q of the OpenAPI document cannot be called: %w", id, err)
	}
	return o, nil
}

// describe reads what a call of the operation takes.
func (d *Document) describe(o *Operation, from place) error {
	var err error
	if o.served, err = d.serverOf(from); err != nil {
		return err
	}
	if err := d.parameters(o, from); err != nil {
		return err
	}
	d.apiKeys(o, from)
	o.accept = from.accept
	return o.checkPath()
}
