package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cucumber/godog"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
	"github.com/nexus-operator/nexus-operator/runtime/call"
	"github.com/nexus-operator/nexus-operator/runtime/egress"
	"github.com/nexus-operator/nexus-operator/runtime/fault"
	"github.com/nexus-operator/nexus-operator/runtime/workflow"
	"github.com/nexus-operator/nexus-operator/runtime/yamltext"
)

// scenario is one scenario: what its steps set up, and what came of it.
type scenario struct {
	services *services // nil until its first step
	clock    *clock
	// roots are the authorities that its calls trust.
	roots *egress.Roots

	definitions []json.RawMessage
	input       any
	secrets     map[string]any
	unreadable  []string
	resources   map[string]string
	allowed     []string
	sink        string
	random      []float64
	// patience is how long the caller of the workflow waits; 0 is for ever.
	patience time.Duration

	// problems are those of the workflow that is executed, and of the others after them.
	problems []workflow.Problem
	executed bool
	output   any
	err      error

	mu      sync.Mutex
	trace   []workflow.TaskEvent
	spawned []spawned
	runs    sync.WaitGroup
}

// spawned is a run that a workflow started and did not wait for.
type spawned struct {
	workflow string
	inputs   any
	output   any
	err      error
}

func newScenario(roots *egress.Roots) *scenario {
	s := &scenario{clock: newClock(), roots: roots, secrets: map[string]any{}, resources: map[string]string{}}
	for _, host := range hosts {
		s.allowed = append(s.allowed, host+":443")
	}
	return s
}

// decode reads a text of a scenario: YAML 1.2, and so JSON.
func decode(text string) (any, error) {
	return yamltext.Decode([]byte(text), yamltext.Options{MaxBytes: 4 << 20})
}

// define adds a workflow. The first one is executed.
func (s *scenario) define(text *godog.DocString) error {
	tree, err := decode(text.Content)
	if err != nil {
		return fmt.Errorf("reading the definition: %w", err)
	}
	definition, err := json.Marshal(tree)
	s.definitions = append(s.definitions, definition)
	return err
}

// nameOf is the name that a definition gives itself.
func nameOf(definition json.RawMessage) string {
	var d struct{ Document struct{ Name string } }
	if json.Unmarshal(definition, &d) != nil {
		return "" // the compiler says what is wrong with it
	}
	return d.Document.Name
}

