package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// Names of rate limit policies, as callers and metrics see them. A workflow's own
// bucket is workflow/NAME.
const (
	PolicyApp          = "app"
	PolicyAuthFailures = "auth-failures"
)

func appPolicies(r v1alpha1.RateLimit) []*limit.Policy {
	if r.Mode == v1alpha1.RateLimitDisabled {
		return nil
	}
	return []*limit.Policy{limit.NewPolicy(PolicyApp, r.RequestsPerMinute, r.Burst)}
}

// newWorkflow compiles the i-th workflow of a document.
func newWorkflow(doc config.Document, i int, app []*limit.Policy) (*Workflow, error) {
	spec := doc.Workflows[i]
	program, problems := workflow.Compile(spec.Name, spec.Definition.Raw)
	if len(problems) > 0 {
		errs := make([]error, len(problems))
		for j, p := range problems {
			errs[j] = fmt.Errorf("workflow %q: definition%s: %s", spec.Name, p.Pointer, p.Message)
		}
		return nil, errors.Join(errs...)
	}
	w := &Workflow{
		Workflow: spec, Program: program, Policies: app,
		timeout:   time.Duration(min(spec.TimeoutSeconds, doc.Limits.RequestTimeoutSeconds)) * time.Second,
		hasSchema: program.InputSchema() != nil,
	}
	if own := spec.RateLimit; own.RequestsPerMinute > 0 && len(app) > 0 {
		w.Policies = []*limit.Policy{app[0], limit.NewPolicy("workflow/"+spec.Name, own.RequestsPerMinute, own.Burst)}
	}
	return w, nil
}
