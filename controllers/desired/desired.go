// Package desired says which objects a NexusApp needs. It is pure: the same Input
// is always the same objects, and there is no client, logger or clock in it.
package desired

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// Object is an object that Build makes: what controller-runtime calls a client.Object.
type Object interface {
	metav1.Object
	runtime.Object
}

// Input is everything that the objects of an app follow from.
type Input struct {
	// App is the NexusApp as its owner wrote it, without defaults. It has a name, a
	// namespace and a uid, and has passed v1alpha1.Validate.
	App *v1alpha1.NexusApp
	// Generation is the generation of App at which it was accepted.
	Generation int64
	// Document is the rendered runtime document.
	Document []byte
	// RuntimeImage is the image of apps that name none.
	RuntimeImage string
	// Replicas is how many pods there are to be: spec.replicas, or what somebody else
	// has set. Deployment.spec.replicas is left out when spec.replicas is.
	Replicas int32
	// SecretsDigest stands for the contents of every Secret that rolls the pods; empty
	// when there is none.
	SecretsDigest string
	// SecretsRecord is the value of v1alpha1.AnnotationSecrets; empty for none.
	SecretsRecord string
	// RedisPorts are the ports that the pods reach Redis at; empty without spec.redis.
	RedisPorts []uint16
	// Texts says whether the document holds what ConfigMaps of the user held.
	Texts bool
	// OperatorNamespace is where the operator's pods run.
	OperatorNamespace string
	// PodIDs says who chooses the numeric ids of the pods.
	PodIDs PodIDs
}

// PodIDs says who chooses the user and group ids of the pods.
type PodIDs string

// The ways to choose ids.
const (
	// PodIDsFixed runs the pods as 1000:1000.
	PodIDsFixed PodIDs = "Fixed"
	// PodIDsPlatform leaves the ids to the platform: OpenShift gives each namespace a
	// range and refuses any other id.
	PodIDsPlatform PodIDs = "Platform"
)

// Build returns the objects of an app in the order in which to apply them: what the
// pods mount comes before the pods, and the record of what is in force comes last, when
// the API server has taken everything else.
func Build(in Input) ([]Object, error) {
	app := in.App.DeepCopy()
	v1alpha1.SetDefaults(&app.Spec)
	b := builder{Input: in, spec: &app.Spec, names: NamesOf(app, in.Document)}
	revision, err := b.controllerRevision()
	if err != nil {
		return nil, fmt.Errorf("building the ControllerRevision: %w", err)
	}
	deployment, err := b.deployment()
	if err != nil {
		return nil, fmt.Errorf("building the Deployment: %w", err)
	}
	objects := []Object{b.serviceAccount(), b.configMap()}
	if b.spec.NetworkPolicy.Mode == v1alpha1.NetworkPolicyManaged {
		objects = append(objects, b.networkPolicy())
	}
	objects = append(objects, b.service(), deployment)
	if in.Replicas >= 2 {
		objects = append(objects, b.podDisruptionBudget())
	}
	return append(objects, revision), nil
}

// Optional returns the objects, by name only, that an app has or has not: what of
// them Build does not return is to be deleted.
func Optional(app *v1alpha1.NexusApp) []Object {
	at := metav1.ObjectMeta{Name: app.Name, Namespace: app.Namespace}
	return []Object{
		&networkingv1.NetworkPolicy{TypeMeta: typeMeta(networkingv1.SchemeGroupVersion, "NetworkPolicy"), ObjectMeta: at},
		&policyv1.PodDisruptionBudget{TypeMeta: typeMeta(policyv1.SchemeGroupVersion, "PodDisruptionBudget"), ObjectMeta: at},
	}
}

// builder is an Input with its spec defaulted and its names worked out.
type builder struct {
	Input
	spec  *v1alpha1.NexusAppSpec
	names Names
}

// meta is the metadata that every object of an app has in common.
func (b *builder) meta(name string) metav1.ObjectMeta {
	controller := true
	return metav1.ObjectMeta{
		Name: name, Namespace: b.App.Namespace, Labels: Labels(b.App.Name),
		// Without blockOwnerDeletion: it would need the permission to update
		// nexusapps/finalizers, and nothing here has to be gone before its app.
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "NexusApp",
			Name: b.App.Name, UID: b.App.UID, Controller: &controller,
		}},
	}
}

func (b *builder) serviceAccount() *corev1.ServiceAccount {
	mount := false
	return &corev1.ServiceAccount{
		TypeMeta:   typeMeta(corev1.SchemeGroupVersion, "ServiceAccount"),
		ObjectMeta: b.meta(b.App.Name),
		// The pods hold no API token; the pod template says so too.
		AutomountServiceAccountToken: &mount,
	}
}

// canonicalJSON renders a value with sorted keys, so that equal values are equal bytes.
func canonicalJSON(value any) ([]byte, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return sortKeys(raw)
}
