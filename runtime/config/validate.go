package config

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// validate applies the rules of the API to what a document holds. Those about the
// pod's shape were the operator's to check: here the shape is the default one of a
// lenient environment.
func (d *Document) validate() error {
	if d.Name == "" {
		return errors.New("the runtime document has no name")
	}
	app := &v1alpha1.NexusApp{
		ObjectMeta: metav1.ObjectMeta{Name: d.Name, Namespace: d.Namespace},
		Spec: v1alpha1.NexusAppSpec{
			Environment: d.Environment, AcknowledgedRisks: d.AcknowledgedRisks, Auth: d.Auth, RateLimit: d.RateLimit,
			Input: d.Input, Limits: d.Limits, Logging: d.Logging, Workflows: d.Workflows,
		},
	}
	defaulted := app.DeepCopy()
	v1alpha1.SetDefaults(&defaulted.Spec)
	// The rules about replicas are the operator's: a pod does not know its siblings.
	defaulted.Spec.Replicas = new(int32)
	defaulted.Spec.Resources.Limits = nil
	if errs := v1alpha1.Validate(defaulted); len(errs) > 0 {
		return fmt.Errorf("the runtime document cannot be enforced: %w", errs.ToAggregate())
	}
	return nil
}
