package conformance

import (
	"context"
	"strings"
	"sync"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// attended makes calls and holds the clock while one is on its way, for a service takes
// no time. A service that never answers lets go of it.
type attended struct {
	next  workflow.Caller
	clock *clock

	mu sync.Mutex
	// hanging holds, by path, how a call that is never answered lets the clock go.
	hanging map[string]func()
}

func newAttended(next workflow.Caller, clock *clock, services *services) *attended {
	a := &attended{next: next, clock: clock, hanging: map[string]func(){}}
	services.mu.Lock()
	defer services.mu.Unlock()
	services.hung = func(path string) {
		a.mu.Lock()
		letGo := a.hanging[path]
		a.mu.Unlock()
		if letGo != nil {
			letGo()
		}
	}
	return a
}

// attend holds the clock until end is called, or until the service has the request
// when it never answers that path.
func (a *attended) attend(url string) (end func()) {
	a.clock.hold()
	letGo := sync.OnceFunc(a.clock.release)
	_, path, hangs := strings.Cut(url, "/hang/")
	if hangs {
		path = "/hang/" + path
		a.mu.Lock()
		a.hanging[path] = letGo
		a.mu.Unlock()
	}
	return letGo
}

// HTTP implements workflow.Caller.
func (a *attended) HTTP(ctx context.Context, r *workflow.HTTPRequest) (*workflow.HTTPResponse, error) {
	defer a.attend(r.URL)()
	return a.next.HTTP(ctx, r)
}

// OpenAPI implements workflow.Caller.
func (a *attended) OpenAPI(ctx context.Context, r *workflow.OpenAPIRequest) (*workflow.HTTPResponse, error) {
	defer a.attend("")()
	return a.next.OpenAPI(ctx, r)
}

// MCP implements workflow.Caller.
func (a *attended) MCP(ctx context.Context, r *workflow.MCPRequest) (any, error) {
	defer a.attend(r.Endpoint)()
	return a.next.MCP(ctx, r)
}

// Emit implements workflow.Caller.
func (a *attended) Emit(ctx context.Context, event map[string]any) error {
	defer a.attend("")()
	return a.next.Emit(ctx, event)
}
