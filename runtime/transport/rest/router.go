package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// router finds what serves a path: one tree for each method. A literal segment goes
// before a variable.
type router struct {
	methods map[string]*node
	// names are the methods in the order in which Allow lists them.
	names []string
}

type node struct {
	literal  map[string]*node
	variable *node
	target   target
	// names are the variables of the path that ends here.
	names []string
}

// target is what serves a path; workflow is set for a workflow's own routes.
type target struct {
	serve    endpoint
	workflow *engine.Workflow
	offers   offer
}

// variables are the values of a path's variables, in order, with their names.
type variables struct {
	names  []string
	values []string
}

func (v *variables) clear() {
	v.names = nil
	clear(v.values[:cap(v.values)])
	v.values = v.values[:0]
}

// add serves a path; segments in braces are variables.
func (r *router) add(method, path string, t target) error {
	if r.methods == nil {
		r.methods = map[string]*node{}
	}
	n := r.methods[method]
	if n == nil {
		n = &node{}
		r.methods[method] = n
		r.names = append(r.names, method)
		slices.Sort(r.names)
	}
	var names []string
	for segment := range strings.SplitSeq(path[1:], "/") {
		next := n.literal[segment]
		if strings.HasPrefix(segment, "{") {
			names = append(names, strings.Trim(segment, "{}"))
			next = n.variable
		}
		if next == nil {
			next = &node{}
			if strings.HasPrefix(segment, "{") {
				n.variable = next
			} else {
				if n.literal == nil {
					n.literal = map[string]*node{}
				}
				n.literal[segment] = next
			}
		}
		n = next
	}
	if n.target.serve != nil {
		return fmt.Errorf("the route %s %s is served already", method, path)
	}
	n.target, n.names = t, names
	return nil
}

// find resolves the request's target and variables; HEAD is served as GET. For a path
// that is served for other methods only it notes which. One with a slash too many leads
// to the one without.
func (x *exchange) find() error {
	routes, method := &x.handler.routes, x.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	// A slash that is escaped does not separate segments, so paths with escapes are cut
	// before they are decoded.
	path, escaped := x.r.URL.Path, x.r.URL.RawPath != ""
	if escaped {
		path = x.r.URL.RawPath
	}
	if n := routes.match(method, path, &x.vars); n != nil {
		x.target, x.vars.names = n.target, n.names
		return x.vars.decode(escaped)
	}
	if x.allow = routes.allowed(path, &x.vars); x.allow != "" {
		if method == http.MethodOptions {
			x.target = target{serve: (*exchange).options, offers: offersAnyway}
			return nil
		}
		return fault.New(fault.MethodNotAllowed, "this path is served for %s", x.allow)
	}
	if without, ok := strings.CutSuffix(path, "/"); ok && without != "/" && routes.match(method, without, &x.vars) != nil {
		x.target = target{serve: (*exchange).withoutSlash, offers: offersAnyway}
		return nil
	}
	return fault.New(fault.NotFound, "nothing is served at this path: GET /workflows lists what is")
}

// options serves OPTIONS of any path.
func (x *exchange) options() error {
	x.w.Header()["Allow"] = []string{x.allow}
	x.wrote = true
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// withoutSlash leads to the path without the slash at its end. A redirect relative to the
// request is right behind a proxy that cuts off a part of the path, too.
func (x *exchange) withoutSlash() error {
	path := strings.TrimSuffix(x.r.URL.EscapedPath(), "/")
	location := "../" + path[strings.LastIndexByte(path, '/')+1:]
	if x.r.URL.RawQuery != "" {
		location += "?" + x.r.URL.RawQuery
	}
	x.redirect(http.StatusPermanentRedirect, location)
	return nil
}

func (x *exchange) redirect(status int, location string) {
	x.w.Header()["Location"] = []string{location}
	x.wrote = true
	x.w.WriteHeader(status)
}

func (r *router) match(method, path string, v *variables) *node {
	v.values = v.values[:0]
	root := r.methods[method]
	if root == nil || path == "" || path[0] != '/' {
		return nil
	}
	return root.match(path[1:], v)
}

func (n *node) match(rest string, v *variables) *node {
	segment, rest, more := strings.Cut(rest, "/")
	if next := n.literal[segment]; next != nil {
		if found := next.end(rest, more, v); found != nil {
			return found
		}
	}
	if n.variable == nil || segment == "" {
		return nil
	}
	kept := len(v.values)
	v.values = append(v.values, segment)
	found := n.variable.end(rest, more, v)
	if found == nil {
		v.values = v.values[:kept]
	}
	return found
}

func (n *node) end(rest string, more bool, v *variables) *node {
	if more {
		return n.match(rest, v)
	}
	if n.target.serve == nil {
		return nil
	}
	return n
}

// allowed lists the methods that serve a path, as the header Allow does; it is empty where
// none does.
func (r *router) allowed(path string, v *variables) string {
	var methods []string
	for _, m := range r.names {
		if r.match(m, path, v) == nil {
			continue
		}
		methods = append(methods, m)
		if m == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	if methods == nil {
		return ""
	}
	return strings.Join(append(methods, http.MethodOptions), ", ")
}

// decode undoes the escapes of the values.
func (v *variables) decode(escaped bool) error {
	if !escaped {
		return nil
	}
	for i, value := range v.values {
		decoded, err := url.PathUnescape(value)
		if err != nil {
			return fault.New(fault.InvalidInput, "the path has an escape that is not %%XX")
		}
		v.values[i] = decoded
	}
	return nil
}
