// Package compile compiles what an app holds as text: definitions, conditions and
// prompts. One function serves the operator (Accepted), 'nexus validate' and the
// runtime, so that what one of them accepts runs and what one refuses never starts.
package compile

import (
	"fmt"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/authz"
	"github.com/nexus-operator/nexus-operator/runtime/config"
	"github.com/nexus-operator/nexus-operator/runtime/egress"
	"github.com/nexus-operator/nexus-operator/runtime/openapi"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// Workflow is a workflow, compiled. It is immutable.
type Workflow struct {
	Program *workflow.Program
	// Condition is that of authorization.when; nil when there is none.
	Condition *authz.Condition
}

// App compiles the workflows of an app, in their order, against what else its document
// says. Every problem is returned, with its field and, within a definition, its JSON
// pointer; the result is of use only when there is none. The problems of prompts are among
// them: Prompts returns what is compiled of those.
func App(doc *config.Document) ([]Workflow, []config.Problem) {
	env := environment(doc)
	out := make([]Workflow, len(doc.Workflows))
	programs := make([]*workflow.Program, len(doc.Workflows))
	var problems []config.Problem
	for i := range doc.Workflows {
		w, at := &doc.Workflows[i], fmt.Sprintf("spec.workflows[%d]", i)
		program, found := workflow.Compile(w.Name, w.Definition.Raw, env)
		problems = append(problems, within(at, found)...)
		programs[i], out[i].Program = program, program
		if program != nil && w.Exposes(v1alpha1.ChannelMCP) {
			problems = append(problems, tool(at, w, program)...)
		}
		if w.Authorization.When == "" {
			continue
		}
		condition, refused := authz.Compile(w.Authorization.When)
		for _, message := range refused {
			problems = append(problems, config.Problem{Field: at + ".authorization.when", Message: message})
		}
		out[i].Condition = condition
	}
	for i, found := range workflow.Link(programs) {
		problems = append(problems, within(fmt.Sprintf("spec.workflows[%d]", i), found)...)
	}
	_, found := Prompts(doc)
	return out, append(problems, found...)
}

// within are the problems of the definition of a workflow.
func within(at string, found []workflow.Problem) []config.Problem {
	var problems []config.Problem
	for _, p := range found {
		problems = append(problems, config.Problem{Field: at + ".definition" + p.Pointer, Message: p.Message})
	}
	return problems
}

// environment is what definitions are compiled against. What may be reached is judged by
// a guard like the one that the runtime makes its calls through: neither the issuers nor
// the sink of events are open to calls.
func environment(doc *config.Document) workflow.Environment {
	guard := egress.New(egress.Options{Rules: v1alpha1.EgressRules(v1alpha1.Auth{}, doc.Egress, v1alpha1.Events{})})
	texts := make(map[string]string, len(doc.Resources))
	for _, r := range doc.Resources {
		texts[r.Name] = r.Content
	}
	library := openapi.NewLibrary(texts)
	env := workflow.Environment{
		Reach: guard.Check,
		Operation: func(document, operationID string) error {
			return library.Check(document, operationID, guard.Check)
		},
	}
	for _, s := range doc.Secrets {
		env.Secrets = append(env.Secrets, s.Name)
	}
	return env
}
