package v1alpha1

import "fmt"

// Check is one line of the security guide's production checklist.
//
// +kubebuilder:object:generate=false
type Check struct {
	// ID is stable: status, metrics and documentation use it.
	ID string `json:"id"`
	// Passed says whether the app meets it.
	Passed bool `json:"passed"`
	// Required checks refuse the app unless Risk is acknowledged.
	Required bool `json:"required"`
	// Risk that has to be acknowledged to fail the check, if there is one.
	Risk RiskName `json:"risk,omitempty"`
	// Message says what was found.
	Message string `json:"message"`
	// Fix says what to write to pass; empty when the check passes.
	Fix string `json:"fix,omitempty"`
}

// Posture judges a spec, after SetDefaults, by the guide's checklist. The same
// function serves the SecurityPosture condition, the score in the status and the
// rules that refuse an app.
func Posture(spec *NexusAppSpec) []Check {
	strict := spec.Environment != Development
	production := spec.Environment == Production
	replicas := DefaultReplicas(spec.Environment)
	if spec.Replicas != nil {
		replicas = *spec.Replicas
	}
	limited := spec.RateLimit.Mode == RateLimitEnforce
	unlimited, limitFix := "nothing bounds how often callers run workflows", "set spec.rateLimit.mode to Enforce"
	if limited {
		unlimited, limitFix = "nothing bounds how often callers run workflows while Redis cannot be reached", "set spec.rateLimit.onStoreError to Local or Deny"
	}
	return []Check{
		check("Authentication", spec.Auth.Mode == AuthRequired, strict, RiskAuthDisabled,
			"callers must present a credential", "anyone who reaches the pods runs the workflows",
			"set spec.auth.mode to Required and name a credential source"),
		check("RateLimit", limited && spec.RateLimit.OnStoreError != StoreErrorAllow, true, RiskRateLimitDisabled,
			"callers are rate limited", unlimited, limitFix),
		check("RateLimitAtLeast100", !limited || spec.RateLimit.RequestsPerMinute >= 100, false, "",
			"the limit is at least the guide's 100 requests a minute",
			fmt.Sprintf("the limit of %d requests a minute is below the guide's 100", spec.RateLimit.RequestsPerMinute),
			"raise spec.rateLimit.requestsPerMinute to 100 or more, if callers run into it"),
		check("SharedLimits", !limited || spec.Redis != nil || replicas <= 1, production, RiskPerPodLimits,
			"the limit holds over all replicas",
			fmt.Sprintf("each of %d pods counts its own limits, so that together they let %d times as much through", replicas, replicas),
			"set spec.redis"),
		check("Replicas", replicas == 0 || replicas >= 2, production, RiskSingleReplica,
			"a restart is no outage", "a restart of the only pod is an outage",
			"set spec.replicas to 2 or more"),
		check("NetworkPolicy", spec.NetworkPolicy.Mode == NetworkPolicyManaged, production, RiskUnrestrictedEgress,
			"a NetworkPolicy bounds the pods' traffic", "no NetworkPolicy bounds the pods' traffic",
			"set spec.networkPolicy.mode to Managed"),
		check("InputSize", spec.Input.MaxBytes.Value() <= 10<<20, false, "",
			"inputs are at most the guide's 10Mi", "inputs may be larger than the guide's 10Mi",
			"lower spec.input.maxBytes"),
		check("Logging", spec.Logging.Level != LogError && (!production || spec.Logging.Level != LogDebug), false, "",
			"the log level shows warnings and hides internals",
			fmt.Sprintf("the log level is %s", spec.Logging.Level), "set spec.logging.level to Info"),
	}
}

func check(id string, passed, required bool, risk RiskName, good, bad, fix string) Check {
	c := Check{ID: id, Passed: passed, Required: required, Risk: risk, Message: good}
	if !passed {
		c.Message, c.Fix = bad, fix
	}
	return c
}

// Acknowledged returns the reason with which the spec acknowledges a risk, and
// whether it does.
func (s *NexusAppSpec) Acknowledged(risk RiskName) (string, bool) {
	for _, r := range s.AcknowledgedRisks {
		if r.Name == risk {
			return r.Reason, true
		}
	}
	return "", false
}
