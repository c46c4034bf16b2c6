package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/runtime/engine"
	"github.com/nexus-operator/nexus-operator/runtime/execution"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/jsontext"
	"github.com/nexus-operator/nexus-operator/runtime/validate"
)

// statelessRevision is the first revision of the protocol without a handshake, in which
// each request says what it needs.
const statelessRevision = "2026-07-28"

// The methods that are looked at here.
const (
	methodCallTool     = "tools/call"
	methodReadResource = "resources/read"
	methodGetPrompt    = "prompts/get"
	methodListen       = "subscriptions/listen"
	methodSubscribe    = "resources/subscribe"
	methodInitialize   = "initialize"
	methodInitialized  = "notifications/initialized"
	methodCancelled    = "notifications/cancelled"
)

// Members of _meta that are the protocol's, and ours.
const (
	metaProgressToken  = "progressToken"
	metaLogLevel       = "io.modelcontextprotocol/logLevel"
	metaMode           = "nexus.dev/mode"
	metaIdempotencyKey = "nexus.dev/idempotencyKey"
	metaProblem        = "nexus.dev/problem"
	metaExecution      = "nexus.dev/execution"
)

// What the protocol itself asks for is short: sessions and streams keep it for as long as
// they last, and every answer and note repeats ids and tokens. Sizes are in bytes.
const (
	maxProtocolMessage = 64 << 10
	maxToken           = 256
	maxURI             = 2048
)

// envelopeDepth is how deep in a message the inputs are: the message, its params, their
// arguments.
const envelopeDepth = 2

// message is one JSON-RPC message, as far as it is looked at here.
type message struct {
	// revision is what the HTTP header says; empty for a WebSocket.
	revision string
	// id is that of a request; nil for a notification. known says that it was read.
	id     any
	known  bool
	method string
	// code is the JSON-RPC code of what is no message; 0 of what is one.
	code int64
	// name is that of the tool, or the URI of the resource.
	name string
	// cancels is the id of the request that the message ends.
	cancels   any
	arguments map[string]any
	// progressToken is nil where nobody asked for progress.
	progressToken any
	logLevel      string
	// metaRevision is what _meta says of the revision; capabilities that it has those of the
	// client. odd says that there is more in the message than is looked at here.
	metaRevision   string
	capabilities   bool
	odd            bool
	mode           engine.Mode
	idempotencyKey string
	// problem is what is wrong with the params. broken says that it concerns the message as
	// a whole, which nobody else is to read.
	problem error
	broken  bool
}

// decode reads a message under the input rules. The error is a *fault.Error.
func (m *message) decode(rules *validate.Rules, text []byte) error {
	tree, err := rules.DecodeNested(text, envelopeDepth)
	if err != nil {
		if m.recoverHead(text); m.broken {
			m.problem = err
			return nil
		}
		return err
	}
	if _, ok := tree.([]any); ok {
		return m.noMessage("messages in a list are not taken, since each has limits of its own: send one message at a time")
	}
	object, _ := tree.(map[string]any)
	switch id := object["id"].(type) {
	case string, int:
		m.id, m.known = id, true
	default:
		if _, there := object["id"]; there {
			return m.noMessage("the id of a message is a text or an integer of at most 64 bits: send another")
		}
	}
	m.method, _ = object["method"].(string)
	_, result := object["result"]
	_, failed := object["error"]
	if object["jsonrpc"] != "2.0" || m.method == "" && !result && !failed {
		return m.noMessage(`a message is a JSON-RPC object: {"jsonrpc": "2.0", "id": 1, "method": ..., "params": {...}}`)
	}
	if m.method == methodCallTool && m.id == nil {
		return m.noMessage("a tools/call has an id, by which it is answered: send one")
	}
	if err := m.checkSizes(len(text), object); err != nil {
		return err
	}
	m.odd = len(object) != 4 // jsonrpc, id, method, params
	m.decodeParams(object["params"])
	return nil
}

// checkSizes bounds what is kept or repeated of a message. Its inputs have a bound of their
// own.
func (m *message) checkSizes(size int, object map[string]any) error {
	if size > maxProtocolMessage && m.method != methodCallTool && m.method != methodGetPrompt {
		return fault.New(fault.BodyTooLarge, "a message other than tools/call and prompts/get has at most %d bytes: send less", maxProtocolMessage)
	}
	if id, ok := m.id.(string); ok && len(id) > maxToken {
		m.id, m.known = nil, false
		return m.noMessage("the id of a message is longer than 256 bytes: send a shorter one")
	}
	params, _ := object["params"].(map[string]any)
	if uri, ok := params["uri"].(string); ok && len(uri) > maxURI {
		return badParam("/uri", "is longer than 2048 bytes, which no resource's is")
	}
	return nil
}

// noMessage refuses what is JSON and no message.
func (m *message) noMessage(why string) error {
	m.code = jsonrpc.CodeInvalidRequest
	return fault.New(fault.InvalidInput, "%s", why)
}

