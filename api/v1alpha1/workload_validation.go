package v1alpha1

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func validateResources(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	requests, limits := spec.Resources.Requests, spec.Resources.Limits
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		request, limit := requests[name], limits[name]
		if request.Cmp(limit) > 0 {
			errs = append(errs, field.Invalid(path.Child("resources", "requests").Key(string(name)), request.String(),
				fmt.Sprintf("a request may not exceed its limit: lower it to at most %s, or raise spec.resources.limits.%s", limit.String(), name)))
		}
	}
	maxBytes := spec.Input.MaxBytes
	if memory, ok := limits["memory"]; ok && memory.Value()/4 < maxBytes.Value() {
		errs = append(errs, field.Invalid(path.Child("resources", "limits").Key("memory"), memory.String(),
			fmt.Sprintf("a quarter of the memory limit is the budget for request bodies, and it does not hold one of spec.input.maxBytes (%s): raise the limit to at least four times that, or lower maxBytes", maxBytes.String())))
	}
	return errs
}

var maxUnavailable = regexp.MustCompile(`^(100|[0-9]{1,2})%$`)

func validateDisruption(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	value := spec.Disruption.MaxUnavailable
	switch {
	case value == nil,
		value.Type == intstr.Int && value.IntVal >= 0,
		value.Type == intstr.String && maxUnavailable.MatchString(value.StrVal):
		return nil
	}
	return field.ErrorList{field.Invalid(path, value.String(), "maxUnavailable is a number of pods (1) or a percentage (25%)")}
}

func validatePodMetadata(spec *NexusAppSpec, path *field.Path) field.ErrorList {
	labels, annotations := path.Child("podMetadata", "labels"), path.Child("podMetadata", "annotations")
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(spec.PodMetadata.Labels)) {
		if strings.HasPrefix(key, "app.kubernetes.io/") || strings.HasPrefix(key, "nexus.dev/") {
			errs = append(errs, field.Invalid(labels, key,
				"labels under app.kubernetes.io/ and nexus.dev/ belong to the operator: choose another prefix"))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(spec.PodMetadata.Annotations)) {
		if strings.HasPrefix(key, "nexus.dev/") {
			errs = append(errs, field.Invalid(annotations, key,
				"annotations under nexus.dev/ belong to the operator: choose another prefix"))
		}
		for _, problem := range content.IsLabelKey(strings.ToLower(key)) {
			errs = append(errs, field.Invalid(annotations, key, problem))
		}
	}
	errs = append(errs, metav1validation.ValidateLabels(spec.PodMetadata.Labels, labels)...)
	return append(errs, metav1validation.ValidateLabels(spec.Scheduling.NodeSelector, path.Child("scheduling", "nodeSelector"))...)
}

// validateIngressFrom refuses peers that the API server would refuse when the
// NetworkPolicy is applied, so that the user reads it here first.
func validateIngressFrom(from *IngressFrom, path *field.Path) field.ErrorList {
	errs := validatePeers(from.API, path.Child("api"))
	return append(errs, validatePeers(from.Metrics, path.Child("metrics"))...)
}

func validatePeers(peers []networkingv1.NetworkPolicyPeer, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, peer := range peers {
		at := path.Index(i)
		selects := peer.PodSelector != nil || peer.NamespaceSelector != nil
		if selects == (peer.IPBlock != nil) {
			errs = append(errs, field.Invalid(at, "",
				"a peer is either an ipBlock, or a podSelector, a namespaceSelector or both: write one of the two forms"))
		}
		if peer.IPBlock != nil {
			errs = append(errs, validateIPBlock(peer.IPBlock, at.Child("ipBlock"))...)
		}
	}
	return errs
}

func validateIPBlock(block *networkingv1.IPBlock, path *field.Path) field.ErrorList {
	network, err := netip.ParsePrefix(block.CIDR)
	if err != nil {
		return field.ErrorList{field.Invalid(path.Child("cidr"), block.CIDR, cidrMessage)}
	}
	var errs field.ErrorList
	for i, text := range block.Except {
		except, err := netip.ParsePrefix(text)
		switch at := path.Child("except").Index(i); {
		case err != nil:
			errs = append(errs, field.Invalid(at, text, cidrMessage))
		case !network.Contains(except.Addr()) || except.Bits() <= network.Bits():
			errs = append(errs, field.Invalid(at, text, "an exception lies inside of the block and is smaller: write a part of "+block.CIDR))
		}
	}
	return errs
}
