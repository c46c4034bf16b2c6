// Package server puts a document into force: it assembles the policies, the engine and
// the transports, opens the ports, and drains them at the end.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/auth"
	"github.com/nexus-operator/nexus-operator/runtime/call"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/egress"
	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/redis"
	"github.com/nexus-operator/nexus-operator/runtime/telemetry"
	"github.com/nexus-operator/nexus-operator/runtime/transport/mcp"
	"github.com/nexus-operator/nexus-operator/runtime/transport/rest"
)

// Options are what a server is told besides the document.
type Options struct {
	// Document to enforce, and its SHA-256 in hexadecimal.
	Document config.Document
	Hash     string
	// SecretsDir and ConfigMapsDir hold a directory for each Secret or ConfigMap, with a
	// file for each entry.
	SecretsDir, ConfigMapsDir string
	// APIAddr, MCPAddr and AdminAddr are the addresses to listen on; port 0 is any free one.
	// That of MCP is opened where a workflow is served over it.
	APIAddr, MCPAddr, AdminAddr string
	// DrainDelay is how long connections are still accepted after the context of Run
	// ends: until then the endpoint may not have gone from every node.
	DrainDelay time.Duration
	// MemoryLimit is the memory of the process, in bytes; a quarter of it bounds the
	// request bodies in flight. 0 stands for defaultMemory.
	MemoryLimit int64
	// Output takes the log.
	Output io.Writer
	// Version of the program.
	Version string
}

// defaultMemory is assumed when nobody said how much there is: the operator's default
// limit.
const defaultMemory = 512 << 20

// Server enforces a document.
type Server struct {
	options    Options
	log        *slog.Logger
	metrics    *telemetry.Metrics
	keys       *auth.Directory
	tokens     *auth.Tokens
	roots      *egress.Roots
	redis      *redis.Client
	secrets    *workflowSecrets
	caller     *call.Caller
	executions *execution.Manager
	engine     *engine.Engine
	handler    *rest.Handler
	mcp        *mcp.Handler // nil where no workflow is served over it
	started    time.Time
	api        net.Listener
	mcpPort    net.Listener
	admin      net.Listener
	keyCount   atomic.Int64
	state      atomic.Int32
	// told is what was logged last of each issuer.
	told map[string]auth.IssuerHealth
	// redisTried is closed once Redis was found, or found missing.
	redisTried     chan struct{}
	redisTriedOnce sync.Once
}

// The states of a server, in this order.
const (
	starting int32 = iota
	serving
	draining
)

// Ready says whether the document and the credentials are loaded, the ports are open,
// and the end has not begun. Nothing outside the process matters.
func (s *Server) Ready() bool { return s.state.Load() == serving }

// Draining says whether the end has begun.
func (s *Server) Draining() bool { return s.state.Load() == draining }

// Handler serves the API without a port.
func (s *Server) Handler() http.Handler { return s.handler }

// MCPHandler serves MCP without a port; it is nil where no workflow is served over it.
func (s *Server) MCPHandler() http.Handler {
	if s.mcp == nil {
		return nil
	}
	return s.mcp
}

// Listen opens the ports.
func (s *Server) Listen(ctx context.Context) error {
	var lc net.ListenConfig
	var opened []net.Listener
	for _, port := range []struct {
		listener   *net.Listener
		addr, what string
		flag       string
		wanted     bool
	}{
		{&s.api, s.options.APIAddr, "API", "--api-addr", true},
		{&s.mcpPort, s.options.MCPAddr, "MCP", "--mcp-addr", s.mcp != nil},
		{&s.admin, s.options.AdminAddr, "admin", "--admin-addr", true},
	} {
		if !port.wanted {
			continue
		}
		l, err := lc.Listen(ctx, "tcp", port.addr)
		if err != nil {
			for _, l := range opened {
				_ = l.Close()
			}
			return fmt.Errorf("opening the %s port: %w: choose another %s", port.what, err, port.flag)
		}
		*port.listener = l
		opened = append(opened, l)
	}
	return nil
}

// APIAddr is the address of the API, once it is open.
func (s *Server) APIAddr() string { return s.api.Addr().String() }

