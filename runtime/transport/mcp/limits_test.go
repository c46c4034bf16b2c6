package mcp

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// TestLimits: what is found out before the message is read is said by HTTP, and after it
// in the message. Only calls spend anything.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		revision string
		status   int
	}{{dated, http.StatusOK}, {stateless, http.StatusTooManyRequests}} {
		t.Run(c.revision, func(t *testing.T) {
			a := start(t, "")
			for _, method := range []string{"tools/list", "resources/list", "prompts/list", "resources/templates/list"} {
				if got := a.send(c.revision, request(c.revision, method, "")); got.status != 200 || got.Error != nil || got.header.Get("RateLimit") != "" {
					t.Errorf("%s: %d %s", method, got.status, got.text)
				}
			}
			for left := range 2 {
				got := a.call(c.revision, "scarce", `{}`)
				if want := `"workflow/scarce";r=` + strconv.Itoa(1-left) + `;t=`; got.code() != "" || !strings.HasPrefix(got.header.Get("RateLimit"), want) ||
					!strings.Contains(got.header.Get("RateLimit-Policy"), `"app";q=100000;w=60, "workflow/scarce";q=1;w=60`) {
					t.Errorf("call %d: %q %q %s", left, got.header.Get("RateLimit"), got.header.Get("RateLimit-Policy"), got.text)
				}
			}
			got := a.call(c.revision, "scarce", `{}`)
			if got.status != c.status || got.Error == nil || got.Error.Code != 429 || got.code() != "rate_limited" || got.Error.Data.Retry < 59 || got.Error.Data.Retry > 60 ||
				got.header.Get("Retry-After") != strconv.Itoa(got.Error.Data.Retry) || !strings.HasPrefix(got.header.Get("RateLimit"), `"workflow/scarce";r=0;t=`) {
				t.Errorf("the third: %d %v %s", got.status, got.header, got.text)
			}
			if (got.ID == nil) != (c.revision == stateless) {
				t.Errorf("the id of the answer is %v", got.ID)
			}
			// The limit goes before what is wrong with the message.
			if got := a.call(c.revision, "scarce", `"no object"`); got.code() != "rate_limited" {
				t.Errorf("a wrong message: %s", got.text)
			}
			if got := a.call(c.revision, "scarce", `{"__proto__":1}`); got.code() != "rate_limited" {
				t.Errorf("a blocked key: %s", got.text)
			}
			if n := a.counted("scarce", "rate_limited"); n != "3" {
				t.Errorf("%s refusals were counted", n)
			}
			if n := a.counted("scarce", "ok"); n != "2" {
				t.Errorf("%s calls were counted", n)
			}
			// Refused credentials have a limit of their own.
			for i := range 100 {
				got := a.call(c.revision, "echo", `{}`, "Authorization", "Bearer nxs_a_b")
				if got.status == http.StatusTooManyRequests {
					if got.header.Get("Retry-After") == "" || got.code() != "rate_limited" {
						t.Errorf("refused credentials: %v %s", got.header, got.text)
					}
					break
				}
				if i == 99 {
					t.Error("a hundred refused credentials are no flood")
				}
			}
			if got := a.call(c.revision, "echo", `{}`); got.status != 200 {
				t.Errorf("a good key behind the same address: %s", got.text)
			}
		})
	}
}

// TestBodies: the cap holds whether or not the length is told, and a client that goes on
// sending reads the answer.
func TestBodies(t *testing.T) {
	a := start(t, "")
	pad := func(n int) string { return callOf(dated, "echo", `{"a":"`+strings.Repeat("x", n)+`"}`) }
	if got := a.send(dated, pad(60<<10)); got.status != 200 || got.code() != "" {
		t.Errorf("below the cap: %d %.200s", got.status, got.text)
	}
	for _, size := range []int{65 << 10, 4 << 20} {
		for _, chunked := range []bool{false, true} {
			r := a.post(t.Context(), dated, pad(size))
			if chunked {
				r.ContentLength = -1
			}
			got := a.do(r)
			if got.status != http.StatusRequestEntityTooLarge || got.code() != "body_too_large" || got.Error.Code != 413 {
				t.Errorf("%d bytes, chunked %v: %d %s", size, chunked, got.status, got.text)
			}
		}
	}
	r := a.post(t.Context(), dated, pad(4<<20), "Authorization", "")
	if got := a.do(r); got.status != http.StatusUnauthorized {
		t.Errorf("a stranger's large message: %d %s", got.status, got.text)
	}
}

// TestOverload: a pod without a place says so by HTTP.
func TestOverload(t *testing.T) {
	a := start(t, "  limits: {maxConcurrentWorkflows: 1}\n")
	done := make(chan *answer, 1)
	go func() { done <- a.call(dated, "call", `{}`) }()
	<-a.service.arrived
	for _, revision := range []string{dated, stateless} {
		for _, tool := range []string{"echo", "steps"} {
			got := a.call(revision, tool, `{}`)
			if got.status != http.StatusServiceUnavailable || got.code() != "overloaded" || got.header.Get("Retry-After") != "1" || got.ID != 7.0 || got.Error.Code != 503 {
				t.Errorf("%s %s: %d %v %s", revision, tool, got.status, got.header, got.text)
			}
		}
	}
	close(a.service.answer)
	if got := <-done; got.status != 200 || got.code() != "" {
		t.Errorf("the call that ran: %s", got.text)
	}
}

// events are those of a stream.
func events(t *testing.T, text string) []string {
	t.Helper()
	var out []string
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			out = append(out, data)
		}
	}
	return out
}
