package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cucumber/godog"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// object is the error as a scenario writes it.
func object(e *workflow.Error) map[string]any {
	out := map[string]any{"type": e.Type, "status": e.Status}
	for key, value := range map[string]string{"title": e.Title, "detail": e.Detail, "instance": e.Instance} {
		if value != "" {
			out[key] = value
		}
	}
	return out
}

// cause is what the log is told of an error.
func cause(err error) string {
	var texts []string
	for ; err != nil; err = errors.Unwrap(err) {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, " < ")
}

// faults are the steps about the error of a run.
func (s *scenario) faults(sc *godog.ScenarioContext) {
	sc.Then(`^the workflow should fault$`, func() error {
		_, err := s.problem()
		return err
	})
	sc.Then(`^the workflow should fault with error:$`, func(text *godog.DocString) error {
		e, err := s.problem()
		if err != nil {
			return err
		}
		return equal(object(e), text.Content)
	})
	sc.Then(`^the workflow should fault with an error that has:$`, func(text *godog.DocString) error {
		e, err := s.problem()
		if err != nil {
			return err
		}
		got := object(e)
		delete(got, "detail")
		return equal(got, text.Content)
	})
	sc.Then(`^the workflow should fault with an error of type '([^']*)', status (\d+), at '([^']*)'$`, func(kind string, status int, at string) error {
		e, err := s.problem()
		if err != nil {
			return err
		}
		if !e.IsKind(workflow.ErrorKind(kind)) || e.Status != status || e.Instance != at {
			return fmt.Errorf("got %s (%s)", show(object(e)), cause(s.err))
		}
		return nil
	})
	sc.Then(`^the error detail should mention '([^']*)'$`, func(text string) error {
		e, err := s.problem()
		if err != nil {
			return err
		}
		if !strings.Contains(e.Detail, text) {
			return fmt.Errorf("the detail is %q", e.Detail)
		}
		return nil
	})
	// What a caller gets to see, on any channel.
	sc.Then(`^the caller should get the code '([^']*)'$`, func(code string) error {
		if s.err == nil {
			_, err := s.problem()
			return err
		}
		if f := fault.As(s.err); string(f.Code) != code {
			return fmt.Errorf("the code is %s: %w", f.Code, f)
		}
		return nil
	})
	sc.Then(`^the caller should get the code '([^']*)' and the status (\d+)$`, func(code string, status int) error {
		if _, err := s.problem(); err != nil {
			return err
		}
		if f := fault.As(s.err); string(f.Code) != code || f.Status != status {
			return fmt.Errorf("the code is %s and the status %d: %w", f.Code, f.Status, f)
		}
		return nil
	})
	sc.Then(`^'([^']*)' should appear nowhere$`, s.secret)
}

// secret says where a text appears that nobody may see: in the output, in what a caller
// or a client that follows the run is told, and in what runs that were started gave.
func (s *scenario) secret(text string) error {
	if !s.executed {
		return errors.New("the workflow was not executed")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]string{"the output": show(s.output)}
	if s.err != nil {
		f := *fault.As(s.err)
		f.Cause = nil // which is for the log
		seen["the error"] = show(f)
		if e, ok := errors.AsType[*workflow.Error](s.err); ok {
			seen["the error object"] = show(object(e))
		}
	}
	for _, run := range s.spawned {
		seen["a run of "+run.workflow] = show(run.inputs) + show(run.output)
	}
	for _, e := range s.trace {
		if e.Error != nil {
			seen["the event of "+e.Name] = e.Name + show(object(e.Error))
		}
	}
	for where, what := range seen {
		if strings.Contains(what, text) {
			return fmt.Errorf("%s holds it: %s", where, what)
		}
	}
	return nil
}

// refusals are the steps about definitions that do not compile.
func (s *scenario) refusals(sc *godog.ScenarioContext) {
	sc.When(`^the workflow is compiled$`, s.check)
	sc.Then(`^the workflow should be accepted$`, func() error {
		if len(s.problems) > 0 {
			return fmt.Errorf("refused: %v", s.problems)
		}
		return nil
	})
	sc.Then(`^the workflow should be refused at '([^']*)' because (.+)$`, func(pointer, why string) error {
		if !slices.ContainsFunc(s.problems, func(p workflow.Problem) bool {
			return p.Pointer == pointer && strings.Contains(p.Message, why)
		}) {
			return fmt.Errorf("the problems are %v", s.problems)
		}
		return nil
	})
	sc.Then(`^there should be (\d+) problems?$`, func(want int) error {
		if len(s.problems) != want {
			return fmt.Errorf("the problems are %v", s.problems)
		}
		return nil
	})
}
