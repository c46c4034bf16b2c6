package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NexusApp declares a set of workflows, the policies under which they are
// served, and the shape of the pods that serve them. What the spec says is
// enforced by the pods, and the status proves it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=nxa,categories=all
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:printcolumn:name="Environment",type=string,JSONPath=`.spec.environment`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Replicas",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="Auth",type=string,JSONPath=`.status.security.auth`
// +kubebuilder:printcolumn:name="Posture",type=string,JSONPath=`.status.security.score`
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.status.endpoints.api`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 46 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name becomes the name of a Service and a prefix of other names: use at most 46 lower-case letters, digits and dashes, starting with a letter"
type NexusApp struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is asked for: the workflows, the policies under which they
	// are served, and the shape of the pods.
	// +required
	Spec NexusAppSpec `json:"spec,omitzero"`

	// status is what was observed. It is written by the operator only.
	// +optional
	Status NexusAppStatus `json:"status,omitzero"`
}

// NexusAppList is a list of NexusApps.
//
// +kubebuilder:object:root=true
type NexusAppList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NexusApp `json:"items"`
}

// NexusAppSpec is the desired state of a NexusApp. Every default that depends on
// the environment is written in defaults.go and never by the API server.
//
// +kubebuilder:validation:XValidation:rule="has(self.auth) && (has(self.auth.apiKeys) || has(self.auth.jwt)) || (has(self.auth) && has(self.auth.mode) ? self.auth.mode == 'Disabled' : self.environment == 'Development')",message="authentication is required and no credential source is declared: set spec.auth.apiKeys.secretRef.name to a Secret made with 'nexus keys new', or list an issuer in spec.auth.jwt",fieldPath=".auth.apiKeys",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="self.environment == 'Development' || !(has(self.auth) && has(self.auth.mode) && self.auth.mode == 'Disabled') || has(self.acknowledgedRisks) && self.acknowledgedRisks.exists(r, r.name == 'AuthDisabled')",message="auth.mode Disabled outside Development lets anyone run the workflows: set it to Required, or add {name: AuthDisabled, reason: ...} to spec.acknowledgedRisks",fieldPath=".auth.mode"
// +kubebuilder:validation:XValidation:rule="(has(self.auth) && has(self.auth.mode) ? self.auth.mode == 'Required' : self.environment != 'Development' || has(self.auth) && (has(self.auth.apiKeys) || has(self.auth.jwt))) || self.workflows.all(w, !has(w.authorization) || !has(w.authorization.anyRole) && !has(w.authorization.anyScope))",message="nobody has a role or a scope while spec.auth.mode is Disabled: remove the workflow's authorization.anyRole and anyScope, or set the mode to Required and name a credential source",fieldPath=".workflows"
// +kubebuilder:validation:XValidation:rule="!(has(self.rateLimit) && has(self.rateLimit.mode) && self.rateLimit.mode == 'Disabled') || has(self.acknowledgedRisks) && self.acknowledgedRisks.exists(r, r.name == 'RateLimitDisabled')",message="rateLimit.mode Disabled removes the protection against floods: set it to Enforce, or add {name: RateLimitDisabled, reason: ...} to spec.acknowledgedRisks",fieldPath=".rateLimit.mode"
// +kubebuilder:validation:XValidation:rule="!(has(self.rateLimit) && has(self.rateLimit.mode) && self.rateLimit.mode == 'Shadow') || has(self.acknowledgedRisks) && self.acknowledgedRisks.exists(r, r.name == 'RateLimitDisabled')",message="rateLimit.mode Shadow counts and refuses nobody: set it to Enforce, or add {name: RateLimitDisabled, reason: ...} to spec.acknowledgedRisks",fieldPath=".rateLimit.mode"
// +kubebuilder:validation:XValidation:rule="!(has(self.rateLimit) && has(self.rateLimit.onStoreError) && self.rateLimit.onStoreError == 'Allow') || has(self.acknowledgedRisks) && self.acknowledgedRisks.exists(r, r.name == 'RateLimitDisabled')",message="rateLimit.onStoreError Allow removes the limit while Redis cannot be reached: set it to Local or Deny, or add {name: RateLimitDisabled, reason: ...} to spec.acknowledgedRisks",fieldPath=".rateLimit.onStoreError"
// +kubebuilder:validation:XValidation:rule="!(has(self.rateLimit) && has(self.rateLimit.onStoreError)) || has(self.redis)",message="rateLimit.onStoreError speaks of spec.redis, which is not set: set it, or remove onStoreError",fieldPath=".rateLimit.onStoreError"
// +kubebuilder:validation:XValidation:rule="self.environment == 'Development' || !has(self.auth) || !has(self.auth.jwt) || self.auth.jwt.all(j, !(has(j.jwksURI) ? j.jwksURI : j.issuer).startsWith('http://') || has(j.publicKeySecretRef) || has(j.hmacSecretRef))",message="keys that are fetched over http:// could be anybody's: write https://, and name a private authority in spec.trust.caBundle",fieldPath=".auth.jwt"
// +kubebuilder:validation:XValidation:rule="!(has(self.rateLimit) && has(self.rateLimit.mode) && self.rateLimit.mode == 'Disabled') || self.workflows.all(w, !has(w.rateLimit) || !has(w.rateLimit.requestsPerMinute))",message="spec.rateLimit.mode Disabled switches the workflows' own buckets off too: remove the workflow's rateLimit, or set the mode to Enforce",fieldPath=".workflows"
// +kubebuilder:validation:XValidation:rule="self.environment != 'Production' || has(self.rateLimit) && has(self.rateLimit.mode) && self.rateLimit.mode == 'Disabled' || has(self.redis) || has(self.replicas) && self.replicas <= 1 || has(self.acknowledgedRisks) && self.acknowledgedRisks.exists(r, r.name == 'PerPodLimits')",message="in Production the replicas would each count their own rate limits, so that N pods let N times as much through: set spec.redis, or add {name: PerPodLimits, reason: ...} to spec.acknowledgedRisks",fieldPath=".rateLimit"
// +kubebuilder:validation:XValidation:rule="self.environment != 'Production' || !has(self.replicas) || self.replicas != 1 || has(self.acknowledgedRisks) && self.acknowledgedRisks.exists(r, r.name == 'SingleReplica')",message="Production runs at least 2 replicas: raise spec.replicas, or add {name: SingleReplica, reason: ...} to spec.acknowledgedRisks",fieldPath=".replicas"
// +kubebuilder:validation:XValidation:rule="self.environment != 'Production' || !(has(self.networkPolicy) && has(self.networkPolicy.mode) && self.networkPolicy.mode == 'Disabled') || has(self.acknowledgedRisks) && self.acknowledgedRisks.exists(r, r.name == 'UnrestrictedEgress')",message="networkPolicy.mode Disabled in Production leaves the pods' traffic open: set it to Managed, or add {name: UnrestrictedEgress, reason: ...} to spec.acknowledgedRisks",fieldPath=".networkPolicy.mode"
// +kubebuilder:validation:XValidation:rule="has(self.auth) && has(self.auth.jwt) || !(has(self.auth) && has(self.auth.apiKeys)) || self.workflows.all(w, !has(w.authorization) || !has(w.authorization.anyScope))",message="API keys have no scopes: list an issuer in spec.auth.jwt, or ask for a role with anyRole",fieldPath=".workflows"
// +kubebuilder:validation:XValidation:rule="!has(self.limits) || !has(self.limits.requestTimeoutSeconds) || self.workflows.all(w, !has(w.timeoutSeconds) || w.timeoutSeconds <= self.limits.requestTimeoutSeconds)",message="a workflow's timeoutSeconds may not exceed spec.limits.requestTimeoutSeconds: lower it, or raise that",fieldPath=".workflows"
// +kubebuilder:validation:XValidation:rule="self.workflows.all(w, !has(w.expose) || w.expose.exists(c, c == 'MCP') || !has(w.mcp) || !has(w.mcp.toolName) && !has(w.mcp.result) && !has(w.mcp.logs) && !has(w.mcp.resource))",message="mcp says how a workflow is served over MCP, and expose leaves that out: add MCP to the workflow's expose, or remove mcp",fieldPath=".workflows"
// +kubebuilder:validation:XValidation:rule="self.workflows.all(w, !has(w.routes) || size(w.routes) == 0 || !has(w.expose) || w.expose.exists(c, c == 'REST'))",message="routes are URLs of the REST API, and expose leaves that out: add REST to the workflow's expose, or remove routes",fieldPath=".workflows"
// +kubebuilder:validation:XValidation:rule="!has(self.prompts) || size(self.prompts) == 0 || self.workflows.exists(w, !has(w.expose) || w.expose.exists(c, c == 'MCP'))",message="prompts are served over MCP, and no workflow is: add MCP to the expose of one, or remove the prompts",fieldPath=".prompts"
// +kubebuilder:validation:XValidation:rule="!has(self.publicURL) || self.environment == 'Development' || self.publicURL.startsWith('https://')",message="callers send their credentials to publicURL: write an https:// URL",fieldPath=".publicURL"
type NexusAppSpec struct {
	// environment chooses the defaults and the rules: Development, Staging or
	// Production. Staging and Production require authentication; Production
	// also expects at least 2 replicas. Pods see it as NEXUS_ENV.
	// +required
	Environment Environment `json:"environment,omitempty"`

	// image is the runtime image of the pods. Default: the image that the
	// operator was installed with.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[A-Za-z0-9][A-Za-z0-9._:/@-]*$')`,message="write an image as registry/name:tag or registry/name@sha256:digest, without spaces"
	Image string `json:"image,omitempty"`

	// replicas is the number of pods. Default: 1 in Development, 2 in Staging,
	// 3 in Production. When it is left out, the operator does not reset a
	// number that something else (kubectl scale on the Deployment, an
	// autoscaler) has set.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Replicas *int32 `json:"replicas,omitempty"`

	// publicURL is how callers reach the app, through an Ingress for example:
	// https://shop.example.com. MCP is at /mcp below it. OAuth clients learn from
	// it where to get a token, and the API's description names it. Outside
	// Development it is an https URL.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^https?://[^/?#@\s{}]+(/[^/?#@\s{}]+)*$')`,message="write the URL as https://HOST or https://HOST/PATH, without user, query, fragment and a slash at the end"
	// +kubebuilder:validation:XValidation:rule=`!self.endsWith('/mcp')`,message="MCP is at /mcp below publicURL: leave /mcp out"
	PublicURL string `json:"publicURL,omitempty"`

	// acknowledgedRisks lists what this app does although the security guide
	// advises against it, each with the reason. An app with a risk that is not
	// listed is refused; a listed one is loud: a CRITICAL log line, a Warning
	// event and SecurityPosture=False.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	AcknowledgedRisks []AcknowledgedRisk `json:"acknowledgedRisks,omitempty"`

	// auth says who may call.
	// +optional
	Auth Auth `json:"auth,omitzero"`

	// rateLimit bounds how often callers may run workflows.
	// +optional
	RateLimit RateLimit `json:"rateLimit,omitzero"`

	// input holds the rules that every input passes, on every channel.
	// +optional
	Input Input `json:"input,omitzero"`

	// redis is what the replicas share: with it, rate limits hold over all of
	// them together.
	// +optional
	Redis *Redis `json:"redis,omitzero"`

	// egress says what the pods may reach.
	// +optional
	Egress Egress `json:"egress,omitzero"`

	// trust says whose certificates are trusted.
	// +optional
	Trust Trust `json:"trust,omitzero"`

	// limits bounds what one pod does at once and for how long.
	// +optional
	Limits Limits `json:"limits,omitzero"`

	// secrets are what workflows may use as $secrets.NAME and in the
	// authentications of their calls. The pods read them as files, and follow
	// their changes.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Secrets []WorkflowSecret `json:"secrets,omitempty"`

	// events says what becomes of the events that workflows emit.
	// +optional
	Events Events `json:"events,omitzero"`

	// workflows are what the app serves, keyed by name.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Workflows []Workflow `json:"workflows,omitempty"`

	// prompts are texts that MCP clients offer their users to begin with.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Prompts []Prompt `json:"prompts,omitempty"`

	// logging sets how much the pods log, and in which form.
	// +optional
	Logging Logging `json:"logging,omitzero"`

	// networkPolicy says which traffic may reach and leave the pods.
	// +optional
	NetworkPolicy NetworkPolicy `json:"networkPolicy,omitzero"`

	// disruption bounds how many pods a voluntary disruption (a node drain)
	// may take away at once. A PodDisruptionBudget exists from 2 replicas on.
	// +optional
	Disruption Disruption `json:"disruption,omitzero"`

	// resources are the requests and limits of the runtime container. Default:
	// requests 100m CPU and 128Mi memory, limits 2 CPU and 512Mi memory. A
	// quarter of the memory limit is the budget for request bodies in flight.
	// +optional
	Resources Resources `json:"resources,omitzero"`

	// scheduling says where the pods may run. Default: spread over the nodes.
	// +optional
	Scheduling Scheduling `json:"scheduling,omitzero"`

	// imagePullSecrets name the Secrets with which the image is pulled.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []LocalReference `json:"imagePullSecrets,omitempty"`

	// podMetadata adds labels and annotations to the pods.
	// +optional
	PodMetadata PodMetadata `json:"podMetadata,omitzero"`

	// rollout says how a change reaches the pods. The pods that serve keep
	// serving until their successors are ready.
	// +optional
	Rollout Rollout `json:"rollout,omitzero"`
}

