package openapi

import (
	"errors"
	"fmt"
	"maps"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// bodyName is the name that a body goes by where it has none in the document, or where
// no parameter has that name.
const bodyName = "body"

// Request is a request as an operation wants it.
type Request struct {
	// Method is in upper case.
	Method string
	// URL is absolute and has the query.
	URL    string
	Header map[string]string
	// Body is a value to be sent as JSON, or a string to be sent as it stands when the
	// Content-Type is not JSON.
	Body    any
	HasBody bool
}

// ValueError says that parameters do not have values that the operation can be called
// with. It never holds a value.
type ValueError struct {
	// Parameters are their names.
	Parameters []string
	// Why goes on after the names.
	Why string
}

// Error names the parameters.
func (e *ValueError) Error() string {
	noun := "the parameter "
	if len(e.Parameters) > 1 {
		noun = "the parameters "
	}
	return noun + strings.Join(e.Parameters, ", ") + " " + e.Why
}

// Request makes a request of the values of parameters, by name. A name that stands for
// several parameters in different places, such as the path and the query, fills each. A
// value of null is none. Base is the URL of the document; empty when it has none.
//
// The error is a *ValueError when it is about values that are missing or cannot be
// written; any other one means that definition and document do not fit.
func (o *Operation) Request(base string, values map[string]any) (*Request, error) {
	root, err := o.Server(base)
	if err != nil {
		return nil, err
	}
	if err := o.known(values); err != nil {
		return nil, err
	}
	if err := o.complete(values); err != nil {
		return nil, err
	}
	w := written{path: map[string]string{}, header: map[string]string{}}
	if o.accept != "" {
		w.header["Accept"] = o.accept
	}
	for _, p := range o.sent {
		v := values[p.name]
		if absent(v) {
			continue
		}
		if p.problem != "" {
			return nil, fmt.Errorf("the parameter %q cannot be sent: it %s", p.name, p.problem)
		}
		if err := w.add(p, v); err != nil {
			return nil, &ValueError{[]string{p.name}, err.Error()}
		}
	}
	r := &Request{Method: o.method, Header: w.header}
	if r.URL, err = o.url(root, w); err != nil {
		return nil, err
	}
	if len(w.cookies) > 0 {
		r.Header["Cookie"] = strings.Join(w.cookies, "; ")
	}
	if len(w.form) > 0 {
		r.Header["Content-Type"] = formType
		r.Body, r.HasBody = strings.Join(w.form, "&"), true
	}
	return r, o.addBody(r, values)
}

// written are parameters as they stand in a request.
type written struct {
	path                 map[string]string
	query, cookies, form []string
	header               map[string]string
}

func (w *written) add(p parameter, v any) error {
	var err error
	var list []string
	switch p.in {
	case inQuery:
		list, err = p.pairs(p.name, v)
		w.query = append(w.query, list...)
	case inForm:
		list, err = p.pairs(p.name, v)
		w.form = append(w.form, list...)
	case inPath:
		w.path[p.name], err = p.one(v, escape)
		if err == nil && w.path[p.name] == "" {
			err = errors.New("is empty: the path needs a value")
		}
	case inHeader:
		// Headers have no escape. One form of a name, so that two cannot get in.
		w.header[textproto.CanonicalMIMEHeaderKey(p.name)], err = p.one(v, func(text string) string { return text })
	case inCookie:
		var text string
		text, err = p.one(v, escape)
		w.cookies = append(w.cookies, escape(p.name)+"="+text)
	}
	return err
}

// url is the whole URL.
func (o *Operation) url(root string, w written) (string, error) {
	text := root + variable.ReplaceAllStringFunc(o.path, func(match string) string {
		return w.path[match[1:len(match)-1]]
	})
	u, err := url.Parse(text)
	if err != nil {
		return "", errors.New("the URL of the operation cannot be read")
	}
	// Whoever reads the path next may take such a segment for the way up.
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return "", &ValueError{slices.Sorted(maps.Keys(w.path)), "would make a path with a segment that is . or ..: write other values"}
		}
	}
	u.RawQuery = strings.Join(w.query, "&")
	return u.String(), nil
}

