package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// versionWithHeaders is the first revision of the protocol in which headers repeat what
// is called (its Streamable HTTP transport, "Standard headers").
const versionWithHeaders = "2026-07-28"

// versionKey is where a request of such a revision names it.
const versionKey = "io.modelcontextprotocol/protocolVersion"

// maxToolPages bounds how long tools are looked for.
const maxToolPages = 100

// params are what is read of a request's parameters.
type params struct {
	Name      string                     `json:"name"`
	URI       string                     `json:"uri"`
	Arguments map[string]json.RawMessage `json:"arguments"`
	Meta      map[string]json.RawMessage `json:"_meta"`
}

// headers are those of a message over HTTP.
func (b *bridge) headers(ctx context.Context, m message) (http.Header, error) {
	header := http.Header{"Accept": {"application/json, " + eventStream}}
	var p params
	_ = json.Unmarshal(m.Params, &p) // what else they hold is for the server to judge
	version := b.versionOf(m, p)
	if version == "" {
		return header, nil
	}
	header.Set("Mcp-Protocol-Version", version)
	if version < versionWithHeaders || m.Method == "" {
		return header, nil
	}
	header.Set("Mcp-Method", headerValue(m.Method))
	switch m.Method {
	case "resources/read":
		header.Set("Mcp-Name", headerValue(p.URI))
	case "prompts/get":
		header.Set("Mcp-Name", headerValue(p.Name))
	case "tools/call":
		header.Set("Mcp-Name", headerValue(p.Name))
		bindings, err := b.bindingsOf(ctx, p)
		if err != nil {
			return nil, err
		}
		for _, bound := range bindings {
			if value, ok := bound.value(p.Arguments); ok {
				header.Set("Mcp-Param-"+bound.header, value)
			}
		}
	}
	return header, nil
}

// versionOf is the revision that a message belongs to: its own or the one that was agreed
// on. An initialize agrees on one, and belongs to none yet.
func (b *bridge) versionOf(m message, p params) string {
	var version string
	if json.Unmarshal(p.Meta[versionKey], &version) == nil && version != "" {
		return headerValue(version)
	}
	if m.Method == "initialize" {
		return ""
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.version
}

// learn takes from an answer what later requests need: the revision, and which parameters
// of tools are headers too.
func (b *bridge) learn(m message, result json.RawMessage) {
	var r struct {
		Version string     `json:"protocolVersion"`
		Tools   []toolText `json:"tools"`
	}
	if result == nil || json.Unmarshal(result, &r) != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch m.Method {
	case "initialize":
		b.version = headerValue(r.Version)
	case "tools/list":
		for _, tool := range r.Tools {
			b.bindings[tool.Name] = bindingsIn(tool.InputSchema.Properties, nil)
		}
	}
}

// bindingsOf are the parameters of a tool that are headers too. A client may call a tool
// that it has not listed, or listed in another process: then the bridge lists them.
func (b *bridge) bindingsOf(ctx context.Context, p params) ([]binding, error) {
	b.mu.Lock()
	bindings, known := b.bindings[p.Name]
	b.mu.Unlock()
	if known {
		return bindings, nil
	}
	for cursor, page := "", 0; page < maxToolPages; page++ {
		next, err := b.listTools(ctx, p.Meta, cursor)
		if err != nil {
			return nil, err
		}
		if next == "" {
			break
		}
		cursor = next
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bindings[p.Name], nil
}

// listTools asks for one page of tools, in the name of the request with this meta. Where
// the server refuses, the call itself will be told why.
func (b *bridge) listTools(ctx context.Context, meta map[string]json.RawMessage, cursor string) (next string, err error) {
	asked := map[string]any{"_meta": withoutProgress(meta)}
	if cursor != "" {
		asked["cursor"] = cursor
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": "nexus-tools", "method": "tools/list", "params": asked})
	if err != nil {
		return "", err
	}
	m := message{Method: "tools/list"}
	m.Params, _ = json.Marshal(asked) // it was encoded just now
	header, err := b.headers(ctx, m)
	if err != nil {
		return "", err
	}
	res, err := b.client.sendTo(ctx, http.MethodPost, b.client.mcp.String(), header, body)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := lastMessage(ctx, res)
	if err != nil {
		return "", err
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
	}
	var page struct {
		Next string `json:"nextCursor"`
	}
	if json.Unmarshal(raw, &answer) != nil || json.Unmarshal(answer.Result, &page) != nil {
		return "", nil
	}
	b.learn(m, answer.Result)
	return page.Next, nil
}

// withoutProgress leaves out the token for progress, which is that of another request.
func withoutProgress(meta map[string]json.RawMessage) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(meta))
	for name, value := range meta {
		if strings.HasPrefix(name, "io.modelcontextprotocol/") {
			out[name] = value
		}
	}
	return out
}

// lastMessage reads a reply of one message, be it JSON or a stream.
func lastMessage(ctx context.Context, res *http.Response) ([]byte, error) {
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if media != eventStream {
		return readReply(ctx, res, res.StatusCode)
	}
	var last []byte
	for events := newEventReader(res.Body); ; {
		e, err := events.next()
		switch {
		case errors.Is(err, io.EOF):
			return last, nil
		case err != nil:
			return nil, err
		}
		last = e.data
	}
}

// toolText is what is read of a tool.
type toolText struct {
	Name        string `json:"name"`
	InputSchema struct {
		Properties map[string]propertyText `json:"properties"`
	} `json:"inputSchema"`
}

type propertyText struct {
	Header     json.RawMessage         `json:"x-mcp-header"`
	Properties map[string]propertyText `json:"properties"`
}

// UnmarshalJSON reads a property. Of one that has another form nothing is known.
func (p *propertyText) UnmarshalJSON(raw []byte) error {
	type form propertyText
	var read form
	if json.Unmarshal(raw, &read) == nil {
		*p = propertyText(read)
	}
	return nil
}

// binding is a parameter of a tool that is a header too.
type binding struct {
	path   []string
	header string
}

func bindingsIn(properties map[string]propertyText, prefix []string) []binding {
	var out []binding
	for name, p := range properties {
		path := slices.Concat(prefix, []string{name})
		var header string
		if json.Unmarshal(p.Header, &header) == nil && header != "" {
			out = append(out, binding{path, header})
		}
		out = append(out, bindingsIn(p.Properties, path)...)
	}
	return out
}

// value is what the header says: a text, a boolean or a whole number that every JSON reader
// keeps exact. A parameter that is absent or anything else has no header.
func (b binding) value(arguments map[string]json.RawMessage) (string, bool) {
	raw, ok := arguments[b.path[0]]
	for _, name := range b.path[1:] {
		var object map[string]json.RawMessage
		if !ok || json.Unmarshal(raw, &object) != nil {
			return "", false
		}
		raw, ok = object[name]
	}
	var value any
	if !ok || json.Unmarshal(raw, &value) != nil {
		return "", false
	}
	switch v := value.(type) {
	case string:
		return headerValue(v), true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		const exact = 1<<53 - 1
		if v == math.Trunc(v) && math.Abs(v) <= exact {
			return strconv.FormatInt(int64(v), 10), true
		}
	}
	return "", false
}

// headerValue is a text as a header's value: as it is, or in Base64 where a header cannot
// hold it.
func headerValue(text string) string {
	const prefix, suffix = "=?base64?", "?="
	unsafe := strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
	if !unsafe && text == strings.Trim(text, " ") && (!strings.HasPrefix(text, prefix) || !strings.HasSuffix(text, suffix)) {
		return text
	}
	return prefix + base64.StdEncoding.EncodeToString([]byte(text)) + suffix
}
