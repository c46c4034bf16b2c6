package controllers

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/nexus-operator/nexus-operator/controllers/desired"
)

// DetectPodIDs says who chooses the ids of pods on this cluster: OpenShift, which is
// known by its SecurityContextConstraints, gives each namespace a range of its own.
func DetectPodIDs(mapper meta.RESTMapper) (desired.PodIDs, error) {
	_, err := mapper.RESTMapping(schema.GroupKind{Group: "security.openshift.io", Kind: "SecurityContextConstraints"})
	switch {
	case err == nil:
		return desired.PodIDsPlatform, nil
	case meta.IsNoMatchError(err):
		return desired.PodIDsFixed, nil
	default:
		return "", fmt.Errorf("detecting the platform: %w", err)
	}
}