// Environment is the stage that an app runs in.
// +kubebuilder:validation:Enum=Development;Staging;Production
type Environment string

// The environments, from the most lenient to the strictest.
const (
	Development Environment = "Development"
	Staging     Environment = "Staging"
	Production  Environment = "Production"
)

// RiskName names something that the security guide calls "not recommended".
// +kubebuilder:validation:Enum=AuthDisabled;RateLimitDisabled;PerPodLimits;SingleReplica;UnrestrictedEgress
type RiskName string

// The risks that an app can acknowledge.
const (
	// RiskAuthDisabled: anyone who reaches the pods runs the workflows.
	RiskAuthDisabled RiskName = "AuthDisabled"
	// RiskRateLimitDisabled: nothing bounds how often a caller runs a
	// workflow, always (rateLimit.mode) or at times (onStoreError: Allow).
	RiskRateLimitDisabled RiskName = "RateLimitDisabled"
	// RiskPerPodLimits: every pod counts its own limits, so N pods let N times
	// as much through.
	RiskPerPodLimits RiskName = "PerPodLimits"
	// RiskSingleReplica: a restart is an outage.
	RiskSingleReplica RiskName = "SingleReplica"
	// RiskUnrestrictedEgress: no NetworkPolicy bounds the pods' traffic.
	RiskUnrestrictedEgress RiskName = "UnrestrictedEgress"
)

