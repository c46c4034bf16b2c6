package call

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type jsonrpcError = jsonrpc.Error

const (
	// leaveTimeout bounds the end of a session, after the call.
	leaveTimeout = 2 * time.Second
	// maxLeaving is how many sessions are ended at once; more are left to expire.
	maxLeaving = 64
	// maxAsked is how many questions of the server are answered in a session, which is
	// open for one call: mostly whether we are still there.
	maxAsked = 100
	// maxToolPages is how many pages of tools are looked through for one.
	maxToolPages = 20
)

// mcpSession is a session for one call.
type mcpSession struct {
	plan       *mcpPlan
	session    *mcp.ClientSession
	connection mcp.Connection
	// call is the context of the call; ctx and end are those of the session.
	call context.Context
	ctx  context.Context
	end  context.CancelFunc

	mu      sync.Mutex
	leaving bool
	// version is the revision of the protocol that the server has chosen.
	version string
	// handshake and wanted are the ids of the messages whose answers are looked at.
	handshake, wanted jsonrpc.ID
	// result or refusal is the answer to the call, once there is one.
	result  json.RawMessage
	refusal *jsonrpcError
	trouble trouble
}

func newMCPSession(call context.Context, p *mcpPlan) *mcpSession {
	s := &mcpSession{plan: p, call: call}
	s.ctx, s.end = context.WithCancel(context.WithoutCancel(call))
	return s
}

// connect opens the session. When it fails, nothing of it is left.
func (s *mcpSession) connect(ctx context.Context) error {
	// The library waits for messages of its own to a server that did not answer in time.
	defer context.AfterFunc(ctx, s.end)()
	client := &http.Client{
		Transport:     exchange{s},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	transport := &mcp.StreamableClientTransport{Endpoint: s.plan.endpoint, HTTPClient: client, DisableStandaloneSSE: true, MaxEventSize: maxBody}
	session, err := s.plan.client.Connect(ctx, watchedTransport{transport, s}, &mcp.ClientSessionOptions{ProtocolVersion: s.plan.protocol})
	if err != nil {
		return err
	}
	s.session = session
	s.mu.Lock()
	s.version = session.InitializeResult().ProtocolVersion
	s.mu.Unlock()
	return nil
}

// leave ends the session. Nobody waits for the server to be told, but Close.
func (c *Caller) leave(s *mcpSession) {
	if s.session == nil {
		s.end()
		if s.connection != nil { // whatever has stopped the handshake, nothing goes on
			_ = s.connection.Close()
		}
		return
	}
	s.mu.Lock()
	s.leaving = true
	s.mu.Unlock()
	started := c.leaving.Add(1) <= maxLeaving && c.background.start(func(context.Context) {
		defer c.leaving.Add(-1)
		defer time.AfterFunc(leaveTimeout, s.end).Stop()
		s.close()
	})
	if !started {
		c.leaving.Add(-1)
		s.end()
		s.close()
	}
}

// close closes the session. What goes wrong with that is the server's to clean up.
func (s *mcpSession) close() {
	defer s.end()
	defer func() { _ = recover() }() // as in mcpAttempt, and there is nobody to tell
	s.abandon()
	_ = s.session.Close()
}

// abandon tells the server that nobody waits for the answer to the call any more. The
// library does so too, but not once the session is being closed. From revision
// 2026-07-28 on, the end of the request says it.
func (s *mcpSession) abandon() {
	s.mu.Lock()
	wanted, answered, version := s.wanted, s.result != nil || s.refusal != nil, s.version
	s.mu.Unlock()
	if answered || !wanted.IsValid() || s.call.Err() == nil || version >= "2026-07-28" {
		return
	}
	params, err := json.Marshal(&mcp.CancelledParams{RequestID: wanted.Raw(), Reason: "nobody waits for the answer any more"})
	if err == nil {
		_ = s.connection.Write(s.ctx, &jsonrpc.Request{Method: "notifications/cancelled", Params: params})
	}
}

// askedKey marks the context of the call itself, whose answer is wanted.
type askedKey struct{}

func (s *mcpSession) asked(ctx context.Context) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result, s.refusal, s.trouble = nil, nil, trouble{}
	return context.WithValue(ctx, askedKey{}, true)
}

// gone says whether the server did not know the session.
func (s *mcpSession) gone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble.gone
}

