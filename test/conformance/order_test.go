package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cucumber/godog"

	"github.com/nexus-operator/nexus-operator/runtime/workflow"
)

// order are the steps about which tasks ran, when, and how often. They look at the
// events that the engine sends as it goes.
func (s *scenario) order(sc *godog.ScenarioContext) {
	sc.Then(`^(\w+) should run (first|last)$`, func(task, which string) error {
		started := s.of(workflow.TaskStarted)
		if len(started) == 0 {
			return errors.New("no task ran")
		}
		e := started[0]
		if which == "last" {
			e = started[len(started)-1]
		}
		if e.Name != task {
			return fmt.Errorf("%s ran %s, of %s", e.Name, which, names(started))
		}
		return nil
	})
	sc.Then(`^(\w+) should run before (\w+)$`, s.ordered)
	sc.Then(`^(\w+) should run after (\w+)$`, func(late, early string) error { return s.ordered(early, late) })
	sc.Then(`^(\w+) should run (\d+) times?$`, s.counted(workflow.TaskStarted))
	sc.Then(`^(\w+) should be retried (\d+) times?$`, s.counted(workflow.TaskRetried))
	sc.Then(`^(\w+) should be skipped$`, func(task string) error { return s.counted(workflow.TaskSkipped)(task, 1) })
	sc.Then(`^(\w+) should complete$`, func(task string) error { return s.counted(workflow.TaskCompleted)(task, 1) })
	sc.Then(`^(\w+) should fault$`, func(task string) error { return s.counted(workflow.TaskFaulted)(task, 1) })
	sc.Then(`^(\w+) should not run$`, func(task string) error { return s.counted(workflow.TaskStarted)(task, 0) })
	sc.Then(`^(\w+) should start at (.+)$`, func(task, list string) error {
		var got []string
		for _, e := range s.of(workflow.TaskStarted) {
			if e.Name == task {
				got = append(got, e.Time.Sub(begin).String())
			}
		}
		if strings.Join(got, ", ") != list {
			return fmt.Errorf("it started at %s", strings.Join(got, ", "))
		}
		return nil
	})
	sc.Then(`^the run should take (\S+)$`, func(want string) error {
		d, err := time.ParseDuration(want)
		if err != nil {
			return err
		}
		if took := s.clock.Now().Sub(begin); took != d {
			return fmt.Errorf("it took %s", took)
		}
		return nil
	})
	sc.Then(`^the task at '([^']*)' should be an? '([^']*)'$`, func(reference, kind string) error {
		events := s.of(workflow.TaskCompleted)
		i := slices.IndexFunc(events, func(e workflow.TaskEvent) bool { return e.Reference == reference })
		if i < 0 {
			return fmt.Errorf("no such task completed: %v", events)
		}
		if events[i].Kind != kind {
			return fmt.Errorf("it is a %s", events[i].Kind)
		}
		return nil
	})
}

// of are the events of one phase, in their order.
func (s *scenario) of(phase workflow.TaskPhase) []workflow.TaskEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []workflow.TaskEvent
	for _, e := range s.trace {
		if e.Phase == phase {
			out = append(out, e)
		}
	}
	return out
}

func names(events []workflow.TaskEvent) string {
	var out []string
	for _, e := range events {
		out = append(out, e.Name)
	}
	return strings.Join(out, ", ")
}

// ordered says whether one task was over before another one began.
func (s *scenario) ordered(early, late string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	over := slices.IndexFunc(s.trace, func(e workflow.TaskEvent) bool {
		return e.Name == early && (e.Phase == workflow.TaskCompleted || e.Phase == workflow.TaskFaulted)
	})
	began := slices.IndexFunc(s.trace, func(e workflow.TaskEvent) bool { return e.Name == late && e.Phase == workflow.TaskStarted })
	if over < 0 || began < over {
		return fmt.Errorf("%s was not over when %s began: %s", early, late, names(s.trace))
	}
	return nil
}

func (s *scenario) counted(phase workflow.TaskPhase) func(string, int) error {
	return func(task string, want int) error {
		got := 0
		events := s.of(phase)
		for _, e := range events {
			if e.Name == task {
				got++
			}
		}
		if got != want {
			return fmt.Errorf("%s was %s %d times, of %s", task, phase, got, names(events))
		}
		return nil
	}
}
