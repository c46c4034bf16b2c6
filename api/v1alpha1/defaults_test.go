package v1alpha1

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TestDefaults is the table of docs/spec/nexusapp.md: what an app has that sets
// nothing, by environment.
func TestDefaults(t *testing.T) {
	rows := []struct {
		field string
		of    func(s *NexusAppSpec) any
		want  map[Environment]any
	}{
		{"replicas", func(s *NexusAppSpec) any { return DefaultReplicas(s.Environment) }, map[Environment]any{Development: int32(1), Staging: int32(2), Production: int32(3)}},
		{"auth.mode", func(s *NexusAppSpec) any { return s.Auth.Mode }, map[Environment]any{Development: AuthDisabled, Staging: AuthRequired, Production: AuthRequired}},
		{"logging.level", func(s *NexusAppSpec) any { return s.Logging.Level }, map[Environment]any{Development: LogDebug, Staging: LogInfo, Production: LogInfo}},
		{"logging.format", func(s *NexusAppSpec) any { return s.Logging.Format }, map[Environment]any{Development: LogText, Staging: LogJSON, Production: LogJSON}},
		{"rateLimit.mode", func(s *NexusAppSpec) any { return s.RateLimit.Mode }, everywhere(RateLimitEnforce)},
		{"rateLimit.requestsPerMinute", func(s *NexusAppSpec) any { return s.RateLimit.RequestsPerMinute }, everywhere(int32(100))},
		{"rateLimit.burst", func(s *NexusAppSpec) any { return s.RateLimit.Burst }, everywhere(int32(100))},
		{"rateLimit.per", func(s *NexusAppSpec) any { return s.RateLimit.Per }, everywhere(PerSubject)},
		{"rateLimit.authFailuresPerMinute", func(s *NexusAppSpec) any { return s.RateLimit.AuthFailuresPerMinute }, everywhere(int32(10))},
		{"input.maxBytes", func(s *NexusAppSpec) any { return s.Input.MaxBytes.String() }, everywhere("10Mi")},
		{"input.policy", func(s *NexusAppSpec) any { return s.Input.Policy }, everywhere(InputStandard)},
		{"limits.maxConcurrentWorkflows", func(s *NexusAppSpec) any { return s.Limits.MaxConcurrentWorkflows }, everywhere(int32(200))},
		{"limits.requestTimeoutSeconds", func(s *NexusAppSpec) any { return s.Limits.RequestTimeoutSeconds }, everywhere(int32(60))},
		{"limits.executionRetentionSeconds", func(s *NexusAppSpec) any { return s.Limits.ExecutionRetentionSeconds }, everywhere(int32(3600))},
		{"networkPolicy.mode", func(s *NexusAppSpec) any { return s.NetworkPolicy.Mode }, everywhere(NetworkPolicyManaged)},
		{"disruption.maxUnavailable", func(s *NexusAppSpec) any { return *s.Disruption.MaxUnavailable }, everywhere(intstr.FromInt32(1))},
		{"rollout.progressDeadlineSeconds", func(s *NexusAppSpec) any { return s.Rollout.ProgressDeadlineSeconds }, everywhere(int32(300))},
		{"resources", func(s *NexusAppSpec) any { return show(s.Resources) }, everywhere("requests 100m 128Mi limits 2 512Mi")},
		{"workflows[].expose", func(s *NexusAppSpec) any { return fmt.Sprint(s.Workflows[0].Expose) }, everywhere("[REST MCP]")},
		{"workflows[].mcp.toolName", func(s *NexusAppSpec) any { return s.Workflows[0].MCP.ToolName }, everywhere("a")},
		{"workflows[].mcp.result", func(s *NexusAppSpec) any { return s.Workflows[0].MCP.Result }, everywhere(MCPResultStructured)},
		{"workflows[].mcp.logs", func(s *NexusAppSpec) any { return s.Workflows[0].MCP.Logs }, everywhere(MCPLogsNone)},
		{"workflows[].timeoutSeconds", func(s *NexusAppSpec) any { return s.Workflows[0].TimeoutSeconds }, everywhere(int32(60))},
		{"workflows[].rateLimit.requestsPerMinute", func(s *NexusAppSpec) any { return s.Workflows[0].RateLimit.RequestsPerMinute }, everywhere(int32(0))},
		{"workflows[].rateLimit.burst", func(s *NexusAppSpec) any { return s.Workflows[0].RateLimit.Burst }, everywhere(int32(0))},
	}
	for _, environment := range []Environment{Development, Staging, Production} {
		spec := &NexusAppSpec{Environment: environment, Workflows: []Workflow{{Name: "a"}}}
		SetDefaults(spec)
		if spec.Replicas != nil {
			t.Errorf("%s: replicas was set, so that nothing else could scale the app", environment)
		}
		for _, row := range rows {
			if got := row.of(spec); got != row.want[environment] {
				t.Errorf("%s: %s is %v, want %v", environment, row.field, got, row.want[environment])
			}
		}
		again := spec.DeepCopy()
		SetDefaults(again)
		if !equality.Semantic.DeepEqual(spec, again) {
			t.Errorf("%s: setting the defaults twice changes the spec", environment)
		}
	}
}

