// Package compile compiles what the workflows of an app hold as text: definitions and
// conditions. One function serves the operator (Accepted), 'nexus validate' and the
// runtime, so that what one of them accepts runs and what one refuses never starts.
package compile

import (
	"fmt"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/authz"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// Workflow is a workflow, compiled. It is immutable.
type Workflow struct {
	Program *workflow.Program
	// Condition is that of authorization.when; nil when there is none.
	Condition *authz.Condition
}

// Workflows compiles the workflows of an app, in their order. Every problem is
// returned, with its field and, within a definition, its JSON pointer; the result is of
// use only when there is none.
func Workflows(list []v1alpha1.Workflow) ([]Workflow, []config.Problem) {
	out := make([]Workflow, len(list))
	var problems []config.Problem
	for i := range list {
		w, at := &list[i], fmt.Sprintf("spec.workflows[%d]", i)
		program, found := workflow.Compile(w.Name, w.Definition.Raw)
		for _, p := range found {
			problems = append(problems, config.Problem{Field: at + ".definition" + p.Pointer, Message: p.Message})
		}
		out[i].Program = program
		if w.Authorization.When == "" {
			continue
		}
		condition, refused := authz.Compile(w.Authorization.When)
		for _, message := range refused {
			problems = append(problems, config.Problem{Field: at + ".authorization.when", Message: message})
		}
		out[i].Condition = condition
	}
	return out, problems
}
