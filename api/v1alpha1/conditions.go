package v1alpha1

// Conditions of a NexusApp. They are positive: True is good. ReconcilingCondition
// and StalledCondition are the kstatus pair and are present only while true.
const (
	// ConditionAccepted: the spec is valid and every workflow compiles. When it is
	// False nothing in the cluster changes, and what was accepted before keeps serving.
	ConditionAccepted = "Accepted"
	// ConditionReferencesResolved: everything that the spec names exists and can be
	// used: Secrets, ConfigMaps and the cluster's own keys.
	ConditionReferencesResolved = "ReferencesResolved"
	// ConditionAvailable: at least replicas - maxUnavailable pods are ready, of any
	// document.
	ConditionAvailable = "Available"
	// ConditionEnforced: no ready pod runs another document than status.policyHash.
	ConditionEnforced = "Enforced"
	// ConditionSecurityPosture: every check of the production checklist passes and no
	// risk had to be acknowledged. It never gates Ready.
	ConditionSecurityPosture = "SecurityPosture"
	// ConditionCredentialsCurrent: no API key has expired or is about to. It is present
	// only with API keys, and never gates Ready.
	ConditionCredentialsCurrent = "CredentialsCurrent"
	// ConditionRedisReady: every ready pod can use Redis. It is present only with Redis,
	// and never gates Ready: pods serve without.
	ConditionRedisReady = "RedisReady"
	// ConditionReady: Accepted, ReferencesResolved, Available and Enforced, at the
	// current generation.
	ConditionReady = "Ready"
	// ConditionReconciling: the cluster is on its way to the spec (kstatus).
	ConditionReconciling = "Reconciling"
	// ConditionStalled: it will not get there unless somebody acts (kstatus).
	ConditionStalled = "Stalled"
)

// Reasons of the conditions; docs/conditions.md says what to do about each.
const (
	ReasonAccepted         = "Accepted"
	ReasonInvalidSpec      = "InvalidSpec"
	ReasonInvalidWorkflow  = "InvalidWorkflow"
	ReasonInvalidPrompt    = "InvalidPrompt"
	ReasonDocumentTooLarge = "DocumentTooLarge"
	ReasonNotOwned         = "NotOwned"

	ReasonResolved        = "Resolved"
	ReasonNoReferences    = "NoReferences"
	ReasonSecretNotFound  = "SecretNotFound"
	ReasonSecretInvalid   = "SecretInvalid"
	ReasonSecretForbidden = "SecretForbidden"

	ReasonConfigMapNotFound      = "ConfigMapNotFound"
	ReasonConfigMapInvalid       = "ConfigMapInvalid"
	ReasonConfigMapForbidden     = "ConfigMapForbidden"
	ReasonClusterKeysUnavailable = "ClusterKeysUnavailable"

	ReasonMinimumReplicasReady = "MinimumReplicasReady"
	ReasonPodsNotReady         = "PodsNotReady"
	ReasonPodFailing           = "PodFailing"
	ReasonNotDeployed          = "NotDeployed"
	ReasonScaledToZero         = "ScaledToZero"
	ReasonDeadlineExceeded     = "ProgressDeadlineExceeded"

	ReasonAllPodsEnforce  = "AllPodsEnforce"
	ReasonRollingOut      = "RollingOut"
	ReasonNoPodsReady     = "NoPodsReady"
	ReasonChecksPassed    = "ChecksPassed"
	ReasonRisksAccepted   = "RisksAcknowledged"
	ReasonChecksFailed    = "ChecksFailed"
	ReasonReady           = "Ready"
	ReasonProgressing     = "Progressing"
	ReasonApplyFailed     = "ApplyFailed"
	ReasonWaitingForInput = "WaitingForInput"

	ReasonNothingExpires      = "NothingExpires"
	ReasonCredentialsExpiring = "CredentialsExpiring"
	ReasonAllPodsConnected    = "AllPodsConnected"
	ReasonPodsDisconnected    = "PodsDisconnected"
	ReasonSettingsNotInUse    = "SettingsNotInUse"
	ReasonNotObserved         = "NotObserved"
)

// Labels and annotations that the operator writes.
const (
	// LabelApp holds the name of the NexusApp that an object belongs to. It is the
	// selector of the Deployment, the Service and everything else that finds pods.
	LabelApp = "nexus.dev/app"
	// LabelManagedBy with the value ManagedBy marks what the operator keeps.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy, and the operator's field manager.
	ManagedBy = "nexus-operator"
	// AnnotationApplied is a digest of what the operator last applied to an object.
	AnnotationApplied = "nexus.dev/applied"
	// AnnotationSecrets on the Deployment records, for each Secret, the version that
	// was read and its digest, so that an unchanged Secret is not read again.
	AnnotationSecrets = "nexus.dev/secrets"
	// AnnotationClusterIssuer on the Deployment is "Used" while the document holds the
	// cluster's own keys, so that these are followed also while a newer generation, which
	// may not use them, is refused.
	AnnotationClusterIssuer = "nexus.dev/cluster-issuer"
	// AnnotationReplicas on the Deployment is "Set" while spec.replicas is, so that
	// the count can be handed over when it no longer is.
	AnnotationReplicas = "nexus.dev/replicas"
	// AnnotationInitialReplicas on the Deployment is the count with which it was
	// handed to whoever scales it.
	AnnotationInitialReplicas = "nexus.dev/initial-replicas"
	// LabelDocument holds the first 10 hexadecimal digits of the SHA-256 of the
	// document that a pod was started with.
	LabelDocument = "nexus.dev/document"
	// LabelTemplate on a pod is a digest of the pod template that it was made of.
	LabelTemplate = "nexus.dev/template"
	// AnnotationDocument on a ControllerRevision names the ConfigMap with the document that
	// its spec was rendered to. It holds what ConfigMaps of the user held at that time.
	AnnotationDocument = "nexus.dev/rendered-document"
	// AnnotationSecretsDigest on the pod template changes when the contents of a Secret
	// of spec.auth or spec.secrets do, which rolls the pods.
	AnnotationSecretsDigest = "nexus.dev/secrets-digest"
)
