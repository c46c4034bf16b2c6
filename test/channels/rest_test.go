package channels

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// rest calls over the REST API.
type rest struct{}

func (rest) call(t *testing.T, c call) verdict {
	t.Helper()
	body := `{"inputs":` + c.inputs + `}`
	switch {
	case c.async:
		body = `{"inputs":` + c.inputs + `,"mode":"async"}`
	case c.stream:
		body = `{"inputs":` + c.inputs + `,"mode":"stream"}`
	}
	header := c.headers()
	if c.key != "" {
		header.Set("Idempotency-Key", c.key)
	}
	got := send(t, http.MethodPost, c.app.api+"/workflows/"+url.PathEscape(c.workflow)+"/execute"+c.query, body, header)
	switch {
	case got.StatusCode == http.StatusOK && c.stream:
		events := readEvents(t, got.body)
		if len(events) < 3 && c.workflow == "echo" {
			t.Errorf("nothing was told of the tasks: %s", got.body)
		}
		return awaitEnd(t, func() []byte { return events[len(events)-1] })
	case got.StatusCode == http.StatusOK && !c.async:
		var reply struct {
			Outputs json.RawMessage `json:"outputs"`
			Status  string          `json:"status"`
		}
		if err := json.Unmarshal(got.body, &reply); err != nil || reply.Status != "completed" || reply.Outputs == nil {
			t.Fatalf("no reply of a run: %s", brief(string(got.body)))
		}
		return succeeded(t, reply.Outputs, got.body)
	case got.StatusCode == http.StatusAccepted && c.async:
		return awaitEnd(t, func() []byte {
			read := send(t, http.MethodGet, c.app.api+got.Header.Get("Location"), "", c.headers())
			if read.StatusCode != http.StatusOK {
				t.Fatalf("the execution cannot be read: %d %s", read.StatusCode, read.body)
			}
			return read.body
		})
	}
	return readRESTProblem(t, got)
}

// reply is a reply of HTTP, read whole.
type reply struct {
	*http.Response
	body []byte
}

func send(t *testing.T, method, at, body string, header http.Header) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res, raw}
}

const eventStream = "text/event-stream"

// readEvents reads the data of a stream of events that has ended.
func readEvents(t *testing.T, stream []byte) [][]byte {
	t.Helper()
	var events [][]byte
	for line := range bytes.Lines(stream) {
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok && len(bytes.TrimSpace(data)) > 0 {
			events = append(events, bytes.TrimSpace(data))
		}
	}
	if len(events) == 0 {
		t.Fatalf("no events: %s", brief(string(stream)))
	}
	return events
}

// readRESTProblem reads a refusal, and checks that its headers say what the object does.
func readRESTProblem(t *testing.T, got reply) verdict {
	t.Helper()
	p := readProblem(t, got.body)
	if got.StatusCode != p.Status || got.Header.Get("Content-Type") != "application/problem+json" || got.Header.Get("X-Request-Id") != p.RequestID {
		t.Errorf("the status %d and the headers %v do not fit the problem %s", got.StatusCode, got.Header, got.body)
	}
	challenge := got.Header.Get("WWW-Authenticate")
	if p.Code == "unauthenticated" && !strings.HasPrefix(challenge, "Bearer realm=") || p.Code != "unauthenticated" && p.Code != "forbidden" && challenge != "" {
		t.Errorf("%s has WWW-Authenticate: %q", p.Code, challenge)
	}
	v := refused(p, retryAfter(t, got.Header), got.body)
	v.raw = challenge + "\n" + v.raw
	return v
}

// retryAfter is the header of that name, 0 when it is absent.
func retryAfter(t *testing.T, header http.Header) int {
	t.Helper()
	value := header.Get("Retry-After")
	if value == "" {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		t.Errorf("Retry-After: %q", value)
	}
	return n
}

// execution is how a run stands that goes on apart from its caller.
type execution struct {
	ID      string          `json:"run_id"`
	Status  string          `json:"status"`
	Outputs json.RawMessage `json:"outputs"`
	Problem json.RawMessage `json:"problem"`
}

// awaitEnd asks until an execution has ended, and returns what came of it.
func awaitEnd(t *testing.T, ask func() []byte) verdict {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		raw := ask()
		var e execution
		if err := json.Unmarshal(raw, &e); err != nil || e.ID == "" {
			t.Fatalf("no execution: %s", brief(string(raw)))
		}
		switch {
		case e.Status == "completed":
			return succeeded(t, e.Outputs, raw)
		case e.Status != "running":
			var p problem
			if err := json.Unmarshal(e.Problem, &p); err != nil || p.Code == "" {
				t.Fatalf("an execution that failed has no problem: %s", brief(string(raw)))
			}
			return refused(p, 0, raw)
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the execution does not end: %s", raw)
		}
	}
}
