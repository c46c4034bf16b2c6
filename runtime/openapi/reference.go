package openapi

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// maxHops bounds how many references are followed from one to the next, so that those
// which lead in a circle end.
const maxHops = 32

// The escapes of JSON pointers.
var (
	escapePointer   = strings.NewReplacer("~", "~0", "/", "~1")
	unescapePointer = strings.NewReplacer("~1", "/", "~0", "~")
)

// object is an object of the document and the JSON pointer (RFC 6901) to it.
type object struct {
	pointer string
	members map[string]any
}

// value is any value of the document and the JSON pointer to it.
type value struct {
	pointer string
	value   any
}

func (o object) at(key string) value {
	return value{o.pointer + "/" + escapePointer.Replace(key), o.members[key]}
}

// object returns a member that is an object.
func (o object) object(key string) (object, bool) {
	return o.at(key).object()
}

// list returns the items of a member that is an array.
func (o object) list(key string) []value {
	member := o.at(key)
	items, _ := member.value.([]any)
	list := make([]value, len(items))
	for i, item := range items {
		list[i] = value{member.pointer + "/" + strconv.Itoa(i), item}
	}
	return list
}

func (o object) text(key string) string {
	text, _ := o.members[key].(string)
	return text
}

// flag returns a member that is a boolean, or what it is by default.
func (o object) flag(key string, otherwise bool) bool {
	if flag, ok := o.members[key].(bool); ok {
		return flag
	}
	return otherwise
}

// drop removes members.
func (o object) drop(keys ...string) {
	for _, key := range keys {
		delete(o.members, key)
	}
}

func (v value) object() (object, bool) {
	members, ok := v.value.(map[string]any)
	return object{v.pointer, members}, ok
}

// resolve returns the object that a value is or refers to.
func (d *Document) resolve(v value) (object, error) {
	for range maxHops {
		o, ok := v.object()
		if !ok {
			return object{}, fmt.Errorf("%s is no object", v.pointer)
		}
		target, refers := o.members["$ref"]
		if !refers {
			return o, nil
		}
		reference, _ := target.(string)
		at := o.at("$ref").pointer
		if !strings.HasPrefix(reference, "#") {
			return object{}, fmt.Errorf("%s leads out of the document: only references that begin with #/ are followed, put what it names into the document itself", at)
		}
		var err error
		if v, err = d.lookUp(reference); err != nil {
			return object{}, fmt.Errorf("%s: %w", at, err)
		}
	}
	return object{}, fmt.Errorf("%s is one of references that lead from one to the next without end", v.pointer)
}

// lookUp returns the value that a reference inside the document names.
func (d *Document) lookUp(reference string) (value, error) {
	pointer, err := url.PathUnescape(reference[1:])
	if err != nil || !strings.HasPrefix(pointer, "/") {
		return value{}, fmt.Errorf("the reference %q is no JSON pointer: write it like #/components/parameters/NAME", shorten(reference))
	}
	at := any(d.root)
	for token := range strings.SplitSeq(pointer[1:], "/") {
		token = unescapePointer.Replace(token)
		var found bool
		switch parent := at.(type) {
		case map[string]any:
			at, found = parent[token]
		case []any:
			if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(parent) {
				at, found = parent[i], true
			}
		}
		if !found {
			return value{}, fmt.Errorf("the reference %q leads to nothing", shorten(reference))
		}
	}
	return value{pointer, at}, nil
}