// checkPath looks for what makes the path one that cannot be filled in.
func (o *Operation) checkPath() error {
	if !strings.HasPrefix(o.path, "/") || strings.ContainsAny(o.path, "?#") {
		return errors.New("its path does not begin with a slash, or has a query or a fragment")
	}
	for _, match := range variable.FindAllStringSubmatch(o.path, -1) {
		described := func(p parameter) bool { return p.in == inPath && p.name == match[1] }
		if !slices.ContainsFunc(o.sent, described) {
			return fmt.Errorf("its path has the variable {%s}, which no parameter describes", shorten(match[1]))
		}
	}
	return nil
}

// bodyOf returns the value of the body and the name that it goes by.
func (o *Operation) bodyOf(values map[string]any) (v any, name string, given bool) {
	if o.body == nil {
		return nil, "", false
	}
	for _, name := range []string{o.body.name, bodyName} {
		if name == "" || slices.ContainsFunc(o.sent, func(p parameter) bool { return p.name == name }) {
			continue
		}
		if v, given := values[name]; given {
			return v, name, true
		}
	}
	return nil, bodyName, false
}

// known refuses names that the operation does not have.
func (o *Operation) known(values map[string]any) error {
	var names []string
	for _, p := range o.sent {
		names = append(names, p.name)
	}
	if o.body != nil {
		names = append(names, bodyName)
		if o.body.name != "" {
			names = append(names, o.body.name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch {
		case slices.Contains(names, name):
		case len(names) == 0:
			return fmt.Errorf("the operation %q has no parameter %q: it has none at all", o.id, name)
		default:
			return fmt.Errorf("the operation %q has no parameter %q: %s", o.id, name, suggest(name, names))
		}
	}
	if o.body != nil && o.body.name != "" && o.body.name != bodyName {
		_, named := values[o.body.name]
		_, plain := values[bodyName]
		if named && plain {
			return fmt.Errorf("the operation %q has one body: give it as %q or as %q, not both", o.id, bodyName, o.body.name)
		}
	}
	return nil
}

// complete refuses values of which a required one is missing.
func (o *Operation) complete(values map[string]any) error {
	var missing []string
	for _, p := range o.sent {
		if p.required && absent(values[p.name]) {
			missing = append(missing, p.name)
		}
	}
	if o.body != nil && o.body.required {
		if _, _, given := o.bodyOf(values); !given {
			missing = append(missing, bodyName)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	why := "is required and has no value"
	if len(missing) > 1 {
		why = "are required and have no value"
	}
	return &ValueError{slices.Compact(missing), why}
}

// addBody writes the body. A body of null is one that says null, where JSON is sent.
func (o *Operation) addBody(r *Request, values map[string]any) error {
	v, name, given := o.bodyOf(values)
	if !given || v == nil && (o.body.form || o.body.verbatim || !o.body.required) {
		return nil
	}
	if o.body.problem != "" {
		return fmt.Errorf("the body of the operation %q cannot be sent: it %s", o.id, o.body.problem)
	}
	r.Body, r.HasBody = v, true
	r.Header["Content-Type"] = o.body.media
	switch {
	case o.body.form:
		fields, ok := v.(map[string]any)
		if !ok {
			return &ValueError{[]string{name}, "has to be an object: the operation wants a form"}
		}
		text, err := o.body.formText(fields)
		r.Body = text
		return err
	case o.body.verbatim:
		if _, ok := v.(string); !ok {
			return &ValueError{[]string{name}, "has to be a string: the operation wants " + o.body.media}
		}
	}
	return nil
}

// formText writes the fields of a form. What is nested is JSON, as OpenAPI has it.
func (b *body) formText(fields map[string]any) (string, error) {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		w, ok := b.fields[name]
		if !ok {
			w = byDefault
			if _, nested := fields[name].(map[string]any); nested {
				w.json = true
			}
		}
		if absent(fields[name]) {
			continue
		}
		pairs, err := w.pairs(name, fields[name])
		if err != nil {
			return "", &ValueError{[]string{bodyName + "." + name}, err.Error()}
		}
		list = append(list, pairs...)
	}
	return strings.Join(list, "&"), nil
}
