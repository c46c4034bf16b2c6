package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// headerTime is how long a request's header may take, which comes from this process.
const headerTime = 10 * time.Second

// The addresses of a runtime in this process. Nothing listens there: the client's
// connections are made in memory.
var (
	pipedAPI = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8000}
	pipedMCP = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3001}
)

// InProcess returns a client of handlers in this process, which it calls over connections
// in memory. No port is opened. mcp is nil where no workflow is served over it. Close ends
// the connections.
func InProcess(api, mcp http.Handler, token string) *Client {
	listeners := map[string]*pipeListener{}
	var servers []*http.Server
	var serving sync.WaitGroup
	for address, handler := range map[*net.TCPAddr]http.Handler{pipedAPI: api, pipedMCP: mcp} {
		if handler == nil {
			continue
		}
		l := &pipeListener{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTime}
		listeners[address.String()] = l
		servers = append(servers, server)
		serving.Go(func() { _ = server.Serve(l) }) // it ends when it is closed, as it should
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		if l := listeners[address]; l != nil {
			return l.dial(ctx)
		}
		return nil, errNotServed
	}}
	return &Client{
		http:   newHTTPClient(transport),
		server: &url.URL{Scheme: "http", Host: pipedAPI.String()},
		mcp:    &url.URL{Scheme: "http", Host: pipedMCP.String(), Path: "/mcp"},
		token:  token,
		close: func() {
			transport.CloseIdleConnections()
			for _, server := range servers {
				_ = server.Close()
			}
			serving.Wait()
		},
	}
}

// pipeListener accepts connections that are made in memory.
type pipeListener struct {
	address *net.TCPAddr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

var (
	errNotServed  = errors.New("no workflow of the app is served there: see spec.workflows[].expose")
	errPipeClosed = errors.New("the app is not served any more")
)

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- pipeConn{server, l.address}:
		return client, nil
	case <-l.closed:
		return nil, errPipeClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *pipeListener) Addr() net.Addr { return l.address }

// pipeConn is the server's side. The caller is this machine: a limit by address holds as it
// would for a call over loopback.
type pipeConn struct {
	net.Conn
	address *net.TCPAddr
}

func (c pipeConn) LocalAddr() net.Addr  { return c.address }
func (c pipeConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: c.address.IP, Port: 1} }