// AcknowledgedRisk is a risk that the owner of an app takes knowingly.
type AcknowledgedRisk struct {
	// name of the risk.
	// +required
	Name RiskName `json:"name,omitempty"`

	// reason says why the risk is taken, for whoever reviews it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}

// LocalReference names an object in the namespace of the NexusApp.
type LocalReference struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')`,message="use lower-case letters, digits, dashes and dots, with a letter or digit at both ends"
	Name string `json:"name,omitempty"`
}

// NexusAppStatus is the observed state of a NexusApp.
type NexusAppStatus struct {
	// observedGeneration is the generation that the conditions speak of.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Accepted, ReferencesResolved, Available, Enforced,
	// SecurityPosture and Ready; CredentialsCurrent with API keys; RedisReady
	// with Redis; Reconciling and Stalled only while they are true.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// replicas is the number of pods that exist.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Replicas *int32 `json:"replicas,omitempty"`

	// readyReplicas is the number of pods that are ready, of any document.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ReadyReplicas *int32 `json:"readyReplicas,omitempty"`

	// selector finds the pods; the scale subresource hands it to autoscalers.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Selector string `json:"selector,omitempty"`

	// endpoints says where callers reach the app inside the cluster.
	// +optional
	Endpoints Endpoints `json:"endpoints,omitzero"`

	// policyHash is the SHA-256, in hexadecimal, of the document that the pods
	// are to enforce. Enforced=True proves that every ready pod loaded exactly
	// it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	PolicyHash string `json:"policyHash,omitempty"`

	// security is the security posture in short.
	// +optional
	Security SecurityStatus `json:"security,omitzero"`

	// workflows are the workflows that the pods serve.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Workflows []WorkflowStatus `json:"workflows,omitempty"`
}

// Endpoints says where callers reach an app.
type Endpoints struct {
	// api is the URL of the REST API inside the cluster.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	API string `json:"api,omitempty"`

	// mcp is the URL of the MCP server inside the cluster. It is there when a
	// workflow is exposed over MCP.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	MCP string `json:"mcp,omitempty"`
}

// SecurityStatus is the security posture of an app.
type SecurityStatus struct {
	// auth is the authentication mode in force, after defaults.
	// +optional
	Auth AuthMode `json:"auth,omitempty"`

	// score is the number of posture checks that pass, of all of them: "7/8".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	Score string `json:"score,omitempty"`

	// failed lists the ids of the checks that do not pass.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	Failed []string `json:"failed,omitempty"`
}

// WorkflowStatus is one workflow that the pods serve.
type WorkflowStatus struct {
	// name of the workflow.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// version is the definition's document.version.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// hash is the first 16 hexadecimal digits of the definition's SHA-256.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	Hash string `json:"hash,omitempty"`

	// tool is the name of the workflow's tool. It is there when the workflow is
	// exposed over MCP.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Tool string `json:"tool,omitempty"`
}
