// Package call makes the calls of workflows: each through the egress guard, within the
// context of its run, and with bounds on what is read. What goes wrong is an error that
// the workflow can catch; its text holds nothing of the inside, its cause does.
package call

import (
	"sync/atomic"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/egress"
)

// Options say how calls are made.
type Options struct {
	// Guard makes every request. Give it egress.NoTimeout: a call may take as long as its
	// context lets it.
	Guard *egress.Guard
	// Sink is the URL that events are delivered to; empty for nowhere. They go there through
	// SinkGuard, since the sink need not be open to other calls. Default: Guard.
	Sink      string
	SinkGuard *egress.Guard
	// Resources are the OpenAPI documents that come with the app, by the names that
	// definitions have for them: configmap:NAME/KEY.
	Resources map[string]string
	// Now tells the time, for the life of tokens. Default: time.Now.
	Now func() time.Time
}

// Caller makes the calls of the workflows of an app. It may be used by several
// goroutines at once.
type Caller struct {
	guard       *egress.Guard
	sinkGuard   *egress.Guard
	sink        string
	now         func() time.Time
	digests     digests
	tokens      tokens
	authorities authorities
	documents   documents
	background  background
	leaving     atomic.Int64 // sessions of MCP servers
}

// New returns a Caller. Nothing is called yet.
func New(o Options) *Caller {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SinkGuard == nil {
		o.SinkGuard = o.Guard
	}
	c := &Caller{guard: o.Guard, sinkGuard: o.SinkGuard, sink: o.Sink, now: o.Now, documents: newDocuments(o.Resources)}
	c.tokens.now = o.Now
	return c
}
