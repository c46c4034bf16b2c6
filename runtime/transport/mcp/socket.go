package mcp

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	sdkauth "github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
)

// maxInFlight is how many requests of one connection are under way at once, and
// maxSubscribed how often it may subscribe: the SDK keeps each resource by itself.
const (
	maxInFlight   = 64
	maxSubscribed = 200
)

// socket is a WebSocket as the SDK's connection. Every message that comes passes the same
// checks as one that is posted.
type socket struct {
	handler *Handler
	conn    *websocket.Conn
	// first is the exchange of the upgrade, with the credential.
	first *exchange
	// alive ends, and gone is closed, when the connection is over.
	alive  context.Context //nolint:containedctx // the SDK hands its handlers another one
	cancel context.CancelFunc
	gone   chan struct{}
	once   sync.Once

	// initialized says that the end of the handshake came.
	initialized atomic.Bool
	// subscribed is how often it subscribed.
	subscribed atomic.Int64

	mu       sync.Mutex
	inFlight map[jsonrpc.ID]*exchange
	// busy counts those in flight and those whose answer is being written.
	busy     int
	draining bool
	// idle is closed when the socket drains and is not busy any more.
	idle chan struct{}
}

func newSocket(first *exchange, conn *websocket.Conn) *socket {
	alive, cancel := context.WithCancel(first.alive)
	return &socket{
		handler: first.handler, conn: conn, first: first, alive: alive, cancel: cancel, gone: make(chan struct{}),
		inFlight: map[jsonrpc.ID]*exchange{}, idle: make(chan struct{}),
	}
}

// Connect implements sdk.Transport.
func (s *socket) Connect(context.Context) (sdk.Connection, error) { return s, nil }

// SupportsProtocolVersion implements sdk.ProtocolVersionSupporter: a connection with a
// handshake has the revisions with one.
func (s *socket) SupportsProtocolVersion(version string) bool { return version < statelessRevision }

// SessionID implements sdk.Connection.
func (s *socket) SessionID() string { return "" }

// Close implements sdk.Connection.
func (s *socket) Close() error {
	s.close(websocket.StatusNormalClosure, "")
	return nil
}

func (s *socket) close(status websocket.StatusCode, reason string) {
	s.once.Do(func() {
		close(s.gone)
		s.cancel()
		_ = s.conn.Close(status, reason) // the client may have gone away
	})
}

// cutOff ends the connection without a word to a client that does not listen.
func (s *socket) cutOff() {
	s.once.Do(func() {
		close(s.gone)
		s.cancel()
		_ = s.conn.CloseNow() // nothing can be done about it
	})
}

// Read implements sdk.Connection. What is refused is answered here, and the next message
// is read.
func (s *socket) Read(ctx context.Context) (jsonrpc.Message, error) {
	for {
		kind, r, err := s.conn.Reader(ctx)
		if err != nil {
			s.close(websocket.StatusNormalClosure, "")
			return nil, io.EOF
		}
		if kind != websocket.MessageText {
			s.close(websocket.StatusUnsupportedData, "a message is JSON: send it as text")
			return nil, io.EOF
		}
		x := s.next()
		m, err := s.accept(ctx, x, r)
		switch {
		case m != nil:
			return m, nil
		case err == nil:
			continue // it is answered
		}
		f := fault.As(err)
		s.answer(ctx, x, f)
		switch f.Code {
		case fault.BodyTooLarge: // the rest of the message is not read
			s.close(websocket.StatusMessageTooBig, "the message is too large")
			return nil, io.EOF
		case fault.Unauthenticated:
			s.close(websocket.StatusPolicyViolation, "the credential is not accepted any more: connect with one that is in force")
			return nil, io.EOF
		default:
		}
	}
}

// accept reads a message and has the engine judge it. The error is a *fault.Error.
func (s *socket) accept(ctx context.Context, x *exchange, r io.Reader) (jsonrpc.Message, error) {
	var err error
	// What arrives of a message takes from the budget for bodies until all of it is there.
	late := time.AfterFunc(s.handler.messageTimeout, s.cutOff)
	x.body, err = s.handler.engine.ReadBody(&x.call, r, -1, nil)
	late.Stop()
	if err != nil {
		return nil, err
	}
	if err := x.message.decode(s.handler.engine.Rules(), x.body); err != nil {
		return nil, err
	}
	// What the credential may do can have changed since the last message.
	if err := s.handler.engine.Authenticate(ctx, &x.call); err != nil {
		return nil, err
	}
	if x.message.broken {
		return nil, s.answerBroken(ctx, x)
	}
	m, err := jsonrpc.DecodeMessage(x.body)
	if err != nil {
		return nil, fault.New(fault.InvalidInput, "the message is none of JSON-RPC: %v", err)
	}
	request, ok := m.(*jsonrpc.Request)
	if !ok || !request.IsCall() {
		s.pass(x)
		return s.notification(x), nil
	}
	request.Extra = extraOf(x)
	if x.message.method == methodSubscribe && s.subscribed.Add(1) > maxSubscribed {
		return nil, noSession("this connection has subscribed as often as it may: connect again")
	}
	if x.message.listens() {
		x.rpcCode = jsonrpc.CodeMethodNotFound
		return nil, fault.New(fault.InvalidInput, "the revisions that a WebSocket has know no method %q: post it to /mcp", x.message.method)
	}
	if err := s.enter(request.ID, x); err != nil {
		return nil, err
	}
	if err := x.admit(ctx); err != nil {
		s.take(request.ID)
		defer s.leave()
		s.answer(ctx, x, fault.As(err))
		return nil, nil
	}
	return m, nil
}

