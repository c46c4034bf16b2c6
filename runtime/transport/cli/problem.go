package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
)

// problemType is the media type of problem objects (RFC 9457).
const problemType = "application/problem+json"

// problem is what is read of a problem object.
type problem struct {
	Code       fault.Code        `json:"code"`
	Status     int               `json:"status"`
	Detail     string            `json:"detail"`
	RequestID  string            `json:"requestId"`
	Violations []fault.Violation `json:"violations"`
}

// readProblem reads a problem object; without a code it is none of a runtime.
func readProblem(raw []byte) (problem, bool) {
	var p problem
	return p, json.Unmarshal(raw, &p) == nil && p.Code != ""
}

// newProblem is what is refused here as a runtime would refuse it.
func newProblem(code fault.Code, detail string) problem { return problem{Code: code, Detail: detail} }

// text is the problem as an object like those of a runtime.
func (p problem) text() json.RawMessage {
	out, err := json.Marshal(struct {
		Type   string     `json:"type"`
		Title  string     `json:"title"`
		Status int        `json:"status"`
		Detail string     `json:"detail"`
		Code   fault.Code `json:"code"`
	}{wire.Type(p.Code), wire.Title(p.Code), wire.Status(p.Code, 0), p.Detail, p.Code})
	if err != nil {
		return nil // texts can always be written
	}
	return out
}

// err makes the error of a problem; raw is the object as it came, nil for one that did not.
// More are lines that the object does not have.
func (p problem) err(raw []byte, more ...string) error {
	where := fmt.Sprintf(" (%d, request %s)", p.Status, p.RequestID)
	switch {
	case raw == nil:
		raw, where = p.text(), ""
	case p.RequestID == "":
		where = fmt.Sprintf(" (%d)", p.Status)
	}
	lines := []string{fmt.Sprintf("%s: %s%s", p.Code, p.Detail, where)}
	for _, v := range p.Violations {
		if len(p.Violations) == 1 && strings.Contains(p.Detail, v.Message) {
			break // it is said already
		}
		lines = append(lines, fmt.Sprintf("  %s: %s", cmp.Or(v.Pointer, "at the root"), v.Message))
	}
	lines = append(lines, more...)
	for i := range lines {
		lines[i] = Printable(lines[i])
	}
	return &Error{Exit: exitCode(p.Code), Problem: bytes.TrimSpace(raw), Err: errors.New(strings.Join(lines, "\n"))}
}

const noCredential = "no credential was sent: give --token-file a file with a token or an API key, or set " + TokenVariable

// refusal makes an error of a reply that is not what was asked for.
func refusal(res *http.Response, body []byte) error {
	hint := ""
	if res.StatusCode == http.StatusUnauthorized && res.Request.Header.Get("Authorization") == "" {
		hint = noCredential
	}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	p, ok := readProblem(body)
	if media != problemType || !ok {
		text := fmt.Sprintf("%s answers %s", res.Request.URL.Redacted(), res.Status)
		if location := res.Header.Get("Location"); location != "" {
			text += ", with a redirect to " + location + ": redirects are not followed"
		}
		if hint != "" {
			text += ": " + hint
		}
		return errors.New(Printable(text))
	}
	p.Status = res.StatusCode
	var more []string
	if hint != "" {
		more = append(more, "  "+hint)
	}
	after := res.Header.Get("Retry-After")
	if after != "" {
		more = append(more, "  try again in "+after+" s")
	}
	return p.err(withRetry(body, after), more...)
}

// Printable takes out of a server's text what a terminal would act on.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
}
