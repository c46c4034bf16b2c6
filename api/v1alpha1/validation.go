package v1alpha1

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"

	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Sizes of definitions; runtime documents live in ConfigMaps of at most 1 MiB, and
// client-side apply copies a manifest into an annotation of at most 256 KiB.
const (
	MaxDefinitionBytes  = 64 << 10
	MaxDefinitionsBytes = 192 << 10
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
	errs = append(errs, validateTrustedProxies(spec.RateLimit.TrustedProxies, path.Child("rateLimit", "trustedProxies"))...)
	errs = append(errs, validateMaxBytes(spec, path.Child("input", "maxBytes"))...)
	errs = append(errs, validateWorkload(spec, path)...)
	errs = append(errs, validateWorkflows(spec, path.Child("workflows"))...)
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
		RiskRateLimitDisabled: field.Invalid(path.Child("rateLimit", "mode"), spec.RateLimit.Mode,
			"rateLimit.mode Disabled removes the protection against floods: set it to Enforce, or add {name: RateLimitDisabled, reason: ...} to spec.acknowledgedRisks"),
		RiskPerPodLimits: field.Invalid(path.Child("rateLimit"), "",
			"in Production the replicas would each count their own rate limits, so that N pods let N times as much through: add {name: PerPodLimits, reason: ...} to spec.acknowledgedRisks"),
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

func validateAuth(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	if spec.Auth.Mode != AuthRequired || spec.Auth.HasSource() {
		return nil
	}
	return field.ErrorList{field.Required(path.Child("apiKeys"),
		"authentication is required and no credential source is declared: set spec.auth.apiKeys.secretRef.name to a Secret made with 'nexus keys new'")}
}

func validateTrustedProxies(proxies []string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, p := range proxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			errs = append(errs, field.Invalid(path.Index(i), p,
				"each entry is a network in CIDR notation: write 10.0.0.0/8, or 192.0.2.7/32 for one address"))
		}
	}
	return errs
}

func validateMaxBytes(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	q := spec.Input.MaxBytes
	if n, whole := q.AsInt64(); whole && n >= 1 && n <= MaxInputBytes {
		return nil
	}
	return field.ErrorList{field.Invalid(path, q.String(),
		"maxBytes is a whole number of bytes from 1 to 50Mi: write 10Mi or 1048576")}
}

func validateWorkload(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for name, limit := range spec.Resources.Limits {
		if request, ok := spec.Resources.Requests[name]; ok && request.Cmp(limit) > 0 {
			errs = append(errs, field.Invalid(path.Child("resources", "requests").Key(string(name)), request.String(),
				fmt.Sprintf("a request may not exceed its limit: lower it to at most %s, or raise spec.resources.limits.%s", limit.String(), name)))
		}
	}
	if memory, ok := spec.Resources.Limits["memory"]; ok && memory.Value() < 4*spec.Input.MaxBytes.Value() {
		errs = append(errs, field.Invalid(path.Child("resources", "limits").Key("memory"), memory.String(),
			fmt.Sprintf("a quarter of the memory limit is the budget for request bodies, and it does not hold one of spec.input.maxBytes (%s): raise the limit to at least four times that, or lower maxBytes", spec.Input.MaxBytes.String())))
	}
	labels := path.Child("podMetadata", "labels")
	errs = append(errs, metav1validation.ValidateLabels(spec.PodMetadata.Labels, labels)...)
	errs = append(errs, metav1validation.ValidateLabels(spec.Scheduling.NodeSelector, path.Child("scheduling", "nodeSelector"))...)
	if mu := spec.Disruption.MaxUnavailable; mu != nil && mu.Type == intstr.String {
		if _, err := intstr.GetScaledValueFromIntOrPercent(mu, 100, false); err != nil {
			errs = append(errs, field.Invalid(path.Child("disruption", "maxUnavailable"), mu.String(),
				"maxUnavailable is a number of pods (1) or a percentage (25%)"))
		}
	}
	return errs
}

func validateWorkflows(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	total := 0
	seen := map[string]bool{}
	for i := range spec.Workflows {
		w, at := &spec.Workflows[i], path.Index(i)
		if seen[w.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), w.Name))
		}
		seen[w.Name] = true
		total += len(w.Definition.Raw)
		errs = append(errs, validateWorkflow(w, spec, at)...)
	}
	if total > MaxDefinitionsBytes {
		errs = append(errs, field.TooLong(path, "", MaxDefinitionsBytes))
	}
	return append(errs, validateRoutes(spec.Workflows, path)...)
}

func validateWorkflow(w *Workflow, spec *NexusAppSpec, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if w.TimeoutSeconds > spec.Limits.RequestTimeoutSeconds {
		errs = append(errs, field.Invalid(at.Child("timeoutSeconds"), w.TimeoutSeconds,
			fmt.Sprintf("may not exceed spec.limits.requestTimeoutSeconds (%d): lower it, or raise that", spec.Limits.RequestTimeoutSeconds)))
	}
	if w.RateLimit.Burst != 0 && w.RateLimit.RequestsPerMinute == 0 {
		errs = append(errs, field.Required(at.Child("rateLimit", "requestsPerMinute"),
			"burst alone makes no bucket: set requestsPerMinute too"))
	}
	if w.RateLimit.RequestsPerMinute != 0 && spec.RateLimit.Mode == RateLimitDisabled {
		errs = append(errs, field.Forbidden(at.Child("rateLimit"),
			"spec.rateLimit.mode Disabled switches this bucket off too: remove it, or set the mode to Enforce"))
	}
	if len(w.Authorization.AnyRole) > 0 && spec.Auth.Mode == AuthDisabled {
		errs = append(errs, field.Forbidden(at.Child("authorization", "anyRole"),
			"nobody has a role while spec.auth.mode is Disabled: remove it, or set the mode to Required"))
	}
	definition := at.Child("definition")
	if len(w.Definition.Raw) > MaxDefinitionBytes {
		errs = append(errs, field.TooLong(definition, "", MaxDefinitionBytes))
	}
	var tree any
	if err := json.Unmarshal(w.Definition.Raw, &tree); err != nil {
		return append(errs, field.Invalid(definition, "", "is not an object"))
	}
	return append(errs, validateYAMLBooleans(tree, definition)...)
}

// validateYAMLBooleans refuses the keys "true" and "false": kubectl reads YAML 1.1,
// where on, off, yes, no, y and n are booleans, so that the key "on" of a definition
// arrives here as "true" and would be misread silently.
func validateYAMLBooleans(value any, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key == "true" || key == "false" {
				errs = append(errs, field.Invalid(path.Key(key), key,
					"YAML 1.1 reads the unquoted keys on, off, yes, no, y and n as booleans: quote the key, for example \"on\":"))
			}
			errs = append(errs, validateYAMLBooleans(v[key], path.Child(key))...)
		}
	case []any:
		for i, item := range v {
			errs = append(errs, validateYAMLBooleans(item, path.Index(i))...)
		}
	}
	return errs
}