// extraOf has the SDK carry an exchange to the handlers.
func extraOf(x *exchange) *sdk.RequestExtra {
	return &sdk.RequestExtra{TokenInfo: &sdkauth.TokenInfo{Extra: map[string]any{extraKey: x}}}
}

// notification is what the SDK is told of a message that nobody answers: the end of the
// handshake, once, and what ends a request that is under way, without anything else that
// the client wrote. The SDK queues them without a bound, and counts them to no budget; nil
// is none of its business.
func (s *socket) notification(x *exchange) jsonrpc.Message {
	x.body = nil
	n := &jsonrpc.Request{Method: x.message.method, Extra: extraOf(x)}
	switch x.message.method {
	case methodInitialized:
		if !s.initialized.CompareAndSwap(false, true) {
			return nil
		}
	case methodCancelled:
		id, ok := s.cancels(x.message.cancels)
		if !ok {
			return nil
		}
		n.Params = append(jsontext.Append([]byte(`{"requestId":`), id), '}')
	default:
		return nil
	}
	return n
}

// cancels says whether a request with an id is under way, and was not canceled before.
func (s *socket) cancels(id any) (any, bool) {
	raw := id
	if n, ok := id.(int); ok {
		raw = float64(n) // what JSON-RPC's ids are made of
	}
	key, err := jsonrpc.MakeID(raw)
	if err != nil {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	under := s.inFlight[key]
	if under == nil || under.canceled {
		return nil, false
	}
	under.canceled = true
	return id, true
}

// answerBroken answers a call whose message the rules refuse, when something else about it
// goes before that. The error is a *fault.Error.
func (s *socket) answerBroken(ctx context.Context, x *exchange) error {
	if err := x.admit(ctx); err != nil {
		return err
	}
	text, err := x.callText(ctx)
	if err != nil {
		return err
	}
	s.pass(x)
	s.write(ctx, text)
	return nil
}

// pass counts a message that nobody answers.
func (s *socket) pass(x *exchange) {
	x.release()
	x.end(x.code())
}

// enter takes down a request that is under way.
func (s *socket) enter(id jsonrpc.ID, x *exchange) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return draining()
	case s.inFlight[id] != nil:
		return fault.New(fault.InvalidInput, "a request with this id is under way: give each its own")
	case len(s.inFlight) >= maxInFlight:
		f := fault.New(fault.Overloaded, "too many requests of this connection are under way: await some of them")
		f.RetryAfter = retrySoon
		return f
	}
	s.inFlight[id] = x
	s.busy++
	return nil
}

// leave says that a request is answered.
func (s *socket) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy--; s.draining && s.busy == 0 {
		close(s.idle)
	}
}

// abandon gives back what requests hold that were not answered, since the client is gone:
// the SDK writes nothing any more.
func (s *socket) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.inFlight {
		x.release()
		x.end(engine.Canceled)
	}
	s.busy -= len(s.inFlight)
	clear(s.inFlight)
}

// answer tells what became of a message that did not get as far as the SDK.
func (s *socket) answer(ctx context.Context, x *exchange, f *fault.Error) {
	x.release()
	x.end(f.Code)
	if f.Code == engine.Canceled {
		return
	}
	s.write(ctx, x.errorText(x.asError(f)))
}

// Write implements sdk.Connection.
func (s *socket) Write(ctx context.Context, m jsonrpc.Message) error {
	text, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		return err
	}
	response, ok := m.(*jsonrpc.Response)
	if !ok {
		return s.send(ctx, text)
	}
	x := s.take(response.ID)
	if x == nil {
		return s.send(ctx, text)
	}
	defer func() {
		s.leave()
		x.release()
		x.missed()
		x.end(x.code())
	}()
	if response.Error != nil && !x.seen {
		text = x.errorText(x.note(response.Error))
	}
	if x.outcome == engine.Canceled {
		return nil // who cancels a request waits for no answer to it
	}
	return s.send(ctx, text)
}

// take is the exchange of a request that was under way: who has the answer may use its id
// again.
func (s *socket) take(id jsonrpc.ID) *exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.inFlight[id]
	delete(s.inFlight, id)
	return x
}

func (s *socket) send(ctx context.Context, text []byte) error {
	if !s.write(ctx, text) {
		return errors.New("the client does not take the answer")
	}
	return nil
}

// write sends a message within its time. A client that does not take it is cut off.
func (s *socket) write(ctx context.Context, text []byte) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if s.conn.Write(ctx, websocket.MessageText, text) != nil {
		s.close(websocket.StatusGoingAway, "")
		return false
	}
	return true
}
