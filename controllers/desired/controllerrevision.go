package desired

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// revisionData is what a ControllerRevision keeps: the spec as its owner wrote it.
type revisionData struct {
	Spec v1alpha1.NexusAppSpec `json:"spec"`
}

// controllerRevision keeps the spec that is in force, so that a generation that is
// refused later on changes nothing while drift and Secrets of this one are still
// followed. The revision with the highest number is the one in force.
func (b *builder) controllerRevision() (*appsv1.ControllerRevision, error) {
	data, err := canonicalJSON(revisionData{Spec: b.App.Spec})
	if err != nil {
		return nil, err
	}
	meta := b.meta(RevisionName(b.App.Name, data))
	if b.Texts { // the spec alone would not say what was accepted
		meta.Annotations = map[string]string{v1alpha1.AnnotationDocument: b.names.ConfigMap}
	}
	return &appsv1.ControllerRevision{
		TypeMeta:   typeMeta(appsv1.SchemeGroupVersion, "ControllerRevision"),
		ObjectMeta: meta,
		Data:       runtime.RawExtension{Raw: data},
		Revision:   b.Generation,
	}, nil
}

// ReadRevision returns the spec that a ControllerRevision keeps.
func ReadRevision(revision *appsv1.ControllerRevision) (v1alpha1.NexusAppSpec, error) {
	var data revisionData
	if err := json.Unmarshal(revision.Data.Raw, &data); err != nil {
		return v1alpha1.NexusAppSpec{}, fmt.Errorf("reading the ControllerRevision %s: %w", revision.Name, err)
	}
	return data.Spec, nil
}
