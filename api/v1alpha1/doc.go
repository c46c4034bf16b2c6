// Package v1alpha1 is the API of the Nexus operator: the NexusApp resource, the
// policy structs that the runtime document embeds by value, the one place where
// every default is written, and the rules that no schema can express.
//
// It is the shared leaf: operator, runtime and kubectl plugin import it, and it
// imports none of them.
//
// +kubebuilder:object:generate=true
// +groupName=nexus.dev
package v1alpha1

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GroupVersion is the API group and version of NexusApp.
var GroupVersion = schema.GroupVersion{Group: "nexus.dev", Version: "v1alpha1"}

// AddToScheme registers NexusApp and NexusAppList.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &NexusApp{}, &NexusAppList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
