package v1alpha1

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// SetDefaults fills in every field that the user left out. It is the only place
// where a default is written; most are the security guide's own figures. The
// defaults depend on the environment, so the API server cannot fill them in, and
// the stored object keeps only what the user wrote.
//
// Replicas stays nil when it is unset: see DefaultReplicas.
func SetDefaults(spec *NexusAppSpec) {
	setAuthDefaults(spec)
	setRateLimitDefaults(&spec.RateLimit, spec.Redis != nil)
	setDefault(&spec.Input.Policy, InputStandard)
	if spec.Input.MaxBytes.IsZero() {
		spec.Input.MaxBytes = resource.MustParse("10Mi")
	}
	setDefault(&spec.Limits.MaxConcurrentWorkflows, 200)
	setDefault(&spec.Limits.RequestTimeoutSeconds, 60)
	setDefault(&spec.Limits.ExecutionRetentionSeconds, DefaultExecutionRetentionSeconds)
	setLoggingDefaults(spec)
	setDefault(&spec.NetworkPolicy.Mode, NetworkPolicyManaged)
	if spec.Disruption.MaxUnavailable == nil {
		spec.Disruption.MaxUnavailable = ptr.To(intstr.FromInt32(1))
	}
	setDefault(&spec.Rollout.ProgressDeadlineSeconds, 300)
	setResourceDefaults(&spec.Resources)
	for i := range spec.Workflows {
		setWorkflowDefaults(&spec.Workflows[i], spec.Limits)
	}
}

// DefaultExecutionRetentionSeconds is the default of
// spec.limits.executionRetentionSeconds.
const DefaultExecutionRetentionSeconds = 3600

// DefaultReplicas is the number of pods of an app that sets none, when nothing
// else has scaled it.
func DefaultReplicas(env Environment) int32 {
	switch env {
	case Production:
		return 3
	case Staging:
		return 2
	default:
		return 1
	}
}

func setAuthDefaults(spec *NexusAppSpec) {
	for i := range spec.Auth.JWT {
		j := &spec.Auth.JWT[i]
		setDefault(&j.RolesClaim, "roles")
		setDefault(&j.ScopesClaim, "scope")
		if len(j.Algorithms) == 0 {
			j.Algorithms = []JWTAlgorithm{RS256, ES256, EdDSA}
			if j.HMACSecretRef != nil {
				j.Algorithms = []JWTAlgorithm{HS256}
			}
		}
	}
	if spec.Auth.Mode != "" {
		return
	}
	spec.Auth.Mode = AuthRequired
	if spec.Environment == Development && !spec.Auth.HasSource() {
		spec.Auth.Mode = AuthDisabled
	}
}

// HasSource says whether any credential source is declared.
func (a *Auth) HasSource() bool { return a.APIKeys != nil || len(a.JWT) > 0 }

func setRateLimitDefaults(r *RateLimit, shared bool) {
	setDefault(&r.Mode, RateLimitEnforce)
	setDefault(&r.RequestsPerMinute, 100)
	setDefault(&r.Burst, r.RequestsPerMinute)
	setDefault(&r.Per, PerSubject)
	setDefault(&r.AuthFailuresPerMinute, 10)
	if shared {
		setDefault(&r.OnStoreError, StoreErrorLocal)
	}
}

func setLoggingDefaults(spec *NexusAppSpec) {
	if spec.Environment == Development {
		setDefault(&spec.Logging.Level, LogDebug)
		setDefault(&spec.Logging.Format, LogText)
		return
	}
	setDefault(&spec.Logging.Level, LogInfo)
	setDefault(&spec.Logging.Format, LogJSON)
}

func setResourceDefaults(r *Resources) {
	requests := withDefaults(r.Requests, corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("100m"),
		corev1.ResourceMemory: resource.MustParse("128Mi"),
	})
	limits := withDefaults(r.Limits, corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("2"),
		corev1.ResourceMemory: resource.MustParse("512Mi"),
	})
	// A request above its limit is refused by the API server: where the user set only
	// one of the two, the defaulted one follows.
	for name, limit := range limits {
		request := requests[name]
		_, requestSet := r.Requests[name]
		_, limitSet := r.Limits[name]
		switch {
		case request.Cmp(limit) <= 0:
		case !requestSet:
			requests[name] = limit.DeepCopy()
		case !limitSet:
			limits[name] = request.DeepCopy()
		}
	}
	r.Requests, r.Limits = requests, limits
}

func withDefaults(list, defaults corev1.ResourceList) corev1.ResourceList {
	out := maps.Clone(defaults)
	for name, q := range list {
		out[name] = q.DeepCopy()
	}
	return out
}

func setWorkflowDefaults(w *Workflow, limits Limits) {
	if len(w.Expose) == 0 {
		w.Expose = []Channel{ChannelREST, ChannelMCP}
	}
	if w.Exposes(ChannelMCP) {
		setDefault(&w.MCP.ToolName, w.Name)
		setDefault(&w.MCP.Result, MCPResultStructured)
		setDefault(&w.MCP.Logs, MCPLogsNone)
	}
	if w.RateLimit.RequestsPerMinute != 0 {
		setDefault(&w.RateLimit.Burst, w.RateLimit.RequestsPerMinute)
	}
	setDefault(&w.TimeoutSeconds, limits.RequestTimeoutSeconds)
}

// setDefault sets *field when it still has its zero value, which is illegal for
// every field it is used on.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