func everywhere(value any) map[Environment]any {
	return map[Environment]any{Development: value, Staging: value, Production: value}
}

func show(r Resources) string {
	return fmt.Sprintf("requests %s %s limits %s %s", r.Requests.Cpu(), r.Requests.Memory(), r.Limits.Cpu(), r.Limits.Memory())
}

func TestDefaultsFollowWhatIsSet(t *testing.T) {
	spec := &NexusAppSpec{
		Environment: Development,
		Auth:        Auth{APIKeys: &APIKeys{SecretRef: LocalReference{Name: "keys"}}},
		RateLimit:   RateLimit{RequestsPerMinute: 7},
		Limits:      Limits{RequestTimeoutSeconds: 5},
		Logging:     Logging{Level: LogError},
		Workflows: []Workflow{
			{Name: "a", RateLimit: WorkflowRateLimit{RequestsPerMinute: 3}},
			{Name: "b", TimeoutSeconds: 2},
			{Name: "c", Expose: []Channel{ChannelREST}},
			{Name: "d", MCP: WorkflowMCP{ToolName: "dig", Result: MCPResultContent, Logs: MCPLogsTasks}},
		},
	}
	SetDefaults(spec)
	for what, ok := range map[string]bool{
		"a credential source makes auth Required in Development": spec.Auth.Mode == AuthRequired,
		"burst follows requestsPerMinute":                        spec.RateLimit.Burst == 7,
		"a workflow's burst follows its own rate":                spec.Workflows[0].RateLimit.Burst == 3,
		"a workflow's timeout follows the app's":                 spec.Workflows[0].TimeoutSeconds == 5,
		"a workflow's own timeout stays":                         spec.Workflows[1].TimeoutSeconds == 2,
		"without MCP there is nothing of it":                     spec.Workflows[2].MCP == WorkflowMCP{} && len(spec.Workflows[2].Expose) == 1,
		"what is said of MCP stays":                              spec.Workflows[3].MCP == WorkflowMCP{ToolName: "dig", Result: MCPResultContent, Logs: MCPLogsTasks},
		"a level that is set stays":                              spec.Logging.Level == LogError && spec.Logging.Format == LogText,
	} {
		if !ok {
			t.Errorf("not so: %s", what)
		}
	}
	explicit := &NexusAppSpec{Environment: Development, Auth: Auth{Mode: AuthDisabled, APIKeys: spec.Auth.APIKeys}}
	if SetDefaults(explicit); explicit.Auth.Mode != AuthDisabled {
		t.Error("an explicit auth.mode was overruled")
	}
}

func TestDefaultResourcesNeverContradict(t *testing.T) {
	tests := map[string]struct{ set, want Resources }{
		"a limit below the default request":  {limits("50m", "64Mi"), both("50m", "64Mi", "50m", "64Mi")},
		"a request above the default limit":  {requests("4", "1Gi"), both("4", "1Gi", "4", "1Gi")},
		"both, although they contradict":     {both("2", "1Gi", "1", "512Mi"), both("2", "1Gi", "1", "512Mi")},
		"a request equal to the default one": {both("100m", "128Mi", "50m", "64Mi"), both("100m", "128Mi", "50m", "64Mi")},
	}
	for name, test := range tests {
		spec := &NexusAppSpec{Resources: *test.set.DeepCopy()}
		SetDefaults(spec)
		if show(spec.Resources) != show(test.want) {
			t.Errorf("%s: got %s, want %s", name, show(spec.Resources), show(test.want))
		}
	}
	set := corev1.ResourceList{"ephemeral-storage": resource.MustParse("1Gi")}
	spec := &NexusAppSpec{Resources: Resources{Limits: set}}
	SetDefaults(spec)
	if len(set) != 1 {
		t.Error("the user's list was changed in place")
	}
	if spec.Resources.Limits.StorageEphemeral().String() != "1Gi" || spec.Resources.Limits.Memory().String() != "512Mi" {
		t.Errorf("another resource was lost or took the defaults' place: %v", spec.Resources.Limits)
	}
}

func requests(cpu, memory string) Resources { return Resources{Requests: list(cpu, memory)} }
func limits(cpu, memory string) Resources   { return Resources{Limits: list(cpu, memory)} }
func both(requestCPU, requestMemory, limitCPU, limitMemory string) Resources {
	return Resources{Requests: list(requestCPU, requestMemory), Limits: list(limitCPU, limitMemory)}
}

func list(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{"cpu": resource.MustParse(cpu), "memory": resource.MustParse(memory)}
}
