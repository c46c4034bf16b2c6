package mcp

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/limit"
	"github.com/nexus-operator/nexus-operator/test/goroutines"
)

// listen opens a stream of changes, and returns its lines and the way to end it.
func (a *app) listen(t *testing.T) (lines *bufio.Reader, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	res, err := a.client.Do(a.post(ctx, stateless, request(stateless, methodListen, `"notifications":{"resourceSubscriptions":["shop://hours"]}`))) //nolint:bodyclose // the caller does it
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		text, _ := io.ReadAll(res.Body)
		t.Fatalf("%s %s: %s", res.Status, res.Header.Get("Content-Type"), text)
	}
	return bufio.NewReader(res.Body), func() {
		cancel()
		_ = res.Body.Close()
	}
}

// TestListen: a stream is acknowledged, stays open until the drain, and has a place among
// a bounded number.
func TestListen(t *testing.T) {
	goroutines.Settle(t)
	a := start(t, "")
	t.Cleanup(a.client.CloseIdleConnections)
	lines, end := a.listen(t)
	defer end()
	first := ""
	for !strings.HasPrefix(first, "data:") {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		first = line
	}
	if !strings.Contains(first, "notifications/subscriptions/acknowledged") {
		t.Errorf("the stream begins with %s", first)
	}
	hidden := a.send(stateless, request(stateless, methodListen, `"notifications":{"resourceSubscriptions":["shop://logo"]}`))
	if hidden.code() != "not_found" || hidden.Error.Data.URI != "shop://logo" {
		t.Errorf("a resource that is hidden: %d %s", hidden.status, hidden.text)
	}
	a.handler.sessions.fill(maxSessions - 1)
	message := request(stateless, methodListen, `"notifications":{"resourceSubscriptions":["shop://hours"]}`)
	if got := a.send(stateless, message); got.status != http.StatusServiceUnavailable || got.code() != "overloaded" || got.header.Get("Retry-After") != "1" {
		t.Errorf("one too many: %d %s", got.status, got.text)
	}
	a.handler.Drain()
	if rest, err := io.ReadAll(lines); err != nil {
		t.Errorf("the end of the stream: %v %s", err, rest)
	}
	a.handler.Wait(t.Context())
	if got := a.send(stateless, message); got.status != http.StatusServiceUnavailable {
		t.Errorf("while draining: %d %s", got.status, got.text)
	}
	if got := a.call(stateless, "echo", `{}`); got.status != http.StatusOK {
		t.Errorf("a call while draining: %d %s", got.status, got.text)
	}
}

// TestListenIsClosed: a client that goes away gives its place back.
func TestListenIsClosed(t *testing.T) {
	goroutines.Settle(t)
	a := start(t, "")
	t.Cleanup(a.client.CloseIdleConnections)
	_, end := a.listen(t)
	end()
	a.handler.Wait(t.Context())
	if n, of := a.handler.sessions.all, a.handler.sessions.of; n != 0 || len(of) != 0 {
		t.Errorf("%d places are taken: %v", n, of)
	}
}

// fill takes places of nobody.
func (s *sessions) fill(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all += n
}

// TestSessions: nobody takes all places, and a place that is left can be taken again.
func TestSessions(t *testing.T) {
	s := newSessions(3, 2)
	one, other := limit.Caller{Subject: "one"}, limit.Caller{Subject: "other"}
	begin := func(who limit.Caller, says string) session {
		t.Helper()
		open, err := s.begin(t.Context(), who)
		if said := fmt.Sprint(err); says == "" && err != nil || says != "" && !strings.Contains(said, says) {
			t.Errorf("%s: %v, want %q", who.Subject, err, says)
		}
		return open
	}
	first := begin(one, "")
	begin(one, "")
	begin(one, "you have as many connections open as one caller may")
	begin(other, "")
	begin(other, "all places for connections that stay open are taken")
	first.leave()
	begin(other, "")
	s.drain()
	s.drain()
	begin(one, "this pod is about to end")
}

// TestWhileAccepted: a stream ends within a minute of its caller's credential.
func TestWhileAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSessions(1, 1)
		open, err := s.begin(t.Context(), limit.Caller{})
		if err != nil {
			t.Fatal(err)
		}
		defer open.leave()
		began := time.Now()
		revoked := began.Add(100 * time.Second)
		go open.whileAccepted(func(_ context.Context, now time.Time) bool { return now.Before(revoked) })
		<-open.ctx.Done()
		if took := time.Since(revoked); took < 0 || took > time.Minute {
			t.Errorf("it ended %v after the credential", took)
		}
	})
}