// headersMissing says whether the server wants arguments of the tool in headers too
// (revision 2026-07-28): which, the tool's description tells.
func (s *mcpSession) headersMissing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := s.said()
	return s.plan.tool != "" && said != nil && said.Code == mcp.CodeHeaderMismatch
}

// said is the JSON-RPC error that the call was refused with, nil when it was not. A
// server may send it with a status of success or with another one.
func (s *mcpSession) said() *jsonrpcError {
	if s.refusal != nil {
		return s.refusal
	}
	return s.trouble.refusal
}

// learnTool has the library read the description of the tool, by which it then sets the
// headers. When that fails, the first failure stays the one to tell.
func (s *mcpSession) learnTool(ctx context.Context) bool {
	s.mu.Lock()
	first := s.trouble
	s.mu.Unlock()
	params := &mcp.ListToolsParams{}
	for range maxToolPages {
		page, err := s.session.ListTools(ctx, params)
		if err != nil {
			break
		}
		for _, tool := range page.Tools {
			if tool.Name == s.plan.tool {
				return true
			}
		}
		if page.NextCursor == "" {
			break
		}
		params = &mcp.ListToolsParams{Cursor: page.NextCursor}
	}
	s.mu.Lock()
	s.trouble = first
	s.mu.Unlock()
	return false
}

// watchedTransport is a transport whose messages the session looks at. The library reads
// results into types of its own, which lose digits of numbers and members that they do
// not know: so it gets an empty result, and the session keeps the whole one.
type watchedTransport struct {
	mcp.Transport
	session *mcpSession
}

// Connect implements mcp.Transport.
func (t watchedTransport) Connect(ctx context.Context) (mcp.Connection, error) {
	conn, err := t.Transport.Connect(ctx)
	if err != nil {
		return nil, err
	}
	t.session.connection = conn
	return &watchedConnection{Connection: conn, session: t.session}, nil
}

type watchedConnection struct {
	mcp.Connection
	session *mcpSession
	// asked is how many questions of the server have been answered; only Read touches it.
	asked int
}

// Write implements mcp.Connection.
func (c *watchedConnection) Write(ctx context.Context, message jsonrpc.Message) error {
	if request, ok := message.(*jsonrpc.Request); ok && request.IsCall() {
		c.session.mu.Lock()
		if request.Method == "initialize" {
			c.session.handshake = request.ID
		}
		if ctx.Value(askedKey{}) != nil {
			c.session.wanted = request.ID
		}
		c.session.mu.Unlock()
	}
	return c.Connection.Write(ctx, message)
}

// Read implements mcp.Connection.
func (c *watchedConnection) Read(ctx context.Context) (jsonrpc.Message, error) {
	for {
		message, err := c.Connection.Read(ctx)
		if err != nil {
			return nil, err
		}
		switch m := message.(type) {
		case *jsonrpc.Response:
			return c.session.answered(m), nil
		case *jsonrpc.Request:
			if c.asked >= maxAsked || !m.IsCall() {
				continue // news are for nobody
			}
			c.asked++
			return question(m), nil
		}
	}
}

// question is what the library gets to see of a question of the server: it answers that
// we are there, and that it knows no other method, without a look at the parameters.
func question(request *jsonrpc.Request) *jsonrpc.Request {
	plain := &jsonrpc.Request{ID: request.ID, Method: "ping"}
	if request.Method != plain.Method {
		plain.Method = "unsupported"
	}
	return plain
}

// answered keeps what matters of a response, and returns what the library gets of it.
func (s *mcpSession) answered(response *jsonrpc.Response) *jsonrpc.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.handshake.IsValid() && response.ID == s.handshake:
		// The next message already has to have the revision in its header.
		var chosen struct {
			ProtocolVersion string `json:"protocolVersion"`
		}
		if err := json.Unmarshal(response.Result, &chosen); err == nil && plainValue(chosen.ProtocolVersion) {
			s.version = chosen.ProtocolVersion
		}
	case s.wanted.IsValid() && response.ID == s.wanted:
		// An error of another type is the library's own: there is no answer.
		s.refusal, _ = errors.AsType[*jsonrpcError](response.Error)
		if response.Error == nil {
			s.result = response.Result
			return &jsonrpc.Response{ID: response.ID, Result: json.RawMessage("{}")}
		}
	}
	return response
}

// errLeft is the end of a request that belongs to a session which is over.
var errLeft = errors.New("the session is over")
