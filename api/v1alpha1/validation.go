package v1alpha1

import (
	"net/netip"
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Sizes of definitions; runtime documents live in ConfigMaps of at most 1 MiB, and
// client-side apply copies a manifest into an annotation of at most 256 KiB.
const (
	MaxDefinitionBytes  = 64 << 10
	MaxDefinitionsBytes = 192 << 10
	// MaxResourceBytes bounds what a document holds of an OpenAPI document that a
	// definition names.
	MaxResourceBytes = 256 << 10
	// MaxPromptBytes bounds a prompt, as text and as JSON.
	MaxPromptBytes = 64 << 10
	// MaxInputBytes is the largest spec.input.maxBytes.
	MaxInputBytes = 50 << 20
)

var appName = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

// Validate applies every rule that spans fields to an app, after SetDefaults, and
// names the field and the fix of each violation. Types, enums, patterns and bounds
// are the schema's business; where CEL can state a rule too, the CRD repeats it with
// the same message, so that it is refused at admission.
//
// Workflow definitions are compiled by runtime/workflow, not here.
func Validate(app *NexusApp) field.ErrorList {
	var errs field.ErrorList
	if len(app.Name) > 46 || !appName.MatchString(app.Name) {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), app.Name,
			"metadata.name becomes the name of a Service and a prefix of other names: use at most 46 lower-case letters, digits and dashes, starting with a letter"))
	}
	spec, path := &app.Spec, field.NewPath("spec")
	errs = append(errs, validateRisks(spec, path)...)
	errs = append(errs, validateAuth(spec, path.Child("auth"))...)
	errs = append(errs, validateStoreError(spec, path.Child("rateLimit", "onStoreError"))...)
	errs = append(errs, validateEgress(&spec.Egress, path.Child("egress"))...)
	errs = append(errs, validateTrustedProxies(spec.RateLimit.TrustedProxies, path.Child("rateLimit", "trustedProxies"))...)
	errs = append(errs, validateMaxBytes(spec, path.Child("input", "maxBytes"))...)
	errs = append(errs, validateResources(spec, path)...)
	errs = append(errs, validateDisruption(spec, path.Child("disruption", "maxUnavailable"))...)
	errs = append(errs, validatePodMetadata(spec, path)...)
	errs = append(errs, validateIngressFrom(&spec.NetworkPolicy.IngressFrom, path.Child("networkPolicy", "ingressFrom"))...)
	errs = append(errs, validateEvents(&spec.Events, path.Child("events"))...)
	errs = append(errs, validateWorkflows(spec, path.Child("workflows"))...)
	errs = append(errs, validateMCP(spec, path)...)
	return errs
}

// validateRisks refuses what the guide calls "not recommended" unless it is
// acknowledged by name.
func validateRisks(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[RiskName]bool{}
	for i, r := range spec.AcknowledgedRisks {
		if seen[r.Name] {
			errs = append(errs, field.Duplicate(path.Child("acknowledgedRisks").Index(i).Child("name"), r.Name))
		}
		seen[r.Name] = true
	}
	refuse := map[RiskName]*field.Error{
		RiskAuthDisabled: field.Invalid(path.Child("auth", "mode"), spec.Auth.Mode,
			"auth.mode Disabled outside Development lets anyone run the workflows: set it to Required, or add {name: AuthDisabled, reason: ...} to spec.acknowledgedRisks"),
		RiskRateLimitDisabled: unlimited(&spec.RateLimit, path.Child("rateLimit")),
		RiskPerPodLimits: field.Invalid(path.Child("rateLimit"), "",
			"in Production the replicas would each count their own rate limits, so that N pods let N times as much through: set spec.redis, or add {name: PerPodLimits, reason: ...} to spec.acknowledgedRisks"),
		RiskSingleReplica: field.Invalid(path.Child("replicas"), spec.Replicas,
			"Production runs at least 2 replicas: raise spec.replicas, or add {name: SingleReplica, reason: ...} to spec.acknowledgedRisks"),
		RiskUnrestrictedEgress: field.Invalid(path.Child("networkPolicy", "mode"), spec.NetworkPolicy.Mode,
			"networkPolicy.mode Disabled in Production leaves the pods' traffic open: set it to Managed, or add {name: UnrestrictedEgress, reason: ...} to spec.acknowledgedRisks"),
	}
	for _, c := range Posture(spec) {
		if _, acknowledged := spec.Acknowledged(c.Risk); c.Passed || !c.Required || acknowledged {
			continue
		}
		errs = append(errs, refuse[c.Risk])
	}
	return errs
}

