package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// server is where an operation is served: a URL, or one relative to the document's.
type server string

// variable is a variable of a server's URL or of a path.
var variable = regexp.MustCompile(`\{([^{}]*)\}`)

// serverOf returns the first server of the operation, of its path, or of the document.
func (d *Document) serverOf(from place) (server, error) {
	if d.swagger {
		return d.swaggerServer(from)
	}
	for _, source := range []object{from.operation, from.item, {members: d.root}} {
		list := source.list("servers")
		if len(list) == 0 {
			continue
		}
		first, ok := list[0].object()
		if !ok {
			return "", fmt.Errorf("%s is no object", list[0].pointer)
		}
		return first.server()
	}
	return "/", nil
}

// server fills the variables of a server's URL with their defaults.
func (o object) server() (server, error) {
	text, problem := o.text("url"), error(nil)
	variables, _ := o.object("variables")
	text = variable.ReplaceAllStringFunc(text, func(match string) string {
		described, _ := variables.object(match[1 : len(match)-1])
		value, ok := described.members["default"].(string)
		if !ok {
			problem = fmt.Errorf("%s: the variable %s has no default", o.pointer, shorten(match))
		}
		return value
	})
	return server(text), problem
}

// swaggerServer is schemes, host and basePath of 2.0. Without a host, it is the one that
// the document came from, and so is the scheme.
func (d *Document) swaggerServer(from place) (server, error) {
	root := object{members: d.root}
	base := root.text("basePath")
	if !strings.HasPrefix(base, "/") {
		base = "/" + base
	}
	host := root.text("host")
	schemes := d.either(from.operation, "schemes")
	switch {
	case host == "":
		return server(base), nil
	case len(schemes) == 0:
		return server("//" + host + base), nil
	case slices.Contains(schemes, "https"):
		return server("https://" + host + base), nil
	case slices.Contains(schemes, "http"):
		return server("http://" + host + base), nil
	}
	return "", errors.New("its schemes are neither https nor http")
}

// Server returns the absolute URL below which the operation is served, without a final
// slash. Base is the URL of the document; empty when it has none.
func (o *Operation) Server(base string) (string, error) {
	from, err := url.Parse(base)
	if err != nil {
		return "", errors.New("the URL of the OpenAPI document cannot be read")
	}
	u, err := from.Parse(string(o.served))
	if err != nil {
		return "", errors.New("the URL of the server that the OpenAPI document names cannot be read")
	}
	switch {
	case u.Host == "" || u.Scheme == "":
		return "", errors.New("the OpenAPI document does not say where its API is served: give it a server with an absolute URL (OpenAPI 3: servers; 2.0: host and schemes)")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("the URL of the server that the OpenAPI document names is neither http nor https")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("the URL of the server that the OpenAPI document names has a user, a query or a fragment: leave them out")
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}
