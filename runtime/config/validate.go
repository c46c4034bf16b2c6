package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// validate applies what holds for an app to what a document holds of it: the schema,
// the rules of the API, and that every default is filled in. The rules about the pod's
// shape were the operator's to check: here the shape is a lenient one.
func (d *Document) validate() error {
	app := &v1alpha1.NexusApp{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: Kind},
		ObjectMeta: metav1.ObjectMeta{Name: d.Name, Namespace: d.Namespace},
		Spec: v1alpha1.NexusAppSpec{
			Environment: d.Environment, AcknowledgedRisks: d.AcknowledgedRisks, Auth: d.Auth, RateLimit: d.RateLimit,
			Input: d.Input, Limits: d.Limits, Logging: d.Logging, Workflows: d.Workflows,
			Redis: d.Redis, Egress: d.Egress, Trust: d.Trust, Secrets: d.Secrets, Events: d.Events, PublicURL: d.PublicURL,
		},
	}
	for _, p := range d.Prompts {
		// The document does not say which ConfigMap held it.
		ref := v1alpha1.ConfigMapKeyReference{Name: "document", Key: "content"}
		app.Spec.Prompts = append(app.Spec.Prompts, v1alpha1.Prompt{Name: p.Name, ConfigMapRef: ref})
	}
	tree, err := asTree(app)
	if err != nil {
		return err
	}
	if problems := checkSchema(tree); len(problems) > 0 {
		return joined(problems)
	}
	if d.NeedsCluster() != (d.Cluster != nil) {
		return errors.New("cluster: is there exactly when an issuer of spec.auth.jwt is 'kubernetes': render the document again")
	}
	if err := d.checkTexts(); err != nil {
		return err
	}
	defaulted := app.DeepCopy()
	v1alpha1.SetDefaults(&defaulted.Spec)
	limits := defaulted.Spec.Limits
	limits.ExecutionRetentionSeconds = d.Limits.ExecutionRetentionSeconds // it may be left out: see canonical
	want, err := asTree(&v1alpha1.NexusApp{Spec: v1alpha1.NexusAppSpec{
		Environment: d.Environment, Auth: defaulted.Spec.Auth, RateLimit: defaulted.Spec.RateLimit, Input: defaulted.Spec.Input,
		Limits: limits, Logging: defaulted.Spec.Logging, Workflows: defaulted.Spec.Workflows,
	}})
	if err != nil {
		return err
	}
	if problems := findMissing(tree["spec"], want["spec"], "spec"); len(problems) > 0 {
		return joined(problems)
	}
	// A pod does not know its siblings, and Kubernetes gives it its memory.
	defaulted.Spec.Replicas = new(int32)
	defaulted.Spec.Resources.Limits = nil
	return joined(Problems(v1alpha1.Validate(defaulted)))
}

// checkTexts looks for everything that the workflows and prompts are made of: a document
// refers to nothing outside of itself.
func (d *Document) checkTexts() error {
	named := map[string]bool{}
	for i := range d.Workflows {
		w := &d.Workflows[i]
		if w.DefinitionText != "" || w.DefinitionRef != nil {
			return fmt.Errorf("workflows[%d]: a document holds every definition itself: render the document again", i)
		}
		for _, r := range findResources(w.Definition.Raw) {
			named[r.name] = true
		}
	}
	for i, p := range d.Prompts {
		if len(p.Content) == 0 || len(p.Content) > v1alpha1.MaxPromptBytes {
			return fmt.Errorf("prompts[%d]: the content of %s has %d bytes, 1 to %d fit: render the document again", i, show(p.Name), len(p.Content), v1alpha1.MaxPromptBytes)
		}
	}
	for i, r := range d.Resources {
		if !named[r.Name] {
			return fmt.Errorf("resources[%d]: %s stands twice, or no workflow names it: render the document again", i, show(r.Name))
		}
		if len(r.Content) > v1alpha1.MaxResourceBytes {
			return fmt.Errorf("resources[%d]: %s has %d bytes, at most %d fit: shorten it", i, show(r.Name), len(r.Content), v1alpha1.MaxResourceBytes)
		}
		delete(named, r.Name)
	}
	if missing := slices.Sorted(maps.Keys(named)); len(missing) > 0 {
		return fmt.Errorf("resources: %s is missing, which a workflow names: render the document again", show(missing[0]))
	}
	return nil
}

// asTree is the app as JSON has it.
func asTree(app *v1alpha1.NexusApp) (map[string]any, error) {
	raw, err := json.Marshal(app)
	if err != nil {
		return nil, fmt.Errorf("reading a definition: %w", err)
	}
	tree, problem := readDocument(raw)
	if problem != nil {
		return nil, errors.New(problem.Message)
	}
	object, _ := tree.(map[string]any)
	delete(object, "status")
	return object, nil
}

// findMissing returns what want has and got has not: a default that the operator would
// have filled in.
func findMissing(got, want any, path string) []Problem {
	if reflect.DeepEqual(got, want) {
		return nil
	}
	var problems []Problem
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(w)) {
			at := child(path, name)
			if value, present := g[name]; present {
				problems = append(problems, findMissing(value, w[name], at)...)
			} else {
				problems = append(problems, Problem{at, "is missing: a document has every default filled in"})
			}
		}
	case []any:
		g, _ := got.([]any)
		for i := range min(len(g), len(w)) {
			problems = append(problems, findMissing(g[i], w[i], fmt.Sprintf("%s[%d]", path, i))...)
		}
	}
	return problems
}

// joined is nil when there is no problem, and else an error of one line.
func joined(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return errors.New(strings.ReplaceAll(Join(problems).Error(), "\n", "; "))
}
