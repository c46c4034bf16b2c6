package journey

import (
	"context"
	"io"
	"net/http"
	"strings"
)

// hold starts a call of echo whose body stays unfinished, and returns once the server
// has begun to serve it. finish sends the rest of the body; the reply then comes
// through the channel.
func (a *app) hold(key, begin string) (reply <-chan answer, finish func(rest string)) {
	a.t.Helper()
	r, w := io.Pipe()
	a.t.Cleanup(func() { _ = w.Close() })
	req, err := http.NewRequestWithContext(context.WithoutCancel(a.t.Context()), http.MethodPost, a.api+"/workflows/echo/execute", r)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	answers := make(chan answer, 1)
	go func() { answers <- a.do(req) }()
	if _, err := io.WriteString(w, begin); err != nil {
		a.t.Fatal(err)
	}
	for a.metric("nexus_requests_in_flight") != "1" {
		if a.t.Context().Err() != nil || strings.Contains(a.log.String(), "Drained") {
			a.t.Fatal("the server never saw the call")
		}
	}
	return answers, func(rest string) {
		_, _ = io.WriteString(w, rest)
		_ = w.Close()
	}
}
