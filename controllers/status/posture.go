package status

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// setSecurityPosture runs the production checklist over what is in force, or, while
// nothing is, over what is asked for.
func (s *summary) setSecurityPosture() {
	spec := s.spec
	checks := v1alpha1.Posture(spec)
	s.status.Security = v1alpha1.SecurityStatus{Auth: spec.Auth.Mode}
	reason := v1alpha1.ReasonRisksAccepted
	var findings []string
	for _, c := range checks {
		if c.Passed {
			continue
		}
		s.status.Security.Failed = append(s.status.Security.Failed, c.ID)
		why, acknowledged := spec.Acknowledged(c.Risk)
		if acknowledged {
			findings = append(findings, fmt.Sprintf("%s: %s (acknowledged: %s)", c.ID, c.Message, why))
			continue
		}
		reason = v1alpha1.ReasonChecksFailed
		findings = append(findings, fmt.Sprintf("%s: %s: %s", c.ID, c.Message, c.Fix))
	}
	s.status.Security.Score = fmt.Sprintf("%d/%d", len(checks)-len(findings), len(checks))
	if len(findings) == 0 {
		s.set(v1alpha1.ConditionSecurityPosture, metav1.ConditionTrue, v1alpha1.ReasonChecksPassed,
			fmt.Sprintf("all %d checks of the production checklist pass", len(checks)))
		return
	}
	s.set(v1alpha1.ConditionSecurityPosture, metav1.ConditionFalse, reason, strings.Join(findings, "; "))
}

// judged is the spec that the status is about. A number of replicas that somebody else
// has set counts as if it stood there.
func (s *summary) judged() *v1alpha1.NexusAppSpec {
	var spec *v1alpha1.NexusAppSpec
	if s.InForce != nil {
		spec = s.InForce.Spec.DeepCopy()
	} else {
		spec = s.app.Spec.DeepCopy()
		v1alpha1.SetDefaults(spec)
	}
	if spec.Replicas == nil && s.Deployment != nil {
		replicas := s.replicas()
		spec.Replicas = &replicas
	}
	return spec
}
