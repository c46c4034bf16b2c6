package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"mime"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// writing is how lists and objects are written.
type writing struct {
	// separator stands between the items of a list, and between the names and values of
	// an object.
	separator string
	// explode gives each item the parameter's name in a query, and elsewhere writes the
	// members of an object as name=value.
	explode bool
	// deep writes the members of an object as PARAMETER[name]=value.
	deep bool
	// json writes any value as JSON.
	json bool
}

// byDefault is how queries and forms are written by OpenAPI 3.
var byDefault = writing{separator: ",", explode: true}

// swagger reads the style of a parameter of 2.0.
func (p *parameter) swagger(described object) {
	switch format := described.text("collectionFormat"); format {
	case "", "csv":
		p.separator = ","
	case "ssv":
		p.separator = " "
	case "tsv":
		p.separator = "\t"
	case "pipes":
		p.separator = "|"
	case "multi":
		p.separator, p.explode = ",", p.in == inQuery || p.in == inForm
	default:
		p.separator = ","
		p.problem = "has the collectionFormat " + strconv.Quote(shorten(format)) + ": csv, ssv, tsv, pipes and multi are supported"
	}
}

// styles are the separators of the styles that are supported where a parameter stands.
var styles = map[location]map[string]string{
	inPath:   {"simple": ","},
	inHeader: {"simple": ","},
	inCookie: {"form": ","},
	inQuery:  {"form": ",", "spaceDelimited": " ", "pipeDelimited": "|", "deepObject": ","},
}

// style reads the style of a parameter of 3.0 and 3.1.
func (p *parameter) style(described object) {
	p.separator = ","
	if content, ok := described.object("content"); ok {
		p.content(content)
		return
	}
	style := described.text("style")
	if style == "" {
		style = "simple"
		if p.in == inQuery || p.in == inCookie {
			style = "form"
		}
	}
	separator, ok := styles[p.in][style]
	if !ok {
		p.problem = "has the style " + strconv.Quote(shorten(style)) + ": supported are simple in paths and headers, form in cookies, and form, spaceDelimited, pipeDelimited and deepObject in queries"
		return
	}
	// A cookie has one value.
	p.separator, p.explode = separator, described.flag("explode", style == "form") && p.in != inCookie
	p.deep = style == "deepObject"
}

// content is a parameter that is written as a media type says.
func (p *parameter) content(content object) {
	p.json = true
	for t := range content.members {
		if base, _, err := mime.ParseMediaType(t); err != nil || !isJSON(base) {
			p.problem = "is written as " + strconv.Quote(shorten(t)) + ": only JSON is supported"
		}
	}
}

var (
	errNested = errors.New("holds lists or objects in one another: only one level can be written")
	errNull   = errors.New("holds null: leave it out, or write a text")
)

// pairs writes a value in a query or a form: escaped, in order, without the names that
// have no value.
func (w writing) pairs(name string, v any) ([]string, error) {
	pair := func(name string, text string) string { return escape(name) + "=" + text }
	switch v := v.(type) {
	case []any:
		if !w.explode || w.json {
			break
		}
		var list []string
		for _, item := range v {
			text, err := scalar(item)
			if err != nil {
				return nil, err
			}
			list = append(list, pair(name, escape(text)))
		}
		return list, nil
	case map[string]any:
		if !w.explode && !w.deep || w.json {
			break
		}
		var list []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			text, err := scalar(v[key])
			if err != nil {
				return nil, err
			}
			if w.deep {
				key = name + "[" + key + "]"
			}
			list = append(list, pair(key, escape(text)))
		}
		return list, nil
	}
	text, err := w.one(v, escape)
	if err != nil || absent(v) {
		return nil, err
	}
	return []string{pair(name, text)}, nil
}

// one writes a value as one text.
func (w writing) one(v any, escape func(string) string) (string, error) {
	if w.json {
		text, err := jsonText(v)
		return escape(text), err
	}
	separator := w.separator
	if separator != "," {
		separator = escape(separator)
	}
	var parts []string
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			text, err := scalar(item)
			if err != nil {
				return "", err
			}
			parts = append(parts, escape(text))
		}
	case map[string]any:
		between := separator
		if w.explode {
			between = "="
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			text, err := scalar(v[key])
			if err != nil {
				return "", err
			}
			parts = append(parts, escape(key)+between+escape(text))
		}
	default:
		text, err := scalar(v)
		return escape(text), err
	}
	return strings.Join(parts, separator), nil
}

// absent says whether a value is the same as no value: null, and what has no items
// (RFC 6570, section 2.3).
func absent(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// scalar writes a value that is neither list nor object.
func scalar(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", errNull
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case *big.Int:
		return v.String(), nil
	case float64:
		return jsonText(v)
	}
	return "", errNested
}

// jsonText writes a value as JSON.
func jsonText(v any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "", errors.New("is no value that JSON has")
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}

// escape escapes all but the unreserved characters of RFC 3986. Where a document allows
// reserved ones in a query, it means the same.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}
