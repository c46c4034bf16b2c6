package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/transport/wire"
)

const (
	// maxLineBytes bounds a message: the largest body that an app can allow, and what
	// stands around it.
	maxLineBytes = 51 << 20
	// maxInFlight is how many requests are under way at once.
	maxInFlight = 256
)

// The error codes of JSON-RPC that the bridge itself answers with.
const (
	codeParse          = -32700
	codeInvalidRequest = -32600
	codeFailed         = -32000
)

// Bridge hands messages of the Model Context Protocol on from the input, one in each line,
// to the client's MCP endpoint, and writes what comes back as lines. It ends with ctx, or
// with the input once the requests in flight are answered, for which there is lastAnswers.
// A request that is given up ends its run. Nothing but messages is written to out; complaints go to log.
//
// Requests run side by side. A notifications/cancelled gives up the request that it names:
// over HTTP a request is canceled by the end of its connection.
func (c *Client) Bridge(ctx context.Context, in io.Reader, out, log io.Writer) error {
	ctx, stop := context.WithCancelCause(ctx)
	b := &bridge{client: c, stop: stop, out: out, log: log, inFlight: map[string]request{}, idle: make(chan struct{}), bindings: map[string][]binding{}}
	lines, failed := make(chan []byte), make(chan error, 1)
	// A read of the standard input cannot be interrupted: the reader is left behind when
	// ctx ends first, and ends with the process.
	go func() {
		defer close(lines)
		failed <- b.readLines(ctx, in, lines)
	}()
	for open := true; open; {
		select {
		case line, more := <-lines:
			if open = more; more {
				b.take(ctx, line)
			}
		case <-ctx.Done():
			open = false
		}
	}
	cause := context.Cause(ctx)
	if cause == nil {
		b.awaitAnswers(ctx)
	}
	stop(errInputEnded)
	b.wg.Wait()
	switch {
	case errors.Is(cause, errClientGone):
		return nil // who started the bridge has gone: there is nobody to tell
	case cause != nil:
		return cause
	}
	return <-failed
}

// lastAnswers is how long requests in flight may take after the end of the input.
const lastAnswers = 10 * time.Second

// awaitAnswers returns when no request is in flight but those that never end by themselves.
func (b *bridge) awaitAnswers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastAnswers)
	defer cancel()
	b.mu.Lock()
	b.ending = true
	for _, r := range b.inFlight {
		if r.listens {
			r.giveUp()
		}
	}
	idle := len(b.inFlight) == 0
	b.mu.Unlock()
	if idle {
		return
	}
	select {
	case <-b.idle:
	case <-ctx.Done():
	}
}

var (
	errInputEnded = errors.New("the input has ended")
	errClientGone = errors.New("nobody reads the output")
)

// bridge is a Bridge under way.
type bridge struct {
	client *Client
	stop   context.CancelCauseFunc
	out    io.Writer
	log    io.Writer
	wg     sync.WaitGroup

	writing sync.Mutex

	mu sync.Mutex
	// version is the revision that initialize agreed on; none before, or where every
	// request names its own.
	version string
	// inFlight are the requests under way, by the JSON text of their ids. Once ending, idle
	// is closed when none is left.
	inFlight map[string]request
	ending   bool
	idle     chan struct{}
	// bindings are the parameters that become headers, by tool.
	bindings map[string][]binding
}

// request is one under way.
type request struct {
	giveUp context.CancelFunc
	// listens says that it is answered for as long as the client listens.
	listens bool
}

// methodListen asks to be told of changes.
const methodListen = "subscriptions/listen"

// message is what is read of a message of JSON-RPC.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

// call says whether an answer is expected.
func (m message) call() bool { return m.Method != "" && len(m.ID) > 0 && string(m.ID) != "null" }

// readLines reads lines. One that is too long is answered, and skipped.
func (b *bridge) readLines(ctx context.Context, in io.Reader, lines chan<- []byte) error {
	reader := bufio.NewReaderSize(in, 64<<10)
	var line []byte
	for tooLong := false; ; {
		part, err := reader.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
		}
		if len(line) > maxLineBytes {
			tooLong, line = true, nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if tooLong {
			p := newProblem(fault.BodyTooLarge, fmt.Sprintf("the message is longer than %d MiB, the most that any app takes: send less", maxLineBytes>>20))
			b.fail(nil, wire.Status(p.Code, 0), p.Detail, p.text())
		} else if line = bytes.TrimSpace(line); len(line) > 0 {
			select {
			case lines <- line:
			case <-ctx.Done():
				return nil
			}
		}
		line, tooLong = nil, false
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the standard input: %w", err)
		}
	}
}

// take takes one message.
func (b *bridge) take(ctx context.Context, line []byte) {
	if !json.Valid(line) {
		p := newProblem(fault.InvalidInput, "the line is not JSON: write one message in each line")
		b.fail(nil, codeParse, p.Detail, p.text())
		return
	}
	var m message
	_ = json.Unmarshal(line, &m) // of what is no message, such as a batch, the server says so
	if m.Method == "notifications/cancelled" {
		b.cancel(m.Params)
		return
	}
	ctx, done := context.WithCancel(ctx)
	key := string(m.ID)
	if m.call() {
		if problem := b.enter(key, request{done, m.Method == methodListen}); problem != "" {
			done()
			b.fail(m.ID, codeInvalidRequest, problem, nil)
			return
		}
	}
	b.wg.Go(func() {
		defer done()
		if m.call() {
			defer b.leave(key)
		}
		b.post(ctx, m, line)
	})
}

// enter notes a request that begins, unless it cannot.
func (b *bridge) enter(key string, r request) (problem string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.inFlight[key].giveUp != nil:
		return "a request with this id is under way"
	case len(b.inFlight) >= maxInFlight:
		return fmt.Sprintf("there are %d requests under way: wait for one of them", maxInFlight)
	}
	b.inFlight[key] = r
	return ""
}

func (b *bridge) leave(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.inFlight, key)
	if b.ending && len(b.inFlight) == 0 {
		close(b.idle)
	}
}

// cancel gives up the request that a notification names.
func (b *bridge) cancel(params json.RawMessage) {
	var p struct {
		RequestID json.RawMessage `json:"requestId"`
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	b.mu.Lock()
	giveUp := b.inFlight[string(p.RequestID)].giveUp
	b.mu.Unlock()
	if giveUp != nil {
		giveUp()
	}
}

// write writes one message as a line.
func (b *bridge) write(raw []byte) {
	var line bytes.Buffer
	if json.Compact(&line, raw) != nil {
		b.complain("the server sent a message that is not JSON")
		return
	}
	line.WriteByte('\n')
	b.writing.Lock()
	defer b.writing.Unlock()
	if _, err := b.out.Write(line.Bytes()); err != nil {
		b.stop(errClientGone)
	}
}

// fail answers a request, or a line that is none, with an error.
func (b *bridge) fail(id json.RawMessage, code int, text string, data json.RawMessage) {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	raw, err := json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   rpcError        `json:"error"`
	}{"2.0", id, rpcError{code, text, data}})
	if err != nil {
		b.complain("an error cannot be told: " + err.Error())
		return
	}
	b.write(raw)
}

type rpcError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

func (b *bridge) complain(text string) {
	b.writing.Lock()
	defer b.writing.Unlock()
	_, _ = fmt.Fprintln(b.log, "nexus: "+Printable(text))
}
