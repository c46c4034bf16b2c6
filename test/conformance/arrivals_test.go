package conformance

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cucumber/godog"
)

// arrivals are the steps about what services, the sink and other runs received.
func (s *scenario) arrivals(sc *godog.ScenarioContext) {
	sc.Then(`^'([^']*)' should have received (\d+) requests?$`, func(host string, want int) error {
		if got := s.services.received(host); len(got) != want {
			return fmt.Errorf("it received %d: %v", len(got), got)
		}
		return nil
	})
	sc.Then(`^request (\d+) to '([^']*)' should be '([^']*)'$`, func(n int, host, want string) error {
		r, err := s.request(n, host)
		if err != nil {
			return err
		}
		got := r.Method + " " + r.Path
		if r.Query != "" {
			got += "?" + r.Query
		}
		if got != want {
			return fmt.Errorf("it was %s", got)
		}
		return nil
	})
	sc.Then(`^request (\d+) to '([^']*)' should have the header '([^']*)' with value '([^']*)'$`, func(n int, host, name, want string) error {
		r, err := s.request(n, host)
		if err != nil {
			return err
		}
		if got := r.Header.Get(name); got != want {
			return fmt.Errorf("it was %q", got)
		}
		return nil
	})
	sc.Then(`^request (\d+) to '([^']*)' should not have the header '([^']*)'$`, func(n int, host, name string) error {
		r, err := s.request(n, host)
		if err != nil {
			return err
		}
		if got := r.Header.Values(name); len(got) > 0 {
			return fmt.Errorf("it was %q", got)
		}
		return nil
	})
	sc.Then(`^request (\d+) to '([^']*)' should have the body '([^']*)'$`, func(n int, host, want string) error {
		r, err := s.request(n, host)
		if err != nil {
			return err
		}
		if string(r.Body) != want {
			return fmt.Errorf("it was %q", r.Body)
		}
		return nil
	})
	sc.Then(`^the sink should have received (\d+) events?$`, func(want int) error {
		s.services.mu.Lock()
		defer s.services.mu.Unlock()
		if got := len(s.services.events); got != want {
			return fmt.Errorf("it received %d: %s", got, show(s.services.events))
		}
		return nil
	})
	sc.Then(`^the sink should have received the output$`, func() error {
		s.services.mu.Lock()
		defer s.services.mu.Unlock()
		if len(s.services.events) != 1 || !same(s.services.events[0], s.output) {
			return fmt.Errorf("it received %s, the output is %s", show(s.services.events), show(s.output))
		}
		return nil
	})
	sc.Then(`^a run of '([^']*)' should have been started with:$`, func(name string, text *godog.DocString) error {
		run, err := s.started(name)
		if err != nil {
			return err
		}
		return equal(run.inputs, text.Content)
	})
	sc.Then(`^the run of '([^']*)' should have completed with output:$`, func(name string, text *godog.DocString) error {
		run, err := s.started(name)
		if err != nil {
			return err
		}
		if run.err != nil {
			return fmt.Errorf("it failed: %w", run.err)
		}
		return equal(run.output, text.Content)
	})
}

func (s *scenario) request(n int, host string) (request, error) {
	received := s.services.received(host)
	if n < 1 || n > len(received) {
		return request{}, fmt.Errorf("it received %d requests: %v", len(received), received)
	}
	return received[n-1], nil
}

func (s *scenario) started(name string) (spawned, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, run := range s.spawned {
		if run.workflow == name {
			return run, nil
		}
	}
	return spawned{}, errors.New("no such run was started")
}

// String is a request in a message.
func (r request) String() string {
	text, err := json.Marshal(r.Header)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %s?%s %s %q", r.Method, r.Path, r.Query, text, r.Body)
}