// MCPAddr is the address of MCP, once it is open; empty where there is none.
func (s *Server) MCPAddr() string {
	if s.mcpPort == nil {
		return ""
	}
	return s.mcpPort.Addr().String()
}

// AdminAddr is the address of the admin port, once it is open.
func (s *Server) AdminAddr() string { return s.admin.Addr().String() }

// Run serves until the context ends and then drains: readiness goes off at once,
// requests are served for another DrainDelay, those in flight are finished, and what
// does not finish in its time is cut off. The result is nil unless a port failed.
func (s *Server) Run(ctx context.Context) error {
	admin := s.newHTTPServer(s.adminHandler())
	api := s.newHTTPServer(s.handler)
	api.RegisterOnShutdown(s.handler.EndStreams)
	ports := []port{{api, s.api}}
	if s.mcp != nil {
		ports = append(ports, port{s.newHTTPServer(s.mcp), s.mcpPort})
	}
	failed := make(chan error, len(ports)+1)
	var wg sync.WaitGroup
	for _, p := range append(slices.Clone(ports), port{admin, s.admin}) {
		wg.Go(func() {
			if err := p.server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serving %s: %w", p.listener.Addr(), err)
			}
		})
	}
	stop := s.Local(ctx)
	s.state.Store(serving)
	s.warnOfOpenDoor()
	s.log.Info("Serving", "api", s.APIAddr(), "mcp", s.MCPAddr(), "admin", s.AdminAddr(), "app", s.options.Document.Name,
		"document", s.options.Hash, "workflows", len(s.options.Document.Workflows), "version", s.options.Version)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.drain(ports, err == nil) //nolint:contextcheck // the context of Run has ended: draining has a time of its own
	stop()
	_ = admin.Close()
	wg.Wait()
	return err
}

// port is a server and where it listens.
type port struct {
	server   *http.Server
	listener net.Listener
}

// Local runs what goes on beside serving, until stop: for who has requests served by the
// handlers, without a port. It returns once Redis was found, or found missing.
func (s *Server) Local(ctx context.Context) (stop func()) {
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	for _, follow := range s.background() {
		wg.Go(func() { follow(watching) })
	}
	s.awaitRedis(ctx)
	return func() {
		cancel()
		wg.Wait()
	}
}

// warnOfOpenDoor tells that others than the users of this machine can call, and that
// nobody has to log in.
func (s *Server) warnOfOpenDoor() {
	if s.options.Document.Auth.Mode != v1alpha1.AuthDisabled {
		return
	}
	for _, door := range []struct {
		listener net.Listener
		flag     string
	}{{s.api, "--api-addr 127.0.0.1:8000"}, {s.mcpPort, "--mcp-addr 127.0.0.1:3001"}} {
		if door.listener == nil {
			continue
		}
		address, ok := door.listener.Addr().(*net.TCPAddr)
		if !ok || !address.IP.IsLoopback() {
			s.log.Warn("Nobody has to log in, and whoever reaches this address can call: set spec.auth.mode to Required, or serve on this machine only with "+door.flag, "address", door.listener.Addr().String())
		}
	}
}

// drain ends the servers without losing a request.
func (s *Server) drain(ports []port, graceful bool) {
	s.state.Store(draining)
	if s.mcp != nil {
		s.mcp.Drain()
	}
	if !graceful {
		for _, p := range ports {
			_ = p.server.Close()
		}
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		s.executions.Drain(ctx)
		return
	}
	s.log.Info("Draining", "delay", s.options.DrainDelay.String(), "longestRun", s.longestRun().String())
	if s.options.DrainDelay > 0 {
		// Not an event to await: nobody tells when the last node has dropped the endpoint.
		<-time.After(s.options.DrainDelay)
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.longestRun()+closeTime)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range ports {
		wg.Go(func() {
			if err := p.server.Shutdown(ctx); err != nil {
				s.log.Warn("Cutting off requests that did not finish", "cause", err)
			}
		})
	}
	if s.mcp != nil {
		s.mcp.Wait(ctx)
	}
	wg.Wait()
	s.executions.Drain(ctx)
	for _, p := range ports {
		_ = p.server.Close()
	}
	s.log.Info("Drained")
}
