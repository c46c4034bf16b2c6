package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
)

// post sends a message and writes what the server answers.
func (b *bridge) post(ctx context.Context, m message, line []byte) {
	header, err := b.headers(ctx, m)
	var res *http.Response
	if err == nil {
		res, err = b.client.sendTo(ctx, http.MethodPost, b.client.mcp.String(), header, line)
	}
	if err != nil {
		b.failed(ctx, m, err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if res.StatusCode == http.StatusOK && media == eventStream {
		b.events(ctx, m, res)
		return
	}
	raw, err := readReply(ctx, res, res.StatusCode) // whatever it is, it is handed on
	switch {
	case err != nil:
		b.failed(ctx, m, err)
	case isAnswer(raw):
		b.answer(m, raw)
	case res.StatusCode/100 == 2 && len(bytes.TrimSpace(raw)) == 0 && !m.call():
	case res.StatusCode/100 == 2:
		b.failed(ctx, m, fmt.Errorf("%s does not answer like an MCP server: is --server right?", b.client.mcp.Redacted()))
	default:
		b.refused(m, res, raw)
	}
}

// events writes the messages of a stream. The last is the answer.
func (b *bridge) events(ctx context.Context, m message, res *http.Response) {
	answered := false
	for events := newEventReader(res.Body); ; {
		e, err := events.next()
		switch {
		case errors.Is(err, io.EOF) && (answered || !m.call()):
			return
		case errors.Is(err, io.EOF):
			b.failed(ctx, m, errors.New("the server ended the reply without an answer"))
			return
		case err != nil && !answered:
			b.failed(ctx, m, fmt.Errorf("reading the reply: %w", err))
			return
		case err != nil:
			return
		}
		if len(bytes.TrimSpace(e.data)) == 0 {
			continue
		}
		if answered = answered || isAnswer(e.data); isAnswer(e.data) {
			b.answer(m, e.data)
		} else {
			b.write(e.data)
		}
	}
}

// answerText is what is read of an answer.
type answerText struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Result  json.RawMessage `json:"result"`
	Error   json.RawMessage `json:"error"`
}

func isAnswer(raw []byte) bool {
	var a answerText
	return json.Unmarshal(raw, &a) == nil && a.Version == "2.0" && a.Method == "" && (a.Result != nil || a.Error != nil)
}

// answer writes the answer to a request, and learns from it what later requests need.
func (b *bridge) answer(m message, raw []byte) {
	if !m.call() {
		b.complain(fmt.Sprintf("the server refuses %s: %s", cmp.Or(m.Method, "a message"), compact(raw)))
		return
	}
	var a answerText
	b.hint(raw)
	if json.Unmarshal(raw, &a) == nil && a.Error != nil && (len(a.ID) == 0 || string(a.ID) == "null") {
		// The server refused the request before it read who asks.
		raw = []byte(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"error":` + string(a.Error) + `}`)
	}
	b.learn(m, a.Result)
	b.write(raw)
}

// hint tells who set the bridge up what its client cannot do about a call without a
// credential.
func (b *bridge) hint(raw []byte) {
	var a struct {
		Error struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	if b.client.token == "" && json.Unmarshal(raw, &a) == nil && a.Error.Code == http.StatusUnauthorized {
		b.complain(noCredential)
	}
}

// refused answers with what HTTP says: the code is the status, and the data the problem
// object, where there is one.
func (b *bridge) refused(m message, res *http.Response, raw []byte) {
	text := res.Status
	var data json.RawMessage
	if p, ok := readProblem(raw); ok {
		text, data = Printable(p.Detail), withRetry(raw, res.Header.Get("Retry-After"))
	} else if location := res.Header.Get("Location"); location != "" {
		text += ", with a redirect to " + Printable(location) + ": redirects are not followed"
	}
	if !m.call() {
		b.complain(fmt.Sprintf("the server refuses %s: %s", cmp.Or(m.Method, "a message"), text))
		return
	}
	b.fail(m.ID, res.StatusCode, text, data)
}

// withRetry adds to a problem object how long to wait, which HTTP says in a header.
func withRetry(raw []byte, after string) json.RawMessage {
	var object map[string]json.RawMessage
	if n, err := strconv.Atoi(after); err != nil || n < 0 || json.Unmarshal(raw, &object) != nil || object["retryAfterSeconds"] != nil {
		return raw
	}
	object["retryAfterSeconds"] = json.RawMessage(after)
	out, err := json.Marshal(object)
	if err != nil {
		return raw
	}
	return out
}

// failed answers a request that could not be made. One that was given up has no answer.
func (b *bridge) failed(ctx context.Context, m message, err error) {
	switch {
	case ctx.Err() != nil:
	case m.call():
		b.fail(m.ID, codeFailed, Printable(err.Error()), nil)
	default:
		b.complain(err.Error())
	}
}
