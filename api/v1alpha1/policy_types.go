package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
)

// RateLimit bounds how often callers may run workflows. Executions consume;
// listing, discovery and health do not.
type RateLimit struct {
	// mode is Enforce, Shadow (a spent limit is counted and logged, and refuses
	// nobody) or Disabled. Default: Enforce. Shadow and Disabled need the
	// acknowledged risk RateLimitDisabled.
	// +optional
	Mode RateLimitMode `json:"mode,omitempty"`

	// requestsPerMinute is the sustained rate. Default: 100.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	RequestsPerMinute int32 `json:"requestsPerMinute,omitempty"`

	// burst is how many requests may come at once after a pause. Default:
	// requestsPerMinute.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Burst int32 `json:"burst,omitempty"`

	// per says who shares a bucket: Subject (each authenticated subject its
	// own, anonymous callers by client IP), ClientIP, or App (all callers
	// together). Default: Subject.
	// +optional
	Per RateLimitPer `json:"per,omitempty"`

	// onStoreError says what happens while spec.redis cannot be reached: Local
	// (every pod counts by itself until it can), Deny (503), or Allow (no
	// limit, which needs the acknowledged risk RateLimitDisabled). Only with
	// spec.redis. Default: Local.
	// +optional
	OnStoreError StoreErrorMode `json:"onStoreError,omitempty"`

	// authFailuresPerMinute is how many refused credentials one client IP may
	// present before further refusals are answered with 429. Requests without
	// a credential and requests with a valid one spend nothing. Default: 10.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	AuthFailuresPerMinute int32 `json:"authFailuresPerMinute,omitempty"`

	// trustedProxies are the networks, in CIDR notation, whose X-Forwarded-For
	// header is believed. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="self.all(c, isCIDR(c))",message="each entry is a network in CIDR notation: write 10.0.0.0/8, or 192.0.2.7/32 for one address"
	TrustedProxies []string `json:"trustedProxies,omitempty"`
}

// RateLimitMode says what a spent limit does.
// +kubebuilder:validation:Enum=Enforce;Shadow;Disabled
type RateLimitMode string

// The rate limit modes.
const (
	RateLimitEnforce  RateLimitMode = "Enforce"
	RateLimitShadow   RateLimitMode = "Shadow"
	RateLimitDisabled RateLimitMode = "Disabled"
)

// StoreErrorMode says what a limit does while its store cannot be reached.
// +kubebuilder:validation:Enum=Local;Deny;Allow
type StoreErrorMode string

// The ways to go on without the store.
const (
	StoreErrorLocal StoreErrorMode = "Local"
	StoreErrorDeny  StoreErrorMode = "Deny"
	StoreErrorAllow StoreErrorMode = "Allow"
)

// RateLimitPer says who shares a bucket.
// +kubebuilder:validation:Enum=Subject;ClientIP;App
type RateLimitPer string

// The ways to share a bucket.
const (
	PerSubject  RateLimitPer = "Subject"
	PerClientIP RateLimitPer = "ClientIP"
	PerApp      RateLimitPer = "App"
)

// Input holds the rules that every input passes before a workflow sees it.
type Input struct {
	// maxBytes is the largest request body, in whole bytes, at most 50Mi.
	// Default: 10Mi.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 52428800 : isQuantity(string(self)) && quantity(string(self)).isInteger() && quantity(string(self)).isGreaterThan(quantity('0')) && !quantity(string(self)).isGreaterThan(quantity('50Mi'))",message="maxBytes is a whole number of bytes from 1 to 50Mi: write 10Mi or 1048576"
	MaxBytes resource.Quantity `json:"maxBytes,omitzero"`

	// policy is Standard (size, encoding, depth, blocked keys, path traversal)
	// or Strict, which also refuses every input to a workflow that declares no
	// input schema. Default: Standard.
	// +optional
	Policy InputPolicy `json:"policy,omitempty"`

	// allowedKeys are the names of keys that are let through although a rule
	// would block them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	AllowedKeys []string `json:"allowedKeys,omitempty"`
}

// InputPolicy is a set of input rules.
// +kubebuilder:validation:Enum=Standard;Strict
type InputPolicy string

// The input policies.
const (
	InputStandard InputPolicy = "Standard"
	InputStrict   InputPolicy = "Strict"
)

