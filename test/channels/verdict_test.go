package channels

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// ok is the code of a call that succeeds.
const ok = "ok"

// form is what a channel says of a code, besides the problem object: the error table of
// docs/spec/nexusapp.md.
type form struct {
	http int
	// rpc is the code of a JSON-RPC error; 0 where MCP has the result of a tool instead.
	rpc  int
	exit int
}

var forms = map[string]form{
	"unauthenticated":      {http.StatusUnauthorized, http.StatusUnauthorized, 3},
	"forbidden":            {http.StatusForbidden, 0, 3},
	"workflow_not_found":   {http.StatusNotFound, -32602, 2},
	"invalid_input":        {http.StatusBadRequest, -32602, 5},
	"schema_violation":     {http.StatusUnprocessableEntity, -32602, 5},
	"body_too_large":       {http.StatusRequestEntityTooLarge, http.StatusRequestEntityTooLarge, 5},
	"rate_limited":         {http.StatusTooManyRequests, http.StatusTooManyRequests, 4},
	"overloaded":           {http.StatusServiceUnavailable, http.StatusServiceUnavailable, 1},
	"timeout":              {http.StatusGatewayTimeout, 0, 1},
	"workflow_failed":      {http.StatusInternalServerError, 0, 1},
	"idempotency_mismatch": {http.StatusUnprocessableEntity, 0, 1},
}

// notJSON is the JSON-RPC code of a message that cannot be read at all.
const notJSON = -32700

// problem is the problem object (RFC 9457) that every channel hands out.
type problem struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Detail     string `json:"detail"`
	Instance   string `json:"instance"`
	Code       string `json:"code"`
	RequestID  string `json:"requestId"`
	Violations []struct {
		Pointer string `json:"pointer"`
		Rule    string `json:"rule"`
	} `json:"violations"`
	Policies   []string `json:"violated-policies"`
	RetryAfter int      `json:"retryAfterSeconds"`
	Error      *struct {
		Type   string `json:"type"`
		Status int    `json:"status"`
		Title  string `json:"title"`
		Detail string `json:"detail"`
	} `json:"error"`
}

// verdict is what became of a call.
type verdict struct {
	code string
	// output is the output of a run as canonical JSON.
	output  string
	problem problem
	// retryAfter is how many seconds the caller is told to wait, 0 when it is not told.
	retryAfter int
	// unnamed is an answer of JSON-RPC that does not say to which request.
	unnamed bool
	// raw is what the channel answered, as it came.
	raw string
}

// readProblem reads a problem object and checks that it is whole: its status is the one that
// the table has for its code, or the author's own.
func readProblem(t *testing.T, raw []byte) problem {
	t.Helper()
	p := parseProblem(t, raw)
	if p.Instance == "" || p.RequestID == "" && !strings.HasPrefix(p.Instance, "/executions/") {
		t.Errorf("the problem does not say where it happened, or in which request: %s", raw)
	}
	return p
}

// readClientProblem reads a problem object of a program that is a client itself: what is no
// JSON it refuses before there is a request.
func readClientProblem(t *testing.T, raw []byte) problem {
	t.Helper()
	if p := parseProblem(t, raw); p.Code == "invalid_input" && p.Instance == "" && p.RequestID == "" {
		return p
	}
	return readProblem(t, raw)
}

func parseProblem(t *testing.T, raw []byte) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(raw, &p); err != nil || p.Code == "" {
		t.Fatalf("no problem object: %.2000s", raw)
	}
	f, known := forms[p.Code]
	switch {
	case !known:
		t.Errorf("the code %q is not in the table: %s", p.Code, raw)
	case p.Type == "" || p.Title == "" || p.Detail == "":
		t.Errorf("the problem is not whole: %s", raw)
	case p.Status != f.http && p.Code != "workflow_failed":
		t.Errorf("the status of %s is %d, want %d", p.Code, p.Status, f.http)
	}
	return p
}

// refused is the verdict of a problem.
func refused(p problem, retryAfter int, raw []byte) verdict {
	return verdict{code: p.Code, problem: p, retryAfter: retryAfter, raw: string(raw)}
}

// succeeded is the verdict of a run with this output.
func succeeded(t *testing.T, output, raw []byte) verdict {
	t.Helper()
	return verdict{code: ok, output: canonical(t, output), raw: string(raw)}
}

// canonical is a JSON text with its members in order and its numbers as they were written.
func canonical(t *testing.T, text []byte) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		t.Fatalf("no JSON: %v: %.2000s", err, text)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("more than one JSON value: %.2000s", text)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(out.Bytes()))
}

// brief is a text short enough to be read in a failure.
func brief(text string) string { return fmt.Sprintf("%.1500s", text) }
