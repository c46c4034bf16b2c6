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

// err makes the error of a problem. More are lines that the object does not have.
func (p problem) err(raw []byte, more ...string) error {
	where := fmt.Sprintf(" (%d, request %s)", p.Status, p.RequestID)
	if p.RequestID == "" {
		where = fmt.Sprintf(" (%d)", p.Status)
	}
	lines := []string{fmt.Sprintf("%s: %s%s", p.Code, p.Detail, where)}
	for _, v := range p.Violations {
		lines = append(lines, fmt.Sprintf("  %s: %s", cmp.Or(v.Pointer, "at the root"), v.Message))
	}
	lines = append(lines, more...)
	for i := range lines {
		lines[i] = Printable(lines[i])
	}
	return &Error{Exit: exitCode(p.Code), Problem: bytes.TrimSpace(raw), Err: errors.New(strings.Join(lines, "\n"))}
}

// refusal makes an error of a reply that is not what was asked for.
func refusal(res *http.Response, body []byte) error {
	hint := ""
	if res.StatusCode == http.StatusUnauthorized && res.Request.Header.Get("Authorization") == "" {
		hint = "no credential was sent: give --token-file a file with a token or an API key, or set " + TokenVariable
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
	if after := res.Header.Get("Retry-After"); after != "" {
		more = append(more, "  try again in "+after+" s")
	}
	return p.err(body, more...)
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
