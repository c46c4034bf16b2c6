package mcp

import (
	"context"
	"sync"

	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
)

// sessionHeader is the header by which a client of the revisions with a handshake tells
// its requests from those of others with the same credential. The reply to its handshake
// gives it a value. Nothing is kept under it but which calls are under way in this pod;
// clients also take a server that gives none for one that cannot serve them in parallel.
const sessionHeader = "Mcp-Session-Id"

// calls are those under way that a notification can end. Another pod that gets the
// notification knows nothing of the call: clients that close the request end it anywhere.
type calls struct {
	mu  sync.Mutex
	end map[callKey]context.CancelFunc
}

// callKey tells one call from all others. The subject is in it, since sessions are what
// clients say they are.
type callKey struct{ subject, session, id string }

// keyOf is the key of the call with an id; ok says that the client told its session.
func (x *exchange) keyOf(id any) (key callKey, ok bool) {
	session := x.r.Header.Get(sessionHeader)
	if session == "" || id == nil || x.message.revision >= statelessRevision {
		return callKey{}, false
	}
	key = callKey{session: session, id: string(jsontext.Append(nil, id))}
	if x.call.Principal != nil {
		key.subject = x.call.Principal.Subject
	}
	return key, true
}

// cancelable has the exchange end when its client says so. The result is to be called at
// its end.
func (x *exchange) cancelable() (done func()) {
	key, ok := x.keyOf(x.message.id)
	if !ok || x.tool == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(x.alive)
	x.alive = ctx
	c := &x.handler.calls
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end[key] != nil {
		return cancel // two calls with one id: neither could say which is meant
	}
	c.end[key] = cancel
	return func() {
		cancel()
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.end, key)
	}
}

// cancelCall ends the call that the message names.
func (x *exchange) cancelCall() {
	key, ok := x.keyOf(x.message.cancels)
	if !ok {
		return
	}
	c := &x.handler.calls
	c.mu.Lock()
	defer c.mu.Unlock()
	if end := c.end[key]; end != nil {
		end()
	}
}