// unlimited says which of the ways not to limit is refused.
func unlimited(r *RateLimit, path *field.Path) *field.Error {
	const acknowledge = ", or add {name: RateLimitDisabled, reason: ...} to spec.acknowledgedRisks"
	switch r.Mode {
	case RateLimitDisabled:
		return field.Invalid(path.Child("mode"), r.Mode, "rateLimit.mode Disabled removes the protection against floods: set it to Enforce"+acknowledge)
	case RateLimitShadow:
		return field.Invalid(path.Child("mode"), r.Mode, "rateLimit.mode Shadow counts and refuses nobody: set it to Enforce"+acknowledge)
	default:
		return field.Invalid(path.Child("onStoreError"), r.OnStoreError, "rateLimit.onStoreError Allow removes the limit while Redis cannot be reached: set it to Local or Deny"+acknowledge)
	}
}

func validateTrustedProxies(proxies []string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, p := range proxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			errs = append(errs, field.Invalid(path.Index(i), p, cidrMessage))
		}
	}
	return errs
}

const cidrMessage = "each entry is a network in CIDR notation: write 10.0.0.0/8, or 192.0.2.7/32 for one address"

// MaxBytesMessage is what is said about a spec.input.maxBytes that is refused.
const MaxBytesMessage = "maxBytes is a whole number of bytes from 1 to 50Mi: write 10Mi or 1048576"

func validateMaxBytes(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	q := spec.Input.MaxBytes
	if n, whole := q.AsInt64(); whole && n >= 1 && n <= MaxInputBytes {
		return nil
	}
	return field.ErrorList{field.Invalid(path, q.String(), MaxBytesMessage)}
}

func validateWorkflows(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i := range spec.Workflows {
		w, at := &spec.Workflows[i], path.Index(i)
		if seen[w.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), w.Name))
		}
		seen[w.Name] = true
		errs = append(errs, validateWorkflow(w, spec, at)...)
	}
	return append(errs, validateRoutes(spec.Workflows, path)...)
}

func validateWorkflow(w *Workflow, spec *NexusAppSpec, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if w.TimeoutSeconds > spec.Limits.RequestTimeoutSeconds {
		errs = append(errs, field.Invalid(at.Child("timeoutSeconds"), w.TimeoutSeconds,
			"a workflow's timeoutSeconds may not exceed spec.limits.requestTimeoutSeconds: lower it, or raise that"))
	}
	if w.RateLimit.Burst != 0 && w.RateLimit.RequestsPerMinute == 0 {
		errs = append(errs, field.Required(at.Child("rateLimit", "requestsPerMinute"),
			"burst alone makes no bucket: set requestsPerMinute too"))
	}
	if w.RateLimit.RequestsPerMinute != 0 && spec.RateLimit.Mode == RateLimitDisabled {
		errs = append(errs, field.Forbidden(at.Child("rateLimit"),
			"spec.rateLimit.mode Disabled switches the workflows' own buckets off too: remove the workflow's rateLimit, or set the mode to Enforce"))
	}
	if len(w.Authorization.AnyRole)+len(w.Authorization.AnyScope) > 0 && spec.Auth.Mode == AuthDisabled {
		errs = append(errs, field.Forbidden(at.Child("authorization"),
			"nobody has a role or a scope while spec.auth.mode is Disabled: remove the workflow's authorization.anyRole and anyScope, or set the mode to Required and name a credential source"))
	}
	if len(w.Authorization.AnyScope) > 0 && spec.Auth.Mode == AuthRequired && len(spec.Auth.JWT) == 0 {
		errs = append(errs, field.Forbidden(at.Child("authorization", "anyScope"), "API keys have no scopes: list an issuer in spec.auth.jwt, or ask for a role with anyRole"))
	}
	return append(errs, validateSource(w, at)...)
}
