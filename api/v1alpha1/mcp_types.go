package v1alpha1

// WorkflowMCP says how a workflow is served over MCP.
type WorkflowMCP struct {
	// toolName is the name of the tool. Default: the workflow's name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[A-Za-z0-9_.-]+$')`,message="use letters, digits, underscores, dots and dashes"
	ToolName string `json:"toolName,omitempty"`

	// result says what the workflow's output is: Structured, a JSON value that
	// becomes structured content and its text; or Content, MCP content as it
	// stands: one content object such as {type: text, text: ...}, or a list of
	// them. Default: Structured.
	// +optional
	Result MCPResult `json:"result,omitempty"`

	// logs says what clients are told while a run goes on, at level info of
	// MCP's logging: None, or Tasks, the name of each task as it ends. Default:
	// None.
	// +optional
	Logs MCPLogs `json:"logs,omitempty"`

	// resource serves the workflow also as a resource: reading it runs the
	// workflow.
	// +optional
	Resource *MCPResource `json:"resource,omitzero"`
}

// MCPResult is what the output of a workflow becomes.
// +kubebuilder:validation:Enum=Structured;Content
type MCPResult string

// The results.
const (
	MCPResultStructured MCPResult = "Structured"
	MCPResultContent    MCPResult = "Content"
)

// MCPLogs is what clients are told of a run.
// +kubebuilder:validation:Enum=None;Tasks
type MCPLogs string

// What clients can be told.
const (
	MCPLogsNone  MCPLogs = "None"
	MCPLogsTasks MCPLogs = "Tasks"
)

// MCPResource is a workflow as a resource.
type MCPResource struct {
	// uri of the resource. Each {variable} in it makes it a template, and becomes
	// an input of that name, typed by the input schema: orders://{id}. A variable
	// is letters, digits and -._~; other characters of its value are written as %XX.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z][a-z0-9+.-]*:([A-Za-z0-9._~:/?@!$&()*+,;=%-]|[{][A-Za-z_][A-Za-z0-9_]*[}])+$')`,message="write a URI with a scheme in lower case, such as orders://{id}, whose variables are names in braces"
	// +kubebuilder:validation:XValidation:rule=`!self.matches(r'^(workflow|execution):')`,message="the runtime itself serves workflow: and execution: resources: choose another scheme"
	// +kubebuilder:validation:XValidation:rule=`!self.matches(r'[}][{]')`,message="nothing says where one variable ends and the next begins: put a character between them"
	URI string `json:"uri,omitempty"`

	// mimeType of what is read. Default: text/plain where the output is a text,
	// else application/json.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+$')`,message="write a media type such as text/markdown, in lower case and without parameters"
	MIMEType string `json:"mimeType,omitempty"`
}

// Prompt is a prompt that MCP clients offer their users.
type Prompt struct {
	// name of the prompt.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[A-Za-z0-9_.-]+$')`,message="use letters, digits, underscores, dots and dashes"
	Name string `json:"name,omitempty"`

	// configMapRef names the ConfigMap's entry with the prompt, in YAML or JSON:
	// title, description, arguments and messages, whose texts hold {{argument}}
	// where an argument's value goes; docs/spec/nexusapp.md has the form. The app follows
	// its changes.
	// +required
	ConfigMapRef ConfigMapKeyReference `json:"configMapRef,omitzero"`
}