// guard lets through what the scenario's app may reach. Names lead to the stand-ins,
// whose authority is the only one besides the public ones.
func (s *scenario) guard() (*egress.Guard, error) {
	// Only an entry for the address itself opens the loopback interface.
	rules := make([]v1alpha1.EgressRule, 0, len(s.allowed)+1)
	for _, text := range append(s.allowed, address.String()+":443") {
		rule, err := v1alpha1.ParseEgressRule(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
		rules = append(rules, rule)
	}
	return egress.New(egress.Options{Rules: rules, Roots: s.roots, Timeout: egress.NoTimeout, Resolve: resolve, Dial: s.services.dial}), nil
}

// compile compiles all workflows and links them.
func (s *scenario) compile(guard *egress.Guard, caller *call.Caller) []*workflow.Program {
	environment := workflow.Environment{Reach: guard.Check, Operation: caller.CheckOperation}
	environment.Secrets = append(slices.Sorted(maps.Keys(s.secrets)), s.unreadable...)
	var programs []*workflow.Program
	for _, definition := range s.definitions {
		program, problems := workflow.Compile(nameOf(definition), definition, environment)
		s.problems = append(s.problems, problems...)
		programs = append(programs, program)
	}
	if len(s.problems) > 0 {
		return nil
	}
	for _, problems := range workflow.Link(programs) {
		s.problems = append(s.problems, problems...)
	}
	return programs
}

func (s *scenario) caller(guard *egress.Guard) *call.Caller {
	return call.New(call.Options{Guard: guard, Sink: s.sink, Resources: s.resources})
}

// check compiles the workflows, and runs none.
func (s *scenario) check() error {
	guard, err := s.guard()
	if err != nil {
		return err
	}
	caller := s.caller(guard)
	defer caller.Close()
	s.compile(guard, caller)
	return nil
}

// execute runs the first workflow, as an app that has all of them would.
func (s *scenario) execute(ctx context.Context) error {
	guard, err := s.guard()
	if err != nil {
		return err
	}
	caller := s.caller(guard)
	defer caller.Close()
	programs := s.compile(guard, caller)
	if len(s.problems) > 0 {
		return fmt.Errorf("the workflow does not compile: %v", s.problems)
	}
	// No scenario takes that long: one that hangs shall say which it is.
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	host := &workflow.Host{
		Clock: s.clock, Random: s.number, Caller: newAttended(caller, s.clock, s.services),
		Secrets: func() map[string]any { return s.secrets },
	}
	if err := load(ctx, caller, programs, host); err != nil {
		return err
	}
	var driven sync.WaitGroup
	done := make(chan struct{})
	driven.Go(func() { s.clock.drive(done) })
	if s.patience > 0 {
		s.clock.AfterFunc(s.patience, cancel)
	}
	s.executed = true
	s.output, s.err = s.run(ctx, programs[0], s.input, s.options(programs, host))
	s.runs.Wait()
	close(done)
	driven.Wait()
	if left := outliving(); left != "" {
		return fmt.Errorf("the run is over, but not this goroutine of it:\n%s", left)
	}
	return nil
}

// load begins to fetch the OpenAPI documents of the workflows, as the runtime does when
// it starts.
func load(ctx context.Context, caller *call.Caller, programs []*workflow.Program, host *workflow.Host) error {
	var sources []call.DocumentSource
	for _, program := range programs {
		for _, document := range program.Documents() {
			if strings.HasPrefix(document.Name, "configmap:") {
				continue
			}
			sources = append(sources, call.DocumentSource{URL: document.Name, Access: func(ctx context.Context) (*workflow.Authentication, error) {
				return document.Access(ctx, host)
			}})
		}
	}
	caller.Load(ctx, sources)
	return nil
}

// run checks the input and runs a workflow, as the runtime does for a caller.
func (s *scenario) run(ctx context.Context, p *workflow.Program, input any, o options) (any, error) {
	if err := p.Check(input); err != nil {
		return nil, err
	}
	return p.Run(ctx, input, o.host, o.Options)
}

type options struct {
	workflow.Options
	host *workflow.Host
}

func (s *scenario) options(programs []*workflow.Program, host *workflow.Host) options {
	o := options{workflow.Options{ID: "run-1", Trace: s.record}, host}
	o.Spawn = func(ctx context.Context, name string, inputs any) error {
		i := slices.IndexFunc(s.definitions, func(d json.RawMessage) bool { return nameOf(d) == name })
		if i < 0 {
			return errors.New("no such workflow")
		}
		s.runs.Go(func() {
			output, err := s.run(context.WithoutCancel(ctx), programs[i], inputs, options{workflow.Options{ID: "run-2", Spawn: o.Spawn}, host})
			s.mu.Lock()
			defer s.mu.Unlock()
			s.spawned = append(s.spawned, spawned{name, inputs, output, err})
		})
		return nil
	}
	return o
}

func (s *scenario) record(e workflow.TaskEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, e)
}

// number is the next of the scenario's random numbers, and then one half.
func (s *scenario) number() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.random) == 0 {
		return 0.5
	}
	n := s.random[0]
	s.random = s.random[1:]
	return n
}

// problem is the specification's error that the run failed with.
func (s *scenario) problem() (*workflow.Error, error) {
	switch {
	case !s.executed:
		return nil, errors.New("the workflow was not executed")
	case s.err == nil:
		return nil, fmt.Errorf("the workflow completed with %s", show(s.output))
	}
	if e, ok := errors.AsType[*workflow.Error](s.err); ok {
		return e, nil
	}
	// What the runtime refuses before it runs anything is the specification's validation
	// error too.
	if f := fault.As(s.err); f.Code == fault.SchemaViolation {
		return workflow.NewError(workflow.ValidationError, s.err, "%s", f.Detail), nil
	}
	return nil, fmt.Errorf("the run failed, but with no error of the specification: %w (%s)", s.err, cause(s.err))
}