// Limits bounds what one pod does at once and for how long.
type Limits struct {
	// maxConcurrentWorkflows is how many workflows one pod runs at once; one
	// more is answered with 503 and Retry-After. Default: 200.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxConcurrentWorkflows int32 `json:"maxConcurrentWorkflows,omitempty"`

	// requestTimeoutSeconds is how long one run may take; a longer one is
	// answered with 504. Default: 60.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	RequestTimeoutSeconds int32 `json:"requestTimeoutSeconds,omitempty"`

	// executionRetentionSeconds is how long the status and the result of an
	// asynchronous or streamed run, and the answer to an Idempotency-Key, are
	// kept after the run has ended. Default: 3600.
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=604800
	ExecutionRetentionSeconds int32 `json:"executionRetentionSeconds,omitempty"`
}

// Logging sets how much the pods log, and in which form.
type Logging struct {
	// level is Debug, Info, Warn or Error. Default: Debug in Development, else
	// Info. Security events are logged at every level.
	// +optional
	Level LogLevel `json:"level,omitempty"`

	// format is JSON or Text. Default: Text in Development, else JSON.
	// +optional
	Format LogFormat `json:"format,omitempty"`
}

// LogLevel is the least severe level that is logged.
// +kubebuilder:validation:Enum=Debug;Info;Warn;Error
type LogLevel string

// The log levels.
const (
	LogDebug LogLevel = "Debug"
	LogInfo  LogLevel = "Info"
	LogWarn  LogLevel = "Warn"
	LogError LogLevel = "Error"
)

// LogFormat is the form of a log line.
// +kubebuilder:validation:Enum=JSON;Text
type LogFormat string

// The log formats.
const (
	LogJSON LogFormat = "JSON"
	LogText LogFormat = "Text"
)

// Workflow is one workflow and the policies that are its own.
// +kubebuilder:validation:XValidation:rule="[has(self.definition), has(self.definitionText), has(self.definitionRef)].filter(x, x).size() == 1",message="a workflow has one definition: set exactly one of definition, definitionText and definitionRef",fieldPath=".definition",reason=FieldValueRequired
type Workflow struct {
	// name of the workflow, in lower-case letters, digits and dashes. It is
	// part of the URL, and the definition's document.name must be the same.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')`,message="use lower-case letters, digits and dashes, with a letter or digit at both ends"
	Name string `json:"name,omitempty"`

	// expose lists the channels that serve the workflow: REST, MCP. Default:
	// both.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	Expose []Channel `json:"expose,omitempty"`

	// mcp says how the workflow is served over MCP.
	// +optional
	MCP WorkflowMCP `json:"mcp,omitzero"`

	// routes are URLs that run the workflow, besides POST
	// /workflows/NAME/execute. Inputs come from the path's {variables}, the
	// query (typed by the input schema) and a JSON body; the reply is the
	// workflow's output itself.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Routes []Route `json:"routes,omitempty"`

	// rateLimit is the workflow's own bucket, besides the app's; it is shared
	// as spec.rateLimit.per says.
	// +optional
	RateLimit WorkflowRateLimit `json:"rateLimit,omitzero"`

	// authorization says who may run the workflow. Default: every
	// authenticated caller.
	// +optional
	Authorization Authorization `json:"authorization,omitzero"`

	// timeoutSeconds is how long a run of this workflow may take. Default, and
	// upper bound: spec.limits.requestTimeoutSeconds.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`

	// definition is the workflow in the Open Workflow Specification DSL 1.0.3,
	// at most 64 KiB. docs/workflows.md says what of the language is supported;
	// whatever else it has is refused by name. YAML readers turn an unquoted on,
	// off, yes or no into a boolean: quote it, or use definitionText.
	// +optional
	// +mapType=atomic
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:XPreserveUnknownFields
	Definition runtime.RawExtension `json:"definition,omitzero"`

	// definitionText is the workflow as text, in YAML 1.2 or JSON, at most 64 KiB.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	DefinitionText string `json:"definitionText,omitempty"`

	// definitionRef names the entry of a ConfigMap with the workflow as text.
	// The app follows its changes.
	// +optional
	DefinitionRef *DefinitionReference `json:"definitionRef,omitzero"`
}

// DefinitionReference says where the text of a definition is.
type DefinitionReference struct {
	// configMapRef names the ConfigMap's entry that holds the text.
	// +required
	ConfigMapRef ConfigMapKeyReference `json:"configMapRef,omitzero"`
}

