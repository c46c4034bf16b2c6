package engine

import (
	"time"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/compile"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/limit"
)

// Names of rate limit policies, as callers and metrics see them. A workflow's own
// bucket is workflow/NAME.
const (
	PolicyApp          = "app"
	PolicyAuthFailures = "auth-failures"
	// PolicyExecutions is about asking for executions, canceling and following them.
	PolicyExecutions = "executions"
)

func appPolicies(r v1alpha1.RateLimit) []*limit.Policy {
	if r.Mode == v1alpha1.RateLimitDisabled {
		return nil
	}
	return []*limit.Policy{limit.NewPolicy(PolicyApp, r.RequestsPerMinute, r.Burst)}
}

// newWorkflow is the i-th workflow of a document, compiled.
func newWorkflow(doc config.Document, i int, compiled compile.Workflow, app []*limit.Policy) *Workflow {
	spec := doc.Workflows[i]
	w := &Workflow{
		Workflow: spec, Program: compiled.Program, Policies: app, condition: compiled.Condition,
		timeout:   time.Duration(min(spec.TimeoutSeconds, doc.Limits.RequestTimeoutSeconds)) * time.Second,
		hasSchema: compiled.Program.InputSchema() != nil,
	}
	if own := spec.RateLimit; own.RequestsPerMinute > 0 && len(app) > 0 {
		w.Policies = []*limit.Policy{app[0], limit.NewPolicy("workflow/"+spec.Name, own.RequestsPerMinute, own.Burst)}
	}
	return w
}
