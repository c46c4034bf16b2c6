package controllers

import (
	"context"
	"errors"
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/controllers/refs"
	"github.com/nexus-operator/nexus-operator/runtime/config"
)

// texts are what ConfigMaps hold of an app's workflows and prompts: the source of one rendering.
type texts struct {
	source config.Source
	// asked says whether the app names any.
	asked bool
	// problems are those of entries that cannot be used, by the field that names them, and
	// err is the API server's.
	problems map[string]refs.Problem
	err      error
}

// liveTexts are those of now.
func liveTexts(ctx context.Context, reading *refs.Reading) *texts {
	t := &texts{problems: map[string]refs.Problem{}}
	t.source = func(e config.Entry) (string, error) {
		t.asked = true
		text, problem, err := reading.Text(ctx, refs.Entry(e))
		switch {
		case err != nil:
			t.err = err
			return "", err
		case problem != nil:
			t.problems[e.Field] = *problem
			return "", errors.New(problem.Message)
		}
		return text, nil
	}
	return t
}

// keptTexts are those with which an app was rendered before.
func keptTexts(app *v1alpha1.NexusApp, document []byte) (*texts, error) {
	kept, err := config.Kept(app, document)
	if err != nil {
		return nil, err
	}
	t := &texts{}
	t.source = func(e config.Entry) (string, error) {
		t.asked = true
		return kept(e)
	}
	return t, nil
}

// noTexts are those of an app that names no ConfigMap.
func noTexts() *texts { return &texts{} }

// judge makes of what FromApp finds what the user has to know: that the spec is refused,
// or that something it names cannot be used.
func (t *texts) judge(errs field.ErrorList) error {
	if t.err != nil {
		return t.err
	}
	var refused field.ErrorList
	var unusable *Error
	for _, err := range errs {
		if !config.IsReference(err) {
			refused = append(refused, err)
			continue
		}
		problem, known := t.problems[err.Field]
		if !known {
			problem = refs.Problem{Reason: v1alpha1.ReasonConfigMapInvalid, Message: config.Problems(field.ErrorList{err})[0].String()}
		}
		unusable = unusable.and(unresolved(problem))
	}
	switch {
	case len(refused) > 0:
		return refuse(reasonOf(refused), joined(config.Problems(refused)))
	case unusable != nil:
		return unusable
	}
	return nil
}

// reasonOf tells a workflow, or a prompt, that is wrong from any other part of a spec.
func reasonOf(refused field.ErrorList) string {
	for _, err := range refused {
		if !definitionField.MatchString(err.Field) && !promptField.MatchString(err.Field) {
			return v1alpha1.ReasonInvalidSpec
		}
	}
	return reasonOfCompiling(config.Problems(refused))
}

// reasonOfCompiling tells prompts that are wrong from workflows, whatever is wrong besides.
func reasonOfCompiling(problems []config.Problem) string {
	for _, p := range problems {
		if !promptField.MatchString(p.Field) {
			return v1alpha1.ReasonInvalidWorkflow
		}
	}
	return v1alpha1.ReasonInvalidPrompt
}

var (
	definitionField = regexp.MustCompile(`^spec\.workflows\[[0-9]+\]\.definition(Text|Ref)?([./\[]|$)`)
	promptField     = regexp.MustCompile(`^spec\.prompts\[[0-9]+\]\.configMapRef([/]|$)`)
)
