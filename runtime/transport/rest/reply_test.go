package rest

import (
	"net/http"
	"testing"
)

// stalled is a connection whose reader takes his time.
type stalled struct {
	line
	reading func()
}

func (s *stalled) Write(p []byte) (int, error) {
	s.reading()
	return s.line.Write(p)
}

// TestLargeReply: while a large reply is read it counts among the bodies in flight, and
// when there is no room for it the caller is told so. A small one always fits.
func TestLargeReply(t *testing.T) {
	a := open(t)
	bodies := a.handler.engine.Bodies
	all := bodies.Free()
	at := a.start("large")
	a.ended(at)
	execute, events := `{}`, "text/event-stream"
	for _, c := range []struct{ method, path, body, accept string }{
		{http.MethodPost, "/workflows/large/execute", execute, ""}, {http.MethodGet, at, "", ""}, {http.MethodGet, at, "", events},
	} {
		most := int64(0)
		w := &stalled{line: line{header: http.Header{}}, reading: func() { most = max(most, all-bodies.Free()) }}
		a.handler.ServeHTTP(w, a.request(t.Context(), c.method, c.path, c.body, "Accept", c.accept))
		if size := int64(w.text.Len()); w.status != http.StatusOK || size < 100_000 || most < size/2 || bodies.Free() != all {
			t.Errorf("%s %s: %d with %d bytes, of which %d counted, %d afterwards", c.method, c.path, w.status, size, most, all-bodies.Free())
		}
	}
	if !bodies.Take(all) {
		t.Fatal("the budget is not free")
	}
	for _, w := range []*http.Response{a.send(http.MethodPost, "/workflows/large/execute", "").Result(), a.send(http.MethodGet, at, "").Result()} {
		_ = w.Body.Close()
		if w.StatusCode != http.StatusServiceUnavailable || w.Header.Get("Retry-After") == "" {
			t.Errorf("without room: %d %v", w.StatusCode, w.Header)
		}
	}
	if w := a.send(http.MethodPost, "/workflows/steps/execute", ""); w.Code != http.StatusOK {
		t.Errorf("a small reply: %d %s", w.Code, w.Body)
	}
}

// TestAfford: each part of a reply takes the place of the one before.
func TestAfford(t *testing.T) {
	a := open(t)
	bodies := a.handler.engine.Bodies
	all := bodies.Free()
	x := &exchange{handler: a.handler}
	for _, c := range []struct{ size, held int64 }{{maxKept, 0}, {maxKept + 1, maxKept + 1}, {200_000, 200_000}, {all + 1, 0}, {100_000, 100_000}, {10, 0}, {100_000, 100_000}} {
		if err := x.afford(make([]byte, c.size)); (err != nil) != (c.size > all) || all-bodies.Free() != c.held {
			t.Errorf("%d bytes: %v, %d are held", c.size, err, all-bodies.Free())
		}
	}
	if x.give(); bodies.Free() != all {
		t.Errorf("%d bytes are held at the end", all-bodies.Free())
	}
}
