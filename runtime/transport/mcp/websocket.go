package mcp

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// subprotocol is what a client of a WebSocket has to offer.
const subprotocol = "mcp"

// A WebSocket is asked whether it is alive this often, and has so long to answer; its
// caller's credential is looked at with the same beat, and at every message.
const (
	pingEvery   = 30 * time.Second
	pingTimeout = 10 * time.Second
	// writeTimeout is what a client has to take an answer.
	writeTimeout = 30 * time.Second
)

// upgrade serves a WebSocket: one session of the protocol, of the revisions with a
// handshake, for as long as the connection is open.
func (x *exchange) upgrade() error {
	ctx := x.r.Context()
	switch {
	case x.r.Method != http.MethodGet:
		return x.only(http.MethodGet)
	case !hasToken(x.r.Header["Connection"], "upgrade") || !hasToken(x.r.Header["Upgrade"], "websocket"):
		return fault.New(fault.InvalidInput, "this path is a WebSocket: connect to it as one, or post messages to /mcp")
	case !hasToken(x.r.Header["Sec-Websocket-Protocol"], subprotocol):
		return fault.New(fault.InvalidInput, "offer the subprotocol mcp: Sec-WebSocket-Protocol: mcp")
	}
	if err := x.handler.engine.Authenticate(ctx, &x.call); err != nil {
		return err
	}
	open, err := x.handler.sessions.begin(ctx, x.caller())
	if err != nil {
		return err
	}
	defer open.leave()
	// The origin was checked for every path.
	conn, err := websocket.Accept(x.w, x.r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}, InsecureSkipVerify: true})
	if err != nil {
		x.outcome = fault.InvalidInput
		return nil // the library has answered
	}
	conn.SetReadLimit(-1) // messages are read under the app's own limit
	s := newSocket(x, conn)
	defer s.close(websocket.StatusNormalClosure, "")
	session, err := x.handler.server.Connect(ctx, s, nil)
	if err != nil {
		x.outcome = fault.Internal
		return nil
	}
	x.counted = true // its messages are, one by one
	s.watch(ctx, open.ctx)
	s.close(websocket.StatusNormalClosure, "")
	_ = session.Wait() // its runs have been canceled
	s.abandon()
	return nil
}

// hasToken says whether a header that is a list has a token, in any case.
func hasToken(values []string, token string) bool {
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(item), token) {
				return true
			}
		}
	}
	return false
}

// watch returns when the connection is over. Until then it looks now and then whether the
// client is there, and whether its credential still is in force. At the drain it lets what
// runs come to its end.
func (s *socket) watch(ctx, serving context.Context) {
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	drained := serving.Done()
	for {
		select {
		case <-s.gone:
			return
		case <-drained:
			drained = nil
			go s.finish()
		case now := <-ticker.C:
			if !s.handler.engine.StillAccepted(ctx, &s.first.call, now) {
				s.close(websocket.StatusPolicyViolation, "the credential is not accepted any more: connect with one that is in force")
				return
			}
			if !s.ping(ctx) {
				s.close(websocket.StatusGoingAway, "no answer to a ping")
				return
			}
		}
	}
}

func (s *socket) ping(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return s.conn.Ping(ctx) == nil
}

// finish closes the connection once nothing runs.
func (s *socket) finish() {
	s.mu.Lock()
	s.draining = true
	idle := s.idle
	if s.busy == 0 {
		idle = nil
	}
	s.mu.Unlock()
	if idle != nil {
		select {
		case <-idle:
		case <-s.gone:
		}
	}
	s.close(websocket.StatusGoingAway, "this pod is about to end: connect again")
}

var _ sdk.Transport = (*socket)(nil)

// next is the exchange of the next message.
func (s *socket) next() *exchange {
	x := &exchange{handler: s.handler, alive: s.alive}
	x.call = engine.Call{
		Channel: s.first.call.Channel, Credentials: s.first.call.Credentials,
		Start: time.Now(), Client: s.first.call.Client, RequestID: engine.NewID(), Source: x,
	}
	return x
}
