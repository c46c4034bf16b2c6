package call

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
)

// maxRefusal is how many bytes are read of a response whose status is an error.
const maxRefusal = 64 << 10

// trouble is what went wrong with the last request of a session. The library keeps of it
// only a text.
type trouble struct {
	// sending is why there was no response, reading why it could not be read.
	sending, reading error
	// status is that of a response which is no success, and refusal the JSON-RPC error in
	// it.
	status  int
	refusal *jsonrpcError
	// gone says that the server did not know the session of a message.
	gone bool
}

// exchange makes the requests of a session: with the headers of the definition, through
// the guard, with bounds, and no longer than the session.
type exchange struct{ session *mcpSession }

// RoundTrip implements http.RoundTripper.
func (e exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	s := e.session
	ctx, cancel := context.WithCancelCause(req.Context())
	left := func() { cancel(errLeft) }
	stop := context.AfterFunc(s.ctx, left) //nolint:contextcheck // the request has its own context, and ends with the session's too
	release := func() { stop(); cancel(nil) }
	s.note(req, trouble{})
	s.mu.Lock()
	version, leaving := s.version, s.leaving
	s.mu.Unlock()
	if req.Method == http.MethodDelete && !leaving {
		// The library ends a broken session at once, in the middle of the call.
		stopCall := context.AfterFunc(s.call, left) //nolint:contextcheck // as above
		defer stopCall()
	}
	req = req.Clone(ctx)
	maps.Copy(req.Header, s.plan.header)
	if version != "" && req.Header.Get("Mcp-Protocol-Version") == "" {
		req.Header.Set("Mcp-Protocol-Version", version)
	}
	resp, err := s.plan.exchange.RoundTrip(req)
	if err != nil {
		release()
		s.note(req, trouble{sending: err})
		return nil, err
	}
	resp.Body = &watchedBody{ReadCloser: resp.Body, session: s, req: req, release: release}
	if err := s.look(req, resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// note remembers how a request went, but for what ends a session: that may come before
// anybody has asked how the call went.
func (s *mcpSession) note(req *http.Request, t trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.Method != http.MethodDelete && !s.leaving {
		s.trouble = t
	}
}

// look judges a response before the library gets it.
func (s *mcpSession) look(req *http.Request, resp *http.Response) error {
	if resp.StatusCode/100 != 2 {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // its status says enough without it
		_ = resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(body))
		t := trouble{status: resp.StatusCode, gone: resp.StatusCode == http.StatusNotFound && req.Method == http.MethodPost && req.Header.Get("Mcp-Session-Id") != ""}
		var message struct {
			Version string        `json:"jsonrpc"`
			Error   *jsonrpcError `json:"error"`
		}
		if json.Unmarshal(body, &message) == nil && message.Version != "" {
			t.refusal = message.Error
		}
		s.note(req, t)
		return nil
	}
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media != jsonType || req.Method != http.MethodPost {
		return nil
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err // which the body has noted
	}
	_ = resp.Body.Close()
	if !json.Valid(body) {
		body = nil // the library is spared what is no JSON, and misses an answer where it wants one
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// watchedBody is the body of a response of a session.
type watchedBody struct {
	io.ReadCloser
	session *mcpSession
	req     *http.Request
	release func()
}

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("reading the body of %s: %w", b.req.URL.Host, err)
		b.session.note(b.req, trouble{reading: err})
	}
	return n, err
}

// Close implements io.Closer.
func (b *watchedBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
