package call

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

// requestOf builds the request, all but what proves who calls. An error is a
// *workflow.Error.
func requestOf(ctx context.Context, r *workflow.HTTPRequest) (*http.Request, error) {
	header, err := headerOf(r)
	if err != nil {
		return nil, err
	}
	address, err := addressOf(r)
	if err != nil {
		return nil, err
	}
	var body []byte
	if r.HasBody {
		if header.Get("Content-Type") == "" {
			header.Set("Content-Type", jsonType)
		}
		if body, err = bodyOf(r.Body, header.Get("Content-Type")); err != nil {
			return nil, err
		}
	}
	if !plainName(r.Method) || r.Method == http.MethodConnect { // which would open a tunnel
		return nil, workflow.NewError(workflow.ConfigurationError, fmt.Errorf("the method is %q", r.Method), "method: use one of HTTP, such as get or post; connect is not supported")
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, address, bytes.NewReader(body))
	if err != nil {
		return nil, notURL(err)
	}
	req.Header = header
	return req, nil
}

// notOurs are the headers that belong to the connection or follow from the rest of the
// request: with one of them, a workflow could have the next server read another request
// than the guard has seen.
var notOurs = []string{
	"Connection", "Content-Length", "Host", "Http2-Settings", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func headerOf(r *workflow.HTTPRequest) (http.Header, error) {
	header := make(http.Header, len(r.Header)+3)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		value := r.Header[name]
		wrong := func(text string) error {
			return workflow.NewError(workflow.ConfigurationError, nil, "the header %s %s", name, text)
		}
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case !plainName(name):
			return nil, workflow.NewError(workflow.ConfigurationError, fmt.Errorf("the header is %q", name), "headers: a name has characters that HTTP does not allow there: use letters, digits and dashes")
		case slices.Contains(notOurs, canonical):
			return nil, wrong("is not for workflows to set: leave it out")
		case canonical == "Authorization" && r.Authentication != nil:
			return nil, wrong("is set by the authentication policy: leave one of them out")
		case !plainValue(value):
			return nil, wrong("has a line break or another control character in its value")
		case header[canonical] != nil:
			return nil, wrong("is there twice, in upper and lower case: leave one of them out")
		}
		header[canonical] = []string{value}
	}
	return header, nil
}

func notURL(cause error) error {
	return workflow.NewError(workflow.ConfigurationError, cause, "the endpoint is no URL that can be called: write http:// or https://, a host and a path")
}

// addressOf is the URL with the query parameters added to its own.
func addressOf(r *workflow.HTTPRequest) (string, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return "", notURL(err)
	}
	added, err := encoded(r.Query, "the query parameter %s")
	if err != nil {
		return "", err
	}
	own := escapeQuery(u.RawQuery)
	if own != "" && added != "" {
		own += "&"
	}
	u.RawQuery = own + added
	return u.String(), nil
}

// escapeQuery escapes what must not be in a query as it stands, and nothing that may be:
// the URL's author chose the rest.
func escapeQuery(query string) string {
	var out strings.Builder
	for i := range len(query) {
		if b := query[i]; b <= ' ' || b >= 0x7f || strings.IndexByte(`"<>`, b) >= 0 {
			fmt.Fprintf(&out, "%%%02X", b)
		} else {
			out.WriteByte(b)
		}
	}
	return out.String()
}

// encoded writes parameters in their alphabetical order: each as its value, a list as
// one parameter for each item, null not at all. What is neither is an error that calls
// the parameter as the format says.
func encoded(parameters map[string]any, format string) (string, error) {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		items, isList := parameters[name].([]any)
		if !isList {
			items = []any{parameters[name]}
		}
		for _, item := range items {
			if item == nil {
				continue
			}
			text, ok := scalar(item)
			if !ok {
				return "", workflow.NewError(workflow.ExpressionError, nil, format+" is neither a string, a number or a boolean nor a list of those", name)
			}
			out = append(out, url.QueryEscape(name)+"="+url.QueryEscape(text))
		}
	}
	return strings.Join(out, "&"), nil
}

// scalar writes a value as JSON does, a string without its quotes.
func scalar(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int, float64, *big.Int:
		raw, err := json.Marshal(v) // fails where there is no such number: NaN, infinity
		return string(raw), err == nil
	default:
		return "", false
	}
}

// bodyOf writes a body as its content type asks for.
func bodyOf(body any, contentType string) ([]byte, error) {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		media = contentType
	}
	isJSON := media == jsonType || media == "text/json" || strings.HasSuffix(media, "+json")
	if text, ok := body.(string); ok && !isJSON {
		return []byte(text), nil
	}
	if media == formType {
		fields, ok := body.(map[string]any)
		if !ok {
			return nil, workflow.NewError(workflow.ExpressionError, nil, "body: the content type is that of a form: give an object with its fields, or a string")
		}
		text, err := encoded(fields, "body: the field %s")
		return []byte(text), err
	}
	raw, err := marshal(body)
	if err != nil {
		return nil, workflow.NewError(workflow.ExpressionError, err, "body: it holds something that JSON has not, such as a number that is none")
	}
	return raw, nil
}

// marshal writes JSON without the escapes that are for HTML.
func marshal(value any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, errors.New("no JSON: " + err.Error())
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