// WorkflowSecret is a secret that workflows use by a name of their own.
type WorkflowSecret struct {
	// name by which definitions list it in use.secrets.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-zA-Z0-9]([-_a-zA-Z0-9]*[a-zA-Z0-9])?$')`,message="use letters, digits, dashes and underscores, with a letter or digit at both ends"
	Name string `json:"name,omitempty"`

	// secretRef names the Secret. With a key the secret is the text of that
	// entry; without one it is an object with every entry of the Secret, such as
	// the username and password of a kubernetes.io/basic-auth Secret.
	// +required
	SecretRef WorkflowSecretReference `json:"secretRef,omitzero"`
}

// WorkflowSecretReference names a Secret, or one entry of it.
type WorkflowSecretReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')`,message="use lower-case letters, digits, dashes and dots, with a letter or digit at both ends"
	Name string `json:"name,omitempty"`

	// key is the entry. Default: all entries.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[-._a-zA-Z0-9]+$')`,message="use letters, digits, dashes, dots and underscores"
	Key string `json:"key,omitempty"`
}

// Events says what becomes of the events that workflows emit.
type Events struct {
	// sink is the URL that every event is posted to, as a CloudEvent in the
	// structured JSON form; a Knative broker for example. Default: events are
	// the output of their emit task and go nowhere else.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^https?://[^/?#@\s]+(/[^?#\s]*)?$')`,message="write the sink as http://HOST:PORT/PATH or https://HOST/PATH, without user, query and fragment"
	Sink string `json:"sink,omitempty"`
}

// Channel is a way to reach a workflow.
// +kubebuilder:validation:Enum=REST;MCP
type Channel string

// The channels. The CLI is served by the REST API.
const (
	// ChannelREST is the REST API.
	ChannelREST Channel = "REST"
	// ChannelMCP is the Model Context Protocol, over HTTP, WebSocket and standard
	// input and output.
	ChannelMCP Channel = "MCP"
)

// Route is a URL that runs a workflow.
type Route struct {
	// method is GET, POST, PUT, PATCH or DELETE.
	// +required
	// +kubebuilder:validation:Enum=GET;POST;PUT;PATCH;DELETE
	Method string `json:"method,omitempty"`

	// path starts with a slash; a whole segment may be a {variable}, as in
	// /api/orders/{id}, and becomes an input of that name.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^(/([A-Za-z0-9._~-]+|[{][A-Za-z_][A-Za-z0-9_]*[}]))+$')`,message="write a path as /api/orders/{id}: segments of letters, digits and . _ ~ -, or a whole segment as a {variable}, and no slash at the end"
	// +kubebuilder:validation:XValidation:rule=`!self.matches(r'^/(workflows|executions|sessions|health|openapi[.]json|docs|mcp|[.]well-known)(/|$)')`,message="the runtime itself serves /workflows, /executions, /sessions, /health, /openapi.json, /docs, /mcp and /.well-known: choose another first segment, for example /api"
	// +kubebuilder:validation:XValidation:rule=`!self.matches(r'/[.][.]?(/|$)')`,message="the segments . and .. are resolved before routing: remove them"
	Path string `json:"path,omitempty"`
}

// WorkflowRateLimit is a workflow's own bucket.
// +kubebuilder:validation:XValidation:rule="!has(self.burst) || has(self.requestsPerMinute)",message="burst alone makes no bucket: set requestsPerMinute too",fieldPath=".requestsPerMinute",reason=FieldValueRequired
type WorkflowRateLimit struct {
	// requestsPerMinute is the sustained rate of this workflow. Default: no
	// bucket of its own.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	RequestsPerMinute int32 `json:"requestsPerMinute,omitempty"`

	// burst is how many requests may come at once after a pause. Default:
	// requestsPerMinute.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Burst int32 `json:"burst,omitempty"`
}

// Authorization says who may run a workflow.
type Authorization struct {
	// anyRole lets in callers who have at least one of these roles.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	AnyRole []string `json:"anyRole,omitempty"`

	// anyScope lets in callers whose token has at least one of these scopes.
	// API keys have no scopes.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	AnyScope []string `json:"anyScope,omitempty"`

	// when is a CEL expression that has to be true, besides anyRole and
	// anyScope. It sees input (what the caller sent, after it matched the input
	// schema) and subject (id, name, issuer, roles, scopes), and may cost a
	// bounded number of steps: size(input.items) <= 10 || 'bulk' in
	// subject.roles
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	When string `json:"when,omitempty"`
}
