package v1alpha1

import (
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
)

func failedChecks(spec *NexusAppSpec) string {
	SetDefaults(spec)
	var ids []string
	for _, c := range Posture(spec) {
		if !c.Passed {
			ids = append(ids, c.ID)
		}
	}
	return strings.Join(ids, " ")
}

func TestPosture(t *testing.T) {
	tests := []struct {
		name   string
		change func(*NexusAppSpec)
		want   string
	}{
		{"the defaults of Production", func(*NexusAppSpec) {}, "SharedLimits"},
		{"one pod", func(s *NexusAppSpec) { s.Replicas = ptr.To[int32](1) }, "Replicas"},
		{"no pod", func(s *NexusAppSpec) { s.Replicas = ptr.To[int32](0) }, ""},
		{"no authentication", func(s *NexusAppSpec) { s.Auth = Auth{Mode: AuthDisabled} }, "Authentication SharedLimits"},
		{"no limits", func(s *NexusAppSpec) { s.RateLimit.Mode = RateLimitDisabled }, "RateLimit"},
		{"a low limit", func(s *NexusAppSpec) { s.RateLimit.RequestsPerMinute = 99 }, "RateLimitAtLeast100 SharedLimits"},
		{"an open network", func(s *NexusAppSpec) { s.NetworkPolicy.Mode = NetworkPolicyDisabled }, "SharedLimits NetworkPolicy"},
		{"large inputs", func(s *NexusAppSpec) { s.Input.MaxBytes = resource.MustParse("11Mi") }, "SharedLimits InputSize"},
		{"debug logs", func(s *NexusAppSpec) { s.Logging.Level = LogDebug }, "SharedLimits Logging"},
		{"errors only", func(s *NexusAppSpec) { s.Logging.Level = LogError }, "SharedLimits Logging"},
		{"the defaults of Staging", func(s *NexusAppSpec) { s.Environment = Staging }, "SharedLimits"},
		{"the defaults of Development", func(s *NexusAppSpec) { s.Environment, s.Auth = Development, Auth{} }, "Authentication Replicas"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := production().Spec
			test.change(&spec)
			if got := failedChecks(&spec); got != test.want {
				t.Errorf("failed %q, want %q", got, test.want)
			}
		})
	}
}

// TestChecksAreComplete: an id for machines, a finding for people, and a fix exactly
// where there is something to fix. What refuses an app names the risk that allows it.
func TestChecksAreComplete(t *testing.T) {
	id := regexp.MustCompile(`^[A-Z][A-Za-z0-9]+$`)
	for _, environment := range []Environment{Development, Staging, Production} {
		good, bad := NexusAppSpec{Environment: environment, Replicas: ptr.To[int32](1), Auth: production().Spec.Auth}, NexusAppSpec{
			Environment: environment, Auth: Auth{Mode: AuthDisabled}, RateLimit: RateLimit{RequestsPerMinute: 1},
			NetworkPolicy: NetworkPolicy{Mode: NetworkPolicyDisabled}, Logging: Logging{Level: LogError},
		}
		for _, spec := range []*NexusAppSpec{&good, &bad} {
			SetDefaults(spec)
			seen := map[string]bool{}
			for _, c := range Posture(spec) {
				if !id.MatchString(c.ID) || seen[c.ID] {
					t.Errorf("%s: the id %q is not one word, or stands twice", environment, c.ID)
				}
				seen[c.ID] = true
				if c.Message == "" || c.Passed != (c.Fix == "") {
					t.Errorf("%s: %s passes %v, says %q and has the fix %q", environment, c.ID, c.Passed, c.Message, c.Fix)
				}
				if c.Required && c.Risk == "" {
					t.Errorf("%s: %s refuses an app and no risk can be acknowledged", environment, c.ID)
				}
			}
		}
	}
}

// TestEveryRefusalHasATextAndAnEscape: each required check that fails refuses the app
// with a message that names its risk, and passes once the risk is acknowledged.
func TestEveryRefusalHasATextAndAnEscape(t *testing.T) {
	base := func() *NexusApp {
		app := production()
		app.Spec.AcknowledgedRisks = nil
		app.Spec.Replicas = ptr.To[int32](1)
		app.Spec.Auth = Auth{Mode: AuthDisabled}
		app.Spec.RateLimit.Mode = RateLimitDisabled
		app.Spec.NetworkPolicy.Mode = NetworkPolicyDisabled
		return app
	}
	shared := base()
	shared.Spec.Replicas, shared.Spec.RateLimit.Mode = ptr.To[int32](2), RateLimitEnforce
	seen := map[RiskName]bool{}
	for _, app := range []*NexusApp{base(), shared} {
		SetDefaults(&app.Spec)
		for _, c := range Posture(&app.Spec) {
			if c.Passed || !c.Required {
				continue
			}
			seen[c.Risk] = true
			if !mentions(app, c.Risk) {
				t.Errorf("%s does not refuse the app with a message that names %s", c.ID, c.Risk)
			}
			app.Spec.AcknowledgedRisks = append(app.Spec.AcknowledgedRisks, AcknowledgedRisk{Name: c.Risk, Reason: "test"})
			if mentions(app, c.Risk) {
				t.Errorf("%s refuses the app although %s is acknowledged", c.ID, c.Risk)
			}
		}
		if errs := Validate(app); len(errs) > 0 {
			t.Errorf("with every risk acknowledged: %v", errs)
		}
	}
	for _, risk := range []RiskName{RiskAuthDisabled, RiskRateLimitDisabled, RiskPerPodLimits, RiskSingleReplica, RiskUnrestrictedEgress} {
		if !seen[risk] {
			t.Errorf("nothing needs the risk %s", risk)
		}
	}
}

func mentions(app *NexusApp, risk RiskName) bool {
	for _, err := range Validate(app) {
		if strings.Contains(err.Detail, string(risk)) {
			return true
		}
	}
	return false
}

func TestAcknowledged(t *testing.T) {
	spec := &production().Spec
	if reason, ok := spec.Acknowledged(RiskPerPodLimits); !ok || reason != "for now" {
		t.Errorf("got %q, %v", reason, ok)
	}
	if _, ok := spec.Acknowledged(RiskAuthDisabled); ok {
		t.Error("a risk that is not listed is acknowledged")
	}
}