// recoverHead finds the id of a message that the rules refuse, so that the client knows
// which of its requests that was; and the tool that it calls, since whether that may be
// called goes before what is wrong with the message.
func (m *message) recoverHead(text []byte) {
	var head struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if json.Unmarshal(text, &head) != nil {
		return
	}
	m.method, m.name = head.Method, head.Params.Name
	var word string
	var number int
	switch {
	case bytes.Equal(head.ID, []byte("null")):
	case json.Unmarshal(head.ID, &word) == nil:
		m.id, m.known = word, true
	case json.Unmarshal(head.ID, &number) == nil:
		m.id, m.known = number, true
	}
	m.broken = m.known && m.method == methodCallTool && m.name != ""
}

// decodeParams reads what is looked at here of the params. What is wrong with them is kept
// for who needs them.
func (m *message) decodeParams(value any) {
	params, ok := value.(map[string]any)
	if !ok {
		if m.method == methodCallTool {
			m.problem = badParam("", `must be an object: {"name": ..., "arguments": {...}}`)
		}
		return
	}
	meta, isMeta := params["_meta"].(map[string]any)
	if isMeta {
		m.decodeMeta(meta)
	}
	for name := range params {
		m.odd = m.odd || name != "name" && name != "arguments" && (name != "_meta" || !isMeta)
	}
	switch m.method {
	case methodCallTool:
		m.name = m.text(params, "name")
		m.decodeArguments(params)
	case methodCancelled:
		m.cancels = params["requestId"]
	case methodGetPrompt:
		m.name = m.text(params, "name")
		m.checkTexts(params["arguments"])
	case methodReadResource:
		m.name, _ = params["uri"].(string)
	}
}

func (m *message) text(params map[string]any, key string) string {
	text, ok := params[key].(string)
	if !ok {
		m.problem = badParam("/"+key, "must be a text")
	}
	return text
}

// decodeArguments takes the inputs of a tool, every one of them and under its name.
func (m *message) decodeArguments(params map[string]any) {
	value, there := params["arguments"]
	arguments, ok := value.(map[string]any)
	if there && !ok {
		m.problem = badParam("/arguments", "must be an object whose members are the inputs")
	}
	if arguments == nil {
		arguments = map[string]any{}
	}
	m.arguments = arguments
}

// checkTexts takes nothing but texts for the arguments of a prompt, as the protocol does.
func (m *message) checkTexts(value any) {
	arguments, ok := value.(map[string]any)
	if !ok && value != nil {
		m.problem = badParam("/arguments", "must be an object whose members are texts")
	}
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		if _, ok := arguments[name].(string); !ok {
			m.problem = badParam("/arguments/"+jsontext.EscapePointer(name), "must be a text")
			return
		}
	}
}

// modes are the values of metaMode.
var modes = map[string]engine.Mode{"sync": engine.Sync, "async": engine.Async}

func (m *message) decodeMeta(meta map[string]any) {
	switch token := meta[metaProgressToken].(type) {
	case nil:
	case string:
		if m.progressToken = token; len(token) > maxToken {
			m.progressToken, m.problem = nil, badParam("/_meta/progressToken", "is longer than 256 bytes")
		}
	case int:
		m.progressToken = token
	default:
		m.problem = badParam("/_meta/progressToken", "must be a text or an integer")
	}
	m.logLevel, _ = meta[metaLogLevel].(string)
	m.metaRevision, _ = meta[sdk.MetaKeyProtocolVersion].(string)
	_, m.capabilities = meta[sdk.MetaKeyClientCapabilities].(map[string]any)
	if m.method == methodCallTool {
		m.checkOurs(meta)
	}
	if value, there := meta[metaMode]; there && m.method == methodCallTool {
		name, _ := value.(string)
		mode, ok := modes[name]
		if !ok {
			m.problem = badParam("/_meta/nexus.dev~1mode", `must be "sync" or "async"`)
		}
		m.mode = mode
	}
	if value, there := meta[metaIdempotencyKey]; there && m.method == methodCallTool {
		key, ok := value.(string)
		if m.idempotencyKey = key; !ok {
			m.problem = badParam("/_meta/nexus.dev~1idempotencyKey", "must be a text")
		} else if err := execution.CheckIdempotencyKey(key); err != nil {
			m.problem = err
		}
	}
}

// ours are the members of _meta of a call that are ours.
var ours = []string{metaMode, metaIdempotencyKey}

// checkOurs refuses a member that looks like ours and is not: what it was to ask for would
// be left out without a word.
func (m *message) checkOurs(meta map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(meta)) {
		if strings.HasPrefix(name, "nexus.dev/") && !slices.Contains(ours, name) {
			m.problem = badParam("/_meta/"+jsontext.EscapePointer(name), "is not known: there are "+strings.Join(ours, " and "))
			return
		}
	}
}

func badParam(pointer, text string) error {
	f := fault.New(fault.InvalidInput, "%s", fmt.Sprintf("the message at /params%s: %s", pointer, text))
	f.Violations = []fault.Violation{{Pointer: "/params" + pointer, Message: text}}
	return f
}

// listens says whether the message asks for a stream that stays open.
func (m *message) listens() bool { return m.method == methodListen }
