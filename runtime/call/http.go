package call

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// HTTP makes a request and reads the whole response, whatever its status; of a body at
// most 1 MiB. When the context ends, its error can be found in the returned one; any
// other error is a *workflow.Error.
func (c *Caller) HTTP(ctx context.Context, r *workflow.HTTPRequest) (*workflow.HTTPResponse, error) {
	req, err := requestOf(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.authenticated(r.Authentication, r.Redirect).RoundTrip(req)
	if err != nil {
		return nil, failure(ctx, theService, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, unreadable(ctx, theService, fmt.Errorf("reading the body of %s: %w", resp.Request.URL.Host, err))
	}
	return responseOf(resp, body), nil
}

// responseOf is the response as workflows see it, with the request that it answers.
func responseOf(resp *http.Response, body []byte) *workflow.HTTPResponse {
	req, address := resp.Request, *resp.Request.URL
	address.Fragment, address.RawFragment = "", "" // it was not sent
	scheme, parameter, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	asked := headerMap(req.Header)
	for _, name := range credentialHeaders {
		delete(asked, name)
	}
	return &workflow.HTTPResponse{
		Method: req.Method, URL: address.String(), RequestHeader: asked,
		Status: resp.StatusCode, Header: headerMap(resp.Header), Body: body,
		Scheme: scheme, Parameter: strings.TrimSpace(parameter),
	}
}

// credentialHeaders are those that no workflow gets to see again.
var credentialHeaders = []string{"Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key"}

// headerMap joins the values of each name. What is not UTF-8 in them could not be told
// as JSON.
func headerMap(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		out[name] = strings.ToValidUTF8(strings.Join(values, ", "), "\uFFFD")
	}
	return out
}

// plainName says whether a text is a token of HTTP (RFC 9110, section 5.6.2).
func plainName(text string) bool { return text != "" && strings.Trim(text, tokenCharacters) == "" }

// plainValue says whether a text can be the value of a header: no line of its own, and no
// other control character but the tab.
func plainValue(text string) bool {
	return !slices.ContainsFunc([]byte(text), func(b byte) bool { return b < ' ' && b != '\t' || b == 0x7f })
}
