package conformance

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cucumber/godog"
)

// steps are those of the specification's kit, as its README lists them, and our own.
func (s *scenario) steps(sc *godog.ScenarioContext) {
	file := ""
	sc.Before(func(ctx context.Context, scenario *godog.Scenario) (context.Context, error) {
		file, s.services = filepath.Base(scenario.Uri), newServices()
		return ctx, nil
	})
	sc.StepContext().After(func(ctx context.Context, step *godog.Step, _ godog.StepResultStatus, err error) (context.Context, error) {
		if err != nil {
			err = fmt.Errorf("in %s: %s", file, step.Text) // it joins the one that there is
		}
		return ctx, err
	})
	s.arrange(sc)
	sc.When(`^the workflow is executed$`, s.execute)
	s.outcomes(sc)
	s.order(sc)
	s.arrivals(sc)
}

// end closes what the scenario used, and counts it when all went well.
func (s *scenario) end(good *atomic.Int64) godog.AfterScenarioHook {
	return func(ctx context.Context, _ *godog.Scenario, err error) (context.Context, error) {
		s.services.close()
		if err == nil {
			good.Add(1)
		}
		return ctx, nil
	}
}

// arrange are the steps that set up.
func (s *scenario) arrange(sc *godog.ScenarioContext) {
	sc.Given(`^(?:a|another) workflow with definition:$`, s.define)
	sc.Given(`^given the workflow input is:$`, func(text *godog.DocString) (err error) {
		s.input, err = decode(text.Content)
		return err
	})
	sc.Given(`^a workflow that has:$`, func(text *godog.DocString) error { return s.define(document(text.Content)) })
	// A table has its workflows in cells, in YAML's flow style.
	sc.Given(`^a workflow that does (\[.+\])$`, func(tasks string) error { return s.define(document("do: " + tasks)) })
	sc.Given(`^a workflow that has (\{.+\}) and does (\[.+\])$`, func(fields, tasks string) error {
		return s.define(document(fields[1:len(fields)-1] + "\ndo: " + tasks))
	})
	sc.Given(`^the secret '([^']*)' is:$`, func(name string, text *godog.DocString) (err error) {
		s.secrets[name], err = decode(text.Content)
		return err
	})
	sc.Given(`^the app has a secret '([^']*)' that cannot be read$`, func(name string) { s.unreadable = append(s.unreadable, name) })
	sc.Given(`^the app allows calls to '([^']*)' only$`, func(destination string) { s.allowed = []string{destination} })
	sc.Given(`^the ConfigMap entry '([^']*)' is:$`, func(name string, text *godog.DocString) { s.resources["configmap:"+name] = text.Content })
	sc.Given(`^the caller goes away after (\S+)$`, func(text string) (err error) {
		s.patience, err = time.ParseDuration(text)
		return err
	})
	sc.Given(`^the app has a sink for events$`, func() { s.sink = "https://events.example.com/" })
	sc.Given(`^'([^']*)' answers with ([\d, ]+)$`, func(path, codes string) {
		s.services.mu.Lock()
		defer s.services.mu.Unlock()
		s.services.answers[path] = strings.Split(codes, ",")
	})
	sc.Given(`^the random numbers are ([\d., ]+)$`, func(list string) error {
		for text := range strings.SplitSeq(list, ",") {
			n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				return err
			}
			s.random = append(s.random, n)
		}
		return nil
	})
}

// document is a definition that has what every one has.
func document(rest string) *godog.DocString {
	return &godog.DocString{Content: "document: {dsl: '1.0.3', namespace: default, name: test, version: '1.0.0'}\n" + rest}
}

// outcomes are the steps about how a run ended, and what it gave.
func (s *scenario) outcomes(sc *godog.ScenarioContext) {
	sc.Then(`^the workflow should complete$`, s.completed)
	sc.Then(`^the workflow should complete with output:$`, s.with(equal))
	sc.Then(`^the workflow should complete with the output (.+)$`, func(text string) error {
		if err := s.completed(); err != nil {
			return err
		}
		return equal(s.output, text)
	})
	sc.Then(`^the workflow output should have properties (.+)$`, func(list string) error {
		names, err := quoted(list)
		for _, name := range names {
			if err == nil {
				_, err = s.property(name)
			}
		}
		return err
	})
	sc.Then(`^the workflow output should have an? '([^']*)' property containing (\d+) items$`, func(path string, want int) error {
		value, err := s.property(path)
		if err != nil {
			return err
		}
		if items, ok := value.([]any); !ok || len(items) != want {
			return fmt.Errorf("%s is %s, want %d items", path, show(value), want)
		}
		return nil
	})
	sc.Then(`^the workflow output should have an? '([^']*)' property with value:$`, func(path string, text *godog.DocString) error {
		value, err := s.property(path)
		if err != nil {
			return err
		}
		return equal(value, text.Content)
	})
	sc.Then(`^the workflow output should not have an? '([^']*)' property$`, func(path string) error {
		if err := s.completed(); err != nil {
			return err
		}
		if value, err := lookUp(s.output, path); err == nil {
			return fmt.Errorf("%s is %s", path, show(value))
		}
		return nil
	})
	s.faults(sc)
	s.refusals(sc)
}

// with checks the output of a run that completed.
func (s *scenario) with(check func(output any, text string) error) func(*godog.DocString) error {
	return func(text *godog.DocString) error {
		if err := s.completed(); err != nil {
			return err
		}
		return check(s.output, text.Content)
	}
}

func (s *scenario) completed() error {
	if !s.executed {
		return errors.New("the workflow was not executed")
	}
	if s.err != nil {
		_, err := s.problem()
		if err == nil {
			err = s.err
		}
		return fmt.Errorf("the workflow failed: %w (%s)", err, cause(s.err))
	}
	return nil
}

func (s *scenario) property(path string) (any, error) {
	if err := s.completed(); err != nil {
		return nil, err
	}
	return lookUp(s.output, path)
}
