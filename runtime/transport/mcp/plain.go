package mcp

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
)

// Most messages are calls of a tool that ask for nothing but the result. The SDK reads each
// of them about nine times over, with 300 KB of garbage; here they are answered from what
// was read already. Only a call without any doubt is: whatever is odd about a message or its
// headers is the SDK's to judge, and TestPlain compares the two.

// plain says whether the message is such a call.
func (x *exchange) plain() bool {
	m, header := &x.message, x.r.Header
	if m.method != methodCallTool || x.tool == nil || !m.known || m.odd || x.streams() || !usual(header) {
		return false
	}
	if m.revision < statelessRevision {
		return m.metaRevision == "" && (m.revision == "" || slices.Contains(sdk.SupportedProtocolVersions(), m.revision))
	}
	return m.revision == statelessRevision && m.metaRevision == statelessRevision && m.capabilities && !x.tool.headers &&
		header.Get("Mcp-Method") == methodCallTool && header.Get("Mcp-Name") == m.name
}

// usual says whether a client takes both forms of a reply, as the protocol asks of it, and
// wants no earlier one.
func usual(header http.Header) bool {
	accept := header["Accept"]
	if len(accept) != 1 || len(header["Last-Event-Id"]) > 0 {
		return false
	}
	return accept[0] == "*/*" || strings.Contains(accept[0], "application/json") && strings.Contains(accept[0], "text/event-stream")
}

// answerCall runs the tool and writes the result.
func (x *exchange) answerCall(ctx context.Context) error {
	text, err := x.callText(ctx)
	if err != nil {
		return err
	}
	return x.writeResult(text)
}

// callText runs the tool and returns the answer. An error is one that is no result.
func (x *exchange) callText(ctx context.Context) ([]byte, error) {
	err := x.refusal
	if err == nil {
		err = x.handler.engine.Execute(ctx, &x.call)
	}
	if err != nil && !told(fault.As(err).Code) {
		return nil, err // as what was refused before
	}
	if err == nil && !x.tool.content && x.call.Mode != engine.Async {
		return append(x.appendStructured(x.open(nil)), '}'), nil
	}
	result, err := x.outcomeOf(err)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(result)
	if err != nil {
		return nil, err
	}
	// What every result of the revision has is put before the members of this one.
	b := append(x.open(nil), '{')
	b = x.appendRevision(b, result.Meta == nil)
	return append(append(b, text[1:]...), '}'), nil
}

// outcomeOf is the result of a call that is not the output as it stands.
func (x *exchange) outcomeOf(err error) (result *sdk.CallToolResult, _ error) {
	switch {
	case err == nil && x.call.Mode == engine.Async:
		result = x.started()
	case err == nil:
		result, err = x.result(x.message.revision)
	}
	if err != nil {
		if result, err = x.fail(err); err != nil {
			return nil, err
		}
	}
	if result.Meta != nil && x.message.revision >= statelessRevision {
		result.Meta[sdk.MetaKeyServerInfo] = x.handler.info
	}
	return result, nil
}

// open begins the answer.
func (x *exchange) open(b []byte) []byte {
	return append(jsontext.Append(append(b, `{"jsonrpc":"2.0","id":`...), x.message.id), `,"result":`...)
}

// appendRevision appends what the revision without a handshake has in every result.
func (x *exchange) appendRevision(b []byte, meta bool) []byte {
	if x.message.revision < statelessRevision {
		return b
	}
	if meta {
		b = append(append(b, `"_meta":{"`+sdk.MetaKeyServerInfo+`":`...), x.handler.infoText...)
		b = append(b, "},"...)
	}
	return append(b, `"resultType":"complete",`...)
}

// appendStructured appends the output of a run as the result of a tool.
func (x *exchange) appendStructured(b []byte) []byte {
	text := jsontext.Append(nil, x.call.Output)
	x.call.Output = nil // its text is all that is needed from now on
	b = x.appendRevision(append(b, '{'), true)
	b = jsontext.AppendString(append(b, `"content":[{"type":"text","text":`...), string(text))
	b = append(b, "}]"...)
	if text[0] == '{' || x.message.revision >= statelessRevision {
		b = append(append(b, `,"structuredContent":`...), text...)
	}
	return append(b, '}')
}

// writeResult sends an answer.
func (x *exchange) writeResult(b []byte) error {
	if err := x.afford(int64(len(b))); err != nil {
		return err
	}
	header := x.w.Header()
	x.setRateLimit()
	header["Cache-Control"], header["Content-Type"] = noStore, jsonType
	header["Content-Length"] = []string{strconv.Itoa(len(b))}
	x.w.WriteHeader(http.StatusOK)
	_, _ = x.w.Write(b) // the caller may have gone away
	return nil
}
