package call

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
	"github.com/nexus-operator/nexus-operator/runtime/yamltext"
)

const theServer = "the MCP server that the task calls"

// maxToldText is how much of what a server says about a failure is kept for the log.
const maxToldText = 1000

// MCP calls a method of an MCP server over Streamable HTTP, in a session of its own: what
// a server keeps for a session of one run, another run never gets to see. It returns the
// JSON-RPC result as workflows hold values. When the context ends, its error can be found
// in the returned one; any other error is a *workflow.Error.
//
// What the server refuses is a runtime error, as the specification has it ("On failure,
// runtimes must raise an error with type .../errors/runtime"). So is a result that says
// isError: the tool failed, and a workflow that went on would take the failure's text
// for data. That text, like that of a JSON-RPC error, was written for whoever holds the
// server's credentials, which is not who called the workflow: it is in the cause, for the
// log. A server that cannot be reached, or answers with a status of HTTP alone, is a
// communication error with that status.
func (c *Caller) MCP(ctx context.Context, r *workflow.MCPRequest) (any, error) {
	p, err := c.mcpPlan(r)
	if err != nil {
		return nil, err
	}
	s, err := c.mcpAttempt(ctx, p)
	// A server that was started anew, or has a sibling that answers in its place, does not
	// know the session and has done nothing.
	if err != nil && s.gone() && ctx.Err() == nil {
		s, err = c.mcpAttempt(ctx, p)
	}
	if err != nil {
		return nil, s.failure(ctx, err)
	}
	return s.output()
}

// mcpPlan is a request that has been looked at.
type mcpPlan struct {
	endpoint string
	header   http.Header
	exchange http.RoundTripper
	client   *mcp.Client
	protocol string
	method   string
	// tool is the name of the tool that is called.
	tool string
	send func(context.Context, *mcp.ClientSession) error
}

// protocolHeaders are those that the protocol sets itself.
var protocolHeaders = []string{"Accept", "Content-Type", "Last-Event-Id", "Mcp-Method", "Mcp-Name", "Mcp-Protocol-Version", "Mcp-Session-Id"}

func (c *Caller) mcpPlan(r *workflow.MCPRequest) (*mcpPlan, error) {
	header, err := headerOf(&workflow.HTTPRequest{Header: r.Header, Authentication: r.Authentication})
	if err != nil {
		return nil, err
	}
	for name := range header {
		if slices.Contains(protocolHeaders, name) || strings.HasPrefix(name, "Mcp-Param-") {
			return nil, workflow.NewError(workflow.ConfigurationError, nil, "the header %s is set by the protocol: leave it out", name)
		}
	}
	if _, err := url.Parse(r.Endpoint); err != nil {
		return nil, notURL(err)
	}
	if r.ProtocolVersion != "" && !slices.Contains(mcp.SupportedProtocolVersions(), r.ProtocolVersion) {
		return nil, workflow.NewError(workflow.ConfigurationError, nil, "protocolVersion: %q is not supported: write one of %s, or leave it out", r.ProtocolVersion, strings.Join(mcp.SupportedProtocolVersions(), ", "))
	}
	send, err := mcpSend(r.Method, r.Parameters)
	if err != nil {
		return nil, err
	}
	self := &mcp.Implementation{Name: r.ClientName, Version: r.ClientVersion}
	if self.Name == "" {
		self.Name, self.Version = "nexus", ownVersion()
	}
	p := &mcpPlan{
		endpoint: r.Endpoint, header: header, exchange: c.authenticated(r.Authentication, false),
		// Nothing is offered to the server: no roots, and nobody to ask.
		client:   mcp.NewClient(self, &mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{}, MultiRoundTrip: &mcp.MultiRoundTripOptions{Disabled: true}}),
		protocol: r.ProtocolVersion, method: r.Method, send: send,
	}
	if r.Method == "tools/call" {
		p.tool, _ = r.Parameters["name"].(string)
	}
	return p, nil
}

// ownVersion is what the client says of itself where the definition says nothing.
var ownVersion = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
})

// mcpAttempt makes one call in one session.
func (c *Caller) mcpAttempt(ctx context.Context, p *mcpPlan) (s *mcpSession, err error) {
	s = newMCPSession(ctx, p)
	defer c.leave(s) //nolint:contextcheck // the session outlives the call by a moment, see leaveTimeout
	// The library handles what strangers send, and recovers from nothing.
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic in a call of %s: %v\n%s", p.method, cause, debug.Stack())
		}
	}()
	if err := s.connect(ctx); err != nil {
		return s, err
	}
	err = p.send(s.asked(ctx), s.session)
	if err != nil && s.headersMissing() && s.learnTool(ctx) {
		err = p.send(s.asked(ctx), s.session)
	}
	return s, err
}

// failure is the error of an attempt, for the workflow.
func (s *mcpSession) failure(ctx context.Context, err error) error {
	if end := endOf(ctx, err); end != nil {
		return fmt.Errorf("waiting for %s: %w", theServer, end)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch t, said := s.trouble, s.said(); {
	case said != nil:
		return workflow.NewError(workflow.RuntimeError, errors.New(told(said.Message)), "%s refuses %s with the JSON-RPC error %d", theServer, s.plan.method, said.Code)
	case t.status != 0:
		out := workflow.NewError(workflow.CommunicationError, nil, "%s answered with status %d", theServer, t.status)
		out.Status = t.status
		return out
	case t.reading != nil:
		return unreadable(ctx, theServer, t.reading)
	case t.sending != nil:
		return failure(ctx, theServer, t.sending)
	}
	return workflow.NewError(workflow.RuntimeError, forLog(err), "%s does not answer as the protocol wants it", theServer)
}

// told is what a server says, as far as it is kept.
func told(text string) string {
	if len(text) > maxToldText {
		text = strings.ToValidUTF8(text[:maxToldText], "") + "..."
	}
	return text
}

// output is the JSON-RPC result of the call.
func (s *mcpSession) output() (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bad := func(cause error) error {
		return workflow.NewError(workflow.RuntimeError, cause, "%s does not answer as the protocol wants it", theServer)
	}
	if !json.Valid(s.result) {
		return nil, bad(errors.New("there is no result"))
	}
	value, err := yamltext.Decode(s.result, yamltext.Options{MaxBytes: maxBody})
	if err != nil {
		return nil, bad(err)
	}
	result, ok := value.(map[string]any)
	if !ok {
		return nil, bad(errors.New("the result is no object"))
	}
	if result["resultType"] == "input_required" {
		return nil, workflow.NewError(workflow.RuntimeError, nil, "%s asks for input, which a workflow cannot give", theServer)
	}
	if s.plan.method == "tools/call" && result["isError"] == true {
		return nil, workflow.NewError(workflow.RuntimeError, errors.New(told(texts(result))), "the tool that the task calls reports an error")
	}
	return result, nil
}

// texts joins the texts of a result's content.
func texts(result map[string]any) string {
	var list []string
	content, _ := result["content"].([]any)
	for _, item := range content {
		block, _ := item.(map[string]any)
		if text, ok := block["text"].(string); ok {
			list = append(list, text)
		}
	}
	return strings.Join(list, "\n")
}
