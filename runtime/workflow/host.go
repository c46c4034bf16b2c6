package workflow

import (
	"context"
	"time"
)

// Host is what a run reaches outside of itself. A run shares it with others, so all of
// it is safe for concurrent use.
type Host struct {
	// Clock tells the time and wakes up. Default: the system's.
	Clock Clock
	// Random yields numbers in [0, 1): the jitter of retries. Default: math/rand's.
	Random func() float64
	// NewID makes the ids of events, each another one. Default: 128 random bits or more.
	NewID func() string
	// Caller makes the calls of the workflow. Without one, every call fails.
	Caller Caller
	// Secrets returns the values of spec.secrets by name. A value is a string, or an
	// object of strings when the whole Secret is meant. They are read when a run first
	// asks for one.
	Secrets func() map[string]any
}

// Clock tells the time and wakes up. The system's has the meaning of package time.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f in a goroutine of its own once d has passed, unless stop is
	// called before.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// Caller makes the calls of workflows, each within its context and through the egress
// guard. An error that the workflow may catch is an *Error; its texts never show an
// address, a credential or anything else of the inside, which are for its Cause.
type Caller interface {
	// HTTP makes a request and reads the whole response, whatever its status.
	HTTP(context.Context, *HTTPRequest) (*HTTPResponse, error)
	// OpenAPI makes the request that an operation of an OpenAPI document describes.
	OpenAPI(context.Context, *OpenAPIRequest) (*HTTPResponse, error)
	// MCP calls a method of an MCP server and returns the JSON-RPC result.
	MCP(context.Context, *MCPRequest) (any, error)
	// Emit delivers a CloudEvent in its JSON form to the app's sink, if it has one.
	Emit(ctx context.Context, event map[string]any) error
}

// HTTPRequest is call: http with every expression evaluated.
type HTTPRequest struct {
	// Method is in upper case.
	Method string
	// URL is absolute, http or https.
	URL    string
	Header map[string]string
	// Query is added to the URL's own: strings, numbers, booleans, and lists of those;
	// null is left out.
	Query map[string]any
	// Body is sent as JSON, or as it stands when it is a string and the Content-Type is
	// not JSON. HasBody tells a null from no body.
	Body    any
	HasBody bool
	// Redirect lets redirects be followed; else a 3xx is a response like any other.
	Redirect       bool
	Authentication *Authentication
}

// HTTPResponse is what came back.
type HTTPResponse struct {
	// Method, URL and RequestHeader are those of the request that was answered.
	// Credentials are left out.
	Method, URL   string
	RequestHeader map[string]string
	Status        int
	// Header joins the values of one name with ", ". Names are in canonical form.
	Header map[string]string
	Body   []byte
	// Scheme and Parameter are the Authorization that was sent, for $authorization;
	// empty without one.
	Scheme, Parameter string
}

// OpenAPIRequest is call: openapi with every expression evaluated.
type OpenAPIRequest struct {
	// Document is the document's endpoint as the definition writes it, and Access how it
	// is fetched; nil for anonymously.
	Document    string
	Access      *Authentication
	OperationID string
	// Parameters are those of the operation by name; "body" is the request body, where no
	// parameter has that name.
	Parameters     map[string]any
	Redirect       bool
	Authentication *Authentication
}

// MCPRequest is call: mcp with every expression evaluated.
type MCPRequest struct {
	// Endpoint is the URL of the server's Streamable HTTP endpoint.
	Endpoint string
	Header   map[string]string
	// ProtocolVersion is the revision asked for; empty for the newest that both sides
	// know.
	ProtocolVersion string
	// ClientName and ClientVersion are empty when the definition names no client.
	ClientName, ClientVersion string
	// Method is tools/list, tools/call, prompts/list, prompts/get, resources/list,
	// resources/read or resources/templates/list.
	Method         string
	Parameters     map[string]any
	Authentication *Authentication
}

// AuthenticationScheme is a way to prove who calls.
type AuthenticationScheme string

// The schemes of the specification.
const (
	AuthenticateBasic  AuthenticationScheme = "basic"
	AuthenticateBearer AuthenticationScheme = "bearer"
	AuthenticateDigest AuthenticationScheme = "digest"
	AuthenticateOAuth2 AuthenticationScheme = "oauth2"
	AuthenticateOIDC   AuthenticationScheme = "oidc"
)

// Authentication is an authentication policy with every expression and secret in place.
type Authentication struct {
	Scheme AuthenticationScheme
	// Username and Password are those of basic and digest.
	Username, Password string
	// Token is that of bearer.
	Token string
	// OAuth2 is that of oauth2 and oidc.
	OAuth2 *OAuth2
}

// OAuth2 is how a token is asked for with the grant client_credentials.
type OAuth2 struct {
	// Authority is the URL of the authority. With oidc, the token endpoint is found
	// through its discovery document; with oauth2, it is TokenPath relative to it
	// (default: /oauth2/token).
	Authority, TokenPath string
	ClientID             string
	ClientSecret         string
	// Assertion is a signed JWT, for private_key_jwt.
	Assertion string
	// ClientAuthentication is client_secret_post (the default), client_secret_basic,
	// client_secret_jwt, private_key_jwt or none.
	ClientAuthentication string
	// Encoding of the request: application/x-www-form-urlencoded (the default) or
	// application/json.
	Encoding          string
	Scopes, Audiences []string
	// Issuers, when not empty, are those that a token which is a JWT may name.
	Issuers []string
}

// TaskPhase is what happened to a task.
type TaskPhase string

// The phases.
const (
	TaskStarted   TaskPhase = "started"
	TaskCompleted TaskPhase = "completed"
	TaskSkipped   TaskPhase = "skipped" // its if was not true
	TaskFaulted   TaskPhase = "faulted"
	TaskRetried   TaskPhase = "retried" // a try task begins another attempt
)

// TaskEvent is one event of a task.
type TaskEvent struct {
	Phase TaskPhase
	// Workflow is the name of the workflow that the task belongs to: another one than was
	// called in the tasks of run: workflow.
	Workflow string
	// Reference is the task's JSON pointer in its definition; Kind its keyword, and for
	// calls also what is called: "set", "call http", "call mcp".
	Name, Reference, Kind string
	Time                  time.Time
	// Took is how long the task ran, in completed and faulted.
	Took time.Duration
	// Error is that of faulted and retried.
	Error *Error
}

// Options are those of one run.
type Options struct {
	// ID identifies the run: $workflow.id.
	ID string
	// Trace, when not nil, is told of every task as it starts and ends, and of no other
	// run. It is called by several goroutines at once and returns soon.
	Trace func(TaskEvent)
	// Spawn starts another workflow of the app as a run of its own: run: workflow with
	// await: false. Without it such a task fails.
	Spawn func(ctx context.Context, workflow string, inputs any) error
}
